"""The budgeted oracle: the only view of a task that a strategy gets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.errors import BudgetExhausted, InvalidArchitecture, StudyError, UnknownArchitecture
from harness.protocol import Fidelity, Reading, Score, Validator
from harness.protocol.training import Training
from harness.search.budget import Budget, Remaining, Totals
from harness.search.constraints import Constraint, total_excess
from harness.search.ledger import Incumbent, Ledger, Observation
from harness.spaces import Architecture, SearchSpace


class Oracle:
    """Validation scores under a budget.

    It answers so that higher is better, whatever the task's score. A *query* is a distinct (row, fidelity, repeat);
    asking again is free, answered from memory and counted apart. A failed training, also one with an infinite score,
    answers NaN and is paid. An architecture that breaks a constraint known before training answers NaN unpaid. So does
    an architecture, or a repeat of one, that a partial table lacks, and one without recorded seconds where the budget
    limits them. An architecture that is not of the space raises InvalidArchitecture, unpaid and counted.

    The query that crosses a limit is answered and is the last: every later call raises BudgetExhausted. So does a call
    after every row is known, or after too many calls (`Ledger`). A strategy that still goes on asking gets a
    `StillAsking`, which is no `Exception`, after a million refusals.
    """

    def __init__(
        self,
        validator: Validator,
        budget: Budget,
        *,
        constraints: Sequence[Constraint] = (),
        space: SearchSpace | None = None,
    ) -> None:
        """Raises StudyError where the task does not record what the budget limits or a constraint bounds."""
        self.space: SearchSpace = space or validator.space
        self.fidelities: tuple[Fidelity, ...] = validator.fidelities
        self.score: Score = validator.score
        self.repeats: tuple[int, ...] = validator.repeats
        self.records_seconds: bool = validator.records_seconds
        self._timed = budget.seconds is not None
        if self._timed and not validator.records_seconds:
            raise StudyError("the budget limits seconds, but the task records none")
        if budget.epochs is not None and any(f.epochs is None for f in self.fidelities):
            raise StudyError("the budget limits epochs, but the task records none")
        self.ledger = Ledger(budget, self.fidelities)
        """The account: every paid query with its costs."""
        self._validator = validator
        self._sign = self.score.sign
        self._full = len(self.fidelities) - 1
        self._rows = math.inf if validator.rows is None else validator.rows
        self._memory: dict[Architecture, float] = {}
        self._by_row: dict[int, float] = {}
        """The same answers as `_memory`, by row: full fidelity, mean of the repeats."""
        self._others: dict[tuple[int, int, int | None], float] = {}
        """What was paid at lower fidelities and for single repeats, by row, fidelity and repeat."""
        self._refused_rows: set[int] = set()
        self._before, self._after = self._split(constraints)

    def _split(self, constraints: Sequence[Constraint]) -> tuple[tuple[Constraint, ...], tuple[Constraint, ...]]:
        if not constraints:
            return (), ()
        before = set(self._validator.costs([]))
        after = set(self._validator.known_after)
        for c in constraints:
            if c.quantity not in before | after:
                known = ", ".join(sorted(before | after)) or "none"
                raise StudyError(f"constraint {c}: the task does not record {c.quantity!r}; it has: {known}")
        return (
            tuple(c for c in constraints if c.quantity in before),
            tuple(c for c in constraints if c.quantity not in before),
        )

    # -- asking -----------------------------------------------------------------------------------------------------

    def query(self, arch: Architecture, *, fidelity: Fidelity | None = None, repeat: int | None = None) -> float:
        """The validation score of ``arch``, higher is better; default: full fidelity, mean of the repeats.

        Raises BudgetExhausted once the search has ended, InvalidArchitecture, and ValueError for a fidelity or a repeat
        that the task does not have.
        """
        ledger = self.ledger
        if ledger.calls >= ledger.cap:
            raise ledger.refuse()
        if fidelity is None and repeat is None:
            ledger.calls += 1
            try:
                score = self._memory.get(arch)
            except TypeError:
                score = None
            if score is not None:
                return score
            return self._pay(arch, self._full, None)
        level = self._full if fidelity is None else self._level(fidelity)
        if repeat is not None and repeat not in self.repeats:
            raise ValueError(f"unknown repeat {repeat!r}; the task has {list(self.repeats)}")
        ledger.calls += 1
        return self._pay(arch, level, repeat)

    def query_many(
        self, archs: Sequence[Architecture], *, fidelity: Fidelity | None = None, repeat: int | None = None
    ) -> npt.NDArray[np.float64]:
        """`query` of each in order, float64 [n]. BudgetExhausted carries ``scores`` of those answered before."""
        scores: list[float] = []
        try:
            for arch in archs:
                scores.append(self.query(arch, fidelity=fidelity, repeat=repeat))
        except BudgetExhausted as end:
            end.scores = scores
            raise
        return np.array(scores, dtype=np.float64)

    @cached_property
    def training(self) -> Training | None:
        """What strategies that share weights train with; None where the task does not train networks that share.

        Each pass of a network over images is paid for in epochs, from the same ledger as queries. The weights are the
        search's alone: the final score comes from a training from scratch. Raises StudyError where the budget has no
        limit of epochs.
        """
        found = self._validator.training(self.ledger.charge)
        if found is not None and self.budget.epochs is None:
            raise StudyError(
                f"shared weights are paid for in epochs, which the budget does not limit: set epochs in it; a query of "
                f"full fidelity costs {found.epochs}"
            )
        return found

    def _level(self, fidelity: Fidelity) -> int:
        try:
            return self.fidelities.index(fidelity)
        except ValueError:
            names = ", ".join(f.name for f in self.fidelities)
            text = f"fidelity {fidelity!r} is a {type(fidelity).__name__}, not one of oracle.fidelities: {names}"
            known = f"unknown fidelity {fidelity!r}; the task has {names}"
            raise ValueError(known if isinstance(fidelity, Fidelity) else text) from None

    def _pay(self, arch: Architecture, level: int, repeat: int | None) -> float:
        """The answer to a call for an architecture that `_memory` does not hold."""
        ledger = self.ledger
        try:
            arch = self.space.check(arch)
        except (InvalidArchitecture, TypeError):  # a TypeError: of a space that looks up what cannot be hashed
            ledger.invalid += 1
            raise InvalidArchitecture(self.space.fault(arch)) from None
        try:
            row = self._validator.row(arch)
        except UnknownArchitecture:
            ledger.missing += 1
            return math.nan
        plain = level == self._full and repeat is None
        known = self._by_row.get(row) if plain else self._others.get((row, level, repeat))
        if known is not None:
            if plain:
                self._memory[arch] = known
            return known
        if self._before and self.violation([arch])[0] > 0.0:
            ledger.infeasible += 1
            self._refused_rows.add(row)
            self._check_space()
            return math.nan
        if self._after:
            reading = self._validator.measure(arch, self.fidelities[level], repeat)
        else:
            reading = self._validator.read(arch, row, self.fidelities[level], repeat)
        unknown_cost = self._timed and reading.seconds != reading.seconds
        if reading.missing or unknown_cost:
            ledger.missing += 1
            return math.nan
        score = self._sign * reading.valid
        if math.isinf(score):
            score = math.nan
        excess = self._measured(reading) if self._after else 0.0
        ledger.pay(arch, row, level, repeat, reading, score, excess)
        if plain:
            self._memory[arch] = self._by_row[row] = score
            if len(self._by_row) >= self._rows or self._refused_rows:
                self._check_space()
        else:
            self._others[row, level, repeat] = score
        return score

    def _check_space(self) -> None:
        if len(self._by_row) + len(self._refused_rows) >= self._rows:
            self.ledger.end("space")

    # -- constraints ------------------------------------------------------------------------------------------------

    def _measured(self, reading: Reading) -> float:
        """The excess over the constraints known only after training."""
        values = {name: np.array([value]) for name, value in (reading.measured or {}).items()}
        return float(total_excess(self._after, values, 1)[0])

    def violation(self, archs: Sequence[Architecture]) -> npt.NDArray[np.float64]:
        """Relative excess over the constraints known before a query, summed, float64 [n]; 0: feasible. Free."""
        if not self._before or not len(archs):
            return np.zeros(len(archs))
        return total_excess(self._before, self._validator.costs(archs), len(archs))

    def feasible(self, arch: Architecture) -> bool | None:
        """Whether ``arch``, of the space, satisfies the constraints; None where only a training can show it. Free.

        Constraints known only after training are judged by what was paid for last at the highest fidelity paid.
        """
        if self._before and self.violation([arch])[0] > 0.0:
            return False
        if not self._after:
            return True
        try:
            row = self._validator.row(arch)
        except UnknownArchitecture:
            return None
        paid = [query for query in reversed(self.ledger) if query.row == row]
        return max(paid, key=lambda query: query.level).feasible if paid else None

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        return self._before + self._after

    # -- the account ------------------------------------------------------------------------------------------------

    @property
    def budget(self) -> Budget:
        return self.ledger.budget

    @property
    def ended_by(self) -> str | None:
        """Why the search is over (``queries``, ``epochs``, ``seconds``, ``space``, ``calls``), or None."""
        return self.ledger.ended_by

    @property
    def remaining(self) -> Remaining:
        return self.ledger.remaining

    @property
    def paid(self) -> Totals:
        """All that was paid, for queries and for other work."""
        return self.ledger.paid

    @property
    def asked(self) -> dict[str, int]:
        """Calls by kind: `Ledger.asked`."""
        return self.ledger.asked

    @property
    def history(self) -> Sequence[Observation]:
        """The paid queries in order, as they come."""
        return self.ledger

    @property
    def incumbents(self) -> list[Incumbent]:
        """Each change of the incumbent, the last one standing."""
        return list(self.ledger.incumbents)

    @property
    def incumbent(self) -> Incumbent | None:
        """The best feasible row validated so far, at the highest fidelity asked; the first among equals.

        A row counts by the mean of what was paid for it, so that one lucky repeat of many does not decide.
        """
        return self.ledger.incumbents[-1] if self.ledger.incumbents else None


def best_first(oracle: Oracle, n: int) -> list[Architecture]:
    """The n best distinct feasible rows at the highest fidelity paid, best first: `Ledger.standings`."""
    return [arch for arch, _ in oracle.ledger.standings(n)]
