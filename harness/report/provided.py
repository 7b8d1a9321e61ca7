"""Metrics that plugins provide, for terminals, Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.analysis.provided import MetricSummary
from harness.report import numbers
from harness.report.grid import Column, Line, print_grid
from harness.report.markdown import escaped

if TYPE_CHECKING:
    from rich.console import Console

_COLUMNS = ("task", "row", "metric", "n", "mean", "std")
_NOTHING = "no installed plugin provides a metric (nas-harness list metrics)"


def metrics_csv(found: Sequence[MetricSummary]) -> str:
    """A line for each metric of each row of each task."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([("" if getattr(m, c) is None else getattr(m, c)) for c in _COLUMNS] for m in found)
    return text.getvalue()


def metrics_markdown(found: Sequence[MetricSummary]) -> str:
    if not found:
        return _NOTHING + "\n"
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|---|---|---|---:|---:|---:|"]
    lines += ["| " + " | ".join(escaped(c) for c in _cells(m)) + " |" for m in found]
    return "\n".join(lines) + "\n"


def print_metrics(found: Sequence[MetricSummary], console: Console) -> None:
    if not found:
        console.print(_NOTHING)
        return
    columns = [Column(name, name in ("n", "mean", "std")) for name in _COLUMNS]
    print_grid(columns, [Line(_cells(m)) for m in found], console, gap=2, header_style="")


def _cells(m: MetricSummary) -> tuple[str, ...]:
    return m.task, m.row, m.metric, str(m.n), numbers.number(m.mean, 4), numbers.number(m.std, 4)
