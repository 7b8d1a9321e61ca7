"""Metrics that plugins provide: one number a run, from its record, averaged over the runs of each row."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from harness.errors import PluginError
from harness.reading.analysis.results import Results, check_names
from harness.records.store import Record
from harness.registry import Item

Metric = Callable[[Record], float | None]


class MetricSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One metric on one row of one task. values: by search seed, None where a run has none; std with ddof 1.

    error: why there are no numbers, naming the plugin, where the metric does not load, or raises on a run of the row:
    a mean over the runs that it managed would not be the row's.
    """

    task: str
    row: str
    metric: str
    n: int
    mean: float | None
    std: float | None
    values: list[float | None]
    error: str | None = None


def metrics_of(
    results: Results, metrics: Iterable[Item], *, tasks: Sequence[str] = (), rows: Sequence[str] = ()
) -> list[MetricSummary]:
    """Every metric on every row; a broken one is an ``error`` in its own place and takes no other down.

    tasks, rows: names and labels to keep (default all). Raises UnknownName for one that the study does not have.
    """
    check_names(results, tasks, rows)
    loaded = [(item, _loaded(item)) for item in metrics]
    return list(_summaries(results, loaded, tasks, rows))


def _loaded(item: Item) -> Metric | PluginError:
    try:
        metric: Metric = item.load()
    except PluginError as error:
        return error
    return metric


def _summaries(
    results: Results,
    metrics: Sequence[tuple[Item, Metric | PluginError]],
    tasks: Sequence[str],
    rows: Sequence[str],
) -> Iterator[MetricSummary]:
    for task in results.tasks:
        if tasks and task.task not in tasks:
            continue
        for row in (r for r in (*task.rows, *task.references) if not rows or r.label in rows):
            for item, metric in metrics:
                values, error = _values(item, metric, row.records)
                known = [v for v in values if v is not None]
                yield MetricSummary(
                    task=task.title,
                    row=row.title,
                    metric=item.name,
                    n=len(known),
                    mean=statistics.fmean(known) if known else None,
                    std=statistics.stdev(known) if len(known) > 1 else None,
                    values=values,
                    error=error,
                )


def _values(
    item: Item, metric: Metric | PluginError, records: Sequence[Record]
) -> tuple[list[float | None], str | None]:
    """The metric of each run; or nothing, and what broke."""
    provider = f"plugin {item.plugin!r} of {item.distribution} {item.version}"
    if isinstance(metric, PluginError):
        return [], f"{provider}: {metric}"
    found = []
    for record in records:
        try:
            found.append(_number(metric(record)))
        except Exception as error:
            return [], f"{provider}: metric {item.name!r} on run {record.id}: {type(error).__name__}: {error}"
    return found, None


def _number(value: float | None) -> float | None:
    number = None if value is None else float(value)
    return None if number is None or not math.isfinite(number) else number
