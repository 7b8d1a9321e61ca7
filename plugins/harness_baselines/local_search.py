"""Local search (White, Nolen and Savani, UAI 2021, Algorithm 1, in the variant of naszilla/naszilla)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
import numpy as np

from harness import Architecture, Params, SearchSpace, Strategy, scalar_rng
from harness_baselines.draws import draws, worst_if_nan

if TYPE_CHECKING:
    from harness import Oracle

Scored = tuple[float, Architecture]


class LocalSearchParams(Params):
    num_init: Annotated[
        int, msgspec.Meta(ge=1, description="random architectures before each climb, which starts at their best")
    ] = 10
    full_neighbourhood: Annotated[
        bool,
        msgspec.Meta(
            description="query all neighbours and move to the best (the paper's Algorithm 1), not to the first that is "
            "better"
        ),
    ] = False

    @classmethod
    def smallest(cls) -> LocalSearchParams:
        return cls(num_init=2)


class LocalSearch(Strategy[LocalSearchParams]):
    """Move to the first better neighbour, restart at a local optimum (White et al. 2021).

    As in naszilla's code; the paper's Algorithm 1 moves to the best of all neighbours (``full_neighbourhood``). Each
    climb starts at the best of ``num_init`` random architectures; the budget ends the last one. Neighbours differ
    in one choice and are tried in random order. A move needs a strictly better score, so that isomorphic twins, which
    have equal scores on many tasks, never lead in a circle. Neighbours known from an earlier climb are answered free
    and take part like the others.
    """

    name: ClassVar[str] = "local-search"
    paper: ClassVar[str] = (
        "White, Nolen and Savani, Exploring the Loss Landscape in Neural Architecture Search (UAI 2021)"
    )
    ablations: ClassVar[dict[str, dict[str, bool]]] = {"full-neighbourhood": {"full_neighbourhood": True}}

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        params = self.params
        draw = scalar_rng(rng)
        archs = draws(oracle.space, rng)
        paid = oracle.history

        def score(arch: Architecture) -> float:
            return worst_if_nan(oracle.query(arch))

        self.notes["climbs"] = 0
        while True:
            fresh: list[Scored] = []
            while len(fresh) < params.num_init:
                arch, before = next(archs), len(paid)
                value = score(arch)
                if len(paid) > before:  # no repeat, and no twin of a known one where the task has one row for both
                    fresh.append((value, arch))
            climb(max(fresh, key=itemgetter(0)), oracle.space, score, draw, full=params.full_neighbourhood)
            self.notes["climbs"] += 1


def climb(
    start: Scored, space: SearchSpace, score: Callable[[Architecture], float], draw: random.Random, *, full: bool
) -> Scored:
    """The local optimum reached from ``start``: no neighbour of it scores better."""
    current = start
    while True:
        best = current
        neighbours = space.neighbours(current[1])
        draw.shuffle(neighbours)
        for arch in neighbours:
            value = score(arch)
            if value > best[0]:
                best = (value, arch)
                if not full:
                    break
        if best is current:
            return current
        current = best
