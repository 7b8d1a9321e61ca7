"""The gate's tests against enumeration and scipy, and how often its verdicts err."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_gates import VERDICTS, until_decided, verdicts

from harness.statistics.gate import GateTest, gate_verdicts, looks, more_seeds, paired_test, sign_flip


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


class TestSignFlip:
    @settings(deadline=None, max_examples=50)  # a first call imports scipy
    @given(st.lists(st.integers(-5, 5), min_size=1, max_size=8))
    def test_is_its_definition(self, found: list[int]) -> None:
        flips = [
            sum(s * d for s, d in zip(signs, found, strict=True))
            for signs in itertools.product((1, -1), repeat=len(found))
        ]
        expected = sum(f >= sum(found) for f in flips) / len(flips)
        assert sign_flip(found, rng=rng()) == pytest.approx(expected)

    def test_is_scipys_permutation_test(self) -> None:
        found = np.random.default_rng(3).normal(0.4, 1, 30)
        theirs = scipy.stats.permutation_test(
            (found,), np.mean, permutation_type="samples", alternative="greater", n_resamples=20_000, rng=1,
        )  # fmt: skip
        assert sign_flip(found, rng=rng()) == pytest.approx(theirs.pvalue, abs=0.01)

    def test_equal_strategies_that_never_differ(self) -> None:
        assert sign_flip([0.0] * 8, rng=rng()) == 1.0

    def test_eight_equal_signs_are_one_in_256(self) -> None:
        assert sign_flip(np.arange(1, 9), rng=rng()) == 1 / 256

    def test_drawn_patterns_are_never_a_p_of_zero(self) -> None:
        assert 0 < sign_flip(np.ones(40), rng=rng()) < 1e-3


class TestVerdicts:
    def test_known_differences(self) -> None:
        small = np.tile([0.01, -0.01], 10)
        tests = [paired_test(d, 0.5, rng=rng()) for d in (small + 1, small, small - 0.1, small - 1)]
        assert [gate_verdicts([t])[0] for t in tests] == ["better", "not worse", "not worse", "worse"]
        assert gate_verdicts([paired_test([-3.0, 3.0, -2.0, 2.0], 0.5, rng=rng())]) == ["undecided"]

    def test_holm_over_rows(self) -> None:
        def row(p_worse: float) -> GateTest:
            return GateTest(0.9, 0.9, p_worse, -1.0, 1.0, 20)

        assert gate_verdicts([row(0.03)]) == ["worse"]
        assert gate_verdicts([row(0.03), row(0.04)]) == ["undecided", "undecided"]
        assert gate_verdicts([row(0.02), row(0.04)]) == ["worse", "worse"]

    def test_a_decided_row_leaves_the_correction_of_its_own_question_alone(self) -> None:
        test = GateTest(0.9, 0.03, 0.9, 0.0, 1.0, 8)
        assert gate_verdicts([test]) == ["not worse"]
        assert gate_verdicts([test], decided=["not worse"]) == ["not worse"]
        assert gate_verdicts([test], decided=["better"]) == ["undecided"]
        assert gate_verdicts([test], decided=["worse", "not worse"]) == ["undecided"]

    def test_identical_runs_are_not_worse(self) -> None:
        assert gate_verdicts([paired_test(np.zeros(8), 0.1, rng=rng())]) == ["not worse"]

    @pytest.mark.parametrize("margin", [0.0, -1.0, np.inf, np.nan])
    def test_a_margin_is_positive(self, margin: float) -> None:
        with pytest.raises(ValueError, match="a margin is positive"):
            paired_test([1.0, 2.0], margin, rng=rng())


class TestMoreSeeds:
    def test_is_the_normal_sample_size(self) -> None:
        # (1.645 + 0.842)^2 * (1 / 0.5)^2 = 24.7
        test = GateTest(0.5, 0.2, 0.5, 0.0, 1.0, 8)
        assert more_seeds(test, 0.5) == 25 - 8

    def test_a_loss_is_measured_from_zero(self) -> None:
        assert more_seeds(GateTest(0.9, 0.9, 0.1, -1.0, 1.0, 4), 0.5) == 7 - 4

    def test_at_least_one_and_none(self) -> None:
        assert more_seeds(GateTest(0.1, 0.1, 0.9, 1.0, 0.1, 20), 0.5) == 1
        assert more_seeds(GateTest(1.0, 0.5, 1.0, 0.0, 0.0, 1), 0.5) is None
        assert more_seeds(GateTest(0.5, 0.5, 0.5, 0.0, 1.0, 8), 1e-6) is None

    def test_so_many_that_p_can_be_below_the_level(self) -> None:
        """p is never below 2^-n: four equal losses give 1/16, and a fifth decides."""
        assert more_seeds(paired_test([-1.0] * 4, 0.2, rng=rng()), 0.2) == 1
        assert more_seeds(GateTest(0.1, 0.1, 0.9, 1.0, 0.05, 4), 0.2, alpha=0.05 / 12) == 8 - 4
        assert 2.0**-8 < 0.05 / 12 < 2.0**-7

    def test_so_many_decide(self) -> None:
        draw = np.random.default_rng(1)
        n = 8 + (more_seeds(GateTest(0.5, 0.2, 0.5, 0.1, 1.0, 8), 0.4) or 0)
        said = verdicts(draw.normal(0.1, 1, (1000, n)), 0.4, draw)
        assert np.mean(said != "undecided") == pytest.approx(0.8, abs=0.06)


class TestLooks:
    def test_doubled_until_the_last(self) -> None:
        assert looks(20, 160) == (20, 40, 80, 160)
        assert looks(20, 100) == (20, 40, 80, 100)
        assert looks(8, 8) == (8,)

    def test_refusals(self) -> None:
        for first, most in ((0, 5), (10, 5)):
            with pytest.raises(ValueError, match="looks from"):
                looks(first, most)


class TestErrors:
    """1,000 to 2,000 gates of two equal, skewed strategies; the standard error of a share of 5 % is .5 to .7 points."""

    def test_simulated_lines_are_the_gates_own(self) -> None:
        differences = np.random.default_rng(2).normal(-0.2, 1, (40, 12)).round(1)
        said = verdicts(differences, 0.5, rng())
        exact = [gate_verdicts([paired_test(d, 0.5, rng=rng())])[0] for d in differences]
        assert np.mean(said == exact) > 0.9  # 4,000 drawn patterns against all 4,096
        assert set(exact) <= set(VERDICTS)

    def test_an_equal_candidate_is_rarely_worse(self) -> None:
        draw = np.random.default_rng(4)
        differences = draw.gamma(0.5, size=(2000, 20)) - draw.gamma(0.5, size=(2000, 20))
        said = verdicts(differences, 0.35, draw)
        assert np.mean(said == "worse") < 0.065
        assert np.mean(said == "better") < 0.065

    def test_a_loss_of_the_margin_is_rarely_not_worse_in_steps(self) -> None:
        draw = np.random.default_rng(5)
        population = -draw.gamma(2, size=5000)
        margin = 0.5 * float(population.std())
        said, seeds = until_decided(population - margin, population, margin, draw, gates=1000, looks=looks(20, 160))
        assert np.mean(np.isin(said, ["not worse", "better"])) < 0.065
        assert np.mean(said == "undecided") < 0.05
        assert 20 < seeds.mean() < 120
