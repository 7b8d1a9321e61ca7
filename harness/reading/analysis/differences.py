"""How far one anytime curve lies above another, and from which cost on it stays there; from records alone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.errors import UnknownName
from harness.reading.analysis.curves import UNITS, costs_of, grid_of, nullable, scores_along, thinned
from harness.reading.analysis.matched import Unit
from harness.reading.analysis.results import Results, Runs, TaskRuns, check_names
from harness.statistics.inference import welch_intervals


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Mean score of a row less that of ``against`` over what had been paid, with Welch's pointwise 95 % interval.

    Positive is better: where lower is better the sign is turned. cost: [points] in ``unit``; each other list has a
    value a point, null where not every run of both had found something, where it is not known, or (intervals) for one
    run. ahead_from: the first cost from which ``final_low`` stays above 0, of all costs at which a run of either
    improved and not of the points alone; null where there is none, and where only what was reported has a final score
    (live tasks). ahead_from_valid: the same of ``valid_low``.
    """

    task: str
    search_task: str
    constraints: list[str]
    label: str
    against: str
    mode: str
    role: str
    n: int
    n_against: int
    unit: str
    cost: list[float]
    final: list[float | None]
    final_low: list[float | None]
    final_high: list[float | None]
    valid: list[float | None]
    valid_low: list[float | None]
    valid_high: list[float | None]
    ahead_from: float | None
    ahead_from_valid: float | None


def differences_of(
    results: Results,
    against: str,
    *,
    tasks: Sequence[str] = (),
    rows: Sequence[str] = (),
    at: Sequence[float] | None = None,
    unit: str = "queries",
) -> list[Difference]:
    """Every other row less the row labelled ``against``, of each task and mode that has it.

    tasks, rows, at, unit: as of `curves_of`, one grid a task.
    Rows under different mode settings are not set against each other.

    Raises UnknownName, HarnessError where the records do not count ``unit`` and for a cost above the budget.
    """
    if unit not in UNITS:
        raise UnknownName("cost", unit, UNITS)
    check_names(results, tasks, (*rows, against))
    found: list[Difference] = []
    for task in results.tasks:
        everyone = (*task.rows, *task.references)
        if (tasks and task.task not in tasks) or all(r.label != against for r in everyone):
            continue
        grid = grid_of(at, task, unit) if at is not None else thinned(costs_of(task, everyone, unit))
        found += [
            _difference(task, row, other, grid, unit)
            for other in everyone
            if other.label == against
            for row in everyone
            if row.label != against and row.settings == other.settings and (not rows or row.label in rows)
        ]
    return found


def _difference(task: TaskRuns, row: Runs, other: Runs, grid: NDArray[np.float64], unit: Unit) -> Difference:
    sign = 1.0 if task.baseline is None or task.baseline.score.get("higher_is_better", True) else -1.0
    every = costs_of(task, (row, other), unit)
    final, valid = _less(task, row, other, grid, unit, sign)
    all_final, all_valid = _less(task, row, other, every, unit, sign)
    return Difference(
        task=task.task,
        search_task=task.search_task,
        constraints=list(task.constraints),
        label=row.label,
        against=other.label,
        mode=row.mode,
        role=row.records[0].role,
        n=len(row.records),
        n_against=len(other.records),
        unit=unit,
        cost=grid.tolist(),
        final=nullable(final[0]),
        final_low=nullable(final[1]),
        final_high=nullable(final[2]),
        valid=nullable(valid[0]),
        valid_low=nullable(valid[1]),
        valid_high=nullable(valid[2]),
        ahead_from=None if _partly_known(all_final, all_valid) else _stays_above(every, all_final[1]),
        ahead_from_valid=_stays_above(every, all_valid[1]),
    )


_Band = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _less(
    task: TaskRuns, row: Runs, other: Runs, grid: NDArray[np.float64], unit: Unit, sign: float
) -> tuple[_Band, _Band]:
    ours, theirs = scores_along(task, row, grid, unit), scores_along(task, other, grid, unit)
    final, valid = (welch_intervals(sign * a, sign * b) for a, b in zip(ours, theirs, strict=True))
    return final, valid


def _partly_known(final: _Band, valid: _Band) -> bool:
    """Whether incumbents had validation scores at a cost at which their final scores are not known."""
    return bool((np.isnan(final[0]) & ~np.isnan(valid[0])).any())


def _stays_above(grid: NDArray[np.float64], low: NDArray[np.float64]) -> float | None:
    """The first cost from which ``low`` is above 0 to the end; NaN is not."""
    below = np.flatnonzero(~(low > 0))
    first = 0 if not len(below) else int(below[-1]) + 1
    return float(grid[first]) if first < len(grid) else None
