"""RI against Yang et al.'s published numbers; rank and the three taus against enumeration and scipy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from harness.statistics.metrics import (
    finite_vector,
    ktau,
    ktau_eq13,
    ktau_of_preferences,
    ktau_pairwise,
    preferences,
    rank,
    relative_improvement,
    ri_paper,
)

# Yang et al. (ICLR 2020), CIFAR-10: mean of 8 random architectures, mean of 8 searches, RI as Table 1 prints it.
PUBLISHED = [
    ("DARTS", 96.92, 97.23, 0.32),
    ("PDARTS", 96.62, 97.12, 0.52),
    ("NSGANET", 96.64, 96.18, -0.48),
    ("ENAS", 95.84, 95.85, 0.01),
    ("CNAS", 93.82, 94.51, 0.74),
    ("MANAS", 97.01, 97.18, 0.18),
    ("StacNAS", 96.98, 97.39, 0.43),
    ("NAO", 96.46, 96.88, 0.44),
]

scores = st.lists(st.floats(0.1, 100), min_size=1, max_size=20)
tied_pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=40)


def sign(value: float) -> int:
    """CTNAS's: sign(0) = +1."""
    return 1 if value >= 0 else -1


class TestRelativeImprovement:
    @pytest.mark.parametrize(("method", "acc_r", "acc_m", "ri"), PUBLISHED)
    def test_published_values(self, method: str, acc_r: float, acc_m: float, ri: float) -> None:
        # The means are published to 0.01 points, so RI is known to about 0.01.
        runs = acc_m + np.array([-0.3, 0.1, 0.2, 0.0, -0.1, 0.3, -0.4, 0.2])
        assert relative_improvement(runs, acc_r) == pytest.approx(ri, abs=0.011), method

    def test_lower_is_better_turns_the_sign(self) -> None:
        assert relative_improvement([4.0, 6.0], 10.0, higher_is_better=False) == 50.0
        assert relative_improvement([15.0], 10.0, higher_is_better=False) == -50.0

    @pytest.mark.parametrize("acc_r", [0.0, -3.0])
    def test_no_ratio_to_what_is_not_positive(self, acc_r: float) -> None:
        assert relative_improvement([1.0, 2.0], acc_r) is None

    @given(scores, st.floats(0.1, 100), st.floats(0.01, 100))
    def test_unit_free(self, runs: list[float], acc_r: float, unit: float) -> None:
        percent = relative_improvement(runs, acc_r)
        scaled = relative_improvement(np.array(runs) * unit, acc_r * unit)
        assert percent is not None
        assert scaled == pytest.approx(percent, rel=1e-9, abs=1e-9)

    def test_paper_variant_takes_as_many_draws_as_runs(self) -> None:
        assert ri_paper([60.0, 66.0], [50.0, 70.0, 99.0]) == pytest.approx(100 * (63 - 60) / 60)

    def test_paper_variant_needs_as_many_draws_as_runs(self) -> None:
        assert ri_paper([60.0, 66.0], [50.0]) is None

    @given(scores, st.integers(0, 5), st.booleans())
    def test_paper_variant_against_equal_draws_is_ri(self, runs: list[float], more: int, higher: bool) -> None:
        draws = np.full(len(runs) + more, 40.0)
        assert ri_paper(runs, draws, higher_is_better=higher) == pytest.approx(
            relative_improvement(runs, 40.0, higher_is_better=higher)
        )


class TestRank:
    def test_ties_share_the_best_rank(self) -> None:
        assert rank([9, 8, 5], [5, 8, 9, 8]).tolist() == [1, 2, 4]

    def test_a_row_without_a_score_is_never_better(self) -> None:
        assert rank([8.0], [math.nan, 9.0, 8.0, math.nan]).tolist() == [2]

    @given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
    def test_rank_is_its_definition(self, table: list[int]) -> None:
        expected = [1 + sum(row > value for row in table) for value in table]
        ranks = rank(table, table)
        assert ranks.tolist() == expected
        assert ranks.dtype == np.int64

    def test_a_table_of_nan_alone(self) -> None:
        with pytest.raises(ValueError, match="table must be a non-empty vector"):
            rank([1.0], [math.nan])


class TestKTau:
    @given(tied_pairs)
    def test_tau_b_is_its_definition(self, pairs: list[tuple[int, int]]) -> None:
        learned, true = np.array(pairs, dtype=float).T
        concordance = sum(np.sign(a - c) * np.sign(b - d) for (a, b), (c, d) in itertools.combinations(pairs, 2))
        untied = [sum(x != y for x, y in itertools.combinations(side, 2)) for side in (learned, true)]
        if 0 in untied:
            assert ktau(learned, true) is None
        else:
            assert ktau(learned, true) == pytest.approx(concordance / math.sqrt(math.prod(untied)), abs=1e-12)

    @given(tied_pairs)
    def test_eq13_is_its_definition(self, pairs: list[tuple[int, int]]) -> None:
        learned, true = np.array(pairs, dtype=float).T
        concordant = sum((a - c) * (b - d) > 0 for (a, b), (c, d) in itertools.combinations(pairs, 2))
        expected = 2 * concordant / math.comb(len(pairs), 2) - 1
        assert ktau_eq13(learned, true) == pytest.approx(expected, abs=1e-12)

    @given(tied_pairs)
    def test_pairwise_is_its_definition(self, pairs: list[tuple[int, int]]) -> None:
        learned, true = np.array(pairs, dtype=float).T
        signs = [sign(a - c) * sign(b - d) for (a, b), (c, d) in itertools.combinations(pairs, 2)]
        assert ktau_pairwise(learned, true) == pytest.approx(np.mean(signs), abs=1e-12)

    @given(tied_pairs, st.integers(1, 50))
    def test_a_comparator_of_scores_is_the_scores(self, pairs: list[tuple[int, int]], pairs_at_once: int) -> None:
        learned, true = np.array(pairs, dtype=float).T

        def compare(a: Sequence[float], b: Sequence[float]) -> list[float]:
            return [1 / (1 + math.exp(y - x)) for x, y in zip(a, b, strict=True)]

        preferred = preferences(compare, learned.tolist(), pairs_at_once=pairs_at_once)
        assert ktau_of_preferences(preferred, true) == ktau_pairwise(learned, true)

    def test_tau_b_is_scipys(self) -> None:
        learned, true = np.random.default_rng(0).integers(0, 50, size=(2, 1000))
        assert ktau(learned, true) == pytest.approx(kendalltau(learned, true).statistic)

    @given(st.permutations(range(12)))
    def test_all_agree_without_ties(self, order: list[int]) -> None:
        true = np.arange(12)
        tau = ktau(order, true)
        assert tau is not None
        assert ktau_eq13(order, true) == pytest.approx(tau)
        assert ktau_pairwise(order, true) == pytest.approx(tau)

    def test_known_answers_with_ties(self) -> None:
        # Five pairs concordant, one tied in the learned order: tau-b 5 / sqrt(5 * 6), Eq. 13 2 * 5 / 6 - 1.
        learned, true = [1, 2, 2, 3], [1, 2, 3, 4]
        assert ktau(learned, true) == pytest.approx(5 / math.sqrt(30))
        assert ktau_eq13(learned, true) == pytest.approx(4 / 6)
        # The tied pair: sign(0) * sign(2 - 3) = -1; in the other order of the items, +1.
        assert ktau_pairwise(learned, true) == pytest.approx(4 / 6)
        assert ktau_pairwise(learned[::-1], true[::-1]) == pytest.approx(1.0)

    def test_a_comparator_is_asked_in_one_direction(self) -> None:
        asked: list[tuple[str, str]] = []

        def compare(a: Sequence[str], b: Sequence[str]) -> list[float]:
            asked.extend(zip(a, b, strict=True))
            return [0.5] * len(a)  # undecided counts as "at least as good"

        assert ktau_of_preferences(preferences(compare, ["x", "y", "z"]), [3.0, 1.0, 2.0]) == pytest.approx(1 / 3)
        assert asked == [("x", "y"), ("x", "z"), ("y", "z")]

    def test_constant_and_single(self) -> None:
        assert ktau([1, 1, 1], [1, 2, 3]) is None
        assert ktau_eq13([1, 1, 1], [1, 2, 3]) == -1.0
        assert ktau([1], [1]) is None
        assert ktau_eq13([1], [1]) is None
        assert ktau_pairwise([1], [1]) is None
        assert ktau_of_preferences(preferences(lambda a, b: [], ["x"]), [1.0]) is None

    def test_whole_benchmark_counts_exactly(self) -> None:
        # 423,624 rows, the first half in reverse: every pair inside it is discordant, all others concordant.
        n, half = 423_624, 211_812
        true = np.arange(n)
        learned = np.concatenate([true[:half][::-1], true[half:]])
        expected = 1 - 4 * math.comb(half, 2) / (n * (n - 1))
        assert ktau(learned, true) == pytest.approx(expected, abs=1e-12)
        assert ktau_eq13(learned, true) == pytest.approx(expected, abs=1e-12)


class TestRefusals:
    @pytest.mark.parametrize("bad", [[], [[1.0, 2.0]], 3.0])
    def test_not_a_vector(self, bad: object) -> None:
        with pytest.raises(ValueError, match="scores must be a non-empty vector"):
            finite_vector(bad, "scores")  # type: ignore[arg-type]

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    def test_not_finite(self, bad: float) -> None:
        for refuse in (
            lambda: relative_improvement([1.0, bad], 2.0),
            lambda: relative_improvement([1.0], bad),
            lambda: ri_paper([1.0], [bad]),
            lambda: rank([bad], [1.0]),
            lambda: ktau([1.0, bad], [1.0, 2.0]),
            lambda: ktau_eq13([1.0, 2.0], [1.0, bad]),
            lambda: ktau_pairwise([1.0, bad], [1.0, 2.0]),
            lambda: preferences(lambda a, b: [bad], ["x", "y"]),
        ):
            with pytest.raises(ValueError, match="not finite"):
                refuse()

    def test_unequal_lengths(self) -> None:
        with pytest.raises(ValueError, match="2 learned scores but 3 true"):
            ktau([1, 2], [1, 2, 3])
        with pytest.raises(ValueError, match="0 preferences, 2 items have 1 pairs"):
            ktau_of_preferences(preferences(lambda a, b: [], ["x"]), [1, 2])
        with pytest.raises(ValueError, match="answered 2 values for 1 pairs"):
            preferences(lambda a, b: [1.0, 1.0], ["x", "y"])
