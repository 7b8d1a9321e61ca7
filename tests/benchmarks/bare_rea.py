"""Regularized evolution with nothing around it: what the harness's overhead is measured against.

Tuples, a dict and `random.Random`; no budget but a count, no ledger, no validation, no failed trainings.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from operator import itemgetter

Architecture = tuple[int, ...]


def mutate(arch: Architecture, radices: Sequence[int], rng: random.Random) -> Architecture:
    """``arch`` with another option at one uniformly drawn choice."""
    i = int(rng.random() * len(radices))
    o = int(rng.random() * (radices[i] - 1))
    return arch[:i] + (o + (o >= arch[i]),) + arch[i + 1 :]  # noqa: RUF005 (unpacking is slower)


def bare_rea(
    scores: Mapping[Architecture, float],
    radices: Sequence[int],
    *,
    queries: int,
    population: int,
    sample: int,
    rng: random.Random,
    initial: Sequence[Architecture] = (),
) -> tuple[dict[Architecture, float], int]:
    """The ``queries`` distinct architectures that evolution visits, in order, and how many trials that took.

    A trial evaluates an individual; a repeat is a trial, but not a query. ``initial`` starts the population, filled up
    at random.
    """
    known: dict[Architecture, float] = {}
    alive: list[tuple[float, Architecture]] = []
    while len(alive) < population:
        i = len(alive)
        arch = initial[i] if i < len(initial) else tuple([int(rng.random() * k) for k in radices])
        known[arch] = scores[arch]
        alive.append((scores[arch], arch))
    trials, oldest = population, 0
    tournament, fitness = rng.sample, itemgetter(0)
    while len(known) < queries:
        arch = mutate(max(tournament(alive, sample), key=fitness)[1], radices, rng)
        score = known.get(arch)
        if score is None:
            score = known[arch] = scores[arch]
        alive[oldest] = (score, arch)
        oldest = (oldest + 1) % population
        trials += 1
    return known, trials
