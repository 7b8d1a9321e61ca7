"""Anytime curves: what the runs of a row had found after each cost, from their records alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from harness.errors import HarnessError, UnknownName
from harness.reading.analysis.matched import Unit, cost_of
from harness.reading.analysis.results import Results, Runs, TaskRuns, check_names
from harness.records.store import Incumbent, Record

MOST_POINTS = 500
UNITS: tuple[Unit, ...] = ("queries", "epochs", "seconds")


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """A row's mean score over what had been paid, with the pointwise 95 % t interval of the mean.

    cost: [points] in ``unit``. Each other list has a value a point; null where not every run had found something, where
    it is not known, or (intervals) for one run. A run that ended early keeps what it had; a failed run stands at random
    sampling's mean throughout. searched_on: the column that chose the incumbents; ``valid`` is null where it is test.
    """

    task: str
    search_task: str
    constraints: list[str]
    strategy: str
    label: str
    mode: str
    role: str
    searched_on: str
    n: int
    failed: int
    unit: str
    cost: list[float]
    final: list[float | None]
    final_low: list[float | None]
    final_high: list[float | None]
    valid: list[float | None]
    valid_low: list[float | None]
    valid_high: list[float | None]


def curves_of(
    results: Results,
    *,
    tasks: Sequence[str] = (),
    rows: Sequence[str] = (),
    at: Sequence[float] | None = None,
    unit: str = "queries",
) -> list[Curve]:
    """A curve for each row and each matched random search, those of a task on one grid of costs.

    tasks, rows: names and labels to keep (default all). at: the costs wanted; default every cost at which a run of the
    task improved, thinned to 500. Raises UnknownName, HarnessError where the records do not count ``unit`` and for a
    cost above the budget.
    """
    if unit not in UNITS:
        raise UnknownName("cost", unit, UNITS)
    check_names(results, tasks, rows)
    found: list[Curve] = []
    for task in results.tasks:
        if tasks and task.task not in tasks:
            continue
        wanted = [r for r in (*task.rows, *task.references) if not rows or r.label in rows]
        grid = grid_of(at, task, unit) if at is not None else thinned(costs_of(task, wanted, unit))
        found += [_curve(task, row, grid, unit) for row in wanted]
    return found


def grid_of(at: Sequence[float], task: TaskRuns, unit: Unit) -> NDArray[np.float64]:
    """The costs wanted, ascending. Raises HarnessError for one that is not positive, or above the study's budget."""
    limit = getattr(task.budget, unit)
    if limit is not None:  # the query that crosses it is answered
        limit = max([limit, *(cost_of(r.paid, unit) or 0.0 for r in task.records)])
    for cost in at:
        if not 0 < cost < math.inf:
            raise HarnessError(f"--at {cost:g}: a cost is positive and finite")
        if limit is not None and cost > limit:
            raise HarnessError(f"--at {cost:.10g}: the budget of {task.title} ends at {limit:.10g} {unit}")
    return np.asarray(sorted(at), dtype=np.float64)


def costs_of(task: TaskRuns, rows: Sequence[Runs], unit: Unit) -> NDArray[np.float64]:
    """Every cost at which a run improved or ended, ascending. Raises HarnessError where ``unit`` is not counted."""
    costs: set[float] = set()
    for row in rows:
        for r in row.counted:
            for cost in (*(cost_of(i, unit) for i in r.incumbents), cost_of(r.paid, unit)):
                if cost is None:
                    raise HarnessError(f"the records of {task.task} do not count {unit}")
                costs.add(cost)
    return np.array(sorted(costs))


def thinned(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most 500 of the costs, the first and the last among them."""
    if len(grid) <= MOST_POINTS:
        return grid
    # Evenly in the logarithm of their position: early changes lie close together.
    chosen: NDArray[np.float64] = grid[np.unique(np.geomspace(1, len(grid), MOST_POINTS).round().astype(int)) - 1]
    return chosen


def _curve(task: TaskRuns, row: Runs, grid: NDArray[np.float64], unit: Unit) -> Curve:
    finals, valids = scores_along(task, row, grid, unit)
    final, final_low, final_high = _means(finals)
    valid, valid_low, valid_high = _means(valids)
    return Curve(
        task=task.task,
        search_task=task.search_task,
        constraints=list(task.constraints),
        strategy=row.strategy,
        label=row.label,
        mode=row.mode,
        role=row.records[0].role,
        searched_on="test" if row.settings.get("oracle") == "test" else "validation",
        n=len(row.records),
        failed=len(row.failed),
        unit=unit,
        cost=grid.tolist(),
        final=final,
        final_low=final_low,
        final_high=final_high,
        valid=valid,
        valid_low=valid_low,
        valid_high=valid_high,
    )


def scores_along(
    task: TaskRuns, row: Runs, grid: NDArray[np.float64], unit: Unit
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Final and validation score of each run's incumbent, float64 [runs, points]; NaN where there is none.

    Validation is NaN throughout where the incumbents were chosen on test scores.
    """
    b = task.baseline
    finals = _matrix(row.records, grid, unit, _final, b.mean if b else None)
    valids = _matrix(row.records, grid, unit, lambda r, i: i.valid, b.valid_mean if b else None)
    if row.settings.get("oracle") == "test":
        valids[:] = np.nan
    return finals, valids


def _final(record: Record, incumbent: Incumbent) -> float | None:
    """Final score of an incumbent; where only what is reported was scored, that of the last one."""
    if incumbent.final is None and incumbent is record.incumbents[-1]:
        return record.final.score
    return incumbent.final


def _matrix(
    records: Sequence[Record],
    grid: NDArray[np.float64],
    unit: Unit,
    of: Callable[[Record, Incumbent], float | None],
    sampling: float | None,
) -> NDArray[np.float64]:
    """float64 [runs, points]; NaN where nothing had been found or it is not known."""
    matrix = np.full((len(records), len(grid)), np.nan)
    for line, r in zip(matrix, records, strict=True):
        if r.final.score is None:
            line[:] = math.nan if sampling is None else sampling
            continue
        costs = np.array([cost_of(i, unit) for i in r.incumbents], dtype=np.float64)
        values = np.array([of(r, i) for i in r.incumbents], dtype=np.float64)
        position = np.searchsorted(costs, grid, side="right") - 1
        line[position >= 0] = values[position[position >= 0]]
    return matrix


def _means(
    matrix: NDArray[np.float64],
) -> tuple[list[float | None], list[float | None], list[float | None]]:
    """Mean of each point and the ends of its interval, `statistics.t_interval` of each column; None for NaN."""
    n = len(matrix)
    mean = matrix.mean(axis=0)
    if n < 2:
        half = np.full(mean.shape, np.nan)
    else:
        half = stdtrit(n - 1, 0.975) * matrix.std(axis=0, ddof=1) / math.sqrt(n)
    return nullable(mean), nullable(mean - half), nullable(mean + half)


def nullable(values: NDArray[np.float64]) -> list[float | None]:
    """None for NaN."""
    return [None if math.isnan(v) else v for v in values.tolist()]
