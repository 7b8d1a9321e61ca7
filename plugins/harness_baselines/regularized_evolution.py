"""Regularized evolution (Real, Aggarwal, Huang and Le, AAAI 2019, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
import numpy as np

from harness import Architecture, HarnessError, Params, Strategy, scalar_rng
from harness_baselines.draws import draws, worst_if_nan

if TYPE_CHECKING:
    from harness import Oracle

SETTINGS: dict[str, tuple[int, int]] = {
    "nasbench101": (50, 10),  # google-research/nasbench, NASBench.ipynb
    "nasbench201": (10, 3),  # D-X-Y/AutoDL-Projects, exps/NATS-algos/regularized_ea.py
    "nasbench301": (100, 10),  # automl/NASLib, DARTS defaults
    "darts": (100, 10),
}
"""Space name -> population, tournament size."""
GENERAL = (50, 10)


class RegularizedEvolutionParams(Params):
    population: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        msgspec.Meta(description="individuals alive; none: the published size for the space (50 where there is none)"),
    ] = None
    sample: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        msgspec.Meta(
            description="individuals in a tournament, drawn without replacement; none: the published size for the "
            "space (10 where there is none), at most the population"
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.population is not None and self.sample is not None and self.sample > self.population:
            raise ValueError(f"sample ({self.sample}) exceeds population ({self.population})")

    @classmethod
    def smallest(cls) -> RegularizedEvolutionParams:
        return cls(population=4, sample=2)


class RegularizedEvolution(Strategy[RegularizedEvolutionParams]):
    """Mutate the winner of a tournament, the oldest individual dies (Real et al. 2019).

    The first population is drawn at random. A tournament has distinct individuals, as in NAS-Bench-101's notebook; the
    paper's Algorithm 1 and the published codes for the other spaces draw them with replacement. Every queried
    architecture joins the population, also a repeat that is answered from memory. An architecture without a score (a
    failed training, one that breaks a constraint known before training, one that a table lacks) joins as the worst.
    """

    name: ClassVar[str] = "regularized-evolution"
    paper: ClassVar[str] = (
        "Real, Aggarwal, Huang and Le, Regularized Evolution for Image Classifier Architecture Search (AAAI 2019)"
    )

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        space, query, mutate = oracle.space, oracle.query, oracle.space.mutate
        p, s = self._sizes(space.name)
        self.notes |= {"population": p, "sample": s}
        draw = scalar_rng(rng)
        tournament, fitness = draw.sample, itemgetter(0)

        population = [(worst_if_nan(query(arch)), arch) for arch in islice(draws(space, rng), p)]
        oldest = 0  # the population is a ring: the newest takes the place of the oldest
        while True:
            parent = max(tournament(population, s), key=fitness)[1]
            child = mutate(parent, draw)
            score = query(child)
            population[oldest] = (score if score == score else worst_if_nan(score), child)
            oldest = (oldest + 1) % p

    def _sizes(self, space: str) -> tuple[int, int]:
        params = self.params
        usual_p, usual_s = SETTINGS.get(space, GENERAL)
        p = params.population if params.population is not None else usual_p
        s = params.sample if params.sample is not None else min(usual_s, p)
        if s > p:
            raise HarnessError(f"{self.name}: sample ({s}) exceeds population ({p}), the default on {space}")
        return p, s
