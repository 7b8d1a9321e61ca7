"""Runs where a constraint leaves next to nothing, or nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness import Architecture, Budget, Constraint, Oracle, Strategy
from harness.running.reference import MatchedRandomSearch
from harness.running.runner import _search
from harness.testing.spaces import ToyEdgeSpace
from harness.testing.synthetic import SyntheticEvaluator


class Rare:
    """An oracle and its space: two of 2,000 architectures are feasible; a known one is answered from memory."""

    def __init__(self) -> None:
        self.space, self.ended_by, self.drawn = self, None, 0
        self.history: list[Architecture] = []
        self.incumbents: list[int] = []
        self.ledger: list[Any] = []

    def sample(self, rng: np.random.Generator, n: int) -> list[Architecture]:
        self.drawn += n
        assert self.drawn < 1_000_000, "it does not give up"
        return [(int(k),) for k in rng.integers(2000, size=n)]

    def violation(self, archs: list[Architecture]) -> Any:
        return np.array([0.0 if arch[0] < 2 else 1.0 for arch in archs])

    @property
    def paid(self) -> tuple[int, float, float]:
        return len(self.history), 0.0, 0.0

    def query(self, arch: Architecture) -> float:
        assert arch[0] < 2, "a constraint that is known before training was not heeded"
        if arch not in self.history:
            self.history.append(arch)
        return 1.0


def test_it_ends_when_all_that_is_feasible_has_been_paid() -> None:
    """The second of two comes after 2,000 draws in the mean; from then on 64,000 draws in a row bring nothing."""
    oracle = Rare()
    MatchedRandomSearch().search(oracle, np.random.default_rng(0))  # type: ignore[arg-type]
    assert sorted(oracle.history) == [(0,), (1,)]
    assert 64_000 <= oracle.drawn < 64_000 + 30_000


@pytest.mark.parametrize(
    ("constraints", "status", "error"),
    [
        ((), "failed", "search returned no architecture"),
        ((Constraint("params", "<", 0.0),), "infeasible", "no feasible architecture was found"),
    ],
)
def test_a_search_that_returns_nothing_failed_only_where_there_was_something_to_return(
    constraints: tuple[Constraint, ...], status: str, error: str
) -> None:
    class Empty(Strategy):
        def search(self, oracle: Oracle, rng: np.random.Generator) -> list[Architecture]:
            return []

    oracle = Oracle(SyntheticEvaluator(ToyEdgeSpace()).validator(), Budget(queries=5), constraints=constraints)
    _, found = _search(Empty, oracle, np.random.default_rng(0), 1)
    assert (found.status, found.error) == (status, error)
