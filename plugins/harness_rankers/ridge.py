"""Ridge regression on one-hot choices: a learned predictor should be better than this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from harness import Architecture, Labelled, Ranker, SearchSpace, said
from harness_rankers.encodings import Encoding, Floats, vectors
from harness_rankers.search import RankingParams, RankingStrategy

PENALTIES = tuple(10.0 ** (k / 2) for k in range(-6, 9))
"""The penalties to try: 1e-3 to 1e4."""


class RidgeParams(RankingParams):
    encoding: Annotated[Encoding, said("one-hot choices, the cells' operations and edges, or ReNAS's tensor")] = (
        "choices"
    )
    penalty: Annotated[
        float | None, said("the L2 penalty; none: chosen by leave-one-out error on the labels, which costs nothing")
    ] = None


@dataclass(frozen=True)
class RidgeRanker:
    """score = (x - mean) @ weights; the intercept says nothing about the order."""

    space: SearchSpace
    params: RidgeParams
    mean: Floats
    weights: Floats

    def rank(self, archs: Sequence[Architecture]) -> Floats:
        x = vectors(self.space, archs, self.params.encoding, pruned=self.params.pruned)
        return np.asarray((x - self.mean) @ self.weights)


def ridge(x: Floats, y: Floats, penalties: Sequence[float]) -> tuple[Floats, float]:
    """Weights of the centred x [n, d], y [n], and the penalty with the smallest leave-one-out error.

    With H = X (X'X + p I)^-1 X' + 1/n (the intercept), the residual of a sample left out is r_i / (1 - H_ii)
    (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 7.10).
    """
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    projected = u.T @ y
    best: tuple[float, float, Floats] | None = None
    for penalty in penalties:
        shrink = s**2 / (s**2 + penalty)
        hat = (u**2) @ shrink + 1.0 / len(y)
        error = float((((y - u @ (shrink * projected)) / np.maximum(1.0 - hat, 1e-9)) ** 2).mean())
        if best is None or error < best[0]:
            best = error, penalty, vt.T @ (s / (s**2 + penalty) * projected)
    assert best is not None
    return best[2], best[1]


class Ridge(RankingStrategy[RidgeParams]):
    """Ridge regression on one-hot choices, the best predicted verified: the simplest predictor."""

    name: ClassVar[str] = "ridge"
    ablations: ClassVar[dict[str, dict[str, Any]]] = {**RankingStrategy.ablations, "cells": {"encoding": "cells"}}

    def learn(self, space: SearchSpace, known: Labelled, rng: np.random.Generator) -> Ranker:
        p = self.params
        x = vectors(space, known.archs, p.encoding, pruned=p.pruned)
        mean = x.mean(axis=0)
        weights, penalty = ridge(
            x - mean, known.scores - known.scores.mean(), PENALTIES if p.penalty is None else (p.penalty,)
        )
        self.notes["penalty"] = penalty
        return RidgeRanker(space, p, mean, weights)
