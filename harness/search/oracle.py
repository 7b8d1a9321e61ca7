"""The budgeted oracle: the only view of a task that a strategy gets, and the ledger of what it asked."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any, NamedTuple, overload

import msgspec
import numpy as np
import numpy.typing as npt

from harness.errors import BudgetExhausted, InvalidArchitecture, StudyError, UnknownArchitecture
from harness.protocol import Fidelity, Score, Validator
from harness.search.budget import Budget, Remaining
from harness.search.constraints import Constraint, first_broken
from harness.spaces import Architecture, SearchSpace

CALLS_PER_QUERY = 50
"""A search also ends after this many calls per budgeted query, so that one that only repeats itself stops."""
_FEWEST_CALLS = 100 * CALLS_PER_QUERY
_CALLS_AFTER_END = 1_000_000
"""A strategy that still asks after so many refusals does not mean to stop."""


class Observation(NamedTuple):
    """One paid query. ``score``: as the oracle answered it (higher is better; NaN: the training failed)."""

    arch: Architecture
    score: float
    fidelity: Fidelity
    repeat: int | None
    feasible: bool


class Entry(NamedTuple):
    """A line of the ledger: one paid query, and what had been paid in total after it."""

    arch: Architecture
    row: int
    fidelity: int
    repeat: int | None
    score: float
    feasible: bool
    epochs: float
    seconds: float


class History(Sequence[Observation]):
    """The paid queries in order, as a live read-only view."""

    def __init__(self, ledger: list[Entry], fidelities: tuple[Fidelity, ...]) -> None:
        self._ledger, self._fidelities = ledger, fidelities

    def __len__(self) -> int:
        return len(self._ledger)

    @overload
    def __getitem__(self, index: int) -> Observation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Observation]: ...
    def __getitem__(self, index: int | slice) -> Observation | list[Observation]:
        if isinstance(index, slice):
            return [self._observe(e) for e in self._ledger[index]]
        return self._observe(self._ledger[index])

    def _observe(self, e: Entry) -> Observation:
        return Observation(e.arch, e.score, self._fidelities[e.fidelity], e.repeat, e.feasible)


class Oracle:
    """Validation scores under a budget.

    It answers so that higher is better, whatever the task's score. A *query* is a distinct (row, fidelity, repeat);
    asking again is free, answered from memory and counted apart. A failed training answers NaN and is paid. An
    architecture that breaks a constraint known before training, and a repeat that was never run, answer NaN unpaid.
    An architecture that is not of the space raises InvalidArchitecture, unpaid and counted.

    The query that crosses a limit is answered and is the last: every later call raises BudgetExhausted. So does a call
    after every row is known, or after 50 calls per budgeted query (for budgets without ``queries``: per paid query,
    and at least 5,000). A strategy that goes on asking all the same gets a RuntimeError after a million refusals.
    """

    def __init__(
        self,
        validator: Validator,
        budget: Budget,
        *,
        constraints: Sequence[Constraint] = (),
        space: SearchSpace | None = None,
        training: Any = None,
    ) -> None:
        self.space: SearchSpace = space or validator.space
        self.fidelities: tuple[Fidelity, ...] = validator.fidelities
        self.score: Score = validator.score
        self.repeats: tuple[int, ...] = validator.repeats
        self.records_seconds: bool = validator.records_seconds
        self.budget = budget
        self.training = training
        if budget.seconds is not None and not validator.records_seconds:
            raise StudyError("the budget limits seconds, but the task records none")
        if budget.epochs is not None and any(f.epochs is None for f in self.fidelities):
            raise StudyError("the budget limits epochs, but the task records none")
        self._validator = validator
        self._sign = 1.0 if self.score.higher_is_better else -1.0
        self._full = len(self.fidelities) - 1
        self._memory: dict[Architecture, float] = {}
        self._by_row: dict[tuple[int, int, int | None], float] = {}
        self._spent: dict[tuple[int, int | None], tuple[float, float]] = {}
        self._ledger: list[Entry] = []
        self._full_rows: set[int] = set()
        self._refused_rows: set[int] = set()
        self._incumbents: list[int] = []
        self._total = self._invalid = self._infeasible = self._missing = self._refused = 0
        self._epochs = self._seconds = 0.0
        self._queries = math.inf if budget.queries is None else budget.queries
        self._cap = _FEWEST_CALLS if budget.queries is None else CALLS_PER_QUERY * budget.queries
        self._ended_by: str | None = None
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

        Raises BudgetExhausted once the search has ended, InvalidArchitecture, UnknownArchitecture.
        """
        if self._total >= self._cap:
            raise self._refuse()
        if fidelity is None and repeat is None:
            self._total += 1
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
        self._total += 1
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

    def _level(self, fidelity: Fidelity) -> int:
        try:
            return self.fidelities.index(fidelity)
        except ValueError:
            names = ", ".join(f.name for f in self.fidelities)
            raise ValueError(f"unknown fidelity {fidelity!r}; the task has {names}") from None

    def _pay(self, arch: Architecture, level: int, repeat: int | None) -> float:
        try:
            valid = self.space.is_valid(arch)
        except TypeError:
            valid = False
        if not valid:
            self._invalid += 1
            raise InvalidArchitecture(f"{arch!r} is not an architecture of {self.space.name}")
        for a in arch:
            if type(a) is not int:
                arch = tuple(map(int, arch))
                break
        try:
            row = self._validator.row(arch)
        except UnknownArchitecture:
            self._invalid += 1
            raise
        plain = level == self._full and repeat is None
        asked = (row, level, repeat)
        known = self._by_row.get(asked)
        if known is not None:
            if plain:
                self._memory[arch] = known
            return known
        if self._before and not self._feasible_before(arch):
            self._infeasible += 1
            self._refused_rows.add(row)
            self._check_space()
            return math.nan
        reading = self._validator.read(arch, row, self.fidelities[level], repeat)
        if reading.missing:
            self._missing += 1
            return math.nan
        score = self._sign * reading.valid
        feasible = not self._after or self._feasible_after(arch, level, repeat)
        self._charge(row, level, repeat, reading.trainings, reading.seconds)
        self._by_row[asked] = score
        if plain:
            self._memory[arch] = score
            self._full_rows.add(row)
        self._ledger.append(Entry(arch, row, level, repeat, score, feasible, self._epochs, self._seconds))
        if feasible and score == score and self._improves(level, score):
            self._incumbents.append(len(self._ledger) - 1)
        self._check_limits()
        return score

    def _charge(self, row: int, level: int, repeat: int | None, trainings: int, seconds: float) -> None:
        fidelity = self.fidelities[level]
        epochs = float(fidelity.epochs or 0) * trainings
        seconds = 0.0 if math.isnan(seconds) else seconds
        if fidelity.resumable:
            paid_epochs, paid_seconds = self._spent.get((row, repeat), (0.0, 0.0))
            self._spent[(row, repeat)] = (max(epochs, paid_epochs), max(seconds, paid_seconds))
            epochs, seconds = max(epochs - paid_epochs, 0.0), max(seconds - paid_seconds, 0.0)
        self._epochs += epochs
        self._seconds += seconds

    def _improves(self, level: int, score: float) -> bool:
        if not self._incumbents:
            return True
        best = self._ledger[self._incumbents[-1]]
        return level > best.fidelity or (level == best.fidelity and score > best.score)

    # -- constraints ------------------------------------------------------------------------------------------------

    def _feasible_before(self, arch: Architecture) -> bool:
        costs = {name: float(values[0]) for name, values in self._validator.costs([arch]).items()}
        return first_broken(self._before, costs) is None

    def _feasible_after(self, arch: Architecture, level: int, repeat: int | None) -> bool:
        found = self._validator.validate([arch], fidelity=self.fidelities[level], repeat=repeat).measured
        return first_broken(self._after, {c.quantity: float(found[c.quantity][0]) for c in self._after}) is None

    def violation(self, archs: Sequence[Architecture]) -> npt.NDArray[np.float64]:
        """Relative excess over the constraints known before a query, summed, float64 [n]; 0: feasible. Free."""
        total = np.zeros(len(archs))
        if self._before and len(archs):
            costs = self._validator.costs(archs)
            for c in self._before:
                total += c.excess(costs[c.quantity])
        return total

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        return self._before + self._after

    # -- ending -----------------------------------------------------------------------------------------------------

    def _end(self, reason: str) -> str:
        if self._ended_by is None:
            self._ended_by = reason
            self._cap = 0
        return self._ended_by

    def _refuse(self) -> BudgetExhausted | RuntimeError:
        """What a call after the end is answered with."""
        reason = self._end("calls")
        self._refused += 1
        if self._refused > _CALLS_AFTER_END:
            return RuntimeError(f"still asking after {_CALLS_AFTER_END:,} refusals; the search had ended: {reason}")
        return BudgetExhausted(reason)

    def _check_limits(self) -> None:
        budget = self.budget
        if len(self._ledger) >= self._queries:
            self._end("queries")
        elif budget.epochs is not None and self._epochs >= budget.epochs:
            self._end("epochs")
        elif budget.seconds is not None and self._seconds >= budget.seconds:
            self._end("seconds")
        else:
            if budget.queries is None:
                self._cap = max(_FEWEST_CALLS, CALLS_PER_QUERY * len(self._ledger))
            self._check_space()

    def _check_space(self) -> None:
        rows = self._validator.rows
        if rows is not None and len(self._full_rows) + len(self._refused_rows) >= rows:
            self._end("space")

    # -- the ledger -------------------------------------------------------------------------------------------------

    @property
    def ended_by(self) -> str | None:
        """Why the search is over (``queries``, ``epochs``, ``seconds``, ``space``, ``calls``), or None."""
        return self._ended_by

    @property
    def remaining(self) -> Remaining:
        b = self.budget
        return Remaining(
            None if b.queries is None else b.queries - len(self._ledger),
            None if b.epochs is None else max(b.epochs - self._epochs, 0.0),
            None if b.seconds is None else max(b.seconds - self._seconds, 0.0),
        )

    @property
    def history(self) -> History:
        """The paid queries in order."""
        return History(self._ledger, self.fidelities)

    @property
    def incumbent(self) -> Observation | None:
        """The best feasible architecture validated so far, at the highest fidelity asked; the first among equals."""
        return self.history[self._incumbents[-1]] if self._incumbents else None

    @property
    def ledger(self) -> Sequence[Entry]:
        """Every paid query with its costs."""
        return self._ledger

    @property
    def incumbents(self) -> list[int]:
        """Positions in `ledger` at which the incumbent changed."""
        return list(self._incumbents)

    @property
    def paid(self) -> tuple[int, float, float]:
        """Paid queries, epochs, seconds."""
        return len(self._ledger), self._epochs, self._seconds

    @property
    def asked(self) -> dict[str, int]:
        """Calls by kind: ``total`` and, of these, ``cached``, ``invalid``, ``infeasible``, ``missing``."""
        free = self._invalid + self._infeasible + self._missing
        return {
            "total": self._total,
            "cached": self._total - len(self._ledger) - free,
            "invalid": self._invalid,
            "infeasible": self._infeasible,
            "missing": self._missing,
        }

    def digest(self) -> str:
        """SHA-256 of the paid queries in order, as JSON: ``[[arch, fidelity, repeat, score], ...]``."""
        paid = [(e.arch, e.fidelity, e.repeat, e.score) for e in self._ledger]
        return hashlib.sha256(msgspec.json.encode(paid)).hexdigest()
