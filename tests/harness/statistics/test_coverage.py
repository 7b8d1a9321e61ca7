"""Marks of intervals that do not cover: atoms in the runs, tails in the reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.coverage import atom, is_tied, student_coverage
from harness.statistics.inference import t_interval


class TestAtoms:
    def test_as_the_report_says_it(self) -> None:
        assert atom([71.95] * 19 + [71.2]) == (71.95, 19)

    def test_the_highest_of_equally_frequent_values(self) -> None:
        assert atom([1.0, 2.0, 2.0, 1.0, 0.0]) == (2.0, 2)

    @pytest.mark.parametrize(
        ("at_one_value", "n", "marked"), [(2, 8, False), (3, 8, True), (5, 20, False), (6, 20, True)]
    )
    def test_more_than_a_quarter_is_marked(self, at_one_value: int, n: int, marked: bool) -> None:
        assert is_tied([1.0] * at_one_value + list(range(2, 2 + n - at_one_value))) is marked

    def test_a_single_run_is_no_tie(self) -> None:
        assert not is_tied([1.0])
        assert not is_tied([1.0, 2.0, 3.0])
        assert is_tied([1.0, 1.0])

    @settings(deadline=None, max_examples=50)  # a first call imports scipy
    @given(st.lists(st.integers(0, 3), min_size=2, max_size=20))
    def test_an_interval_of_width_zero_is_always_marked(self, runs: list[int]) -> None:
        interval = t_interval(runs)
        assert interval is not None
        assert is_tied(runs) or interval.low < interval.high


class TestStudentCoverage:
    def test_normal_scores_are_covered(self) -> None:
        reference = np.random.default_rng(0).normal(size=200)
        for n in (8, 20):
            assert student_coverage(reference, n, rng=np.random.default_rng(1)) == pytest.approx(0.95, abs=0.012)

    def test_is_the_share_of_intervals_that_hold_the_mean(self) -> None:
        reference = np.random.default_rng(0).gamma(0.3, size=150)
        draw, held = np.random.default_rng(2), 0
        for _ in range(2000):
            interval = t_interval(draw.choice(reference, 8))
            assert interval is not None
            held += interval.low <= reference.mean() <= interval.high
        assert student_coverage(reference, 8, rng=np.random.default_rng(3)) == pytest.approx(held / 2000, abs=0.03)

    def test_one_bad_run_in_a_hundred_shows(self) -> None:
        reference = np.append(np.random.default_rng(0).normal(75, 0.5, 198), [60.0, 62.0])
        found = student_coverage(reference, 8, rng=np.random.default_rng(1))
        assert found is not None
        assert found < 0.9

    def test_equal_runs_hold_themselves(self) -> None:
        assert student_coverage(np.full(100, 0.1), 8, rng=np.random.default_rng(0)) == 1.0

    def test_too_few_to_tell(self) -> None:
        assert student_coverage(np.arange(99), 8, rng=np.random.default_rng(0)) is None
        assert student_coverage(np.arange(100), 1, rng=np.random.default_rng(0)) is None
