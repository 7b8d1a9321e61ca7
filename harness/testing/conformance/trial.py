"""One short search by a strategy, as the runner does it, with a meter on what the validator answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from harness.errors import StudyError
from harness.protocol import Evaluator, Fidelity, Floats, Reading, RunContext, Validation, Validator
from harness.protocol.training import Charge, Training
from harness.records.identity import stream
from harness.running.environment import single_thread
from harness.running.interrupts import time_limit
from harness.running.search import Searched, carry_out
from harness.search.budget import Budget
from harness.search.constraints import Constraint
from harness.search.oracle import Oracle
from harness.spaces import Architecture
from harness.strategy import Strategy
from harness.testing.conformance.report import Failed


class MeteredValidator(Validator):
    """``inner``, noting every (row, fidelity, repeat) that it answers, to whomever."""

    def __init__(self, inner: Validator) -> None:
        self._inner = inner
        self.space, self.fidelities, self.score = inner.space, inner.fidelities, inner.score
        self.rows, self.repeats, self.records_seconds = inner.rows, inner.repeats, inner.records_seconds
        self.answered: set[tuple[int, int, int | None]] = set()

    @property
    def known_after(self) -> tuple[str, ...]:
        return self._inner.known_after

    def identity(self, archs: Sequence[Architecture]) -> npt.NDArray[np.int64]:
        return self._inner.identity(archs)

    def costs(self, archs: Sequence[Architecture]) -> Mapping[str, Floats]:
        return self._inner.costs(archs)

    def validate(self, archs: Sequence[Architecture], *, fidelity: Fidelity, repeat: int | None = None) -> Validation:
        found = self._inner.validate(archs, fidelity=fidelity, repeat=repeat)
        missing = np.zeros(len(archs), dtype=np.bool_) if found.missing is None else found.missing
        level = self.fidelities.index(fidelity)
        rows = self.identity(archs)
        self.answered |= {(int(row), level, repeat) for row, gone in zip(rows, missing, strict=True) if not gone}
        return found

    def read(self, arch: Architecture, row: int, fidelity: Fidelity, repeat: int | None) -> Reading:
        found = self._inner.read(arch, row, fidelity, repeat)
        if not found.missing:
            self.answered.add((row, self.fidelities.index(fidelity), repeat))
        return found

    def training(self, charge: Charge) -> Training | None:
        return self._inner.training(charge)

    def close(self) -> None:
        self._inner.close()


@dataclass(frozen=True)
class Trial:
    """A finished search, its oracle and the meter behind it."""

    searched: Searched
    oracle: Oracle
    validator: MeteredValidator

    @property
    def strategy(self) -> Strategy:
        return self.searched.strategy

    @property
    def returned(self) -> list[Architecture]:
        return self.searched.returned

    @property
    def overspent(self) -> int:
        """Validation scores that were answered and not paid."""
        paid = {(e.row, e.level, e.repeat) for e in self.oracle.ledger}
        return len(self.validator.answered - paid)

    @property
    def trajectory(self) -> str:
        """Digest of what a record would hold of this search: queries, answers, calls, result, notes, learned order."""
        h = hashlib.sha256(self.oracle.ledger.digest().encode())
        h.update(msgspec.json.encode([self.oracle.asked, self.oracle.ended_by, self.returned, self.searched.notes]))
        if self.strategy.ranker is not None:
            archs = self.oracle.space.sample(np.random.default_rng(0), 16)
            h.update(np.asarray(self.strategy.ranker.rank(archs), dtype=np.float64).tobytes())
        return h.hexdigest()


def run_trial(
    cls: type[Strategy],
    evaluator: Evaluator,
    budget: Budget,
    *,
    params: Any,
    seed: int = 0,
    limit: float = 30.0,
    constraints: Sequence[str] = (),
) -> Trial:
    """One search. Raises Failed where the strategy raises or its answer cannot be reported, StudyError, RunTimeout."""
    with closing(MeteredValidator(evaluator.validator(context=RunContext(seed=seed)))) as metered:
        oracle = Oracle(metered, budget, constraints=[Constraint.parse(c) for c in constraints])
        rng = stream(0, "conformance", cls.name, seed)
        with single_thread(), time_limit(limit):
            searched = carry_out(lambda: cls(params), oracle, rng)
    if isinstance(searched.raised, StudyError):
        raise searched.raised
    if searched.raised is not None:
        raise Failed(str(searched.error)) from searched.raised
    return Trial(searched, oracle, metered)
