"""ReNAS: relativistic evaluation of neural architecture search.

Source: Xu, Wang, Han, Tang, Xu and Xu, "ReNAS: Relativistic Evaluation of Neural Architecture Search" (CVPR 2021). A
few architectures are labelled, a predictor learns to rank them, and evolution on its predictions finds the
architectures that it ranks highest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness import Architecture, Evolution, Labelled, Mode, Ranker, RankingStrategy, SearchSpace
from harness.spaces.tensors import CellTensors, PublishedTensors
from harness_renas.features import Features
from harness_renas.params import PUBLISHED, ReNASParams

if TYPE_CHECKING:
    from harness import Oracle


class ReNAS(RankingStrategy[ReNASParams]):
    """Evolution over a predictor that learns to rank labelled architectures (Xu et al. 2021).

    The paper looks up the ten architectures with the highest predictions and reports the best of them by test accuracy;
    on NAS-Bench-201 it also gives the best validation accuracy of the ten. Mode ``paper`` does that: it returns the ten
    best predicted of all architectures and pays for none of them. The default is ours: the ten are of keys that were
    not labelled, ten queries of the budget choose among them by validation, and the best of everything validated is
    reported.

    From the paper: the losses, the optimiser's settings, population, generations, the shares of evolution's operators.
    Ours, where the paper says nothing: the hinge's a, the weight of L2, tournaments, elitism, the form of crossovers.
    Ours, and off in mode ``paper``: one-hot types, node orders drawn anew each epoch, predictions as means over orders.
    """

    name: ClassVar[str] = "renas"
    paper: ClassVar[str] = "Xu et al., ReNAS: Relativistic Evaluation of Neural Architecture Search (CVPR 2021)"
    modes: ClassVar[dict[str, Mode]] = {
        "strict": Mode(),
        "paper": Mode(
            report="best_of_returned",
            top=10,
            note="the best by test score of the ten best predicted; the paper's tensors, node orders and hinge",
            params={**PUBLISHED, "verify": 0},
        ),
    }
    ablations: ClassVar[dict[str, dict[str, Any]]] = {
        "regression": {"variant": "renas-2"},
        "no continuity": {"variant": "renas-4"},
        "types only": {"variant": "renas-5"},
        "ordinal types": {"types": "ordinal"},
        "as written": {"pruned": False},
        "canonical order only": {"orders": "canonical", "views": 1},
        "rank labels": {"targets": "ranks"},
        "no verification": {"verify": 0},
    }

    def learn(self, space: SearchSpace, known: Labelled, rng: np.random.Generator) -> Ranker:
        from harness_renas.predictor import fit

        return fit(self._features(space), known, rng, self.params)

    def evolution(self) -> Evolution:
        p = self.params
        return Evolution(p.population, p.generations, p.selection, p.crossover, p.mutation, p.tournament)

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        self.notes["costs"] = self._features(oracle.space).costs
        return super().search(oracle, rng)

    def _features(self, space: SearchSpace) -> CellTensors:
        p = self.params
        if p.tensor == "paper":
            return PublishedTensors(space, costs=p.costs)
        return Features(space, types=p.types, costs=p.costs, pruned=p.pruned)
