"""A modern ranker: message-passing networks over cells, trained on pairs.

Its parts are known from the literature on performance predictors: messages along and against a cell's edges
(GATES, Ning et al., ECCV 2020; FlowerFormer, Hwang et al., CVPR 2024), a pairwise loss (Ning et al. 2020; ReNAS), an
average over several initialisations (Deng et al. 2017; White et al., AAAI 2021).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from harness import Labelled, Ranker, SearchSpace, said
from harness_rankers.search import RankingParams, RankingStrategy


class GINParams(RankingParams):
    members: Annotated[int, said("networks whose scores are averaged", ge=1)] = 4
    width: Annotated[int, said("units of a node", ge=1)] = 32
    layers: Annotated[int, said("rounds of messages", ge=1)] = 3
    loss: Annotated[
        Literal["logistic", "hinge", "mse"],
        said("loss on score differences of pairs, or squared error on scaled ranks"),
    ] = "logistic"
    margin: Annotated[float, said("of the hinge", gt=0.0)] = 0.1
    epochs: Annotated[int, said("passes over the labels", ge=1)] = 100
    lr: Annotated[float, said("AdamW's highest learning rate; a warm-up of 5 %, then a cosine to zero", gt=0.0)] = 1e-2
    weight_decay: Annotated[float, said("AdamW's weight decay", ge=0.0)] = 1e-4
    batch: Annotated[int, said("architectures a step, all pairs among them", ge=2)] = 64

    @classmethod
    def smallest(cls) -> Any:
        return cls(verify=3, population=8, generations=3, members=2, width=4, layers=1, epochs=2)


class GINRanker(RankingStrategy[GINParams]):
    """Message-passing networks trained on pairs, the best predicted verified."""

    name: ClassVar[str] = "gin-ranker"
    ablations: ClassVar[dict[str, dict[str, Any]]] = {
        **RankingStrategy.ablations,
        "regression": {"loss": "mse"},
        "as written": {"pruned": False},
        "one network": {"members": 1},
    }

    def learn(self, space: SearchSpace, known: Labelled, rng: np.random.Generator) -> Ranker:
        from harness_rankers.training import fit

        return fit(space, known, rng, self.params)
