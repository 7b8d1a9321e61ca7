"""Learned orders: Kendall's tau of each row over its seeds, of one study or of several beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

import msgspec

from harness.errors import UnknownName
from harness.reading.analysis.results import Results, Runs, TaskRuns
from harness.records.store import RankQuality
from harness.statistics.inference import t_interval


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A row that learns an order, on architectures it never queried: means over the n runs that left one.

    paid: queries that a run paid, mean: the labels it learned from, and what it paid for verification. budget: the
    study's limit on them. failed: runs that left no order. ktau: tau-b against final scores on unseen keys; ktau_rows:
    on all unseen rows, twins of paid ones among them (null where each key has one row); ktau_valid: against validation
    scores, unseen keys; ktau_eq13, ktau_ctnas: the variants of ReNAS and CTNAS. Each ``_low``, ``_high``: Student's
    95 % interval of the mean, null for one run. ktau_n, ktau_rows_n: fewest architectures measured on.
    ktau_of_validation: of the task's own validation and final scores, what copying validation scores would reach.
    """

    study: str
    task: str
    search_task: str
    law: str
    final: str
    constraints: list[str]
    label: str
    mode: str
    budget: int | None
    paid: float | None
    n: int
    failed: int
    ktau: float | None
    ktau_low: float | None
    ktau_high: float | None
    ktau_rows: float | None
    ktau_rows_low: float | None
    ktau_rows_high: float | None
    ktau_valid: float | None
    ktau_valid_low: float | None
    ktau_valid_high: float | None
    ktau_eq13: float | None
    ktau_ctnas: float | None
    ktau_n: int
    ktau_rows_n: int | None
    ktau_of_validation: float | None


def orders_of(studies: Sequence[Results], *, tasks: Sequence[str] = (), rows: Sequence[str] = ()) -> list[Order]:
    """Every row of every study that learns an order; tasks, rows: names and labels to keep (default all).

    Raises UnknownName for one that no study has.
    """
    every = [(study, task, row) for study in studies for task in study.tasks for row in task.rows]
    for kind, given, known in (
        ("task", tasks, {task.task for _, task, _ in every}),
        ("row", rows, {row.label for _, _, row in every}),
    ):
        for name in given:
            if name not in known:
                raise UnknownName(kind, name, known)
    return [
        _order(study.study, task, row, [r.ktau for r in row.records if r.ktau is not None])
        for study, task, row in every
        if (not tasks or task.task in tasks)
        and (not rows or row.label in rows)
        and any(r.ktau is not None for r in row.records)
    ]


def _order(study: str, task: TaskRuns, row: Runs, taus: Sequence[RankQuality]) -> Order:
    ktau = _mean(taus, lambda t: t.test)
    of_rows = _mean(taus, lambda t: t.test_rows)
    valid = _mean(taus, lambda t: t.valid)
    return Order(
        study=study,
        task=task.task,
        search_task=task.search_task,
        law=task.law,
        final=task.final,
        constraints=list(task.constraints),
        label=row.label,
        mode=row.mode,
        budget=task.budget.queries,
        paid=fmean(r.paid.queries for r in row.counted) if row.counted else None,
        n=len(taus),
        failed=len(row.records) - len(taus),
        ktau=ktau[0],
        ktau_low=ktau[1],
        ktau_high=ktau[2],
        ktau_rows=of_rows[0],
        ktau_rows_low=of_rows[1],
        ktau_rows_high=of_rows[2],
        ktau_valid=valid[0],
        ktau_valid_low=valid[1],
        ktau_valid_high=valid[2],
        ktau_eq13=_mean(taus, lambda t: t.eq13)[0],
        ktau_ctnas=_mean(taus, lambda t: t.ctnas)[0],
        ktau_n=min(t.n for t in taus),
        ktau_rows_n=min((t.n_rows for t in taus if t.n_rows is not None), default=None),
        ktau_of_validation=task.baseline.ktau_valid if task.baseline else None,
    )


def _mean(
    taus: Sequence[RankQuality], of: Callable[[RankQuality], float | None]
) -> tuple[float | None, float | None, float | None]:
    """Mean and interval of the values that exist."""
    values = [v for v in map(of, taus) if v is not None]
    if not values:
        return None, None, None
    interval = t_interval(values)
    return fmean(values), *(interval or (None, None))
