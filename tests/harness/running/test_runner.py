"""Nothing is trained after a search to find out whether its answer satisfies the constraints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.registry import Registry
from harness.running.runner import Runner, feasible_answer
from harness.running.search import carry_out
from harness.search.budget import Budget
from harness.search.constraints import Constraint
from harness.search.oracle import Oracle
from harness.strategy import Strategy


class PaysForOne(Strategy):
    """Pays for the first of two and returns both, the unpaid one first."""

    name = "pays-for-one"

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Any:
        paid, unpaid, *_ = dict.fromkeys(oracle.space.sample(rng, 20))
        oracle.query(paid)
        return [unpaid, paid]


def test_an_unpaid_answer_is_infeasible_where_only_a_training_would_tell(
    toy: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Runner(toy).evaluators("toy/trained")
    validator = search.validator()
    oracle = Oracle(validator, Budget(queries=3), constraints=[Constraint.parse("train_seconds < 1e9")])
    found = carry_out(PaysForOne, oracle, np.random.default_rng(0), top=2)
    unpaid, paid = found.returned

    def trained(*_: Any, **__: Any) -> None:
        raise AssertionError("a training that no budget counts")

    monkeypatch.setattr(type(validator), "validate", trained)
    assert [feasible_answer(search, oracle, arch) for arch in (unpaid, paid)] == [False, True]


class PaysForRepeats(Strategy):
    """Pays for one repeat of each, or for a low fidelity, and returns what it saw best."""

    name = "pays-for-repeats"

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Any:
        archs = list(dict.fromkeys(oracle.space.sample(rng, 200)))
        half = len(archs) // 2
        oracle.query_many(archs[:half], repeat=0)
        oracle.query_many(archs[half:], fidelity=oracle.fidelities[0])
        return archs


def test_a_constraint_is_not_escaped_by_measuring_less(toy: Registry) -> None:
    """Two repeats take 72 to 144 seconds, one half of it, a low fidelity less: all that was measured is below 85."""
    search = Runner(toy).evaluators("toy/edges")
    validator = search.validator()
    limit = Constraint.parse("train_seconds <= 85")
    oracle = Oracle(validator, Budget(queries=500), constraints=[limit])
    archs = carry_out(PaysForRepeats, oracle, np.random.default_rng(0), top=1).returned
    seconds = validator.validate(archs, fidelity=validator.fidelities[-1]).measured["train_seconds"]
    assert all(oracle.feasible(arch) for arch in archs)
    assert 0 < (seconds <= 85).sum() < len(archs)
    assert [feasible_answer(search, oracle, arch) for arch in archs] == (seconds <= 85).tolist()
