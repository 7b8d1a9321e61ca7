"""Entries over many tasks: ranks, probability of improvement, normalised scores. Pure functions on arrays.

Definitions are those of Agarwal, Schwarzer, Castro, Courville and Bellemare (NeurIPS 2021, rliable) and of Demsar (JMLR
2006). Scores are oriented so that higher is better. A block is a task, never a seed: seeds of one task share the task.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.statistics.inference import ALPHA, Interval, freedom, student_t
from harness.statistics.metrics import finite_vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FEWEST_TASKS = 5
"""The fewest tasks for an interval of ranks and for the Friedman test."""
RESAMPLES = 2000


class Friedman(NamedTuple):
    """Friedman's test that all entries rank alike: the tie-corrected statistic, and its p (chi squared, k - 1)."""

    statistic: float
    p: float


class Improvement(NamedTuple):
    """P(X > Y) + P(X = Y) / 2, the mean over tasks, with its interval (None where a task has one run of a side)."""

    probability: float
    interval: Interval | None


class Profile(NamedTuple):
    """Share of runs with a normalised score above each tau, with pointwise 95 % bands; each float64 [points]."""

    tau: NDArray[np.float64]
    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def task_ranks(scores: Sequence[Sequence[ArrayLike]]) -> NDArray[np.float64]:
    """Rank of each entry on each task by its mean score, 1 the best, midranks among equals: float64 [tasks, entries].

    `scores[entry][task]`: [n] final scores, one a run, failed ones at the worst case. Every entry has every task.
    Raises ValueError where entries have different numbers of tasks.
    """
    if not scores or len({len(entry) for entry in scores}) != 1 or not scores[0]:
        raise ValueError("ranks need the same tasks, at least one, of every entry")
    means = np.array([[finite_vector(runs, "scores").mean() for runs in entry] for entry in scores]).T
    means = np.round(means, 9)  # the means of two entries with equal runs may differ in their last bit
    better = (means[:, None, :] > means[:, :, None]).sum(axis=2)
    equal = (means[:, None, :] == means[:, :, None]).sum(axis=2)
    ranks: NDArray[np.float64] = better + (equal + 1) / 2
    return ranks


def rank_intervals(ranks: NDArray[np.float64], *, rng: np.random.Generator) -> list[Interval | None] | None:
    """Interval of each entry's expected rank on a task like these, by a bootstrap whose blocks are the tasks.

    2,000 resamples of the tasks, all entries together, with expanded percentiles (Hesterberg 2015, section 4): those of
    `t(tasks - 1) * sqrt(tasks / (tasks - 1))` in place of the normal quantile, since a plain percentile interval of few
    blocks is too narrow. `ranks`: [tasks, entries]. None below 5 tasks; an entry of one rank on all tasks has none: it
    need not keep that rank on every other task.
    """
    tasks = len(ranks)
    if tasks < FEWEST_TASKS:
        return None
    from scipy.special import ndtr

    tail = float(ndtr(-float(student_t(tasks - 1)) * math.sqrt(tasks / (tasks - 1))))
    drawn = ranks[rng.integers(tasks, size=(RESAMPLES, tasks))].mean(axis=1)
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return [Interval(float(a), float(b)) if a < b else None for a, b in zip(low, high, strict=True)]


def friedman(ranks: NDArray[np.float64]) -> Friedman | None:
    """Friedman's test on `task_ranks` [tasks, entries]. None below 5 tasks, for one entry, and where all are tied."""
    tasks, entries = ranks.shape
    if tasks < FEWEST_TASKS or entries < 2:
        return None
    within = float(((ranks - (entries + 1) / 2) ** 2).sum())
    if within == 0:
        return None
    between = float(((ranks.mean(axis=0) - (entries + 1) / 2) ** 2).sum())
    statistic = tasks**2 * (entries - 1) * between / within
    from scipy.special import chdtrc

    return Friedman(statistic, float(chdtrc(entries - 1, statistic)))


def nemenyi(ranks: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Nemenyi's p-value of each pair of entries, float64 [entries, entries] (Demsar 2006, section 3.2.2).

    `ranks`: `task_ranks` [tasks, entries]. p is that of the studentised range of k entries and infinite degrees of
    freedom at `|R_i - R_j| * sqrt(2) / sqrt(k (k + 1) / (6 tasks))`. It is corrected over the pairs; 1 on the diagonal.
    None where `friedman` is None.
    """
    if friedman(ranks) is None:
        return None
    from scipy.stats import studentized_range  # 0.7 s to import

    tasks, entries = ranks.shape
    average = ranks.mean(axis=0)
    q = np.abs(average[:, None] - average) * math.sqrt(2) / math.sqrt(entries * (entries + 1) / (6 * tasks))
    pairs: NDArray[np.float64] = np.clip(studentized_range.sf(q, entries, np.inf), 0.0, 1.0)
    return pairs


def tie_groups(ranks: NDArray[np.float64]) -> list[list[int]]:
    """Groups of entries that Nemenyi's test does not tell apart, as large as possible, in the order of average ranks.

    Indices of entries, best first. One group holds all entries where Friedman's p is not below .05 or does not
    exist: no pair is told apart then.
    """
    order = [int(i) for i in np.argsort(ranks.mean(axis=0), kind="stable")]
    overall, pairs = friedman(ranks), nemenyi(ranks)
    if overall is None or pairs is None or overall.p >= ALPHA:
        return [order]
    groups: list[list[int]] = []
    for start, first in enumerate(order):
        group = [first]
        for other in order[start + 1 :]:
            if pairs[first, other] < ALPHA:
                break
            group.append(other)
        if not groups or group[-1] != groups[-1][-1]:
            groups.append(group)
    return groups


def probability_of_improvement(ours: Sequence[ArrayLike], theirs: Sequence[ArrayLike]) -> Improvement:
    """How likely a run of ours beats a run of theirs on one of the tasks (Agarwal et al. 2021, section 4.3).

    The mean over tasks of `P(X > Y) + P(X = Y) / 2` over all pairs of runs. `ours[task]` [n], `theirs[task]` [m]. The
    interval: Student's on the logit of the mean, from the variances of the placements (DeLong et al., Biometrics 1988),
    with Welch and Satterthwaite's degrees of freedom. None where a side has one run on a task, and where all runs of
    one side beat all of the other. Raises ValueError where the two have different numbers of tasks, or none.
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"{len(ours)} tasks against {len(theirs)}")
    shares: list[float] = []
    placements: list[NDArray[np.float64]] = []
    for mine, other in zip(ours, theirs, strict=True):
        x, y = finite_vector(mine, "ours"), finite_vector(other, "theirs")
        wins = (x[:, None] > y) + 0.5 * (x[:, None] == y)
        shares.append(float(wins.mean()))
        placements += [wins.mean(axis=1), wins.mean(axis=0)]
    found = float(np.mean(shares))
    if min(p.size for p in placements) < 2 or not 0 < found < 1:
        return Improvement(found, None)
    parts = np.array([p.var(ddof=1) / p.size for p in placements])
    if (whole := float(parts.sum())) == 0:
        return Improvement(found, None)
    from scipy.special import expit, logit

    t = float(student_t(freedom(parts, [p.size for p in placements])))
    half = t * math.sqrt(whole) / len(ours) / (found * (1 - found))
    return Improvement(found, Interval(float(expit(logit(found) - half)), float(expit(logit(found) + half))))


def normalised(scores: ArrayLike, *, sampling_mean: float, best: float) -> NDArray[np.float64]:
    """`(score - sampling_mean) / (best - sampling_mean)`: 0 is random sampling's mean, 1 the best row of the task.

    `scores`: [n]; all oriented so that higher is better. Below 0 is worse than random sampling. Raises ValueError where
    the best row is not above random sampling's mean.
    """
    if not best > sampling_mean:
        raise ValueError(f"the best score, {best}, is not above random sampling's mean, {sampling_mean}")
    values: NDArray[np.float64] = (finite_vector(scores, "scores") - sampling_mean) / (best - sampling_mean)
    return values


def mean_over_tasks_interval(tasks: Sequence[ArrayLike]) -> Interval | None:
    """Interval of the mean over tasks of each task's mean: the tasks are these, the runs are random.

    Student's, with the degrees of freedom of Welch and Satterthwaite (Satterthwaite 1946) for the variance
    `sum(var_t / n_t) / tasks^2`. `tasks[task]`: [n] scores. None where a task has one run, and where no task has a
    spread.
    """
    runs = [finite_vector(scores, "scores") for scores in tasks]
    if not runs or min(scores.size for scores in runs) < 2 or all(np.ptp(scores) == 0 for scores in runs):
        return None
    parts = np.array([scores.var(ddof=1) / scores.size for scores in runs])
    middle, whole = float(np.mean([scores.mean() for scores in runs])), float(parts.sum())
    half = float(student_t(freedom(parts, [scores.size for scores in runs]))) * math.sqrt(whole) / len(runs)
    return Interval(middle - half, middle + half)


def performance_profile(tasks: Sequence[ArrayLike], tau: ArrayLike) -> Profile:
    """Share of runs whose normalised score is above each tau (Agarwal et al. 2021, section 4.2: run scores).

    The mean over tasks of the share of the task's runs. `tasks[task]`: [n] normalised scores; `tau`: [points].
    Bands: pointwise 95 % intervals of Wilson (JASA 1927) for a share of `tasks * min(n)` runs, which is all runs where
    tasks have equally many. Where tasks differ, in their share or in their runs, they are too wide: the mean over tasks
    spreads at most as much as such a share. NaN where a task has one run. Raises ValueError without tasks.
    """
    if not tasks:
        raise ValueError("a profile of no task")
    at = finite_vector(tau, "tau")
    runs = [finite_vector(scores, "scores") for scores in tasks]
    share = np.mean([(scores[:, None] > at).mean(axis=0) for scores in runs], axis=0)
    if (fewest := min(scores.size for scores in runs)) < 2:
        return Profile(at, share, np.full(at.shape, np.nan), np.full(at.shape, np.nan))
    z2 = float(student_t(np.inf)) ** 2 / (len(runs) * fewest)
    middle, half = share + z2 / 2, np.sqrt(z2 * (share * (1 - share) + z2 / 4))
    ends = (np.clip((middle + sign * half) / (1 + z2), 0.0, 1.0) for sign in (-1, 1))  # rounding may leave [0, 1]
    return Profile(at, share, *ends)
