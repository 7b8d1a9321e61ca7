"""Ranks, the Friedman and Nemenyi tests, and rliable's measures against published numbers, scipy and brute force."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.across_tasks import (
    friedman,
    mean_over_tasks_interval,
    nemenyi,
    normalised,
    performance_profile,
    probability_of_improvement,
    rank_intervals,
    task_ranks,
    tie_groups,
)

# Demsar (JMLR 2006), Table 6: AUC of C4.5, C4.5+m, C4.5+cf and C4.5+m+cf on 14 data sets.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],  # printed as .975 both, and ranked 2 and 3
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def ranks_of(table: np.ndarray) -> np.ndarray:
    """Ranks of one run an entry and task, from a table [tasks, entries]."""
    return task_ranks([[[score] for score in entry] for entry in table.T.tolist()])


class TestRanks:
    def test_demsars_average_ranks(self) -> None:
        assert ranks_of(DEMSAR).mean(axis=0) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)

    @settings(deadline=None, max_examples=50)  # a first call imports scipy
    @given(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=6))
    def test_are_scipys(self, table: list[list[int]]) -> None:
        scores = np.array(table, dtype=float)
        assert ranks_of(scores).tolist() == scipy.stats.rankdata(-scores, axis=1).tolist()

    def test_means_of_runs_are_ranked(self) -> None:
        assert task_ranks([[[1.0, 9.0]], [[4.0, 4.0]], [[9.0, 1.0]]]).tolist() == [[1.5, 3.0, 1.5]]

    def test_equal_runs_in_another_order_tie(self) -> None:
        assert task_ranks([[[0.1, 0.2, 0.3]], [[0.3, 0.2, 0.1]]]).tolist() == [[1.5, 1.5]]

    def test_tasks_that_an_entry_lacks(self) -> None:
        with pytest.raises(ValueError, match="the same tasks"):
            task_ranks([[[1.0], [2.0]], [[1.0]]])

    def test_intervals_cover_the_expected_rank(self) -> None:
        """Four entries of which one is better, on 8 tasks: 500 studies, whose standard error is one point."""
        draw, held = rng(), []
        scores = draw.normal([0.8, 0.0, 0.0, 0.0], 1.0, (200_000, 4))
        truth = scipy.stats.rankdata(-scores[:20_000], axis=1).mean(axis=0)
        for study in scores[: 500 * 8].reshape(500, 8, 4):
            intervals = rank_intervals(ranks_of(study), rng=draw)
            assert intervals is not None
            held += [i.low <= rank <= i.high for i, rank in zip(intervals, truth, strict=True) if i is not None]
        assert 0.92 < np.mean(held) < 0.985

    def test_one_rank_on_all_tasks_has_no_interval(self) -> None:
        intervals = rank_intervals(np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]] * 3), rng=rng())
        assert intervals is not None
        assert [interval is None for interval in intervals] == [True, False, False]

    def test_too_few_tasks(self) -> None:
        assert rank_intervals(np.ones((4, 2)), rng=rng()) is None


class TestFriedmanAndNemenyi:
    def test_is_scipys(self) -> None:
        found = friedman(ranks_of(DEMSAR))
        theirs = scipy.stats.friedmanchisquare(*DEMSAR.T)
        assert found is not None
        assert (found.statistic, found.p) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-12)
        # Demsar, without correction for ties: 9.28.
        spread = (ranks_of(DEMSAR).mean(axis=0) ** 2).sum() - 4 * 25 / 4
        assert 12 * 14 / (4 * 5) * spread == pytest.approx(9.28, abs=0.005)

    def test_nemenyi_is_one_twentieth_at_demsars_critical_difference(self) -> None:
        """Demsar, section 3.2.2: 2.569 * sqrt(4 * 5 / (6 * 14)) = 1.25."""
        pairs, average = nemenyi(ranks_of(DEMSAR)), ranks_of(DEMSAR).mean(axis=0)
        assert pairs is not None
        apart = np.abs(average[:, None] - average)
        assert ((pairs < 0.05) == (apart >= 1.2536)).all()
        assert (pairs < 0.10).sum() == 2 * (apart[np.triu_indices(4)] >= 2.291 * np.sqrt(20 / 84)).sum()

    @pytest.mark.parametrize("table", [DEMSAR, np.random.default_rng(5).integers(0, 9, (8, 5)).astype(float)])
    def test_nemenyi_is_scikit_posthocs(self, table: np.ndarray) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            posthocs = pytest.importorskip("scikit_posthocs")
        pairs = nemenyi(ranks_of(table))
        assert pairs is not None
        assert pairs == pytest.approx(posthocs.posthoc_nemenyi_friedman(table).to_numpy(), abs=1e-6)

    def test_groups_of_ties(self) -> None:
        apart = np.tile([1.0, 2.0, 3.0, 4.0], (20, 1))
        assert tie_groups(apart) == [[0, 1], [1, 2], [2, 3]]  # a difference of 1 is 20 tasks' critical one of 1.05
        assert tie_groups(np.tile([1.0, 2.0, 3.0], (60, 1))) == [[0], [1], [2]]
        assert tie_groups(np.tile([3.0, 1.5, 1.5], (60, 1))) == [[1, 2], [0]]

    def test_nothing_is_told_apart_where_friedman_is_not(self) -> None:
        assert tie_groups(np.full((8, 3), 2.0)) == [[0, 1, 2]]
        assert friedman(np.full((8, 3), 2.0)) is None
        assert nemenyi(np.ones((4, 3))) is None
        assert friedman(np.ones((8, 1))) is None

    def test_equal_entries_are_told_apart_in_one_study_of_twenty(self) -> None:
        draw = rng()
        p = [friedman(ranks_of(draw.normal(size=(8, 5)))) for _ in range(2000)]
        assert np.mean([f is not None and f.p < 0.05 for f in p]) == pytest.approx(0.045, abs=0.015)


class TestProbabilityOfImprovement:
    @settings(deadline=None, max_examples=50)  # a first call imports scipy
    @given(st.lists(st.integers(0, 5), min_size=2, max_size=6), st.lists(st.integers(0, 5), min_size=2, max_size=6))
    def test_is_its_definition(self, ours: list[int], theirs: list[int]) -> None:
        pairs = [1.0 if x > y else 0.5 if x == y else 0.0 for x in ours for y in theirs]
        found = probability_of_improvement([ours, [1.0, 1.0]], [theirs, [0.0, 0.0]])
        assert found.probability == pytest.approx((np.mean(pairs) + 1) / 2)

    def test_interval_covers(self) -> None:
        """200 studies of two tasks with 20 runs a side; the truth is P(N(.5, 1) > N(0, 1)), and 1/2 on the second."""
        truth = (float(scipy.stats.norm.cdf(0.5 / np.sqrt(2))) + 0.5) / 2
        draw, held = rng(), 0
        for _ in range(200):
            ours, theirs = [draw.normal(0.5, 1, 20), draw.normal(size=20)], [draw.normal(size=20), draw.normal(size=20)]
            found = probability_of_improvement(ours, theirs)
            assert found.interval is not None
            held += found.interval.low <= truth <= found.interval.high
        assert 0.9 < held / 200 < 0.985

    def test_interval_is_delongs_on_the_logit(self) -> None:
        """One task: the standard error of the area under the curve by its definition, Brunner and Munzel's freedom."""
        x, y = np.array([3.0, 5.0, 6.0, 9.0]), np.array([1.0, 2.0, 4.0, 5.0, 7.0])
        found = probability_of_improvement([x], [y])
        a = [np.mean([(v > w) + 0.5 * (v == w) for w in y]) for v in x]
        b = [np.mean([(v > w) + 0.5 * (v == w) for v in x]) for w in y]
        va, vb = np.var(a, ddof=1) / 4, np.var(b, ddof=1) / 5
        df = (va + vb) ** 2 / (va**2 / 3 + vb**2 / 4)
        p = found.probability
        odds = scipy.stats.t.ppf(0.975, df) * np.sqrt(va + vb) / (p * (1 - p))
        assert found.interval is not None
        for end, sign in zip(found.interval, (-1, 1), strict=True):
            assert np.log(end / (1 - end)) == pytest.approx(np.log(p / (1 - p)) + sign * odds)

    def test_one_run_has_no_interval(self) -> None:
        assert probability_of_improvement([[1.0]], [[0.0, 2.0]]).interval is None

    def test_sides_that_are_apart_have_no_interval(self) -> None:
        assert probability_of_improvement([[5.0, 6.0]] * 3, [[1.0, 2.0]] * 3) == (1.0, None)

    def test_refusals(self) -> None:
        with pytest.raises(ValueError, match="1 tasks against 2"):
            probability_of_improvement([[1.0]], [[1.0], [2.0]])


class TestNormalisedScores:
    def test_zero_is_sampling_and_one_the_best(self) -> None:
        assert normalised([50.0, 75.0, 100.0, 25.0], sampling_mean=50.0, best=100.0).tolist() == [0.0, 0.5, 1.0, -0.5]

    def test_nothing_above_sampling(self) -> None:
        with pytest.raises(ValueError, match="not above random sampling"):
            normalised([1.0], sampling_mean=2.0, best=2.0)

    def test_profile_is_its_definition(self) -> None:
        found = performance_profile([[0.1, 0.5, 0.9], [0.2, 0.2, 0.8, 1.0]], [0.0, 0.2, 0.8, 1.0])
        # Task 1: 1, 2/3, 1/3, 0; task 2: 1, 2/4, 1/4, 0. Strictly above, as rliable has it.
        assert found.share == pytest.approx([1.0, 7 / 12, 7 / 24, 0.0])
        assert (found.low <= found.share).all()
        assert (found.share <= found.high).all()

    @pytest.mark.parametrize("tasks", [1, 3])
    def test_a_band_is_wilsons_of_all_runs_where_tasks_have_equally_many(self, tasks: int) -> None:
        runs = np.arange(8) / 8
        found = performance_profile([runs] * tasks, [-1.0, 0.1, 0.5, 0.9])
        for share, low, high in zip(found.share, found.low, found.high, strict=True):
            wilson = scipy.stats.binomtest(round(share * 8 * tasks), 8 * tasks).proportion_ci(0.95, method="wilson")
            assert (low, high) == pytest.approx((wilson.low, wilson.high), abs=1e-12)

    def test_no_band_leaves_the_shares_that_there_are(self) -> None:
        for n in range(2, 60):
            found = performance_profile([np.ones(n)] * 3, [0.0, 2.0])
            assert found.low.min() >= 0.0
            assert found.high.max() <= 1.0

    def test_a_band_covers_where_the_task_that_spreads_has_fewer_runs(self) -> None:
        """Of 8 runs a share of .7 is above, of 200 runs all: every profile there can be, by how likely it is."""
        held = 0.0
        for above in range(9):
            found = performance_profile([np.arange(8) < above, np.ones(200)], [0.5])
            held += scipy.stats.binom.pmf(above, 8, 0.7) * (found.low[0] <= 0.85 <= found.high[0])
        assert held > 0.95

    def test_a_profile_of_one_run_has_no_band(self) -> None:
        assert np.isnan(performance_profile([[0.5], [0.1, 0.2]], [0.3]).low).all()

    def test_the_interval_of_a_mean_over_two_tasks_is_half_of_welchs(self) -> None:
        # The sum of two means has the variance and the degrees of freedom of their difference.
        drawn = rng()
        ours, theirs = drawn.normal(0.4, 0.1, 9), drawn.normal(0.8, 0.3, 5)
        found = mean_over_tasks_interval([ours, theirs])
        assert found is not None
        welch = scipy.stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval()
        assert found.high - found.low == pytest.approx((welch.high - welch.low) / 2, abs=1e-12)
        assert (found.low + found.high) / 2 == pytest.approx((ours.mean() + theirs.mean()) / 2, abs=1e-12)

    def test_the_interval_of_a_mean_over_tasks_takes_two_runs_of_each(self) -> None:
        assert mean_over_tasks_interval([[0.1, 0.2], [0.3]]) is None

    def test_a_mean_over_tasks_without_spread_has_no_interval(self) -> None:
        assert mean_over_tasks_interval([[0.1] * 3, [0.7] * 3]) is None  # whose variance is 2e-34
        assert mean_over_tasks_interval([[0.1] * 3, [0.7, 0.8, 0.7]]) is not None
