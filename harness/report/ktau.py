"""Kendall's tau of learned orders: one study in all variants, several by the number of labels they learned from."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from harness.analysis.orders import Order
from harness.report import numbers
from harness.report.markdown import escaped

if TYPE_CHECKING:
    from rich.console import Console

_KINDS = {
    "ktau": "tau-b against final scores, unseen keys",
    "ktau_rows": "tau-b against final scores, unseen rows",
    "ktau_valid": "tau-b against validation scores, unseen keys",
}


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
    """All variants of each row of one study."""
    from rich.table import Table
    from rich.text import Text

    if not orders:
        console.print("no row of this study learns an order")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    headers = ("task", "strategy", "paid", "tau-b", "95 %", "rows", "valid", "Eq. 13", "CTNAS", "of validation", "n")
    for header in headers:
        table.add_column(header, justify="left" if header in ("task", "strategy") else "right", overflow="fold")
    for o in orders:
        interval = numbers.interval(o.ktau_low, o.ktau_high, 3)
        taus = [numbers.number(v, 3) for v in (o.ktau_rows, o.ktau_valid, o.ktau_eq13, o.ktau_ctnas)]
        left = [o.task, _name(o), numbers.count(o.paid), numbers.number(o.ktau, 3), interval]
        right = [numbers.number(o.ktau_of_validation, 3), numbers.runs(o.n + o.failed, o.failed)]
        table.add_row(*(Text(cell) for cell in (*left, *taus, *right)))
    console.print(table)


def print_ktau_by_labels(orders: Sequence[Order], console: Console) -> None:
    """Rows by number of labels: a table for each task and kind of tau."""
    from rich.table import Table
    from rich.text import Text

    if not orders:
        console.print("no row of these studies learns an order")
    for position, (title, headers, lines) in enumerate(_tables(orders)):
        if position:
            console.print()
        console.print(Text(title, style="bold cyan"))
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for place, header in enumerate(headers):
            table.add_column(header, justify="right" if place else "left")
        for line in lines:
            table.add_row(*(Text(cell) for cell in line))
        console.print(table)


def ktau_markdown(orders: Sequence[Order]) -> str:
    """Rows by number of labels, as `print_ktau_by_labels`."""
    parts = []
    for title, headers, lines in _tables(orders):
        table = [f"**{escaped(title)}**", "", "| " + " | ".join(headers) + " |"]
        table.append("|---|" + "---:|" * (len(headers) - 1))
        table += ["| " + " | ".join(escaped(cell) for cell in line) + " |" for line in lines]
        parts.append("\n".join(table))
    return "\n\n".join(parts or ["no row learns an order"]) + "\n"


def _tables(orders: Sequence[Order]) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """(title, headers, lines) for each task and each kind of tau that exists there."""
    tasks: dict[tuple[object, ...], list[Order]] = {}
    for o in orders:
        tasks.setdefault((o.task, o.search_task, o.law, o.final, *o.constraints), []).append(o)
    for members in tasks.values():
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
            yield f"{_title(members[0])}: {what}{one}", ["paid queries", *map(numbers.count, paid)], lines


def _labels(order: Order) -> float:
    """What the column of an order is headed with."""
    return round(order.paid or 0.0, 1)


def _names(orders: Sequence[Order]) -> list[str]:
    """What each order's line is called: with its study where two of one name would share a cell."""
    seen = Counter((_name(o), _labels(o)) for o in orders)
    twice = {name for (name, _), times in seen.items() if times > 1}
    return [f"{_name(o)}, {o.study}" if _name(o) in twice else _name(o) for o in orders]


def _title(order: Order) -> str:
    searched = "" if order.search_task == order.task else f" searched on {order.search_task}"
    return order.task + searched + "".join(f", {c}" for c in order.constraints)


def _name(order: Order) -> str:
    return order.label if order.mode == "strict" else f"{order.label} ({order.mode})"


def _cell(order: Order, kind: str) -> str:
    mean, high = getattr(order, kind), getattr(order, f"{kind}_high")
    spread = "" if mean is None or high is None else f"±{numbers.number(high - mean, 3)}"
    return numbers.number(mean, 3) + spread
