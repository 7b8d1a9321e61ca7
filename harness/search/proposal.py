"""The architectures that a learned order predicts best: by scoring the whole space, or by evolution on predictions."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.search.labelled import classes, small
from harness.search.oracle import Oracle, best_first
from harness.spaces import Architecture
from harness.spaces.base import scalar_rng

Rank = Callable[[Sequence[Architecture]], npt.NDArray[np.float64]]
Operator = Literal["selection", "crossover", "mutation"]


@dataclass(frozen=True, slots=True)
class Evolution:
    """An evolutionary algorithm whose fitness is a prediction, so that it pays nothing.

    Defaults: population, generations and the probabilities of selection, crossover and mutation are those of ReNAS (Xu
    et al., CVPR 2021, section 4). The paper leaves tournament size, elitism and redraws open: they are our choice.
    """

    population: int = 64
    generations: int = 500
    selection: float = 0.5
    crossover: float = 0.3
    mutation: float = 0.2
    tournament: int = 5
    elite: int = 1
    redraws: int = 50


class Archive:
    """Every architecture that was scored: the fitness of each, and its key."""

    def __init__(self, oracle: Oracle, rank: Rank) -> None:
        self._oracle, self._rank = oracle, rank
        self.fitness: dict[Architecture, float] = {}
        self.key: dict[Architecture, str] = {}

    def name(self, arch: Architecture) -> str:
        """The key, computed once."""
        found = self.key.get(arch)
        if found is None:
            found = self.key[arch] = self._oracle.space.key(arch)
        return found

    def score(self, archs: Sequence[Architecture]) -> None:
        """Predict the fitness of the new ones. Those that break a constraint come after all others."""
        new = [a for a in dict.fromkeys(archs) if a not in self.fitness]
        if not new:
            return
        predicted = np.asarray(self._rank(new), dtype=np.float64)
        if self._oracle.constraints:
            excess = self._oracle.violation(new)
            predicted = np.where(excess > 0.0, -1e9 - excess, predicted)
        self.fitness.update(zip(new, predicted.tolist(), strict=True))

    def best(self, k: int, exclude: set[str]) -> list[Architecture]:
        """The k fittest feasible ones, of distinct keys that are not in ``exclude``, best first.

        Those of equal fitness come by their options: a ranker that sees no edges makes many equal.
        """
        found: dict[str, Architecture] = {}
        for arch in sorted(self.fitness, key=lambda a: (-self.fitness[a], a)):
            if len(found) == k or self.fitness[arch] <= -1e9:
                break
            key = self.name(arch)
            if key not in exclude:
                found.setdefault(key, arch)
        return list(found.values())


def evolve(oracle: Oracle, archive: Archive, rng: np.random.Generator, settings: Evolution) -> None:
    """Evolve a population on predicted fitness; every architecture that it visits goes to ``archive``.

    Each slot of the next generation is, by ``selection``, ``crossover`` and ``mutation``, a copy of a tournament's
    winner, a crossover of two winners, or a mutation of one. A generation holds each key once: only an architecture
    whose key is not in it yet is copied. A repeat is drawn again by the same operator, up to ``redraws`` times, and
    then replaced by an architecture drawn at random.
    """
    space, draw = oracle.space, scalar_rng(rng)
    population = list(dict.fromkeys(space.sample(rng, settings.population)))
    archive.score(population)
    for _ in range(settings.generations):
        population.sort(key=lambda a: (-archive.fitness[a], a))
        children = {archive.name(a): a for a in population[: settings.elite]}
        for _slot in range(settings.population - len(children)):
            operator = _operator(draw, settings)
            parents = population
            if operator == "selection":
                parents = [a for a in population if archive.name(a) not in children]
            for _attempt in range(settings.redraws if parents else 0):
                child = _offspring(operator, oracle, parents, draw, settings.tournament)
                if archive.name(child) not in children:
                    break
            else:
                child = space.sample(rng, 1)[0]
            children.setdefault(archive.name(child), child)
        population = list(children.values())
        archive.score(population)


def _operator(draw: random.Random, settings: Evolution) -> Operator:
    u = draw.random() * (settings.selection + settings.crossover + settings.mutation)
    if u < settings.selection:
        return "selection"
    return "crossover" if u < settings.selection + settings.crossover else "mutation"


def _offspring(
    operator: Operator, oracle: Oracle, parents: list[Architecture], draw: random.Random, tournament: int
) -> Architecture:
    size, n = min(tournament, len(parents)), len(parents)

    def winner() -> Architecture:  # parents are sorted: the smallest place is the fittest
        return parents[min(int(draw.random() * n) for _ in range(size))]

    if operator == "selection":
        return winner()
    if operator == "crossover":
        return oracle.space.crossover(winner(), winner(), draw)
    return oracle.space.mutate(winner(), draw)


def propose(
    oracle: Oracle,
    rank: Rank,
    rng: np.random.Generator,
    k: int,
    *,
    exclude: set[str],
    whole: int = 20_000,
    evolution: Evolution | None = None,
    twins: bool = False,
) -> tuple[list[Architecture], int]:
    """The k architectures of distinct keys, none of ``exclude``, that are predicted best, and how many were scored.

    A space of at most ``whole`` architectures is scored whole, one architecture a key; `evolve` searches a larger one.
    With ``twins``, scoring a space whole scores every architecture, and isomorphic ones may stand side by side.
    """
    archive = Archive(oracle, rank)
    if small(oracle.space, whole):
        pairs = [(arch, key) for arch, key in classes(oracle, twins=twins) if key not in exclude]
        archive.key.update((arch, repr(arch)) if twins else (arch, key) for arch, key in pairs)
        archive.score([arch for arch, _ in pairs])
    else:
        evolve(oracle, archive, rng, evolution or Evolution())
    return archive.best(k, exclude), len(archive.fitness)


def verify(oracle: Oracle, candidates: Sequence[Architecture], n: int = 10) -> list[Architecture]:
    """Pay for the candidates as far as the budget goes; then the n best of everything validated, best first."""
    for arch in candidates:
        if oracle.ended_by is not None:
            break
        oracle.query(arch)
    return best_first(oracle, n)
