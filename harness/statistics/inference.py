"""How sure a result is: intervals, tests and corrections. Pure functions on arrays; `docs/statistics.md` defines each.

Scores are final scores in the units of the task, one a run. NaN and infinities are refused with `ValueError`: a failed
run gets its score before it comes here. A result that needs more runs is None. No function draws from a global
generator, and none imports `scipy.stats`, whose import takes longer than a whole report.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from harness.statistics.metrics import finite_vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ALPHA = 0.05
FEWEST_RUNS = 5
EXACT_UP_TO = 60  # runs of both sides together; C(60, 30) = 1.2e17 still counts exactly in int64

Verdict = Literal["better", "worse", "not shown to be better"]


class Interval(NamedTuple):
    """A confidence interval, low <= high."""

    low: float
    high: float


class MannWhitney(NamedTuple):
    """Outcome of `mann_whitney`: two-sided p, and `superiority` = P(score > reference) + P(equal) / 2, in [0, 1]."""

    p: float
    superiority: float
    exact: bool


def std(scores: ArrayLike) -> float | None:
    """Standard deviation with ddof 1; None for one run. Of equal runs exactly 0, however their mean is rounded."""
    runs = finite_vector(scores, "scores")
    if runs.size < 2:
        return None
    return float(runs.std(ddof=1)) if np.ptp(runs) else 0.0


def iqm(scores: ArrayLike) -> float:
    """Interquartile mean: the mean without the `floor(n / 4)` lowest and highest each, scipy's `trim_mean(x, .25)`."""
    ordered = np.sort(finite_vector(scores, "scores"))
    cut = ordered.size // 4
    return float(ordered[cut : ordered.size - cut].mean())


def t_interval(scores: ArrayLike) -> Interval | None:
    """Student's 95 % interval of the mean: `mean -+ t(n - 1) * s / sqrt(n)`, s with ddof 1. None for one run."""
    runs, spread = finite_vector(scores, "scores"), std(scores)
    if spread is None:
        return None
    mean = float(runs.mean())
    half = float(student_t(runs.size - 1)) * spread / math.sqrt(runs.size)
    return Interval(mean - half, mean + half)


def welch_intervals(
    ours: ArrayLike, theirs: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Pointwise difference of two mean curves with Welch's interval: (difference, low, high), each float64 [points].

    `ours`: [m, points], `theirs`: [n, points], a run a row, the runs independent. The interval is the difference
    `-+ t(df) * sqrt(s1^2 / m + s2^2 / n)`, df by Welch and Satterthwaite. Its width is 0 where all runs of each side
    are equal. NaN where a run has no value; low and high are NaN throughout for one run on a side.
    """
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or not (len(a) and len(b)):
        raise ValueError(f"curves must be [n, points] on one grid, not of shapes {a.shape} and {b.shape}")
    difference: NDArray[np.float64] = a.mean(axis=0) - b.mean(axis=0)
    if len(a) < 2 or len(b) < 2:
        return difference, np.full(difference.shape, np.nan), np.full(difference.shape, np.nan)
    va, vb = a.var(axis=0, ddof=1) / len(a), b.var(axis=0, ddof=1) / len(b)
    total = va + vb
    half = np.where(np.isnan(total), np.nan, 0.0)
    varied = total > 0
    half[varied] = student_t(freedom([va[varied], vb[varied]], [len(a), len(b)])) * np.sqrt(total[varied])
    return difference, difference - half, difference + half


def ri_interval(scores: ArrayLike, sampling_mean: float, *, higher_is_better: bool = True) -> Interval | None:
    """Interval of RI in percent where Acc_r is exact: RI of the ends of `t_interval(scores)`.

    None for one run, and where Acc_r is not positive.
    """
    ends = t_interval(scores)
    acc_r = float(finite_vector([sampling_mean], "sampling_mean")[0])
    if ends is None or acc_r <= 0:
        return None
    return _ri_of_ratios(ends.low / acc_r, ends.high / acc_r, higher_is_better)


def ri_interval_estimated(scores: ArrayLike, draws: ArrayLike, *, higher_is_better: bool = True) -> Interval | None:
    """Interval of RI in percent where Acc_r is itself a mean of `draws` [k], independent of the runs.

    Fieller's interval of the ratio of two means with unequal variances; t has Welch and Satterthwaite's degrees of
    freedom at the estimated ratio. It becomes `ri_interval` as the variance of Acc_r goes to 0. None for fewer than two
    values on a side, and where Acc_r is not significantly positive, since the set is then unbounded.
    """
    runs, drawn = finite_vector(scores, "scores"), finite_vector(draws, "draws")
    if runs.size < 2 or drawn.size < 2 or drawn.mean() <= 0:
        return None
    x, y = float(runs.mean()), float(drawn.mean())
    vx, vy = float(runs.var(ddof=1)) / runs.size, float(drawn.var(ddof=1)) / drawn.size
    ratio = x / y
    spread = vx + ratio**2 * vy
    if spread == 0:
        return _ri_of_ratios(ratio, ratio, higher_is_better)
    t2 = float(student_t(freedom([vx, ratio**2 * vy], [runs.size, drawn.size]))) ** 2
    a = y * y - t2 * vy
    if a <= 0:
        return None
    half = math.sqrt(t2 * (x * x * vy + vx * a))
    return _ri_of_ratios((x * y - half) / a, (x * y + half) / a, higher_is_better)


def mann_whitney(scores: ArrayLike, reference: ArrayLike) -> MannWhitney | None:
    """Two-sided Mann-Whitney test with midranks of two independent samples. None below 5 runs on either side.

    Up to 60 runs together the p-value is exact: the share of all assignments of the pooled midranks whose rank sum lies
    at least as far from its mean. Above, the normal approximation with tie and continuity corrections (that of scipy's
    `mannwhitneyu(method="asymptotic")`). All values equal gives 1.
    """
    ours, theirs = finite_vector(scores, "scores"), finite_vector(reference, "reference")
    m, n = ours.size, theirs.size
    if min(m, n) < FEWEST_RUNS:
        return None
    inverse, counts = np.unique(np.concatenate([ours, theirs]), return_inverse=True, return_counts=True)[1:]
    doubled = 2 * np.cumsum(counts) - counts + 1  # twice the midrank of each distinct value
    rank_sum = int(doubled[inverse[:m]].sum())
    superiority = (rank_sum - m * (m + 1)) / (2 * m * n)
    if counts.size == 1:
        return MannWhitney(1.0, superiority, True)
    excess = abs(rank_sum - m * (m + n + 1))  # twice the rank sum's distance from its mean
    if m + n <= EXACT_UP_TO:
        # The larger side's rank sum is the total less the smaller's: the same distance, a smaller table.
        return MannWhitney(_exact_p(min(m, n), tuple(counts.tolist()), excess), superiority, True)
    size = m + n
    ties = float((counts.astype(np.float64) ** 3 - counts).sum())
    sigma = math.sqrt(m * n / 12 * (size + 1 - ties / (size * (size - 1))))
    z = max(0.0, excess / 2 - 0.5) / sigma
    return MannWhitney(math.erfc(z / math.sqrt(2)), superiority, False)


def brunner_munzel(scores: ArrayLike, reference: ArrayLike) -> float | None:
    """Two-sided p that `superiority` is one half, whatever the two spreads (Brunner and Munzel, Biometrical J. 2000).

    Welch's t test on placements. The placement of a run is the share of the other side below it, equal ones half.
    Mann-Whitney's test asks whether the two sides are one distribution; against many reference runs it takes a wide
    spread for a difference. 0 where all placements of each side are equal: the sides are separate. 1 where
    `superiority` is one half. None below 5 runs on either side.
    """
    ours, theirs = finite_vector(scores, "scores"), finite_vector(reference, "reference")
    if min(ours.size, theirs.size) < FEWEST_RUNS:
        return None
    a, b = _placements(ours, theirs), _placements(theirs, ours)
    distance = abs(float(a.mean()) - 0.5)
    va, vb = float(a.var(ddof=1)) / a.size, float(b.var(ddof=1)) / b.size
    if distance == 0.0:
        return 1.0
    if va + vb == 0.0:
        return 0.0
    from scipy.special import stdtr

    df = freedom([va, vb], [a.size, b.size])
    return float(2 * stdtr(df, -distance / math.sqrt(va + vb)))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjusted p-values, in the order given. None stays None and is not counted.

    Raises ValueError for a p-value outside [0, 1].
    """
    tested = [(p, i) for i, p in enumerate(p_values) if p is not None]
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for step, (p, i) in enumerate(sorted(tested)):
        if not 0 <= p <= 1:
            raise ValueError(f"p-value {i} is {p}, outside [0, 1]")
        highest = max(highest, min(1.0, (len(tested) - step) * p))
        adjusted[i] = highest
    return adjusted


def freedom(variances: Any, sizes: Sequence[int]) -> Any:
    """Degrees of freedom of Welch and Satterthwaite for a sum of independent means: a number, or an array of them.

    `variances`: that of each mean, s^2 / n, not all 0. `sizes`: n of each.
    """
    parts = np.asarray(variances, dtype=np.float64)
    shares = parts / parts.sum(axis=0)  # tiny variances themselves would underflow when they are squared
    return 1 / sum(share**2 / (n - 1) for share, n in zip(shares, sizes, strict=True))


def student_t(df: Any) -> Any:
    """Two-sided 95 % quantile of Student's t, for one number of degrees of freedom or an array of them."""
    from scipy.special import stdtrit

    return stdtrit(df, 0.975)


def sample_with(mean: float, deviation: float, n: int) -> NDArray[np.float64]:
    """n values with exactly this mean and standard deviation (ddof 1). An interval of means depends on nothing else.

    A record of random sampling has the mean and deviation of all draws, but only the first 1,000 draws themselves.
    """
    sample = np.full(n, mean)
    pairs = n // 2
    half = deviation * np.sqrt((n - 1) / (2 * pairs)) if pairs else 0.0
    sample[:pairs] += half
    sample[pairs : 2 * pairs] -= half
    return sample


def _ri_of_ratios(low: float, high: float, higher_is_better: bool) -> Interval:
    """The interval of RI, in percent, from an interval of `mean / Acc_r`."""
    if higher_is_better:
        return Interval(100 * (low - 1), 100 * (high - 1))
    return Interval(100 * (1 - high), 100 * (1 - low))


def _placements(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each of ours, the share of theirs that is below it, equal ones half."""
    ordered = np.sort(theirs)
    below, to = (np.searchsorted(ordered, ours, side=side) for side in ("left", "right"))
    shares: NDArray[np.float64] = (below + to) / (2 * theirs.size)
    return shares


def _exact_p(m: int, tie_sizes: tuple[int, ...], excess: int) -> float:
    """P(|2R - E 2R| >= excess), R the midrank sum of m of the pooled values drawn without replacement."""
    counts, first, step = _rank_sums(m, tie_sizes)
    sums = first + step * np.arange(counts.size)
    far = np.abs(sums - m * (sum(tie_sizes) + 1)) >= excess
    return int(counts[far].sum()) / math.comb(sum(tie_sizes), m)


@lru_cache(maxsize=256)
def _rank_sums(m: int, tie_sizes: tuple[int, ...]) -> tuple[NDArray[np.int64], int, int]:
    """Of all ways to choose m of the pooled values, how many have each doubled midrank sum: (counts, first, step).

    `counts[k]` belongs to the sum `first + k * step`. `tie_sizes`: how often each distinct value occurs, ascending.
    """
    sizes = np.asarray(tie_sizes)
    doubled = np.repeat(2 * np.cumsum(sizes) - sizes + 1, sizes)
    lowest = int(doubled[0])
    step = int(np.gcd.reduce(doubled - lowest)) or 1
    offsets = ((doubled - lowest) // step).tolist()
    counts = np.zeros((m + 1, sum(offsets[-m:]) + 1), dtype=np.int64)
    counts[0, 0] = 1
    for offset in offsets:
        counts[1:, offset:] += counts[:-1, : counts.shape[1] - offset]  # numpy reads the old values in the overlap
    counts.flags.writeable = False
    return counts[m], m * lowest, step
