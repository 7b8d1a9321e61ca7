"""The pool of known cells, and the truth set drawn from it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from harness import Architecture

if TYPE_CHECKING:
    from harness import Oracle

FEWEST = 2
"""With so many feasible cells, a truth set is made of them alone."""


class Scored(NamedTuple):
    """One paid cell, or one refused unpaid for breaking a constraint known before training.

    score: NaN where refused. violation: relative excess over the constraints; for a paid cell, over those known only
    after training; 0: feasible.
    """

    arch: Architecture
    score: float
    violation: float

    @property
    def feasible(self) -> bool:
        return self.violation == 0.0


class Pool:
    """All cells generated so far, each queried once.

    Cells that break a constraint known before training are never queried. Isomorphic twins of paid cells, which the
    oracle answers from memory, and failed trainings are remembered but never become truth.
    """

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._seen: set[Architecture] = set()
        self._scored: list[Scored] = []
        self._score_of: dict[Architecture, float] = {}
        self.generated = self.repeats = self.twins = self.refused = 0

    def __contains__(self, arch: object) -> bool:
        return arch in self._seen

    def __len__(self) -> int:
        """Cells that can be truth."""
        return len(self._scored)

    @property
    def asked(self) -> int:
        """Cells that were not refused."""
        return len(self._seen) - self.refused

    def add(self, archs: Iterable[Architecture]) -> None:
        """Query the unseen ones. Raises BudgetExhausted."""
        archs = list(archs)
        fresh = [a for a in dict.fromkeys(archs) if a not in self._seen]
        self.generated += len(archs)
        self.repeats += len(archs) - len(fresh)
        for arch, violation in zip(fresh, self._oracle.violation(fresh).tolist(), strict=True):
            self._seen.add(arch)
            if violation > 0:
                self.refused += 1
                self._scored.append(Scored(arch, math.nan, violation))
            else:
                self._query(arch)

    def _query(self, arch: Architecture) -> None:
        history, missing = self._oracle.history, self._oracle.ledger.missing
        before = len(history)
        score = self._oracle.query(arch)
        if self._oracle.ledger.missing > missing:
            return
        if len(history) == before:
            self.twins += 1
        elif score == score:
            self._scored.append(Scored(arch, score, history[-1].excess))
        if self._oracle.feasible(arch):
            self._score_of[arch] = score

    def score(self, arch: Architecture) -> float:
        """The oracle's answer for a feasible ``arch``; NaN where it is infeasible or was not answered."""
        return self._score_of.get(arch, math.nan)

    def scores(self) -> list[float]:
        """The scores of all feasible cells, in the order paid."""
        return [x.score for x in self._scored if x.feasible]

    def truth(self, k: int, share: float = 1.0) -> list[Architecture]:
        """The truth set: the k best feasible cells, best first, and at most ``share`` of them.

        Hard constraints are applied here. With fewer than k feasible cells it is all of them. With fewer than two it is
        filled up to k with others: those that break the constraints least come first. Paid cells come before refused
        ones: they satisfy at least the constraints known before training.
        """
        found = sorted((x for x in self._scored if x.feasible), key=lambda x: -x.score)
        if len(found) < FEWEST:
            rest = (x for x in self._scored if not x.feasible)
            found += sorted(rest, key=lambda x: (x.score != x.score, x.violation))
        return [x.arch for x in found[: max(FEWEST, min(k, round(share * len(found))))]]

    def best(self) -> list[Architecture]:
        """The feasible cells, best first."""
        return [x.arch for x in sorted((x for x in self._scored if x.feasible), key=lambda x: -x.score)]
