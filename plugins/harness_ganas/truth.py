"""The pool of known cells, and the truth set drawn from it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from harness import Architecture, InvalidArchitecture, UnknownArchitecture

if TYPE_CHECKING:
    from harness import Oracle

FEWEST = 2
"""Feasible cells from which on a truth set is made of them alone."""


class Scored(NamedTuple):
    """One paid cell, or one refused unpaid for breaking a constraint known before training.

    score: NaN where refused. violation: relative excess over those constraints, 0 where paid: by how much a paid cell
    breaks a constraint known only after training, the oracle does not tell.
    """

    arch: Architecture
    score: float
    violation: float
    feasible: bool


class Pool:
    """All cells generated so far, each asked for once.

    Cells that break a constraint known before training are never asked for. Isomorphic twins of paid cells, which the
    oracle answers from memory, and failed trainings are remembered but never become truth.
    """

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._seen: set[Architecture] = set()
        self._scored: list[Scored] = []
        self._score_of: dict[Architecture, float] = {}
        self._breaking: set[str] = set()
        """Keys of paid cells that break a constraint known only after training; their twins break it too."""
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
                self._scored.append(Scored(arch, math.nan, violation, False))
            else:
                self._query(arch)

    def _query(self, arch: Architecture) -> None:
        history = self._oracle.history
        before = len(history)
        try:
            score = self._oracle.query(arch)
        except (InvalidArchitecture, UnknownArchitecture):
            return
        key = self._oracle.space.key
        if len(history) == before:
            self.twins += 1
            feasible = not self._breaking or key(arch) not in self._breaking
        else:
            feasible = history[-1].feasible
            if not feasible:
                self._breaking.add(key(arch))
            if score == score:
                self._scored.append(Scored(arch, score, 0.0, feasible))
        if feasible:
            self._score_of[arch] = score

    def score(self, arch: Architecture) -> float:
        """What the oracle answered for a feasible ``arch``; NaN where infeasible, or where it answered nothing."""
        return self._score_of.get(arch, math.nan)

    def scores(self) -> list[float]:
        """The scores of all feasible cells, in the order paid."""
        return [x.score for x in self._scored if x.feasible]

    def truth(self, k: int, share: float = 1.0) -> list[Architecture]:
        """The truth set: the k best feasible cells, best first, and at most ``share`` of them.

        Hard constraints are applied here. Below k feasible cells: all of them. Below two: filled up to k with others.
        First come, in the order paid, those that break only constraints known after training: by how much is not known,
        and a better score often comes with a larger breach. Then the refused ones that break the constraints known
        before training least.
        """
        found = sorted((x for x in self._scored if x.feasible), key=lambda x: -x.score)
        if len(found) < FEWEST:
            found += sorted((x for x in self._scored if not x.feasible), key=lambda x: x.violation)
        return [x.arch for x in found[: max(FEWEST, min(k, round(share * len(found))))]]

    def best(self) -> list[Architecture]:
        """The feasible cells, best first."""
        return [x.arch for x in sorted((x for x in self._scored if x.feasible), key=lambda x: -x.score)]
