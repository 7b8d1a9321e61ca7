"""Verdicts over several references, and how often they err where nothing is better."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from bent_searches import incumbents
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_studies import Outcome, both_tests, called_better

from harness.statistics.inference import brunner_munzel, holm, mann_whitney
from harness.statistics.verdicts import Comparison, compare, cost_of_reference_run, headline, verdict_on, worst_case

samples = st.lists(st.integers(0, 12), min_size=5, max_size=30)


class TestBrunnerMunzel:
    @settings(deadline=None, max_examples=50)  # a first call imports scipy
    @given(samples, samples)
    def test_is_scipys(self, ours: list[int], theirs: list[int]) -> None:
        found = brunner_munzel(ours, theirs)
        a, b = np.array(ours)[:, None], np.array(theirs)
        placements = ((a > b) + (a == b) / 2).mean(axis=1), ((b[:, None] > a.T) + (b[:, None] == a.T) / 2).mean(axis=1)
        if placements[0].mean() == 0.5:
            assert found == 1.0
        elif max(np.ptp(p) for p in placements) == 0:
            assert found == 0.0
        else:
            assert found == pytest.approx(scipy.stats.brunnermunzel(ours, theirs).pvalue, rel=1e-9, abs=1e-12)

    def test_too_few_runs(self) -> None:
        assert brunner_munzel([1, 2, 3, 4], range(100)) is None

    def test_a_wide_spread_is_no_difference(self) -> None:
        """Seven of eight runs are above nearly all of 200, one is below them: a gamble that won."""
        reference = np.linspace(0, 1, 200)
        gamble = [0.95] * 7 + [0.02]
        ranks, apart = mann_whitney(gamble, reference), brunner_munzel(gamble, reference)
        assert ranks is not None
        assert apart is not None
        assert ranks.p < 0.003 < 0.02 < apart


class TestCostOfReferenceRun:
    def test_each_cost_in_turn(self) -> None:
        assert cost_of_reference_run([10, 20, 30], 7).tolist() == [10, 20, 30, 10, 20, 30, 10]

    def test_each_equally_often_where_it_divides(self) -> None:
        costs = cost_of_reference_run(np.arange(20), 200)
        assert np.unique(costs, return_counts=True)[1].tolist() == [10] * 20

    def test_what_crosses_the_limit_is_set_against_the_whole_reference(self) -> None:
        """Under 900 epochs a run that paid 944 has crossed, as a reference that paid 1,000 has."""
        assert cost_of_reference_run([944, 899, 900], 3, limit=900).tolist() == [math.inf, 899, math.inf]

    def test_the_costs_given_stay_as_they_are(self) -> None:
        costs = np.array([5.0, 900.0])
        cost_of_reference_run(costs, 2, limit=900)
        assert costs.tolist() == [5.0, 900.0]

    @pytest.mark.parametrize("bad", [[], [math.nan], [-1.0], [[1.0]]])
    def test_refusals(self, bad: object) -> None:
        with pytest.raises(ValueError, match="costs must be"):
            cost_of_reference_run(bad, 8)  # type: ignore[arg-type]


class TestWorstCase:
    def test_a_failure_is_the_worst_known(self) -> None:
        assert worst_case([90.0, None], [10.0, 94.0], [85.0]).tolist() == [90.0, 10.0]

    def test_worse_than_the_sample_where_the_runs_themselves_are_worst(self) -> None:
        assert worst_case([90.0, None, 3.0], [10.0, math.nan]).tolist() == [90.0, 3.0, 3.0]

    def test_nothing_known(self) -> None:
        with pytest.raises(ValueError, match="no worst case"):
            worst_case([None, None])

    @settings(deadline=None, max_examples=50)  # a first call imports scipy
    @given(st.lists(st.floats(0, 100), min_size=5, max_size=10), st.integers(0, 4))
    def test_failing_never_raises_a_mean_nor_a_rank(self, scores: list[float], place: int) -> None:
        known = [min(scores), 50.0]
        failed = worst_case([None if i == place else s for i, s in enumerate(scores)], known)
        assert (failed <= np.array(scores)).all()


class TestCompare:
    def test_the_largest_p_stands(self) -> None:
        entry, near, far = np.arange(20, 28), np.arange(15, 23), np.arange(0, 8)
        both = compare(entry, {"near": near, "far": far})
        test, apart = mann_whitney(entry, near), brunner_munzel(entry, near)
        assert test is not None
        assert apart is not None
        assert both.p == both.against["near"].p == max(test.p, apart)
        assert both.weakest == "near"
        assert (both.difference, both.superiority) == (5.0, test.superiority)
        assert both.against["far"].difference == 20.0
        assert (both.against["far"].n, both.against["far"].m) == (8, 8)

    def test_references_that_disagree_show_nothing(self) -> None:
        between = compare(np.arange(20, 28), {"above": np.arange(40, 48), "below": np.arange(0, 8)})
        assert (between.p, between.difference, between.superiority) == (1.0, 0.0, 0.5)
        assert verdict_on(between, between.p) == "not shown to be better"

    def test_means_against_ranks_show_nothing(self) -> None:
        """Seven runs above all of the reference, one so far below that the mean is lower."""
        found = compare([10.0] * 7 + [-1000.0], {"reference": np.linspace(0, 1, 200)})
        assert found.p == 1.0

    def test_too_few_runs_have_no_p(self) -> None:
        found = compare([1.0, 2.0, 3.0, 4.0], {"reference": np.arange(200)})
        assert found.p is None
        assert verdict_on(found, found.p) == "not shown to be better"

    @pytest.mark.parametrize(("shift", "word"), [(30.0, "better"), (-30.0, "worse"), (0.0, "not shown to be better")])
    def test_words(self, shift: float, word: str) -> None:
        reference = np.arange(20.0)
        found = compare(reference + shift, {"own cost": reference, "whole budget": reference + 1})
        assert verdict_on(found, found.p) == word

    @settings(deadline=None, max_examples=50)  # a first call imports scipy
    @given(samples, samples, samples)
    def test_another_reference_never_helps(self, entry: list[int], one: list[int], other: list[int]) -> None:
        alone, both = compare(entry, {"one": one}), compare(entry, {"one": one, "other": other})
        assert alone.p is not None
        assert both.p is not None
        assert both.p >= alone.p

    @settings(deadline=None, max_examples=50)  # a first call imports scipy
    @given(samples, samples, samples)
    def test_turning_every_score_turns_the_verdict(self, entry: list[int], one: list[int], other: list[int]) -> None:
        plain = compare(entry, {"one": one, "other": other})
        turned = compare([-s for s in entry], {"one": [-s for s in one], "other": [-s for s in other]})
        assert plain.p == pytest.approx(turned.p, abs=1e-12)
        assert plain.difference == pytest.approx(-turned.difference, abs=1e-12)

    def test_refusals(self) -> None:
        with pytest.raises(ValueError, match="nothing to compare with"):
            compare([1.0], {})
        with pytest.raises(ValueError, match="whole budget holds 1 of 2"):
            compare([1.0, 2.0], {"whole budget": [1.0, math.nan]})


class TestVerdict:
    @pytest.mark.parametrize(
        ("p", "difference", "superiority", "said"),
        [
            (0.049, 1.0, 0.9, "better"),
            (0.049, -1.0, 0.1, "worse"),
            (0.05, 1.0, 1.0, "not shown to be better"),
            (0.05, -1.0, 0.0, "not shown to be better"),
            (0.001, 0.0, 0.9, "not shown to be better"),
            (0.001, -1.0, 0.9, "not shown to be better"),
            (0.001, 1.0, 0.1, "not shown to be better"),
            (None, 5.0, 1.0, "not shown to be better"),
        ],
    )
    def test_said(self, p: float | None, difference: float, superiority: float | None, said: str) -> None:
        assert verdict_on(Comparison(p, difference, superiority, "", {}), p) == said


class TestHeadline:
    def test_is_holm_over_everything(self) -> None:
        tasks = [[0.01, None, 0.04], [0.001, 0.02]]
        flat = holm([0.01, None, 0.04, 0.001, 0.02])
        assert headline(tasks) == [flat[:3], flat[3:]]
        assert headline([[0.01], [0.001]]) == [[0.01], [0.002]]

    def test_no_hypothesis(self) -> None:
        assert headline([[], [None]]) == [[], [None]]


class TestSimulation:
    """The matrix of tests that calibration uses is the product's own, line by line."""

    def test_lines_are_compare(self) -> None:
        rng = np.random.default_rng(0)
        ours, theirs = rng.normal(0.3, 1, (40, 8)).round(1), rng.normal(size=(40, 200)).round(1)
        found = both_tests(ours, theirs)
        for i in range(40):
            one = compare(ours[i], {"reference": theirs[i]}).against["reference"]
            assert one.superiority is not None
            assert found.p[i] == pytest.approx(one.p, rel=1e-9)
            assert found.above[i] == (one.superiority > 0.5 and one.difference > 0)

    def test_the_word_is_holms(self) -> None:
        rng = np.random.default_rng(1)
        p = rng.uniform(0, 0.1, (5, 30))
        above = rng.random((5, 30)) < 0.5
        found = called_better([Outcome(*line) for line in zip(p, above, strict=True)])
        for i in range(30):
            adjusted = holm(p[:, i].tolist())
            expected = any(a is not None and a < 0.05 and up for a, up in zip(adjusted, above[:, i], strict=True))
            assert found[i] == expected

    def test_incumbents_are_the_oracles(self) -> None:
        found = incumbents(np.array([[1.0, 3.0, 3.0, 2.0, 4.0]]), np.array([[5.0, 6.0, 7.0, 8.0, 9.0]]))
        assert found.valid.tolist() == [[1, 3, 3, 3, 4]]
        assert found.final.tolist() == [[5, 6, 6, 6, 9]]  # the first of equally good ones stays
