"""Thousands of simulated gates at once: `harness.statistics.gate` on whole matrices. A row of a matrix is a gate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FLIPS = 4000
VERDICTS = np.array(["undecided", "worse", "not worse", "better"])


def flipped(differences: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """One-sided p of a mean above 0 of [gates, n], by the patterns of signs [flips, n]."""
    size = np.abs(differences)
    seen = differences.sum(axis=1) - 1e-9 * size.sum(axis=1)
    p: np.ndarray = (1 + (size @ signs.T >= seen[:, None]).sum(axis=1)) / (1 + len(signs))
    return p


def verdicts(differences: np.ndarray, margin: float, rng: np.random.Generator, *, alpha: float = 0.05) -> np.ndarray:
    """The verdict of each gate, [gates]."""
    signs = 1.0 - 2.0 * rng.integers(2, size=(FLIPS, differences.shape[1]))
    better, worse = flipped(differences, signs) < alpha, flipped(-differences, signs) < alpha
    not_worse = flipped(differences + margin, signs) < alpha
    found: np.ndarray = VERDICTS[np.select([better, not_worse, worse], [3, 2, 1], default=0)]
    return found


def worse_lines(differences: Sequence[np.ndarray], margin: float, rng: np.random.Generator) -> np.ndarray:
    """Gates of several lines, one [gates, n] each: what is `worse` after Holm's correction, [lines, gates]."""
    signs = 1.0 - 2.0 * rng.integers(2, size=(FLIPS, differences[0].shape[1]))
    better, not_worse, worse = (
        corrected(np.array([flipped(sign * line + shift, signs) for line in differences])) < 0.05
        for sign, shift in ((1, 0.0), (1, margin), (-1, 0.0))
    )
    found: np.ndarray = worse & ~not_worse & ~better
    return found


def corrected(p: np.ndarray) -> np.ndarray:
    """Holm's correction over the first axis of p, [lines, gates]."""
    order = np.argsort(p, axis=0)
    steps = np.take_along_axis(p, order, axis=0) * np.arange(len(p), 0, -1)[:, None]
    found = np.empty_like(p)
    np.put_along_axis(found, order, np.minimum(np.maximum.accumulate(steps, axis=0), 1.0), axis=0)
    return found


def until_decided(
    candidate: np.ndarray,
    reference: np.ndarray,
    margin: float,
    rng: np.random.Generator,
    *,
    gates: int,
    looks: tuple[int, ...],
    alpha: float = 0.05,
) -> tuple[np.ndarray, np.ndarray]:
    """Verdict of each gate that looks again while it is undecided, and the seeds that it took, both [gates]."""
    differences = rng.choice(candidate, (gates, looks[-1])) - rng.choice(reference, (gates, looks[-1]))
    said, seeds = np.full(gates, "undecided", dtype=VERDICTS.dtype), np.full(gates, looks[-1])
    for n in looks:
        open_ = said == "undecided"
        said[open_] = verdicts(differences[open_, :n], margin, rng, alpha=alpha / len(looks))
        seeds[open_ & (said != "undecided")] = n
    return said, seeds
