"""What a search achieved: relative improvement, regret, rank and Kendall's tau. Pure functions on arrays.

Scores are in the units of the task (accuracies in percent). NaN and infinities are refused with `ValueError`: a failed
run gets its score before it comes here. A metric that does not exist is None, never a made-up number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Item = TypeVar("Item")
_ALL_PAIRS = 2000


def finite_vector(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """`values` as float64 [n], n >= 1. Raises ValueError naming `name` where empty, not a vector, or not finite."""
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or vector.size == 0:
        raise ValueError(f"{name} must be a non-empty vector, not an array of shape {vector.shape}")
    if not np.isfinite(vector).all():
        raise ValueError(f"{name} holds {np.count_nonzero(~np.isfinite(vector))} of {vector.size} values not finite")
    return vector


def relative_improvement(scores: ArrayLike, sampling_mean: float, *, higher_is_better: bool = True) -> float | None:
    """RI in percent: `100 * (mean(scores) - Acc_r) / Acc_r` (Yang et al., ICLR 2020, section 3.1).

    `scores`: [n] final scores of the strategy's runs. `sampling_mean`: Acc_r, the mean final score of random sampling.
    Where lower is better the sign is turned, so that an improvement is positive. None where Acc_r is not positive: a
    ratio to it means nothing.
    """
    mean = float(finite_vector(scores, "scores").mean())
    acc_r = float(finite_vector([sampling_mean], "sampling_mean")[0])
    if acc_r <= 0:
        return None
    ri = 100.0 * (mean - acc_r) / acc_r
    return ri if higher_is_better else -ri


def ri_paper(scores: ArrayLike, draws: ArrayLike, *, higher_is_better: bool = True) -> float | None:
    """RI as the paper computes it, in percent: Acc_r is the mean of as many random architectures as there are runs.

    `draws`: [k] final scores of random architectures in the order drawn; the first n count. None where k < n or that
    mean is not positive.
    """
    runs, drawn = finite_vector(scores, "scores"), finite_vector(draws, "draws")
    if drawn.size < runs.size:
        return None
    return relative_improvement(runs, float(drawn[: runs.size].mean()), higher_is_better=higher_is_better)


def rank(scores: ArrayLike, table: ArrayLike) -> NDArray[np.int64]:
    """`1 + rows with a strictly better final score`, for each of `scores`; equals share the best of their ranks.

    `scores`: [n]. `table`: the final scores of all rows; NaN marks a row without one and is never better. Both
    where higher is better, in the same units and precision. Returns int64 [n]. O((n + rows) log rows).
    """
    values, known = finite_vector(scores, "scores"), np.sort(_known(table))
    return (1 + known.size - np.searchsorted(known, values, side="right")).astype(np.int64)


def ktau(learned: ArrayLike, true: ArrayLike) -> float | None:
    """Kendall's tau-b of two score vectors [n]: the harness's KTau. Ties shrink the denominator.

    None for n < 2 and where either side is constant. Up to 2,000 items, all pairs are compared (some 10 ms). Above,
    scipy takes O(n log n): 423,624 rows in about 0.1 s.
    """
    learned, true = _pair(learned, true)
    if learned.size < 2 or np.ptp(learned) == 0 or np.ptp(true) == 0:
        return None
    if learned.size > _ALL_PAIRS:
        from scipy.stats import kendalltau  # 0.7 s to import, and each run is a process of its own

        return float(kendalltau(learned, true).statistic)
    a, b = (np.sign(v[:, None] - v).astype(np.int8) for v in (learned, true))
    excess = int(np.einsum("ij,ij->", a, b, dtype=np.int64))  # concordant less discordant pairs, each twice
    return excess / math.sqrt(np.count_nonzero(a)) / math.sqrt(np.count_nonzero(b))


def ktau_eq13(learned: ArrayLike, true: ArrayLike) -> float | None:
    """Kendall's tau of ReNAS, Eq. 13: `2 * concordant / C(n, 2) - 1`. A pair tied on either side counts as discordant.

    Vectors [n]; None for n < 2. A constant side gives -1. O(n log n).
    """
    learned, true = _pair(learned, true)
    pairs = math.comb(learned.size, 2)
    if pairs == 0:
        return None
    tied_learned, tied_true = _tied(learned), _tied(true)
    tied_both = _tied(learned, true)
    untied = pairs - tied_learned - tied_true + tied_both
    tau_b = ktau(learned, true)
    if tau_b is None:
        return -1.0
    # tau-b = (concordant - discordant) / sqrt((pairs - tied_learned) * (pairs - tied_true)); the numerator is whole.
    excess = round(tau_b * math.sqrt(pairs - tied_learned) * math.sqrt(pairs - tied_true))
    concordant = (untied + excess) // 2
    return 2.0 * concordant / pairs - 1.0


def ktau_pairwise(learned: ArrayLike, true: ArrayLike) -> float | None:
    """CTNAS's tau of a score vector: mean over i < j of `sign(learned_i - learned_j) * sign(true_i - true_j)`.

    sign(0) = +1, so the order of the items matters where there are ties. Vectors [n]; None for n < 2. O(n^2) time and
    memory: 10,000 items take about 0.1 s and 50 MB. For 423,624 rows use `ktau`.
    """
    learned, true = _pair(learned, true)
    preferred = [learned[i] >= learned[i + 1 :] for i in range(learned.size)]
    return ktau_of_preferences(np.concatenate(preferred), true)


def preferences(
    compare: Callable[[Sequence[Item], Sequence[Item]], ArrayLike],
    items: Sequence[Item],
    *,
    pairs_at_once: int = 1 << 16,
) -> NDArray[np.bool_]:
    """Whether a comparator holds i to be at least as good as j, of all pairs i < j in their order, [n (n - 1) / 2].

    `compare(a, b)`: [m] probabilities that a_k is at least as good as b_k; at least .5 is yes. It is called in the
    direction i < j only, with about `pairs_at_once` pairs a call. O(n^2) comparisons: 499,500 for 1,000 items. Raises
    ValueError for answers that are not m finite numbers.
    """
    n = len(items)
    found = [np.zeros(0, dtype=np.bool_)]
    rows = max(1, pairs_at_once // max(n, 1))
    for start in range(0, n - 1, rows):
        block = range(start, min(start + rows, n - 1))
        i = np.concatenate([np.full(n - 1 - k, k) for k in block])
        j = np.concatenate([np.arange(k + 1, n) for k in block])
        answers = finite_vector(compare([items[k] for k in i], [items[k] for k in j]), "compare's answer")
        if answers.size != i.size:
            raise ValueError(f"compare answered {answers.size} values for {i.size} pairs")
        found.append(answers >= 0.5)
    return np.concatenate(found)


def ktau_of_preferences(preferred: NDArray[np.bool_], true: ArrayLike) -> float | None:
    """CTNAS's tau of `preferences` of n items with the scores `true`, [n]; None for n < 2.

    sign(0) = +1 (CTNAS, `compute_kendall_tau_AR`).
    """
    scores = finite_vector(true, "true")
    n = scores.size
    if n < 2:
        return None
    if preferred.size != math.comb(n, 2):
        raise ValueError(f"{preferred.size} preferences, {n} items have {math.comb(n, 2)} pairs")
    agreed = at = 0
    for i in range(n - 1):
        of_i = preferred[at : at + n - 1 - i]
        agreed += int(np.count_nonzero(of_i == (scores[i] >= scores[i + 1 :])))
        at += of_i.size
    return 2.0 * agreed / math.comb(n, 2) - 1.0


def _known(table: ArrayLike) -> NDArray[np.float64]:
    """The scores of a table that exist, float64."""
    column = np.asarray(table, dtype=np.float64)
    return finite_vector(column[~np.isnan(column)], "table")


def _pair(learned: ArrayLike, true: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    left, right = finite_vector(learned, "learned"), finite_vector(true, "true")
    if left.size != right.size:
        raise ValueError(f"{left.size} learned scores but {right.size} true scores")
    return left, right


def _tied(*columns: NDArray[np.float64]) -> int:
    """Number of pairs of rows that are equal in every column."""
    order = np.lexsort(columns)
    starts = np.ones(order.size, dtype=bool)
    starts[1:] = np.any([np.diff(column[order]) != 0 for column in columns], axis=0)
    counts = np.diff(np.append(np.flatnonzero(starts), order.size))
    return int((counts * (counts - 1) // 2).sum())
