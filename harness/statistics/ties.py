"""Scores without float noise, and the best validated row where several tie. Pure functions on arrays.

The mean of three repeats may differ in its last bit from an equal mean of three others. A rank, a p-value or a best row
then depends on the order of an addition. So scores are rounded when they are imported, and ties are reported as ties.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.statistics.metrics import finite_vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

DIGITS = 9
"""Digits after the point that a score keeps, in its own unit."""


class BestValidated(NamedTuple):
    """Final score of the row with the best validation score.

    `final`: the mean over the `tied` rows that share it. `low`, `high`: the lowest and highest of their scores.
    """

    final: float
    tied: int
    low: float
    high: float


def rounded(scores: ArrayLike) -> NDArray[np.float64]:
    """`scores` to 1e-9 of their unit, float64 of the same shape. NaN and infinities stay what they are.

    Importers call it once, on the columns that they write. Two values that differ by float noise alone become equal.
    """
    values = np.asarray(np.round(np.asarray(scores, dtype=np.float64), DIGITS), dtype=np.float64)
    return values + 0.0  # no -0.0


def best_validated(valid: ArrayLike, final: ArrayLike, *, higher_is_better: bool = True) -> BestValidated | None:
    """The final score of the best validated row: the mean over all rows that tie for the best validation score.

    `valid`, `final`: [rows], NaN where a row has no such score. `higher_is_better`: of `valid`, on the search task.
    Both are rounded first. Rows that lack one of the two are left out; None where no row has both.
    Raises ValueError for vectors of different length.
    """
    seen, scored = rounded(valid), rounded(final)
    if seen.ndim != 1 or seen.shape != scored.shape:
        raise ValueError(f"validation scores of shape {seen.shape}, final scores of shape {scored.shape}")
    both = ~np.isnan(seen) & ~np.isnan(scored)
    if not both.any():
        return None
    seen, scored = finite_vector(seen[both], "valid"), finite_vector(scored[both], "final")
    tied = scored[seen == (seen.max() if higher_is_better else seen.min())]
    return BestValidated(float(tied.mean()), tied.size, float(tied.min()), float(tied.max()))
