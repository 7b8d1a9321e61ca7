"""Scores without float noise. Pure functions on arrays.

The mean of three repeats may differ in its last bit from an equal mean of three others. A rank, a p-value or a best row
then depends on the order of an addition. So scores are rounded when they are imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

DIGITS = 9
"""Digits after the point that a score keeps, in its own unit."""


def rounded(scores: ArrayLike) -> NDArray[np.float64]:
    """`scores` to 1e-9 of their unit, float64 of the same shape. NaN and infinities stay what they are.

    Importers call it once, on the columns that they write. Two values that differ by float noise alone become equal.
    """
    values = np.asarray(np.round(np.asarray(scores, dtype=np.float64), DIGITS), dtype=np.float64)
    return values + 0.0  # no -0.0
