"""A study's report on a terminal of 100 columns."""

from __future__ import annotations

import textwrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.compliance import Finding
from harness.report.collapse import collapsed, held
from harness.report.study import StudyReport
from harness.report.table import TaskTable, task_table

_LEGEND = (
    "± standard deviation over runs (ddof 1); RI = 100 (mean - random sampling) / random sampling, with its 95 % t "
    "interval; vs sampling, vs search: Mann-Whitney against random sampling and against matched random search at the "
    "same cost, p after Holm over the rows of a task; 'not shown' is not 'equal'."
)
_WIDE = 200
_SHORTEST_NAME = 12
_STYLES = {"strict": "", "other": "yellow", "reference": "dim italic"}


def print_tables(report: StudyReport, console: Console, *, wide: bool = False) -> None:
    if wide:
        console.width = max(console.width, _WIDE)
    console.print(Text(f"study {report.study}", style="bold"))
    for task in report.tasks:
        console.print()
        _print_table(task_table(task, wide=wide), console)
    console.print()
    console.print(Text(_LEGEND, style="dim"))
    for problem in report.problems:
        console.print(Text(f"note: {problem}", style="yellow"))


def _print_table(table: TaskTable, console: Console) -> None:
    console.print(Text(table.title, style="bold cyan"))
    for note in table.notes:
        console.print(Text(note))
    if not table.lines:
        console.print(Text("no row has a score yet", style="yellow"))
        return
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for header, right in table.columns:
        shown.add_column(header, justify="right" if right else "left", no_wrap=True)
    longest = _room_for_names(table, console.width)
    strict = True
    for line in table.lines:
        if strict and line.kind == "other":
            strict = False
            shown.add_row(Text("not strict:"), style="yellow")
        name, *cells = line.cells
        name = "\n".join(textwrap.wrap(name, longest))
        shown.add_row(*(Text(cell) for cell in (name, *cells)), style=_STYLES[line.kind])
    console.print(shown)
    for note in table.footnotes:
        console.print(Text(note, style="yellow"))


def _room_for_names(table: TaskTable, width: int) -> int:
    """Characters left for the first column where every other one has what it needs."""
    widths = [max(len(cell) for cell in column) for column in zip(*(line.cells for line in table.lines), strict=True)]
    needed = [max(w, len(header)) for w, (header, _) in zip(widths, table.columns, strict=True)]
    return max(_SHORTEST_NAME, width - sum(needed[1:]) - len(needed))


def print_compliance(findings: list[Finding], console: Console) -> None:
    """What fails first, each with why and where; then what does not apply; what holds in one line."""
    console.print(Text("compliance", style="bold"))
    for ok, mark, style in ((False, "fails", "red"), (None, "n/a  ", "dim")):
        for rule, why, where in collapsed(findings, ok):
            line = Text(f"{mark} ", style=style)
            line.append(f"{rule}: ", style="bold" if ok is False else "dim")
            line.append(f"{why} ({where})", style="default" if ok is False else "dim")
            console.print(line)
    rules = held(findings)
    if rules:
        console.print(Text("holds ", style="green").append(", ".join(rules), style="default"))
