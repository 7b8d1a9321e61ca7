"""A study's report on a terminal; 100 columns hold the usual table whole."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from harness.reading.compliance import Finding
from harness.reading.report.collapse import collapsed, held
from harness.reading.report.grid import Column, Line, print_grid, print_without
from harness.reading.report.study import StudyReport
from harness.reading.report.table import TaskTable, task_table

_LEGEND = (
    "± standard deviation over runs (ddof 1); RI = 100 (mean - random sampling) / random sampling, with its 95 % t "
    "interval; vs sampling, vs search: Mann-Whitney against random sampling and against matched random search at the "
    "same cost, p after Holm over the rows of a task; 'not shown' is not 'equal'."
)
_DROPPED = ("n", "vs search", "vs sampling", "95 % of RI", "KTau", "paid", "epochs", "cost")
"""Columns that a narrow terminal does without, the last first."""
_STYLES = {"strict": "", "other": "yellow", "reference": "dim italic"}


def print_tables(report: StudyReport, console: Console, *, wide: bool = False) -> None:
    """Each task's table; wide: every column, whatever the width of the console."""
    console.print(Text(f"study {report.study}", style="bold"))
    for task in report.tasks:
        console.print()
        _print_table(task_table(task, wide=wide), console, wide)
    console.print()
    console.print(Text(_LEGEND, style="dim"))
    for problem in report.problems:
        console.print(Text(f"note: {problem}", style="yellow"))


def _print_table(table: TaskTable, console: Console, wide: bool) -> None:
    console.print(Text(table.title, style="bold cyan"))
    for note in table.notes:
        console.print(Text(note))
    if not table.lines:
        console.print(Text("no row has a score yet", style="yellow"))
        return
    columns = [Column(h, right, _DROPPED.index(h) + 1 if h in _DROPPED else 0) for h, right in table.columns]
    lines = [Line(line.cells, _STYLES[line.kind]) for line in table.lines]
    others = [k for k, line in enumerate(table.lines) if line.kind == "other"]
    if others:
        lines.insert(others[0], Line(("not strict:", *[""] * (len(columns) - 1)), "yellow"))
    print_without(print_grid(columns, lines, console, all_columns=wide), "--wide or --format json has them", console)
    for note in table.footnotes:
        console.print(Text(note, style="yellow"))


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
