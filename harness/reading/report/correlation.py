"""Agreement of early and repeated trainings: for terminals, Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.reading.analysis.correlation import SMOOTHED_OVER, TOP, Agreement, TaskCorrelation
from harness.reading.report import numbers
from harness.reading.report.grid import Column, Line, print_grid, print_without
from harness.reading.report.markdown import escaped

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN = 12
_ABOUT = ("task", "search_task", "law", "final", "split", "sample", "missing", "note")
_COLUMNS = ("kind", "column", "fidelity", "epochs", "repeats", "n", "ktau", "top_n", "ktau_top", "ktau_smoothed")
_HEADERS = ("scores", "against", "rows", "tau-b", f"of best {TOP}", f"{SMOOTHED_OVER}-epoch mean")
_DROPPED = _HEADERS[-2:]
"""Columns that a narrow terminal does without, the last first."""


def correlation_csv(tasks: Sequence[TaskCorrelation]) -> str:
    """A line for each agreement; one without, for a task that has none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_ABOUT, *_COLUMNS])
    for task in tasks:
        about = [_cell(getattr(task, name)) for name in _ABOUT]
        for a in task.agreements:
            writer.writerow([*about, *(_cell(getattr(a, name)) for name in _COLUMNS)])
        if not task.agreements:
            writer.writerow([*about, *("" for _ in _COLUMNS)])
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def correlation_markdown(tasks: Sequence[TaskCorrelation]) -> str:
    parts = []
    for task in tasks:
        lines = [f"**{escaped(_title(task))}**: {escaped(_about(task))}.", ""]
        if task.agreements:
            headers = _headers(task)
            lines += ["| " + " | ".join(headers) + " |", "|---|---|" + "---:|" * (len(headers) - 2)]
            lines += ["| " + " | ".join(escaped(c) for c in _line(a, task)) + " |" for a in task.agreements]
        parts.append("\n".join(lines).rstrip())
    return "\n\n".join(parts) + "\n"


def print_correlation(tasks: Sequence[TaskCorrelation], console: Console) -> None:
    """A table a task; of more than twelve fidelities, twelve spread evenly (the other formats have all)."""
    from rich.text import Text

    for position, task in enumerate(tasks):
        if position:
            console.print()
        console.print(Text(_title(task), style="bold cyan"))
        console.print(Text(_about(task), style="yellow" if task.missing else ""))
        if not task.agreements:
            continue
        columns = [
            Column(h, k > 1, _DROPPED.index(h) + 1 if h in _DROPPED else 0) for k, h in enumerate(_headers(task))
        ]
        lines = [
            Line(_line(a, task))
            for kind in ("fidelity", "repeats")
            for a in _spread([a for a in task.agreements if a.kind == kind])
        ]
        print_without(print_grid(columns, lines, console), "--format json or csv has them", console)


def _title(task: TaskCorrelation) -> str:
    return task.task if task.search_task == task.task else f"{task.task} searched on {task.search_task}"


def _about(task: TaskCorrelation) -> str:
    if task.missing:
        return f"no correlation, since it needs the task's data: {task.missing}"
    note = f"; note: {task.note}" if task.note else ""
    return f"{task.sample} rows by law {task.law}, final {task.final} ({task.split}){note}"


def _headers(task: TaskCorrelation) -> tuple[str, ...]:
    """The last one only where every epoch of a training is a fidelity."""
    return _HEADERS if any(a.ktau_smoothed is not None for a in task.agreements) else _HEADERS[:-1]


def _line(a: Agreement, task: TaskCorrelation) -> tuple[str, ...]:
    if a.repeats is None:
        left, right = f"{a.column}, {a.fidelity}", f"final ({task.split})"
    else:
        left, right = f"{a.column}, {a.fidelity}, repeat {a.repeats[0]}", f"repeat {a.repeats[1]}"
    top = numbers.number(a.ktau_top, 3) + (f" (n {a.top_n})" if a.top_n < TOP else "")
    cells = (left, right, str(a.n), numbers.number(a.ktau, 3), top, numbers.number(a.ktau_smoothed, 3))
    return cells[: len(_headers(task))]


def _spread(lines: Sequence[Agreement]) -> list[Agreement]:
    if len(lines) <= _SHOWN:
        return list(lines)
    return [lines[round(k * (len(lines) - 1) / (_SHOWN - 1))] for k in range(_SHOWN)]
