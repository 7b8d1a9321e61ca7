"""Metrics that plugins provide: one number a run, from its record, averaged over the runs of each row."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from harness.analysis.results import Results, check_names
from harness.errors import PluginError
from harness.records import Record

Metric = Callable[[Record], float | None]


class MetricSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One metric on one row of one task. values: by search seed, None where a run has none; std with ddof 1."""

    task: str
    row: str
    metric: str
    n: int
    mean: float | None
    std: float | None
    values: list[float | None]


def metrics_of(
    results: Results, metrics: Mapping[str, Metric], *, tasks: Sequence[str] = (), rows: Sequence[str] = ()
) -> list[MetricSummary]:
    """Every metric on every row; tasks, rows: names and labels to keep (default all).

    Raises PluginError where a metric raises or gives no number, UnknownName for a name that the study does not have.
    """
    check_names(results, tasks, rows)
    return list(_summaries(results, metrics, tasks, rows))


def _summaries(
    results: Results, metrics: Mapping[str, Metric], tasks: Sequence[str], rows: Sequence[str]
) -> Iterator[MetricSummary]:
    for task in results.tasks:
        if tasks and task.task not in tasks:
            continue
        for row in (r for r in (*task.rows, *task.references) if not rows or r.label in rows):
            for name, metric in metrics.items():
                values = [_value(name, metric, record) for record in row.records]
                known = [v for v in values if v is not None]
                yield MetricSummary(
                    task=task.title,
                    row=row.title,
                    metric=name,
                    n=len(known),
                    mean=statistics.fmean(known) if known else None,
                    std=statistics.stdev(known) if len(known) > 1 else None,
                    values=values,
                )


def _value(name: str, metric: Metric, record: Record) -> float | None:
    try:
        value = metric(record)
        number = None if value is None else float(value)
    except Exception as error:
        raise PluginError(f"metric {name!r} on run {record.id}: {type(error).__name__}: {error}") from error
    return None if number is None or not math.isfinite(number) else number
