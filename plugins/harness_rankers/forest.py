"""E2EPP: a random forest that predicts an architecture's score.

Source: Sun, Wang, Xue, Jin, Yen and Zhang, "Surrogate-Assisted Evolutionary Deep Learning Using an End-to-End Random
Forest-Based Performance Predictor" (IEEE Transactions on Evolutionary Computation 24, 2020). The ReNAS paper compares
ReNAS with it, as a regression on ReNAS's tensor (``encoding = "tensor"``, mode ``paper``). One-hot choices, the
default, are ours; so are the forest's size and its share of features. Proposals and verification are the harness's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from harness import Architecture, Labelled, Mode, Ranker, SearchSpace, said
from harness_rankers.encodings import Encoding, Floats, vectors
from harness_rankers.search import RankingParams, RankingStrategy, with_paper


class E2EPPParams(RankingParams):
    encoding: Annotated[
        Encoding,
        said(
            "one-hot choices, the cells' operations and edges, or ReNAS's tensor (as in ReNAS's paper): of edges where "
            "the space's choices are edges, or always of nodes"
        ),
    ] = "choices"
    trees: Annotated[int, said("regression trees", ge=1)] = 500
    features: Annotated[float, said("share of the features from which a split chooses", gt=0.0, le=1.0)] = 1 / 3

    @classmethod
    def smallest(cls) -> Any:
        return cls(verify=3, population=8, generations=3, trees=10)


@dataclass(frozen=True)
class ForestRanker:
    """The mean prediction of the trees, asked one by one: the forest's own ``predict`` prepares each tree for threads,
    which takes longer than the few architectures of a generation do. The numbers are the same to the bit.
    """

    space: SearchSpace
    params: E2EPPParams
    forest: Any

    def rank(self, archs: Sequence[Architecture]) -> Floats:
        total = np.zeros(len(archs))
        if len(archs):
            x = vectors(self.space, archs, self.params.encoding, pruned=self.params.pruned).astype(np.float32)
            for tree in self.forest.estimators_:
                total += tree.tree_.predict(x)[:, 0]
        return total / len(self.forest.estimators_)


class E2EPP(RankingStrategy[E2EPPParams]):
    """A random forest that predicts scores (Sun et al. 2020), the best predicted verified.

    It regresses validation scores on one-hot choices, or on ReNAS's tensor as in that paper.
    """

    name: ClassVar[str] = "e2epp"
    paper: ClassVar[str] = (
        "Sun et al., Surrogate-Assisted Evolutionary Deep Learning Using an End-to-End Random "
        "Forest-Based Performance Predictor (IEEE TEVC 2020)"
    )
    modes: ClassVar[dict[str, Mode]] = with_paper({"encoding": "tensor"})
    ablations: ClassVar[dict[str, dict[str, Any]]] = {
        **RankingStrategy.ablations,
        "cells": {"encoding": "cells"},
        "tensor": {"encoding": "tensor"},
    }

    def learn(self, space: SearchSpace, known: Labelled, rng: np.random.Generator) -> Ranker:
        from sklearn.ensemble import RandomForestRegressor

        p = self.params
        forest = RandomForestRegressor(
            p.trees, max_features=p.features, random_state=int(rng.integers(2**32 - 1)), n_jobs=1
        )
        forest.fit(vectors(space, known.archs, p.encoding, pruned=p.pruned), known.scores)
        return ForestRanker(space, p, forest)
