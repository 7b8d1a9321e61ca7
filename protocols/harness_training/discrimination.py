"""Whether a training tells architectures apart: the variance between architectures beside that between seeds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from harness import Architecture
from harness.statistics.metrics import ktau
from harness_training.trainer import Trainer

Floats = npt.NDArray[np.float64]
_RESAMPLED = 500


@dataclass(frozen=True)
class Spread:
    """A one-way analysis of variance, architectures x seeds.

    architectures, seeds: standard deviation of each, the first without the second's share (0 where it is no larger
    than that). snr: ratio of the two variances. tau: mean of Kendall's tau-b over all pairs of seeds. Each with its
    90 % percentile interval from architectures drawn anew.
    """

    architectures: float
    seeds: float
    snr: float
    snr_interval: tuple[float, float]
    tau: float
    tau_interval: tuple[float, float]


@dataclass(frozen=True)
class Discrimination:
    """n: architectures; repeats: seeds. mean, lowest, highest: of the architectures' means, in percent. every: among
    all; better: among the half with the better means. failed: trainings that diverged; their architectures are left
    out. seconds: of CPU that a training took here, on average; NaN where the store had them all."""

    n: int
    repeats: int
    mean: float
    lowest: float
    highest: float
    every: Spread
    better: Spread
    failed: int
    seconds: float


def discriminate(
    trainer: Trainer,
    archs: Sequence[Architecture],
    seeds: Sequence[int] = (0, 1, 2),
    *,
    watch: Callable[[int, int], None] | None = None,
) -> Discrimination:
    """Train each of ``archs`` with each of ``seeds`` and compare. ``watch`` is told how many trainings stand
    and how many there are.

    Figures of a setting are to be taken on architectures that it was not chosen on.
    """
    scores, seconds = np.empty((len(archs), len(seeds))), []
    for i, arch in enumerate(archs):
        for j, seed in enumerate(seeds):
            stored = trainer.store.find(trainer.identity(arch, seed)) is not None
            start = time.process_time()
            scores[i, j] = trainer.train(arch, seed).score
            if not stored:
                seconds.append(time.process_time() - start)
            if watch:
                watch(i * len(seeds) + j + 1, scores.size)
    return summarise(scores, float(np.mean(seconds)) if seconds else math.nan)


def summarise(scores: Floats, seconds: float = 0.0) -> Discrimination:
    """Of accuracies in percent, [architectures, seeds], NaN where a training diverged."""
    known = scores[~np.isnan(scores).any(axis=1)]
    means = known.mean(axis=1)
    half = known[np.argsort(means, kind="stable")[len(known) // 2 :]]
    return Discrimination(
        len(known), scores.shape[1], float(means.mean()), float(means.min()), float(means.max()),
        spread(known), spread(half), int(np.isnan(scores).sum()), seconds,
    )  # fmt: skip


def spread(scores: Floats, seed: int = 0) -> Spread:
    """Of scores without NaN, [at least 3 architectures, at least 2 seeds]. Seeds that leave no order count as tau 0."""
    rng = np.random.default_rng(seed)
    between, within, snr = _variances(scores)
    tau = _tau(scores)
    drawn = [scores[rng.integers(0, len(scores), len(scores))] for _ in range(_RESAMPLED)]
    snrs, taus = _interval([_variances(d)[2] for d in drawn]), _interval([_tau(d) for d in drawn])
    return Spread(between**0.5, within**0.5, snr, snrs, tau, taus)


def _variances(scores: Floats) -> tuple[float, float, float]:
    """Between architectures, between seeds, and their ratio (infinite where seeds change nothing)."""
    repeats = scores.shape[1]
    within = float(scores.var(axis=1, ddof=1).mean())
    between = max(float(scores.mean(axis=1).var(ddof=1)) - within / repeats, 0.0)
    return between, within, between / within if within else float("inf")


def _tau(scores: Floats) -> float:
    pairs = combinations(range(scores.shape[1]), 2)
    return float(np.mean([ktau(scores[:, a], scores[:, b]) or 0.0 for a, b in pairs]))


def _interval(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.percentile(values, [5, 95], method="inverted_cdf")  # a ratio may be infinite
    return float(low), float(high)
