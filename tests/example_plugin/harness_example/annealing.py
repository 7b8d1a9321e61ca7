"""Simulated annealing (Kirkpatrick, Gelatt and Vecchi, Science 220, 1983) over a search space's mutations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
import numpy as np

from harness import Architecture, Params, Strategy, scalar_rng

if TYPE_CHECKING:
    from harness import Oracle


class AnnealingParams(Params):
    """Every field has a default, a range and a sentence: `nas-harness describe example-annealing` shows them."""

    warm_up: Annotated[
        int, msgspec.Meta(ge=2, description="random architectures that come first and set the scale of the scores")
    ] = 10
    temperature: Annotated[
        float, msgspec.Meta(gt=0, description="first temperature, in standard deviations of the warm-up's scores")
    ] = 0.5
    cooling: Annotated[
        float, msgspec.Meta(gt=0, le=1, description="factor on the temperature after each new architecture")
    ] = 0.95
    patience: Annotated[
        int, msgspec.Meta(ge=1, description="proposals in a row without a new architecture before a fresh start")
    ] = 50

    @classmethod
    def smallest(cls) -> AnnealingParams:
        return cls(warm_up=3, patience=10)


class SimulatedAnnealing(Strategy[AnnealingParams]):
    """Accept worse mutations ever more rarely (Kirkpatrick et al. 1983).

    From the best of a random warm-up: mutate; go there if it is better, else with probability exp(difference / T).

    T falls by ``cooling`` with each architecture that is paid for. Where mutations only lead to what is known already,
    it starts again from a random architecture.
    """

    name: ClassVar[str] = "example-annealing"
    ablations = {"greedy": {"temperature": 1e-9}}

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        """Never returns: `BudgetExhausted` ends it, and the best validated architecture stands."""
        p, space = self.params, oracle.space
        draw = scalar_rng(rng)  # scalar draws are five times as fast as numpy's, and as reproducible
        first = space.sample(rng, p.warm_up)
        scores = oracle.query_many(first)
        self.notes["restarts"] = 0

        trained = scores[~np.isnan(scores)]
        scale = float(trained.std()) if len(trained) > 1 and trained.std() > 0 else 1.0
        here = first[int(np.nanargmax(scores))] if len(trained) else first[0]
        energy = float(np.nanmax(scores)) if len(trained) else math.nan
        temperature, stuck = p.temperature * scale, 0
        while True:
            paid = len(oracle.history)
            if stuck < p.patience:
                there = space.mutate(here, draw)
            else:
                there, energy = space.sample(rng, 1)[0], math.nan
                self.notes["restarts"] += 1
            score = oracle.query(there)
            if len(oracle.history) > paid:
                temperature, stuck = temperature * p.cooling, 0
            else:
                stuck = 0 if stuck >= p.patience else stuck + 1
            if self._accepts(score - energy, temperature, draw.random()):
                here, energy = there, score

    @staticmethod
    def _accepts(gain: float, temperature: float, u: float) -> bool:
        """Metropolis' rule. A failed training (NaN) is left for anything that has a score, and never gone to."""
        if math.isnan(gain):
            return True
        return gain >= 0 or u < math.exp(gain / max(temperature, 1e-300))
