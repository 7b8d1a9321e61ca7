"""CSNAS's sequential model-based search and Optuna's own TPE."""

from __future__ import annotations

import time

import numpy as np
import optuna
import pytest

from harness.errors import HarnessError
from harness.oracle import Budget, Oracle
from harness.spaces import SearchSpace
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness.testing.synthetic import SyntheticEvaluator
from harness_csnas.sampler import gamma, make_sampler
from harness_csnas.search import CSNAS, TPE, CSNASParams, TPEParams
from harness_nasbench.spaces.nasbench201 import NASBench201Space

QUICK = CSNASParams(n_ei_candidates=24)


def search(strategy: CSNAS | TPE, space: SearchSpace, queries: int, seed: int = 0) -> Oracle:
    oracle = Oracle(SyntheticEvaluator(space).validator(), Budget(queries=queries))
    strategy.search(oracle, np.random.default_rng(seed))
    return oracle


@pytest.mark.parametrize("strategy", [TPE(), CSNAS(QUICK)], ids=["tpe", "csnas"])
@pytest.mark.parametrize("space", [NASBench201Space(), ToyNodeSpace()], ids=["nasbench201", "toy-nodes"])
def test_a_budget_of_n_is_n_paid_queries(strategy: CSNAS | TPE, space: SearchSpace) -> None:
    oracle = search(strategy, space, 30)
    assert oracle.paid[0] == 30
    assert oracle.ended_by == "queries"
    counts = strategy.notes
    model = counts["proposals"] - counts["repeats"] - counts["invalid"]
    assert model + counts["forced_random"] == 30
    assert oracle.asked["total"] == 30 + oracle.asked["cached"]
    assert oracle.asked["invalid"] == 0


def test_a_repeat_is_told_with_its_known_value_and_two_force_a_fresh_draw() -> None:
    strategy = CSNAS(QUICK)
    told: list[tuple[tuple[int, ...], float]] = []

    class Spy(Oracle):
        def query(self, arch, **options):  # type: ignore[no-untyped-def]
            score = super().query(arch, **options)
            told.append((arch, score))
            return score

    space = ToyEdgeSpace()
    oracle = Spy(SyntheticEvaluator(space).validator(), Budget(queries=50))
    strategy.search(oracle, np.random.default_rng(1))
    assert strategy.notes["repeats"] > 0
    assert strategy.notes["forced_random"] > 0
    assert strategy.notes["repeats"] >= 2 * strategy.notes["forced_random"]
    values: dict[tuple[int, ...], set[float]] = {}
    for arch, score in told:
        values.setdefault(arch, set()).add(score)
    assert all(len(v) == 1 for v in values.values())


def test_a_space_smaller_than_the_budget_is_learned_whole_and_ends() -> None:
    oracle = search(TPE(), ToyEdgeSpace(), 200)
    assert (oracle.ended_by, oracle.paid[0]) == ("space", 55)


def test_the_papers_settings_reach_the_sampler() -> None:
    """Section IV: 20 random starts, 20,000 candidates, the best 20 %, each variable by itself."""
    settings = CSNAS()._settings()
    sampler, gone = make_sampler(settings)
    assert gone == []
    assert (sampler._n_startup_trials, sampler._n_ei_candidates, sampler._multivariate) == (20, 20_000, False)
    assert sampler._gamma is not None
    assert [sampler._gamma(n) for n in (1, 20, 100, 101)] == [1, 4, 20, 21]


def test_a_setting_that_optuna_dropped_is_named_not_passed() -> None:
    _, gone = make_sampler({"n_startup_trials": 3, "no_such_setting": 1})
    assert gone == ["no_such_setting"]


def test_the_split_rules_are_hyperopts_and_the_papers() -> None:
    """hyperopt: min(ceil(gamma sqrt(n)), 25), with .25 by default."""
    assert [gamma("sqrt", 0.2)(n) for n in (1, 100, 400)] == [1, 2, 4]
    assert [gamma("released", 0.2)(n) for n in (100, 20_000)] == [3, 25]
    assert CSNAS(CSNASParams(gamma_rule="released"))._settings()["n_ei_candidates"] == 24


def test_labels_are_never_called_csnass_result() -> None:
    strategy = CSNAS(QUICK)
    search(strategy, ToyEdgeSpace(), 5)
    assert "not CSNAS" in strategy.notes["result_of"]


def test_dense_is_refused_by_name_and_first2_where_it_does_not_fit() -> None:
    with pytest.raises(HarnessError, match="'dense'.*live training protocol"):
        search(TPE(TPEParams(encoding="dense")), ToyEdgeSpace(), 5)
    with pytest.raises(HarnessError, match="'first2'.*not for toy-edges"):
        search(TPE(TPEParams(encoding="first2")), ToyEdgeSpace(), 5)


def test_optunas_verbosity_is_left_as_found() -> None:
    before = optuna.logging.get_verbosity()
    search(TPE(), ToyEdgeSpace(), 5)
    assert optuna.logging.get_verbosity() == before


def test_tpe_finds_structure_that_random_search_does_not() -> None:
    """On a sum of per-choice effects, 60 queries of 15,625: the median run reaches more than random search's."""
    space = NASBench201Space()
    effects = np.random.default_rng(7).normal(size=(6, 5))

    class Additive(Oracle):
        def query(self, arch, **options):  # type: ignore[no-untyped-def]
            super().query(arch, **options)
            return float(effects[np.arange(6), arch].sum())

    def best(seed: int, strategy: TPE | None) -> float:
        oracle = Additive(SyntheticEvaluator(space).validator(), Budget(queries=60))
        if strategy is not None:
            strategy.search(oracle, np.random.default_rng(seed))
            archs = [o.arch for o in oracle.history]
        else:
            archs = space.sample(np.random.default_rng(seed), 60)
        return max(float(effects[np.arange(6), a].sum()) for a in archs)

    ours = [best(s, TPE()) for s in range(7)]
    random = [best(s, None) for s in range(100, 107)]
    assert np.median(ours) > max(random)


def test_tpe_of_500_trials_on_six_choices_takes_under_ten_seconds() -> None:
    started = time.process_time()
    assert search(TPE(), NASBench201Space(), 500).paid[0] == 500
    assert time.process_time() - started < 10
