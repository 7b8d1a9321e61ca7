"""Differences of anytime curves: as CSV, and as a short table for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.reading.analysis.differences import Difference
from harness.reading.report import numbers
from harness.reading.report.curves import spread_over
from harness.reading.report.grid import Column, Line, print_grid
from harness.reading.report.titles import name_of, title_of

if TYPE_CHECKING:
    from rich.console import Console

_ABOUT = (
    "task", "search_task", "constraints", "label", "against", "mode", "role", "n", "n_against", "unit", "ahead_from",
    "ahead_from_valid",
)  # fmt: skip
_POINT = ("cost", "final", "final_low", "final_high", "valid", "valid_low", "valid_high")


def differences_csv(differences: Sequence[Difference]) -> str:
    """A line for each point of each difference; empty where there is no value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_ABOUT, *_POINT])
    for d in differences:
        about = [" and ".join(d.constraints) if name == "constraints" else getattr(d, name) for name in _ABOUT]
        about = ["" if value is None else value for value in about]
        for point in zip(*(getattr(d, name) for name in _POINT), strict=True):
            writer.writerow([*about, *("" if value is None else repr(value) for value in point)])
    return text.getvalue()


def print_differences(differences: Sequence[Difference], console: Console) -> None:
    """For each task and mode, each row's difference with its interval at up to six costs, a line a cost.

    Of final scores, and of validation scores beside them where these are others.
    """
    from rich.text import Text

    if not differences:
        console.print("no other row searched under the same settings")
    shown: tuple[object, ...] | None = None
    for d in differences:
        key = (d.task, d.search_task, tuple(d.constraints), d.mode)
        if key != shown:
            if shown is not None:
                console.print()
            what = f"{title_of(d)}: score less that of {d.against} (n {d.n_against}), 95 % interval, by {d.unit} paid"
            console.print(Text(what, style="bold cyan"))
            shown = key
        columns = [("final", d.final, d.final_low, d.final_high, d.ahead_from)]
        if d.valid != d.final and any(v is not None for v in d.valid):
            columns.append(("validation", d.valid, d.valid_low, d.valid_high, d.ahead_from_valid))
        ahead = ", ".join(
            f"{what} ahead {'nowhere to the end' if at is None else f'from {numbers.paid(at, d.unit)}'}"
            for what, values, _, _, at in columns
            if any(v is not None for v in values)
        )
        console.print(Text(f"{name_of(d)} (n {d.n}): {ahead}", style="bold"))
        names = [name for what, *_ in columns for name in (what, "95 %")]
        lines = []
        places = spread_over(len(d.cost))
        for place in places:
            cells = [numbers.count(d.cost[place])]
            for _, mean, low, high, _ in columns:
                cells.append(numbers.number(mean[place], signed=True))
                cells.append(numbers.interval(low[place], high[place], signed=True))
            lines.append(Line(tuple(cells)))
        print_grid([Column(name) for name in (d.unit, *names)], lines, console, gap=2, header_style="dim")
