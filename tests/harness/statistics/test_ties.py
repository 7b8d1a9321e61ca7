"""Rounding, and what is read off a tie."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.statistics.metrics import rank
from harness.statistics.ties import BestValidated, best_validated, rounded


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


class TestBestValidated:
    def test_one_best_row(self) -> None:
        assert best_validated([1.0, 3.0, 2.0], [10.0, 30.0, 40.0]) == BestValidated(30.0, 1, 30.0, 30.0)

    def test_cora_is_tied_but_for_float_noise(self) -> None:
        """Cora's two best validated rows differ by 1e-14 and test at 82.63 and 80.80."""
        found = best_validated([81.8, 81.8 + 1.5e-14, 70.0], [80.80, 82.63, 90.0])
        assert found is not None
        assert found.final == pytest.approx((80.80 + 82.63) / 2)
        assert found[1:] == (2, 80.80, 82.63)

    def test_lower_is_better(self) -> None:
        assert best_validated([3.0, 1.0], [5.0, 7.0], higher_is_better=False) == BestValidated(7.0, 1, 7.0, 7.0)

    def test_rows_without_a_score_are_left_out(self) -> None:
        found = best_validated([9.0, 8.0, 8.0, math.nan], [math.nan, 1.0, 2.0, 3.0])
        assert found == BestValidated(1.5, 2, 1.0, 2.0)
        assert best_validated([math.nan], [1.0]) is None

    def test_lengths_that_differ(self) -> None:
        with pytest.raises(ValueError, match="validation scores of shape"):
            best_validated([1.0], [1.0, 2.0])


def test_cora_of_the_real_benchmark_is_a_tie() -> None:
    package = pytest.importorskip("nas_bench_graph")
    rows = package.light_read("cora").values()
    valid, final = (100 * np.array([float(row[column]) for row in rows]) for column in ("valid_perf", "perf"))
    assert np.count_nonzero(valid == valid.max()) == 1
    found = best_validated(valid, final)
    assert found is not None
    assert found.tied == 2
    assert (round(found.low, 2), round(found.high, 2)) == (80.80, 82.63)
