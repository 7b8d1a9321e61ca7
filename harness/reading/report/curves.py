"""Anytime curves as CSV, and as a short table for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.reading.analysis.curves import Curve
from harness.reading.report import numbers
from harness.reading.report.grid import Column, Line, fits, print_grid
from harness.reading.report.titles import name_of, title_of

if TYPE_CHECKING:
    from rich.console import Console

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

    Below it the same of validation scores, where these are others. A narrow console has fewer costs.
    """
    from rich.text import Text

    tasks = dict.fromkeys((c.task, c.search_task, tuple(c.constraints)) for c in curves)
    blocks: list[tuple[list[Curve], str]] = []
    for key in tasks:
        members = [c for c in curves if (c.task, c.search_task, tuple(c.constraints)) == key]
        blocks.append((members, "final"))
        if any(c.valid != c.final and any(v is not None for v in c.valid) for c in members):
            blocks.append((members, "validation"))
    for position, (members, what) in enumerate(blocks):
        if position:
            console.print()
        title = f"{title_of(members[0])}: mean {what} score after {members[0].unit} paid"
        console.print(Text(title, style="bold cyan"))
        _print_block(members, what, console)


def _print_block(members: Sequence[Curve], what: str, console: Console) -> None:
    from rich.text import Text

    points = len(members[0].cost)
    for most in range(_SHOWN, 0, -1):
        places = spread_over(points, most)
        columns = [Column("strategy", False), *(Column(numbers.count(members[0].cost[place])) for place in places)]
        lines = [_line(c, what, places) for c in members]
        if fits(columns, lines, console.width):
            break
    print_grid(columns, lines, console)
    about = "± half the width of the 95 % t interval of the mean"
    if len(places) < points:
        about += f"; {len(places)} of {points} costs, --at chooses others, --format csv has all"
    console.print(Text(about, style="dim"))


def _line(c: Curve, what: str, places: Sequence[int]) -> Line:
    mean, high = (c.final, c.final_high) if what == "final" else (c.valid, c.valid_high)
    return Line((name_of(c), *(_cell(mean[place], high[place]) for place in places)))


def spread_over(points: int, most: int = _SHOWN) -> list[int]:
    """Up to ``most`` positions of a grid, evenly, the last among them."""
    if points <= most:
        return list(range(points))
    if most == 1:
        return [points - 1]
    return sorted({round(k * (points - 1) / (most - 1)) for k in range(most)})


def _cell(mean: float | None, high: float | None) -> str:
    if mean is None or high is None:
        return numbers.number(mean)
    return f"{numbers.number(mean)}±{numbers.number(high - mean)}"
