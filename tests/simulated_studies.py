"""Thousands of simulated studies at once: the tests of `harness.statistics.verdicts` a second time, on whole matrices.

A line is a study. `test_verdicts.py` checks that a line has the p-value that `compare` gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from bent_searches import Disguise, Disguised, Runs, Table
from scipy.special import erfc, stdtr
from scipy.stats import rankdata


class Outcome(NamedTuple):
    """Of each study: two-sided p, and whether both means and ranks are above the reference. [studies]"""

    p: np.ndarray
    above: np.ndarray


def both_tests(ours: np.ndarray, theirs: np.ndarray, *, spread_alike: bool = False) -> Outcome:
    """The larger p of Mann-Whitney and Brunner-Munzel of [studies, n] and [studies, m]; `spread_alike`: the first."""
    n, m = ours.shape[1], theirs.shape[1]
    size = n + m
    ranks = rankdata(np.concatenate([ours, theirs], axis=1), axis=1)
    x, y = ranks[:, :n], ranks[:, n:]
    excess = x.sum(axis=1) - n * (size + 1) / 2
    variance = ((ranks - (size + 1) / 2) ** 2).sum(axis=1) * n * m / (size * (size - 1))
    p = erfc(np.maximum(0.0, np.abs(excess) - 0.5) / np.sqrt(np.where(variance > 0, 2 * variance, 1.0)))
    above = (excess > 0) & (ours.mean(axis=1) - theirs.mean(axis=1) > 0)
    if not spread_alike:
        a, b = (x - rankdata(ours, axis=1)) / m, (y - rankdata(theirs, axis=1)) / n
        va, vb = a.var(axis=1, ddof=1) / n, b.var(axis=1, ddof=1) / m
        total = np.where(va + vb > 0, va + vb, 1.0)
        df = total**2 / np.maximum(va**2 / (n - 1) + vb**2 / (m - 1), 1e-300)
        apart = 2 * stdtr(df, -np.abs(a.mean(axis=1) - 0.5) / np.sqrt(total))
        p = np.maximum(p, np.where(va + vb > 0, apart, 0.0))
    return Outcome(p, above)


def together(parts: Sequence[Outcome]) -> Outcome:
    """Better than every reference: the largest p, where all agree that it is above."""
    return Outcome(np.max([part.p for part in parts], axis=0), np.all([part.above for part in parts], axis=0))


def called_better(entries: Sequence[Outcome]) -> np.ndarray:
    """Whether each study calls an entry better, bool [studies]: Holm over `entries` at .05."""
    p = np.array([test.p for test in entries])
    order = np.argsort(p, axis=0)
    steps = np.take_along_axis(p, order, axis=0) * np.arange(len(p), 0, -1)[:, None]
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.maximum.accumulate(steps, axis=0), axis=0)
    found: np.ndarray = ((adjusted < 0.05) & np.array([test.above for test in entries])).any(axis=0)
    return found


def task_of_studies(
    table: Table,
    runs: Disguised,
    references: Sequence[Runs],
    rng: np.random.Generator,
    *,
    studies: int,
    n: int,
    entries: int = 1,
    reference_seeds: int = 200,
    whole: bool = True,
    spread_alike: bool = False,
) -> list[Outcome]:
    """Studies of `entries` strategies that all score as `runs` do, `n` runs each, beside each of `references`.

    `whole`: against the whole budget of the reference too, and not at the runs' own cost alone. A failed run stands at
    the table's worst row. Random sampling is left out: its hypotheses could only raise the corrected p-values.
    """
    drawn = [rng.integers(len(reference.final), size=(studies, reference_seeds)) for reference in references]
    found = []
    for _ in range(entries):
        lines = rng.integers(runs.final.size, size=(studies, n))
        ours = np.where(np.isnan(runs.final[lines]), table.final.min(), runs.final[lines])
        cost = np.resize(np.arange(n), reference_seeds)
        parts = []
        for reference, rows in zip(references, drawn, strict=True):
            at = np.minimum(runs.cost[lines][:, cost], reference.final.shape[1]) - 1
            parts.append(both_tests(ours, reference.final[rows, at], spread_alike=spread_alike))
            if whole and (at < reference.final.shape[1] - 1).any():
                parts.append(both_tests(ours, reference.final[rows, -1], spread_alike=spread_alike))
        found.append(together(parts))
    return found


def share_called_better(
    tables: Sequence[Table],
    disguise: Disguise,
    rng: np.random.Generator,
    *,
    studies: int,
    n: int,
    entries: int = 1,
    population: int = 10_000,
    honest: bool = True,
) -> float:
    """Percent of studies of these tasks whose headline calls any of the disguised random searches better.

    `honest` = False: as verdicts were before: as many reference runs as entries have, at the runs' own cost, under the
    task's law, by Mann-Whitney's test, corrected within the task.
    """
    tests, per_task = [], np.zeros(studies, dtype=bool)
    for table in tables:
        runs, references = disguise.sample(table, population, rng), disguise.references(table, population, rng)
        old = {} if honest else {"reference_seeds": n, "whole": False, "spread_alike": True}
        part = task_of_studies(
            table, runs, references if honest else references[:1], rng, studies=studies, n=n, entries=entries, **old
        )
        per_task |= called_better(part)
        tests += part
    return 100 * float(np.mean(called_better(tests) if honest else per_task))
