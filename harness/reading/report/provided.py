"""Metrics that plugins provide, for terminals, Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.reading.analysis.provided import MetricSummary
from harness.reading.report import numbers
from harness.reading.report.grid import Column, Line, print_grid
from harness.reading.report.markdown import escaped

if TYPE_CHECKING:
    from rich.console import Console

_COLUMNS = ("task", "row", "metric", "n", "mean", "std")
_BROKEN = "broken"
_NOTHING = "no installed plugin provides a metric (nas-harness list metrics)"


def metrics_csv(found: Sequence[MetricSummary]) -> str:
    """A line for each metric of each row of each task; ``error`` where it is broken."""
    text = io.StringIO()
    columns = (*_COLUMNS, "error")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([("" if getattr(m, c) is None else getattr(m, c)) for c in columns] for m in found)
    return text.getvalue()


def metrics_markdown(found: Sequence[MetricSummary]) -> str:
    if not found:
        return _NOTHING + "\n"
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|---|---|---|---:|---:|---:|"]
    lines += ["| " + " | ".join(escaped(c) for c in _cells(m)) + " |" for m in found]
    lines += [f"\n{escaped(line)}" for line in _errors(found)]
    return "\n".join(lines) + "\n"


def print_metrics(found: Sequence[MetricSummary], console: Console) -> None:
    from rich.text import Text

    if not found:
        console.print(_NOTHING)
        return
    columns = [Column(name, name in ("n", "mean", "std")) for name in _COLUMNS]
    print_grid(columns, [Line(_cells(m)) for m in found], console, gap=2, header_style="")
    for line in _errors(found):
        console.print(Text(line, style="red"))


def _cells(m: MetricSummary) -> tuple[str, ...]:
    if m.error is not None:
        return m.task, m.row, m.metric, _BROKEN, numbers.NONE, numbers.NONE
    return m.task, m.row, m.metric, str(m.n), numbers.number(m.mean, 4), numbers.number(m.std, 4)


def _errors(found: Sequence[MetricSummary]) -> list[str]:
    """The first error of each broken metric, and how many rows it left without numbers."""
    rows: dict[str, list[str]] = {}
    for m in found:
        if m.error is not None:
            rows.setdefault(m.metric, []).append(m.error)
    return [f"{_BROKEN} on {len(e)} row{'s' * (len(e) > 1)}: {e[0]}" for e in rows.values()]
