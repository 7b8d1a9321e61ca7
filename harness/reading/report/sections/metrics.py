"""Metrics that plugins provide: one number a run, from its record, averaged over the runs of each entry."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import SupportsFloat

from harness.reading import numbers
from harness.reading.report.section import Section, Source, in_setting
from harness.reading.report.table import Cells, Column, Table, laid_out, name_column
from harness.reading.study import EntryRuns, SettingRuns
from harness.reading.summary import InSetting
from harness.records.runs import Run
from harness.registry import Item

_BROKEN = "broken"


class MetricSummary(InSetting, frozen=True, kw_only=True):
    """One metric of one entry in one setting. values: by search seed, None where a run has none; std with ddof 1.

    error: the plugin, and why there are no numbers, where the metric does not load or raises on a run of the entry: a
    mean over the other runs would not be the entry's.
    """

    metric: str
    n: int
    mean: float | None
    std: float | None
    values: list[float | None]
    error: str | None = None


def metrics_of(source: Source) -> list[MetricSummary]:
    """Every metric of every chosen entry. A broken one is an ``error`` in its place and does not stop the others."""
    registry = source.registry()
    items = [registry.find("metric", name) for name in registry.names("metric")]
    return [
        _summary(setting, entry, item) for setting, entries in source.shown() for entry in entries for item in items
    ]


def _summary(setting: SettingRuns, entry: EntryRuns, item: Item) -> MetricSummary:
    values, error = _values(item, entry.runs)
    known = [v for v in values if v is not None]
    return MetricSummary(
        **in_setting(setting, entry),
        metric=item.name,
        n=len(known),
        mean=statistics.fmean(known) if known else None,
        std=statistics.stdev(known) if len(known) > 1 else None,
        values=values,
        error=error,
    )


def _values(item: Item, runs: Sequence[Run]) -> tuple[list[float | None], str | None]:
    """The metric of each run; or nothing, and what broke."""
    found, at = [], ""
    try:
        metric = item.load()
        for run in runs:
            at = f"metric {item.name!r} on run {run.search.id}: "
            found.append(_number(metric(run)))
    except (Exception, SystemExit) as error:
        told = str(error) if not at else f"{at}{type(error).__name__}: {error}"
        return [], f"plugin {item.plugin!r} of {item.distribution} {item.version}: {told}"
    return found, None


def _number(value: object) -> float | None:
    """None and NaN are no value. Raises TypeError for what is no number, ValueError for infinity."""
    if value is None:
        return None
    if not isinstance(value, SupportsFloat):
        raise TypeError(f"it gave {value!r}, not a number")
    number = float(value)
    if math.isinf(number):
        raise ValueError(f"it gave {number}, of which there is no mean")
    return None if math.isnan(number) else number


def _table(found: Sequence[MetricSummary]) -> Table:
    shown = [m for m in found if m.n or m.error is not None]
    nothing = sorted({m.metric for m in found} - {m.metric for m in shown})
    notes = [f"{name}: no run of these has it" for name in nothing] + _errors(found)
    cells: tuple[Cells[MetricSummary], ...] = (
        (name_column("task"), lambda m: m.title),
        (name_column("entry"), lambda m: m.name),
        (Column("metric", right=False), lambda m: m.metric),
        (Column("n"), lambda m: str(m.n) if m.error is None else _BROKEN),
        (Column("mean"), lambda m: numbers.number(m.mean, 4)),
        (Column("std"), lambda m: numbers.number(m.std, 4)),
    )
    return Table("metrics of plugins", *laid_out(shown, cells), footnotes=tuple(notes))


SECTION = Section(
    "metrics",
    metrics_of,
    lambda found, _: [_table(found)] if found else [],
    "no installed plugin provides a metric (nas-harness list metrics)",
)


def _errors(found: Sequence[MetricSummary]) -> list[str]:
    """The first error of each broken metric, and how many entries it left without numbers."""
    errors: dict[str, list[str]] = {}
    for m in found:
        if m.error is not None:
            errors.setdefault(m.metric, []).append(m.error)
    return [f"{_BROKEN} on {len(e)} {'entry' if len(e) == 1 else 'entries'}: {e[0]}" for e in errors.values()]
