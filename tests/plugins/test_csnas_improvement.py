"""Eqs. 4 to 6 of CSNAS: what follows from what, and that Optuna's proposals are what they say."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution

from harness.spaces import Architecture
from harness_csnas.improvement import density, expected_improvement, split
from harness_csnas.sampler import ExpectedImprovement, GammaRule, gamma

WIDTH, CHOICES = 5, 6


def test_eq_6_follows_from_eqs_4_and_5() -> None:
    """A loss of eight values and three options: Eq. 4 summed by Bayes' rule is Eq. 6 times one constant."""
    y, p_y = np.arange(8.0), np.array([0.1, 0.05, 0.05, 0.2, 0.2, 0.1, 0.2, 0.1])
    good, bad, star = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.3, 0.6]), 3.0
    share = p_y[y < star].sum()
    given_y = np.where((y < star)[:, None], good, bad)  # Eq. 5: p(theta | y)
    p_theta = p_y @ given_y
    p_y_given_theta = given_y * p_y[:, None] / p_theta
    improvement = np.maximum(star - y, 0.0) @ p_y_given_theta  # Eq. 4
    ratio = improvement / expected_improvement(good, bad, share)
    np.testing.assert_allclose(ratio, ratio[0])


def test_a_density_is_a_prior_and_smoothed_kernels() -> None:
    """Of no observation uniform; of one, a kernel with 1.5 of 3.5 at its option and the prior, in equal parts."""
    np.testing.assert_allclose(density(np.array([], dtype=np.int64), 4), [0.25] * 4)
    found = density(np.array([2]), 4)
    np.testing.assert_allclose(found, np.array([0.5, 0.5, 1.5, 0.5]) / 6 + 0.125)
    assert found.sum() == pytest.approx(1.0)


def test_the_good_side_is_the_best_scores_of_equal_ones_the_first() -> None:
    assert split([1.0, 3.0, 2.0, 3.0, 3.0], 2).tolist() == [False, True, False, True, False]


def history(told: int, seed: int) -> tuple[list[Architecture], list[float]]:
    rng = np.random.default_rng(seed)
    thetas = rng.integers(0, WIDTH, size=(told, CHOICES))
    scores = (thetas == 3).sum(axis=1) + rng.normal(size=told)
    return [tuple(t) for t in thetas.tolist()], scores.tolist()


def proposals(
    sampler: optuna.samplers.BaseSampler, thetas: list[Architecture], scores: list[float], n: int = 1
) -> list[list[int]]:
    """n proposals after the same history."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions: dict[str, BaseDistribution] = {
        str(i): CategoricalDistribution(tuple(range(WIDTH))) for i in range(CHOICES)
    }
    for theta, score in zip(thetas, scores, strict=True):
        params = {str(i): o for i, o in enumerate(theta)}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=score))
    return [list(study.ask(distributions).params.values()) for _ in range(n)]


def improvements(thetas: list[Architecture], scores: list[float], good: int) -> list[npt.NDArray[np.float64]]:
    below, array = split(scores, good), np.array(thetas)
    return [
        expected_improvement(density(array[below, i], WIDTH), density(array[~below, i], WIDTH), good / len(thetas))
        for i in range(CHOICES)
    ]


@pytest.mark.parametrize("rule", ["linear", "sqrt", "released"])
@pytest.mark.parametrize("told", [21, 60, 140])
def test_the_proposal_has_the_largest_expected_improvement_as_has_optunas(rule: GammaRule, told: int) -> None:
    """With 20,000 candidates none of five options is missing from them: both propose Eq. 6's argmax."""
    if "gamma" not in inspect.signature(optuna.samplers.TPESampler.__init__).parameters:
        pytest.skip("the installed Optuna no longer takes gamma")
    thetas, scores = history(told, told)
    good = gamma(rule, 0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # gamma is deprecated since 4.9
        theirs = optuna.samplers.TPESampler(
            n_startup_trials=20, n_ei_candidates=20_000, gamma=good, prior_weight=1.0, multivariate=False,
            constant_liar=False, seed=1,
        )  # fmt: skip
    ours = ExpectedImprovement(starts=20, candidates=20_000, good=good, seed=1)
    for sampler in (ours, theirs):
        (proposed,) = proposals(sampler, thetas, scores)
        for improvement, option in zip(improvements(thetas, scores, good(told)), proposed, strict=True):
            assert improvement[option] == pytest.approx(improvement.max()), "of equal ones, any"


def test_few_candidates_are_drawn_from_the_good_ones_density() -> None:
    """One candidate is a draw from l; of two the better one is proposed."""
    thetas, scores = history(60, 0)
    good = gamma("linear", 0.2)
    below, first = split(scores, good(60)), np.array(thetas)[:, 0]
    of_good, improvement = density(first[below], WIDTH), improvements(thetas, scores, good(60))[0]
    better = improvement[:, None] >= improvement
    for candidates in (1, 2):
        sampler = ExpectedImprovement(starts=20, candidates=candidates, good=good, seed=0)
        shares = np.bincount([p[0] for p in proposals(sampler, thetas, scores, 500)], minlength=WIDTH) / 500
        pairs = of_good[:, None] * of_good
        two = (pairs * better).sum(axis=1) + (pairs * ~better).sum(axis=0)
        np.testing.assert_allclose(shares, of_good if candidates == 1 else two, atol=0.08)


def test_the_starts_are_uniform_whatever_was_told() -> None:
    thetas, scores = history(19, 0)
    sampler = ExpectedImprovement(starts=20, candidates=20_000, good=gamma("linear", 0.2), seed=0)
    drawn = proposals(sampler, thetas, scores, 200)
    shares = np.bincount(np.ravel(drawn), minlength=WIDTH) / (200 * CHOICES)
    np.testing.assert_allclose(shares, 1 / WIDTH, atol=0.05)


def test_the_history_is_read_once_a_proposal_not_once_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """With dozens of variables and thousands of trials, reading it for each variable is most of a search."""
    read: list[int] = []
    of_study = optuna.Study.get_trials

    def counted(study: optuna.Study, *args: Any, **options: Any) -> Any:
        read.append(1)
        return of_study(study, *args, **options)

    monkeypatch.setattr(optuna.Study, "get_trials", counted)
    sampler = ExpectedImprovement(starts=20, candidates=24, good=gamma("linear", 0.2), seed=0)
    assert len(proposals(sampler, *history(60, 0), n=5)) == len(read) == 5
