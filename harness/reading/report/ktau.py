"""Kendall's tau of learned orders: one study in all variants, several by the number of labels they learned from."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from harness.reading.analysis.orders import Order
from harness.reading.report import numbers
from harness.reading.report.grid import Column, Line, fits, print_grid, print_without
from harness.reading.report.markdown import escaped
from harness.reading.report.titles import name_of, title_of

if TYPE_CHECKING:
    from rich.console import Console

_KINDS = {
    "ktau": "tau-b against final scores, unseen keys",
    "ktau_rows": "tau-b against final scores, unseen rows",
    "ktau_valid": "tau-b against validation scores, unseen keys",
}
_SPREAD = "± half the width of the 95 % t interval of the mean over runs"
_VARIANTS = (
    Column("strategy", False),
    Column("paid"),
    Column("tau-b"),
    Column("95 %"),
    Column("rows", dropped=1),
    Column("valid", dropped=2),
    Column("Eq. 13", dropped=3),
    Column("CTNAS", dropped=4),
    Column("of validation", dropped=5),
    Column("n"),
)
"""Of one study; a narrow console does without the last of those that may be dropped first."""


def ktau_csv(orders: Sequence[Order]) -> str:
    """A line for each row of each study; empty where there is no value."""
    text = io.StringIO()
    names = [f.name for f in msgspec.structs.fields(Order)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for order in orders:
        found = msgspec.structs.asdict(order) | {"constraints": " and ".join(order.constraints)}
        writer.writerow(["" if found[name] is None else found[name] for name in names])
    return text.getvalue()


def print_ktau(orders: Sequence[Order], console: Console) -> None:
    """All variants of each row of one study, a table for each task."""
    from rich.text import Text

    if not orders:
        console.print("no row of this study learns an order")
    for position, members in enumerate(_by_task(orders)):
        if position:
            console.print()
        console.print(Text(title_of(members[0]), style="bold cyan"))
        lines = [Line(_variants(o)) for o in members]
        print_without(print_grid(_VARIANTS, lines, console), "--format json or csv has them", console)


def _variants(o: Order) -> tuple[str, ...]:
    interval = numbers.interval(o.ktau_low, o.ktau_high, 3)
    taus = [numbers.number(v, 3) for v in (o.ktau_rows, o.ktau_valid, o.ktau_eq13, o.ktau_ctnas)]
    left = [name_of(o), numbers.count(o.paid), numbers.number(o.ktau, 3), interval]
    return *left, *taus, numbers.number(o.ktau_of_validation, 3), numbers.runs(o.n + o.failed, o.failed)


def print_ktau_by_labels(orders: Sequence[Order], console: Console) -> None:
    """Rows by number of labels: a table for each task and kind of tau; continued below where columns have no room."""
    from rich.text import Text

    if not orders:
        console.print("no row of these studies learns an order")
    for position, (title, headers, lines) in enumerate(_tables(orders)):
        if position:
            console.print()
        console.print(Text(title, style="bold cyan"))
        first = 1
        while first < len(headers):
            last = first + 1
            while last < len(headers) and fits(*_part(headers, lines, first, last + 1), console.width, gap=2):
                last += 1
            print_grid(*_part(headers, lines, first, last), console, gap=2)
            first = last
        console.print(Text(_SPREAD, style="dim"))


def _part(
    headers: Sequence[str], lines: Sequence[Sequence[str]], first: int, last: int
) -> tuple[list[Column], list[Line]]:
    """The names and the columns from ``first`` up to ``last``."""
    columns = [Column(headers[0], False), *map(Column, headers[first:last])]
    return columns, [Line((line[0], *line[first:last])) for line in lines]


def ktau_markdown(orders: Sequence[Order]) -> str:
    """Rows by number of labels, as `print_ktau_by_labels`."""
    parts = []
    for title, headers, lines in _tables(orders):
        table = [f"**{escaped(title)}**", "", "| " + " | ".join(headers) + " |"]
        table.append("|---|" + "---:|" * (len(headers) - 1))
        table += ["| " + " | ".join(escaped(cell) for cell in line) + " |" for line in lines]
        parts.append("\n".join(table))
    return "\n\n".join([*parts, _SPREAD] if parts else ["no row learns an order"]) + "\n"


def _tables(orders: Sequence[Order]) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """(title, headers, lines) for each task and each kind of tau that exists there."""
    for members in _by_task(orders):
        paid = sorted({_labels(o) for o in members})
        names = _names(members)
        counts = sorted({o.n for o in members})
        one = f", n = {counts[0]}" if len(counts) == 1 else ""
        own = members[0].ktau_of_validation
        for kind, what in _KINDS.items():
            if all(getattr(o, kind) is None for o in members):
                continue
            cells: dict[str, dict[float, str]] = {}
            for o, name in zip(members, names, strict=True):
                cells.setdefault(name, {})[_labels(o)] = _cell(o, kind) + ("" if one else f" (n {o.n})")
            lines = [[name, *(row.get(p, numbers.NONE) for p in paid)] for name, row in cells.items()]
            if kind == "ktau" and own is not None:
                lines.append(["validation scores themselves", *[numbers.number(own, 3)] * len(paid)])
            yield f"{title_of(members[0])}: {what}{one}", ["paid queries", *map(numbers.count, paid)], lines


def _by_task(orders: Sequence[Order]) -> list[list[Order]]:
    tasks: dict[tuple[object, ...], list[Order]] = {}
    for o in orders:
        tasks.setdefault((o.task, o.search_task, o.law, o.final, *o.constraints), []).append(o)
    return list(tasks.values())


def _labels(order: Order) -> float:
    """What the column of an order is headed with."""
    return round(order.paid or 0.0, 1)


def _names(orders: Sequence[Order]) -> list[str]:
    """What each order's line is called: with its study where two of one name would share a cell."""
    seen = Counter((name_of(o), _labels(o)) for o in orders)
    twice = {name for (name, _), times in seen.items() if times > 1}
    return [f"{name_of(o)}, {o.study}" if name_of(o) in twice else name_of(o) for o in orders]


def _cell(order: Order, kind: str) -> str:
    mean, high = getattr(order, kind), getattr(order, f"{kind}_high")
    spread = "" if mean is None or high is None else f"±{numbers.number(high - mean, 3)}"
    return numbers.number(mean, 3) + spread
