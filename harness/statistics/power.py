"""How many seeds show a difference, by simulated studies drawn from a task's own spread. Pure functions on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.inference import ALPHA, FEWEST_RUNS
from harness.statistics.metrics import finite_vector
from harness.statistics.verdicts import compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


def power(
    scores: ArrayLike,
    references: Sequence[ArrayLike],
    *,
    seeds: int,
    reference_seeds: int,
    rng: np.random.Generator,
    alpha: float = ALPHA,
    studies: int = 400,
) -> float:
    """Share of simulated studies in which `seeds` runs are called better than `reference_seeds` runs of each reference.

    `scores` [n] and `references` [m] each, oriented so that higher is better, stand for the populations: each study
    draws from them with replacement, and `compare` has to find the entry better than every one.
    In [0, 1]. `alpha`: the level after correction; for a study-wide one, .05 over its hypotheses. With 400 studies the
    standard error is at most .025.
    """
    ours, theirs = finite_vector(scores, "scores"), [finite_vector(r, "reference") for r in references]
    found = 0
    for _ in range(studies):
        drawn = rng.choice(ours, seeds)
        study = compare(drawn, {str(k): rng.choice(r, reference_seeds) for k, r in enumerate(theirs)})
        found += study.p is not None and study.p < alpha and study.difference > 0
    return found / studies


def seeds_needed(
    references: Sequence[ArrayLike],
    difference: float,
    *,
    reference_seeds: int,
    rng: np.random.Generator,
    spread: ArrayLike | None = None,
    wanted: float = 0.8,
    alpha: float = ALPHA,
    most: int = 1000,
    studies: int = 400,
) -> int | None:
    """The fewest seeds with which a strategy `difference` above the references is called better in 80 % of studies.

    The strategy is assumed to spread as `spread` [k] does (default: as the best of `references` [m] each), with a mean
    that is `difference` > 0 higher than that of the best. `reference_seeds`: how many runs each has in such a study.
    The number is found by bisection over simulated studies, so it is exact to about a tenth. None above `most`. Raises
    ValueError unless the difference is positive.
    """
    if not difference > 0:
        raise ValueError(f"a difference to detect is positive, not {difference}")
    best = max((finite_vector(r, "reference") for r in references), key=lambda r: float(r.mean()))
    like = best if spread is None else finite_vector(spread, "spread")
    ours = like + (best.mean() - like.mean() + difference)

    def enough(seeds: int) -> bool:
        found = power(
            ours, references, seeds=seeds, reference_seeds=reference_seeds, rng=rng, alpha=alpha,
            studies=studies,
        )  # fmt: skip
        return found >= wanted

    low, high = FEWEST_RUNS - 1, FEWEST_RUNS
    while not enough(high):
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
