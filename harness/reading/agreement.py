"""How two columns of scores of the same architectures agree, and how widely one column spreads.

Yang, Esperança and Carlucci (ICLR 2020): Figure 4 (the spread of 214 random architectures), Figure 5 (early epochs
against the last one, with a moving average), Figure 8 (two training seeds) and Figure 9 (two depths; here two columns
of any kind). Pure functions on arrays; more is better in every column.
"""

from __future__ import annotations

from math import ceil

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.statistics.metrics import ktau, rank

SMOOTHED_OVER = 20
"""Epochs of the moving average that Yang et al. smooth a learning curve with."""
BEST_SHARE = 0.1


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How one column spreads, in its own unit. std: ddof 1, null for one value. low, high: smallest and largest."""

    n: int
    mean: float
    std: float | None
    low: float
    high: float


class Pairing(msgspec.Struct, frozen=True, kw_only=True):
    """Two columns, on the n architectures that have a score in both.

    ktau: tau-b, null where it does not exist. changes: the spread of |a_i - b_i|, in the scores' unit. shifts: that of
    |rank of a_i - rank of b_i| among the n, where equal scores share the best of their ranks.
    """

    n: int
    ktau: float | None
    changes: Spread | None
    shifts: Spread | None


def spread(values: ArrayLike) -> Spread | None:
    """The spread of the values that exist; None where no value does."""
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    if not len(known):
        return None
    std = float(known.std(ddof=1)) if len(known) > 1 else None
    return Spread(n=len(known), mean=float(known.mean()), std=std, low=float(known.min()), high=float(known.max()))


def pairing(a: ArrayLike, b: ArrayLike) -> Pairing:
    """How a and b agree, float [n] each; NaN where an architecture has no score. A change needs one unit for both."""
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    both = ~np.isnan(first) & ~np.isnan(second)
    first, second = first[both], second[both]
    return Pairing(
        n=len(first),
        ktau=ktau(first, second) if len(first) > 1 else None,
        changes=spread(np.abs(first - second)),
        shifts=spread(np.abs(rank(first, first) - rank(second, second))) if len(first) else None,
    )


def best(scores: ArrayLike, share: float = BEST_SHARE) -> NDArray[np.bool_]:
    """Which scores are the best ``share`` of those that exist, rounded up, bool [n]; of equal ones the first."""
    values = np.asarray(scores, dtype=np.float64)
    chosen = np.zeros(len(values), dtype=np.bool_)
    chosen[np.argsort(-values, kind="stable")[: ceil(share * (~np.isnan(values)).sum())]] = True  # NaN sorts last
    return chosen


def moving_average(curves: ArrayLike, window: int = SMOOTHED_OVER) -> NDArray[np.float64]:
    """Each epoch's mean with the window - 1 epochs before it, or with as many as there are.

    curves: float [epochs, n], every epoch of a training; the same shape comes back. NaN wherever the window holds one.
    """
    values = np.asarray(curves, dtype=np.float64)
    return np.array([values[max(e + 1 - window, 0) : e + 1].mean(axis=0) for e in range(len(values))])
