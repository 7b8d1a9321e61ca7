"""Anytime curves as CSV, and as a short table for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.analysis.curves import Curve
from harness.report import numbers

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_ABOUT = (
    "task", "search_task", "constraints", "strategy", "label", "mode", "role", "searched_on", "n", "failed", "unit",
)  # fmt: skip
_POINT = ("cost", "final", "final_low", "final_high", "valid", "valid_low", "valid_high")
_SHOWN = 6


def curves_csv(curves: Sequence[Curve]) -> str:
    """A line for each point of each curve; empty where there is no value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_ABOUT, *_POINT])
    for c in curves:
        about = [" and ".join(c.constraints) if name == "constraints" else getattr(c, name) for name in _ABOUT]
        for point in zip(*(getattr(c, name) for name in _POINT), strict=True):
            writer.writerow([*about, *("" if value is None else repr(value) for value in point)])
    return text.getvalue()


def print_curves(curves: Sequence[Curve], console: Console) -> None:
    """For each task the mean final score of each row at up to six costs, with half the interval's width.

    Below it the same of validation scores, where these are others.
    """
    from rich.text import Text

    tasks = dict.fromkeys((c.task, c.search_task, tuple(c.constraints)) for c in curves)
    for key in tasks:
        members = [c for c in curves if (c.task, c.search_task, tuple(c.constraints)) == key]
        scores = ["final"]
        if any(c.valid != c.final and any(v is not None for v in c.valid) for c in members):
            scores.append("validation")
        for what in scores:
            console.print(Text(f"{key[0]}: mean {what} score after {members[0].unit} paid", style="bold cyan"))
            console.print(_table(members, what))


def _table(members: Sequence[Curve], what: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    places = spread_over(len(members[0].cost))
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("strategy", no_wrap=True)
    for place in places:
        table.add_column(numbers.count(members[0].cost[place]), justify="right")
    for c in members:
        name = c.label if c.mode == "strict" else f"{c.label} ({c.mode})"
        mean, high = (c.final, c.final_high) if what == "final" else (c.valid, c.valid_high)
        table.add_row(Text(name), *(Text(_cell(mean[place], high[place])) for place in places))
    return table


def spread_over(points: int) -> list[int]:
    """Up to six positions of a grid, evenly, the last among them."""
    if points <= _SHOWN:
        return list(range(points))
    return sorted({round(k * (points - 1) / (_SHOWN - 1)) for k in range(_SHOWN)})


def _cell(mean: float | None, high: float | None) -> str:
    if mean is None or high is None:
        return numbers.number(mean)
    return f"{numbers.number(mean)}±{numbers.number(high - mean)}"
