"""The ledger of one search: what it may spend, what it has paid for, and why it ended.

The oracle charges queries to it. Other metered work, such as training shared weights, is charged to it too, so that
strategies that query and strategies that train spend the same budget.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from operator import attrgetter
from typing import NamedTuple, overload

import msgspec

from harness.errors import BudgetExhausted, StillAsking
from harness.protocol import Fidelity, Reading
from harness.search.budget import Budget, Remaining, Totals
from harness.spaces import Architecture
from harness.statistics.ties import DIGITS

CALLS_PER_QUERY = 50
"""A search also ends after so many calls per budgeted query, so that a search that only repeats itself stops."""
FEWEST_CALLS = 100 * CALLS_PER_QUERY
"""Calls that a budget without ``queries`` allows at least, however few queries are paid."""
_CALLS_AFTER_END = 1_000_000
"""A strategy that still asks after so many refusals will not stop by itself."""


class Observation(msgspec.Struct, frozen=True, gc=False):
    """One paid query: a line of the ledger. A Struct, since one is made per query.

    row: `Validator.identity`. level: the place of ``fidelity`` among the task's. score: higher is better; NaN: the
    training failed. epochs, seconds: all that the search had paid by then, this query and other charges included.
    excess: relative excess over the constraints known only after training, summed; 0: feasible. measured: what was
    measured, by quantity; it is always there where a constraint needs it.
    """

    arch: Architecture
    row: int
    fidelity: Fidelity
    level: int
    repeat: int | None
    score: float
    epochs: float
    seconds: float
    excess: float = 0.0
    measured: Mapping[str, float] | None = None

    @property
    def feasible(self) -> bool:
        return self.excess == 0.0


class Incumbent(NamedTuple):
    """The best row from one paid query on. place: of that query in the ledger. row, arch: of the best row.

    score: the mean of what was paid for the row at the highest fidelity asked; where the mean of all its repeats was
    paid, that mean.
    """

    place: int
    row: int
    arch: Architecture
    score: float


class _Repeats(msgspec.Struct, frozen=True, gc=False):
    """A row of which single repeats were paid: the architecture that was asked first, and the mean of ``repeats``."""

    arch: Architecture
    score: float
    repeats: tuple[float, ...]


class Ledger(Sequence[Observation]):
    """The paid queries in order, with limits, totals, incumbents and counts of calls.

    The charge that crosses a limit is taken in full and is the last: it ends the search, and every later one is
    refused. Every call of the oracle after 50 per budgeted query is refused too (where ``queries`` has no limit: after
    50 per paid query, and at least 5,000).
    """

    def __init__(self, budget: Budget, fidelities: tuple[Fidelity, ...]) -> None:
        self.budget, self.fidelities = budget, fidelities
        self.epochs = self.seconds = 0.0
        self.calls = self.invalid = self.infeasible = self.missing = 0
        """Calls of the oracle; and how many of them were not of an architecture, broke a constraint known before
        training, or asked for what a table lacks."""
        self.ended_by: str | None = None
        """Why the search is over (``queries``, ``epochs``, ``seconds``, ``space``, ``calls``), or None."""
        self.cap = FEWEST_CALLS if budget.queries is None else CALLS_PER_QUERY * budget.queries
        """Calls after which the next one is refused; 0 once the search has ended."""
        self.incumbents: list[Incumbent] = []
        """Each change of the incumbent. Its score falls where another repeat of its row lowers the mean."""
        self._paid: list[Observation] = []
        self._full_epochs = tuple(float(f.epochs or 0) for f in fidelities)
        self._level = -1
        self._standings: dict[int, Observation | _Repeats] = {}
        """Each row with a score at the highest fidelity asked: the query of all its repeats, or the mean of some."""
        self._spent: dict[tuple[int, int | None], tuple[float, float]] = {}
        self._asked_epochs = 0.0
        self._worked_epochs = Fraction()
        """Epochs of what is no query. A fraction, so that many small charges add up exactly."""
        self._refused = 0
        self._queries, self._epochs, self._seconds = (
            math.inf if limit is None else limit for limit in (budget.queries, budget.epochs, budget.seconds)
        )

    # -- charging ---------------------------------------------------------------------------------------------------

    def pay(
        self,
        arch: Architecture,
        row: int,
        level: int,
        repeat: int | None,
        reading: Reading,
        score: float,
        excess: float,
    ) -> None:
        """Enter a query at ``fidelities[level]``. The oracle has checked that the search has not ended.

        Where the fidelity can be resumed, only what was not yet paid of the same training is charged.
        """
        fidelity, seconds = self.fidelities[level], reading.seconds
        epochs = self._full_epochs[level] * reading.trainings
        if seconds != seconds:
            seconds = 0.0
        if fidelity.resumable:
            before = self._spent.get((row, repeat), (0.0, 0.0))
            reached = max(epochs, before[0]), max(seconds, before[1])
            self._spent[row, repeat] = reached
            epochs, seconds = reached[0] - before[0], reached[1] - before[1]
        self._asked_epochs += epochs
        self.epochs += epochs
        self.seconds += seconds
        query = Observation(
            arch, row, fidelity, level, repeat, score, self.epochs, self.seconds, excess, reading.measured
        )
        self._paid.append(query)
        if excess == 0.0 and score == score and level >= self._level:
            self._stand(query)
        self._check_limits()

    def _stand(self, query: Observation) -> None:
        """Enter a score for its row, and name the incumbent anew where that changes it."""
        row, arch, score = query.row, query.arch, query.score
        if query.level > self._level:
            self._level, self._standings = query.level, {}
            best = -math.inf
        else:
            best = self.incumbents[-1].score
        known = self._standings.get(row)
        if known is None and query.repeat is None:
            self._standings[row] = query
        elif isinstance(known, Observation):
            return
        else:
            arch, repeats = (arch, ()) if known is None else (known.arch, known.repeats)
            if query.repeat is None:
                self._standings[row] = msgspec.structs.replace(query, arch=arch)
            else:
                repeats = (*repeats, score)
                score = round(math.fsum(repeats) / len(repeats), DIGITS)
                self._standings[row] = _Repeats(arch, score, repeats)
        if score <= best:
            if score == best or known is None or row != self.incumbents[-1].row:
                return
            row, first = max(self._standings.items(), key=lambda item: item[1].score)
            arch, score = first.arch, first.score
        self.incumbents.append(Incumbent(len(self._paid) - 1, row, arch, score))

    def standings(self, n: int) -> list[tuple[Architecture, float]]:
        """The n best rows paid for at the highest fidelity asked, of equal ones the earlier first.

        Feasible rows alone, each with at least one training that did not fail. The score is as in `Incumbent`.
        """
        best = sorted(self._standings.values(), key=attrgetter("score"), reverse=True)
        return [(standing.arch, standing.score) for standing in best[:n]]

    def charge(self, *, epochs: float | Fraction = 0.0, seconds: float = 0.0) -> None:
        """Pay beforehand for work that is no query, such as a pass over training images. Epochs add up exactly.

        Raises BudgetExhausted once the search has ended: the charge that crossed a limit was the last.
        """
        if self.ended_by is not None:
            raise self.refuse()
        if not (0.0 <= epochs < math.inf and 0.0 <= seconds < math.inf):
            raise ValueError(f"a charge is finite and not negative: {epochs} epochs, {seconds} seconds")
        self._worked_epochs += Fraction(epochs)
        self.epochs = self._asked_epochs + float(self._worked_epochs)
        self.seconds += seconds
        self._check_limits()

    def _check_limits(self) -> None:
        if len(self._paid) >= self._queries:
            self.end("queries")
        elif self.epochs >= self._epochs:
            self.end("epochs")
        elif self.seconds >= self._seconds:
            self.end("seconds")
        elif self.budget.queries is None:
            self.cap = max(FEWEST_CALLS, CALLS_PER_QUERY * len(self._paid))

    def end(self, reason: str) -> None:
        """End the search, unless it has ended already."""
        if self.ended_by is None:
            self.ended_by, self.cap = reason, 0

    def refuse(self) -> BudgetExhausted | StillAsking:
        """What to raise for a call beyond ``cap``; `StillAsking` after a million refusals."""
        self.end("calls")
        self._refused += 1
        if self._refused > _CALLS_AFTER_END:
            return StillAsking(
                f"still asking after {_CALLS_AFTER_END:,} refusals; the search had ended: {self.ended_by}"
            )
        return BudgetExhausted(str(self.ended_by))

    # -- reading ----------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._paid)

    def __iter__(self) -> Iterator[Observation]:
        return iter(self._paid)

    @overload
    def __getitem__(self, index: int) -> Observation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Observation]: ...
    def __getitem__(self, index: int | slice) -> Observation | list[Observation]:
        return self._paid[index]

    @property
    def paid(self) -> Totals:
        return Totals(len(self._paid), self.epochs, self.seconds)

    @property
    def remaining(self) -> Remaining:
        b = self.budget
        return Remaining(
            None if b.queries is None else b.queries - len(self._paid),
            None if b.epochs is None else max(b.epochs - self.epochs, 0.0),
            None if b.seconds is None else max(b.seconds - self.seconds, 0.0),
        )

    @property
    def asked(self) -> dict[str, int]:
        """Calls by kind: ``total`` and, of these, ``cached``, ``invalid``, ``infeasible``, ``missing``."""
        free = self.invalid + self.infeasible + self.missing
        return {
            "total": self.calls,
            "cached": self.calls - len(self._paid) - free,
            "invalid": self.invalid,
            "infeasible": self.infeasible,
            "missing": self.missing,
        }

    def digest(self) -> str:
        """SHA-256 of the paid queries in order, as JSON: ``[[arch, fidelity, repeat, score], ...]``."""
        paid = list(map(attrgetter("arch", "level", "repeat", "score"), self._paid))
        return hashlib.sha256(msgspec.json.encode(paid)).hexdigest()
