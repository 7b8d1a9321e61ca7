"""ReNAS: relativistic evaluation of neural architecture search.

Source: Xu, Wang, Han, Tang, Xu and Xu, "ReNAS: Relativistic Evaluation of Neural Architecture Search" (CVPR 2021). A
few architectures are labelled, a predictor learns to rank them, and evolution on its predictions finds the
architectures that it ranks highest.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness import Architecture, Mode, Strategy
from harness.search.labelled import collect
from harness.search.oracle import best_first
from harness.search.proposal import Evolution, propose, verify
from harness.spaces.tensors import CellTensors, PublishedTensors
from harness_renas.features import Features, Layout
from harness_renas.params import PUBLISHED, VARIANTS, ReNASParams

if TYPE_CHECKING:
    from harness import Oracle


class ReNAS(Strategy[ReNASParams]):
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

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        from harness_renas.predictor import Training, fit

        p = self.params
        variant = VARIANTS[p.variant]
        label_rng, train_rng, evolve_rng = rng.spawn(3)
        features: CellTensors = (
            PublishedTensors(oracle.space, costs=variant["costs"])
            if p.tensor == "paper"
            else Features(oracle.space, Layout(p.types, variant["costs"], p.pruned))
        )

        started = time.perf_counter()
        known = collect(oracle, label_rng, labels=p.labels, reserve=p.verify, choose=p.choose, law=p.law)
        labelled = time.perf_counter()
        self.seconds["label"] = labelled - started
        self.notes |= {"labels": len(known), "costs": features.costs}
        if not known.informative:
            return best_first(oracle, p.top)

        training = Training(
            variant["objective"], p.phi, p.margin, p.continuity, p.triplets, p.targets, p.orders, p.most_orders,
            p.views, p.epochs, p.lr, p.weight_decay, p.batch,
        )  # fmt: skip
        predictor = fit(features, known.archs, known.scores, train_rng, training)
        self.ranker = predictor
        trained = time.perf_counter()
        self.seconds["train"] = trained - labelled

        found, scored = propose(
            oracle, predictor.rank, evolve_rng, max(p.top, p.verify), whole=p.whole, twins=p.candidates == "all",
            exclude=set() if p.candidates == "all" else set(oracle.space.keys(known.archs)),
            evolution=Evolution(p.population, p.generations, p.selection, p.crossover, p.mutation, p.tournament),
        )  # fmt: skip
        self.seconds["propose"] = time.perf_counter() - trained
        self.notes["predicted"] = scored
        if p.verify == 0:
            return found[: p.top] or best_first(oracle, p.top)
        started = time.perf_counter()
        best = verify(oracle, found[: p.verify], p.top)
        self.seconds["verify"] = time.perf_counter() - started
        return best
