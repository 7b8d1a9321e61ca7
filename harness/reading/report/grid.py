"""Tables on a terminal in which no cell is ever shortened: names wrap, then whole columns go, then lines overflow."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_SHORTEST_NAME = 12
_LONGEST_WORD = 20
"""A longer word of a name is broken where there is no room for it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. dropped: 0 where it always stands; else the column with the highest number goes first."""

    header: str
    right: bool = True
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A cell for each column; the first is the name."""

    cells: tuple[str, ...]
    style: str = ""


def print_grid(
    columns: Sequence[Column],
    lines: Sequence[Line],
    console: Console,
    *,
    gap: int = 1,
    header_style: str = "bold",
    all_columns: bool = False,
) -> tuple[str, ...]:
    """Print the table; the headers of the columns for which the console has no room, in their order.

    all_columns: drop and wrap nothing. Lines longer than the console are left to the terminal to fold.
    """
    from rich.text import Text

    kept, room = _fitted(columns, lines, None if all_columns else console.width, gap)
    cells = [tuple(columns[k].header for k in kept), *(tuple(line.cells[k] for k in kept) for line in lines)]
    names = [textwrap.wrap(name, room) or [""] for name, *_ in cells]
    widths = [max(len(piece) for pieces in names for piece in pieces)]
    widths += [max(map(len, column)) for column in list(zip(*cells, strict=True))[1:]]
    right = [columns[k].right for k in kept]
    styles = [header_style, *(line.style for line in lines)]
    for (_, *others), pieces, style in zip(cells, names, styles, strict=True):
        for piece, rest in zip(pieces, [others, *[[""] * len(others)] * (len(pieces) - 1)], strict=True):
            set_ = [
                cell.rjust(width) if flush else cell.ljust(width)
                for cell, width, flush in zip((piece, *rest), widths, right, strict=True)
            ]
            console.print(Text((" " * gap).join(set_).rstrip(), style=style), soft_wrap=True)
    return tuple(c.header for k, c in enumerate(columns) if k not in kept)


def print_without(dropped: Sequence[str], where: str, console: Console) -> None:
    """Name the columns that a table had no room for, and where they are."""
    from rich.text import Text

    if dropped:
        console.print(Text(f"no room for: {', '.join(dropped)}; a wider terminal, {where}", style="dim"))


def fits(columns: Sequence[Column], lines: Sequence[Line], width: int, *, gap: int = 1) -> bool:
    """Whether the table stands in ``width`` characters with every column."""
    widths = _widths(columns, lines)
    return _least(columns, lines) + sum(widths[1:]) + gap * (len(widths) - 1) <= width


def _fitted(
    columns: Sequence[Column], lines: Sequence[Line], width: int | None, gap: int
) -> tuple[tuple[int, ...], int]:
    """The positions of the columns that are kept, and the characters that names have."""
    widths, least = _widths(columns, lines), _least(columns, lines)
    kept = list(range(len(columns)))
    if width is None:
        return tuple(kept), widths[0]

    def left() -> int:
        return width - sum(widths[k] + gap for k in kept[1:])

    for k in sorted((k for k in kept if columns[k].dropped), key=lambda k: -columns[k].dropped):
        if left() >= least:
            break
        kept.remove(k)
    return tuple(kept), min(widths[0], max(least, left()))


def _widths(columns: Sequence[Column], lines: Sequence[Line]) -> list[int]:
    return [max([len(c.header), *(len(line.cells[k]) for line in lines)]) for k, c in enumerate(columns)]


def _least(columns: Sequence[Column], lines: Sequence[Line]) -> int:
    """Characters that names need at least."""
    names = [columns[0].header, *(line.cells[0] for line in lines)]
    words = [piece for name in names for piece in textwrap.wrap(name, 1, break_long_words=False)]
    longest = max(map(len, words))
    return min(max(map(len, names)), max(_SHORTEST_NAME, min(longest, _LONGEST_WORD)))
