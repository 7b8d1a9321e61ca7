"""Rows and nested values as text: wrapped on a terminal, one line a row elsewhere, for ``grep`` and the like."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_GAP = 2
_NARROWEST = 12
"""Columns that are left for what is wrapped."""


def print_listing(
    console: Console,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[str] = (),
    styles: Sequence[str | None] | None = None,
    header_style: str = "bold",
    whole: int | None = None,
) -> None:
    """Aligned columns, those in ``right`` to the right. A terminal wraps those after the first ``whole`` (None: the
    last alone) to its width, and shows ``styles``, one a row.
    """
    from rich.table import Table
    from rich.text import Text

    if not console.is_terminal:
        for line in _lines([header, *rows], [name in right for name in header]):
            console.print(Text(line), soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, header_style=header_style, padding=(0, _GAP, 0, 0))
    kept = len(header) - 1 if whole is None else whole
    if sum(_widths([header, *rows])[:kept]) + kept * _GAP + _NARROWEST > console.width:
        kept = 0  # a column that is not wrapped would be cut
    for i, name in enumerate(header):
        table.add_column(name, justify="right" if name in right else "left", no_wrap=i < kept, overflow="fold")
    for row, style in zip(rows, styles or [None] * len(rows), strict=True):
        table.add_row(*(Text(cell) for cell in row), style=style)
    console.print(table)


def _lines(cells: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    flat = [[" ".join(cell.split()) for cell in row] for row in cells]
    widths = _widths(flat)
    return [
        (" " * _GAP)
        .join(c.rjust(w) if to_right else c.ljust(w) for c, w, to_right in zip(row, widths, right, strict=True))
        .rstrip()
        for row in flat
    ]


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]


def nested(name: str, value: Any, indent: int = 0) -> list[str]:
    """``name: value``, a line; of a mapping a line each, two columns further in."""
    start = f"{' ' * indent}{name}:"
    if isinstance(value, Mapping) and value:
        return [start, *(line for key, v in value.items() for line in nested(str(key), v, indent + 2))]
    return [f"{start} {plain(value)}"]


def plain(value: Any) -> str:
    """A value in words: yes and no, six digits of a float, commas between the members of a list."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {plain(v)}" for k, v in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(v) for v in value) or "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def size(count: int | None) -> str:
    """Bytes in the unit that leaves one to three digits before the point."""
    if count is None:
        return "-"
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
