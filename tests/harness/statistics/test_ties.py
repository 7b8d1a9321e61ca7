"""Rounding."""

from __future__ import annotations

import math

import numpy as np

from harness.statistics.metrics import rank
from harness.statistics.ties import rounded


class TestRounded:
    def test_sums_in_another_order_become_one_score(self) -> None:
        a, b = (0.1 + 0.2 + 0.3) / 3 * 100, (0.3 + 0.2 + 0.1) / 3 * 100
        assert a != b
        assert rounded([a, b])[0] == rounded([a, b])[1]
        assert rank(rounded([a, b]), rounded([a, b])).tolist() == [1, 1]

    def test_what_a_benchmark_tells_apart_stays_apart(self) -> None:
        one_image_of_a_million = 1e-4
        assert np.unique(rounded([90.0, 90.0 + one_image_of_a_million, 90.0 + 2e-9])).size == 3

    def test_keeps_shape_and_what_is_no_number(self) -> None:
        found = rounded([[1.00000000049, math.nan], [-1e-12, math.inf]])
        assert found[0, 0] == 1.0
        assert math.isnan(found[0, 1])
        assert math.copysign(1.0, found[1, 0]) == 1.0
        assert found[1, 1] == math.inf
