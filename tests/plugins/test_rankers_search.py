"""The rankers as strategies."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from harness import Budget, Oracle, Strategy
from harness.testing.synthetic import SyntheticEvaluator
from harness_nasbench.spaces.nasbench201 import NASBench201Space
from harness_rankers.forest import E2EPP
from harness_rankers.gin import GINRanker
from harness_rankers.peephole import Peephole
from harness_rankers.ridge import Ridge

STRATEGIES: list[type[Strategy]] = [GINRanker, E2EPP, Peephole, Ridge]
QUICK: dict[str, dict[str, Any]] = {
    "gin-ranker": {"epochs": 2, "members": 2, "width": 4}, "e2epp": {"trees": 5}, "ridge": {},
    "peephole": {"epochs": 2, "width": 8, "hidden": 8},
}  # fmt: skip


def run(cls: type[Strategy], queries: int = 30, **params: Any) -> tuple[Strategy, Oracle, list[tuple[int, ...]]]:
    oracle = Oracle(SyntheticEvaluator(NASBench201Space()).validator(), Budget(queries=queries))
    strategy = cls(msgspec.convert({**QUICK[cls.name], **params}, cls.Params))
    return strategy, oracle, list(strategy.search(oracle, np.random.default_rng(0)))


@pytest.mark.parametrize("cls", STRATEGIES, ids=lambda c: c.name)
def test_budget_is_divided_and_the_best_validated_stands(cls: type[Strategy]) -> None:
    strategy, oracle, returned = run(cls)
    assert strategy.notes["labels"] == 20
    assert len(oracle.history) == 30
    assert len(set(oracle.space.keys([o.arch for o in oracle.history]))) == 30
    assert returned[0] == max(oracle.history, key=lambda o: o.score).arch
    assert strategy.ranker is not None
    assert np.isfinite(strategy.ranker.rank(returned)).all()


@pytest.mark.parametrize("cls", STRATEGIES, ids=lambda c: c.name)
def test_verified_are_the_best_predicted(cls: type[Strategy]) -> None:
    strategy, oracle, _ = run(cls)
    assert strategy.ranker is not None
    verified = strategy.ranker.rank([o.arch for o in oracle.history[20:]])
    every = strategy.ranker.rank(oracle.space.sample(np.random.default_rng(5), 300))
    assert verified.min() >= np.quantile(every, 0.9)
    assert (np.diff(verified) <= 1e-9).all()


@pytest.mark.parametrize("cls", STRATEGIES, ids=lambda c: c.name)
def test_without_verification_nothing_more_is_paid(cls: type[Strategy]) -> None:
    _, oracle, returned = run(cls, verify=0)
    assert len(oracle.history) == 30
    assert not {o.arch for o in oracle.history} & set(returned)


@pytest.mark.parametrize(("rounds", "sizes"), [(1, [10]), (3, [4, 3, 3]), (10, [1] * 10), (50, [1] * 10)])
def test_rounds_share_the_verification(rounds: int, sizes: list[int]) -> None:
    """Each round scores every key that was not known before it."""
    strategy, oracle, returned = run(Ridge, rounds=rounds)
    assert len(oracle.history) == 30
    assert returned[0] == max(oracle.history, key=lambda o: o.score).arch
    keys = len(set(oracle.space.keys(list(oracle.space.enumerate()))))
    known = np.cumsum([20, *sizes[:-1]])
    assert strategy.notes["predicted"] == int((keys - known).sum())


@pytest.mark.parametrize("cls", STRATEGIES, ids=lambda c: c.name)
def test_same_seed_same_search(cls: type[Strategy]) -> None:
    assert run(cls)[1].ledger.digest() == run(cls)[1].ledger.digest()


@pytest.mark.parametrize("cls", STRATEGIES, ids=lambda c: c.name)
def test_paper_mode_returns_the_ten_best_predicted_of_all(cls: type[Strategy]) -> None:
    """As ReNAS's paper treats every predictor: labelled architectures and twins may be among them."""
    mode = cls.modes["paper"]
    assert (mode.report, mode.top) == ("best_of_returned", 10)
    strategy, oracle, returned = run(cls, **{**mode.params, **({"trees": 5} if cls is E2EPP else {})})
    assert len(oracle.history) == 30
    assert strategy.notes["predicted"] == 15_625
    assert strategy.ranker is not None
    every = strategy.ranker.rank(list(oracle.space.enumerate()))
    np.testing.assert_allclose(np.sort(strategy.ranker.rank(returned)), np.sort(every)[-10:], rtol=1e-6)


@pytest.mark.parametrize(("encoding", "entries"), [("tensor", 31 * 4 * 4), ("node-tensor", 31 * 8 * 8)])
def test_e2epp_of_the_paper_learns_from_renas_tensor(encoding: str, entries: int) -> None:
    assert E2EPP.modes["paper"].params["encoding"] == "tensor"
    strategy, _, _ = run(E2EPP, encoding=encoding)
    assert strategy.ranker is not None
    assert strategy.ranker.forest.n_features_in_ == entries  # type: ignore[attr-defined]
