"""Intervals, tests and corrections against scipy, textbook values and brute-force enumeration."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.inference import (
    holm,
    iqm,
    mann_whitney,
    ri_interval,
    ri_interval_estimated,
    std,
    t_interval,
)

samples = st.lists(st.floats(-100, 100), min_size=2, max_size=30)
tied = st.lists(st.integers(0, 4), min_size=5, max_size=7)


def enumerated_p(scores: list[int], reference: list[int]) -> float:
    """Share of all assignments whose midrank sum is at least as far from its mean as the one seen."""
    ranks = scipy.stats.rankdata(scores + reference)
    m, mean = len(scores), len(scores) * (len(ranks) + 1) / 2
    seen = abs(ranks[:m].sum() - mean)
    sums = [abs(sum(chosen) - mean) for chosen in itertools.combinations(ranks.tolist(), m)]
    return float(np.mean([s >= seen for s in sums]))


class TestIntervals:
    def test_textbook(self) -> None:
        # t(0.975; 3) = 3.182446, s = sqrt(5 / 3), mean 2.5.
        interval = t_interval([1, 2, 3, 4])
        assert interval is not None
        half = 3.182446305 * math.sqrt(5 / 3) / 2
        assert interval == pytest.approx((2.5 - half, 2.5 + half))

    @given(samples)
    def test_scipys(self, values: list[float]) -> None:
        interval = t_interval(values)
        half = scipy.stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
        assert interval is not None
        assert interval == pytest.approx((np.mean(values) - half, np.mean(values) + half), rel=1e-9, abs=1e-9)

    def test_equal_runs_have_no_spread_and_no_width(self) -> None:
        equal = [93.05] * 10
        assert np.std(equal, ddof=1) > 0, "the mean is rounded, so that numpy sees a spread"
        interval = t_interval(equal)
        assert std(equal) == 0
        assert interval is not None
        assert interval.low == interval.high

    def test_one_run_has_none(self) -> None:
        assert t_interval([3.0]) is None
        assert std([3.0]) is None
        assert ri_interval([3.0], 2.0) is None
        assert ri_interval_estimated([3.0], [1.0, 2.0]) is None
        assert ri_interval_estimated([3.0, 4.0], [1.0]) is None

    def test_equal_runs_have_a_point(self) -> None:
        assert t_interval([94.37] * 8) == pytest.approx((94.37, 94.37))
        assert ri_interval([60.0] * 8, 50.0) == pytest.approx((20.0, 20.0))
        assert ri_interval_estimated([60.0] * 8, [50.0] * 8) == pytest.approx((20.0, 20.0))

    def test_std_has_ddof_1(self) -> None:
        assert std([1, 2, 3, 4]) == pytest.approx(math.sqrt(5 / 3))

    def test_ri_of_the_ends(self) -> None:
        ends = t_interval([92, 93, 94, 93.5])
        assert ends is not None
        assert ri_interval([92, 93, 94, 93.5], 87.06) == pytest.approx([100 * (end - 87.06) / 87.06 for end in ends])

    def test_lower_is_better_keeps_the_order(self) -> None:
        up, down = ri_interval([4, 5, 6], 10), ri_interval([4, 5, 6], 10, higher_is_better=False)
        assert up is not None
        assert down is not None
        assert down == pytest.approx((-up.high, -up.low))
        assert down.low < 50 < down.high

    def test_no_ratio_to_what_is_not_positive(self) -> None:
        assert ri_interval([1, 2], 0.0) is None
        assert ri_interval_estimated([1, 2], [-1, -2]) is None


class TestEstimatedBaseline:
    def test_fieller_solves_its_inequality(self) -> None:
        """The ends r satisfy |x - r y| = t sqrt(vx + r^2 vy)."""
        runs, draws = np.array([93.0, 94.1, 93.6, 92.8]), np.array([80.0, 91.0, 86.0, 88.0, 83.0])
        interval = ri_interval_estimated(runs, draws)
        assert interval is not None
        x, y, vx, vy = runs.mean(), draws.mean(), runs.var(ddof=1) / 4, draws.var(ddof=1) / 5
        at = (x / y) ** 2 * vy
        df = (vx + at) ** 2 / (vx**2 / 3 + at**2 / 4)
        t = scipy.stats.t.ppf(0.975, df)
        for end in interval:
            r = 1 + end / 100
            assert abs(x - r * y) == pytest.approx(t * math.sqrt(vx + r * r * vy))

    def test_at_equal_means_it_is_about_welchs(self) -> None:
        """At the estimated ratio 1, and to first order in vy / y^2, its half-width is Welch's over Acc_r."""
        rng = np.random.default_rng(3)
        runs, draws = rng.normal(90, 1, 8), rng.normal(90, 2, 12)
        runs += draws.mean() - runs.mean()
        welch = scipy.stats.ttest_ind(runs, draws, equal_var=False).confidence_interval(0.95)
        interval = ri_interval_estimated(runs, draws)
        assert interval is not None
        assert interval.high - interval.low == pytest.approx(100 * (welch.high - welch.low) / draws.mean(), rel=1e-3)

    @given(st.lists(st.floats(50, 100), min_size=2, max_size=20), st.floats(10, 90), st.booleans())
    def test_exact_baseline_is_its_limit(self, runs: list[float], acc_r: float, higher: bool) -> None:
        limit = ri_interval_estimated(runs, [acc_r] * 4, higher_is_better=higher)
        assert limit == pytest.approx(ri_interval(runs, acc_r, higher_is_better=higher), rel=1e-6, abs=1e-6)

    def test_unbounded_is_none(self) -> None:
        assert ri_interval_estimated([5, 6, 7], [0.1, 30, -20, 1]) is None


class TestMannWhitney:
    @settings(max_examples=60)
    @given(tied, tied)
    def test_exact_is_the_enumeration(self, scores: list[int], reference: list[int]) -> None:
        outcome = mann_whitney(scores, reference)
        assert outcome is not None
        assert outcome.exact
        assert outcome.p == pytest.approx(enumerated_p(scores, reference), abs=1e-12)

    @given(st.integers(5, 30), st.integers(5, 30), st.integers(0, 2**32))
    def test_exact_is_scipys_without_ties(self, m: int, n: int, seed: int) -> None:
        pooled = np.random.default_rng(seed).permutation(m + n)
        outcome = mann_whitney(pooled[:m], pooled[m:])
        expected = scipy.stats.mannwhitneyu(pooled[:m], pooled[m:], method="exact")
        assert outcome is not None
        assert outcome.p == pytest.approx(expected.pvalue, rel=1e-9)
        assert outcome.superiority == pytest.approx(expected.statistic / (m * n))

    @given(st.integers(5, 12), st.integers(60, 200), st.integers(2, 50), st.integers(0, 2**32))
    def test_normal_is_scipys_with_ties(self, m: int, n: int, levels: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        scores, reference = rng.integers(0, levels, m), np.append(rng.integers(0, levels, n - 2), [0, levels])
        outcome = mann_whitney(scores, reference)
        expected = scipy.stats.mannwhitneyu(scores, reference, method="asymptotic")
        assert outcome is not None
        assert not outcome.exact
        assert outcome.p == pytest.approx(expected.pvalue, rel=1e-9)
        assert outcome.superiority == pytest.approx(expected.statistic / (m * n))

    @given(tied, tied)
    def test_symmetric_and_monotone_invariant(self, scores: list[int], reference: list[int]) -> None:
        ours, theirs = mann_whitney(scores, reference), mann_whitney(reference, scores)
        assert ours is not None
        assert theirs is not None
        assert ours.p == theirs.p
        assert ours.superiority == pytest.approx(1 - theirs.superiority)
        assert mann_whitney(np.exp(scores), np.exp(reference)) == ours
        assert 0 < ours.p <= 1

    def test_smallest_p_values(self) -> None:
        # All of 8 above all of 8: 2 of C(16, 8) assignments are as far out.
        eight = mann_whitney(range(8, 16), range(8))
        assert eight == (2 / math.comb(16, 8), 1.0, True)
        thirty = mann_whitney(range(30), range(30, 60))
        assert thirty == (2 / math.comb(60, 30), 0.0, True)

    @pytest.mark.parametrize("n", [5, 8, 1000])
    def test_all_equal_is_one(self, n: int) -> None:
        outcome = mann_whitney([94.37] * 8, [94.37] * n)
        assert outcome is not None
        assert (outcome.p, outcome.superiority) == (1.0, 0.5)

    def test_below_five_a_side_is_none(self) -> None:
        assert mann_whitney([1, 2, 3, 4], range(10, 1010)) is None
        assert mann_whitney(range(10, 1010), [1, 2, 3, 4]) is None
        assert mann_whitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) is not None

    def test_against_a_thousand_draws_the_normal_is_close_and_careful(self) -> None:
        """8 runs against 1,000 draws: within 0.01 of the exact p, and not below it where it counts."""
        rng = np.random.default_rng(0)
        for _ in range(40):
            pooled = rng.permutation(1008) + np.r_[np.full(8, rng.uniform(0, 600)), np.zeros(1000)]
            ours = mann_whitney(pooled[:8], pooled[8:])
            exact = scipy.stats.mannwhitneyu(pooled[:8], pooled[8:], method="exact").pvalue
            assert ours is not None
            assert ours.p == pytest.approx(exact, abs=0.01)
            if exact < 0.04:
                assert ours.p >= exact


class TestHolm:
    def test_textbook(self) -> None:
        # Holm (1979) by hand: .005 x 4, .01 x 3, .03 x 2, .04 x 1 raised to its predecessor.
        assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])

    def test_none_is_not_of_the_family(self) -> None:
        assert holm([None, 0.02, None, 0.5]) == [None, 0.04, None, 0.5]
        assert holm([None]) == [None]
        assert holm([]) == []

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
    def test_properties(self, raw: list[float]) -> None:
        adjusted = [p for p in holm(raw) if p is not None]
        assert len(adjusted) == len(raw)
        assert all(a >= p and a <= 1 for a, p in zip(adjusted, raw, strict=True))
        order = np.argsort(raw, kind="stable")
        assert (np.diff(np.array(adjusted)[order]) >= 0).all()
        bonferroni = [min(1.0, len(raw) * p) for p in raw]
        assert all(a <= b + 1e-12 for a, b in zip(adjusted, bonferroni, strict=True))
        assert min(adjusted) == pytest.approx(min(bonferroni))

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
    def test_is_the_closed_bonferroni_test(self, raw: list[float]) -> None:
        """A hypothesis's adjusted p is the largest Bonferroni p over all sets of hypotheses that hold it."""
        for i, adjusted in enumerate(holm(raw)):
            others = [p for k, p in enumerate(raw) if k != i]
            sets = itertools.chain.from_iterable(itertools.combinations(others, k) for k in range(len(raw)))
            closed = max(min(1.0, (1 + len(s)) * min(raw[i], *s, 1.0)) for s in sets)
            assert adjusted == pytest.approx(closed)

    @pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1])
    def test_not_a_probability(self, bad: float) -> None:
        with pytest.raises(ValueError, match="outside"):
            holm([0.5, bad])


class TestIQM:
    @given(st.lists(st.floats(-100, 100), min_size=1, max_size=50))
    def test_is_scipys(self, values: list[float]) -> None:
        assert iqm(values) == pytest.approx(scipy.stats.trim_mean(values, 0.25), rel=1e-12, abs=1e-12)

    def test_a_failure_does_not_move_it(self) -> None:
        assert iqm([10, 90, 91, 92, 93, 94, 95, 96]) == 92.5


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_not_finite_are_refused(bad: float) -> None:
    many = [1.0, 2.0, 3.0, 4.0, bad]
    for refuse in (
        lambda: t_interval(many),
        lambda: std(many),
        lambda: iqm(many),
        lambda: ri_interval(many, 1.0),
        lambda: ri_interval([1.0, 2.0], bad),
        lambda: ri_interval_estimated([1.0, 2.0], many),
        lambda: mann_whitney(many, range(5)),
        lambda: mann_whitney(range(5), many),
    ):
        with pytest.raises(ValueError, match="not finite"):
            refuse()


def test_importing_imports_no_scipy() -> None:
    code = "import sys, harness.statistics.inference; print(sum(name.split('.')[0] == 'scipy' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0\n"


def test_a_mann_whitney_costs_less_than_a_millisecond() -> None:
    """A report on 1,000 records holds some 250 of them."""
    rng = np.random.default_rng(0)
    draws, took = rng.normal(size=1000), []
    for _ in range(50):
        scores = np.round(rng.normal(size=8), 1)
        start = time.perf_counter()
        mann_whitney(scores, draws)
        mann_whitney(scores, np.round(draws[:8], 1))
        took.append((time.perf_counter() - start) / 2)
    assert np.median(took) < 1e-3
