"""Tables and nested values on a terminal. No cell is ever cut.

Where a table has too little room, cells that may wrap are broken first; then whole columns are left out, and named;
then the columns that are left continue below. In a pipe or a file a listing has one line a row, for ``grep``.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Collection, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from harness.errors import visible
from harness.reading.report.table import Column, Kind, Table

if TYPE_CHECKING:
    from rich.console import Console

_GAP = 2
_SHORTEST_NAME = 12
_LONGEST_WORD = 20
"""A longer word is broken where there is no room for it."""
_STYLES: dict[Kind, str] = {"entry": "", "other": "yellow", "reference": "dim italic", "heading": "yellow"}


def print_table(table: Table, console: Console, *, all_columns: bool = False) -> None:
    """Title, notes, the table in the width of the console, the columns left out, legend and footnotes.

    all_columns: leave out, break and continue nothing.
    """
    from rich.text import Text

    if table.title:
        console.print(Text(visible(table.title), style="bold cyan" if table.columns else "bold"), soft_wrap=all_columns)
    for note in table.notes:
        console.print(Text(visible(note)))
    if table.columns and table.rows:
        cells, styles = [row.cells for row in table.rows], [_STYLES[row.kind] for row in table.rows]
        dropped = print_grid(table.columns, cells, console, styles=styles, fitted=not all_columns)
        if dropped:
            text = f"no room for: {', '.join(dropped)}; a wider terminal, {table.whole}"
            console.print(Text(text, style="dim"))
    if table.legend:
        console.print(Text(visible(table.legend), style="dim"))
    for note in table.footnotes:
        console.print(Text(visible(note), style="yellow"))


def as_text(*tables: Table) -> str:
    """The tables in 100 columns, or in as many as they need."""
    from rich.console import Console

    text = StringIO()
    console = Console(file=text, width=100, markup=False, highlight=False, emoji=False)
    for table in tables:
        print_table(table, console, all_columns=True)
    return text.getvalue()


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
    """Aligned columns, those in ``right`` to the right. A terminal breaks the columns after the first ``whole`` (None:
    only the last) to its width, and shows ``styles``, one a row.
    """
    kept = len(header) - 1 if whole is None else whole
    columns = [Column(name, name in right, wraps=k >= kept) for k, name in enumerate(header)]
    shown = [style or "" for style in styles] if styles is not None else None
    print_grid(columns, rows, console, styles=shown, header_style=header_style, fitted=console.is_terminal)


def print_grid(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    console: Console,
    *,
    styles: Sequence[str] | None = None,
    header_style: str = "bold",
    fitted: bool = True,
) -> tuple[str, ...]:
    """Print the cells in the width of the console where ``fitted``; the headers of the columns that it dropped."""
    from rich.text import Text

    width = console.width if fitted else sys.maxsize
    cells = [[c.header for c in columns], *([visible(" ".join(cell.split())) for cell in row] for row in rows)]
    shown = [header_style, *(styles or [""] * len(rows))]
    natural = [max(map(len, column)) for column in zip(*cells, strict=True)]
    gap = _GAP if sum(natural) + _GAP * (len(natural) - 1) <= width else 1
    least = [_least([line[k] for line in cells], natural[k]) if c.wraps else natural[k] for k, c in enumerate(columns)]
    kept = _kept(columns, least, width, gap)
    for block in _blocks(kept, least, width, gap):
        room = _widths(block, least, natural, width, gap)
        every = [[textwrap.wrap(line[k], room[k]) or [""] for k in block] for line in cells]
        widths = [max(len(piece) for pieces in column for piece in pieces) for column in zip(*every, strict=True)]
        for broken, style in zip(every, shown, strict=True):
            for i in range(max(map(len, broken))):
                pieces = [
                    piece.rjust(wide) if columns[k].right else piece.ljust(wide)
                    for k, wide, pieces in zip(block, widths, broken, strict=True)
                    for piece in [pieces[i] if i < len(pieces) else ""]
                ]
                console.print(Text((" " * gap).join(pieces).rstrip(), style=style), soft_wrap=True)
    return tuple(c.header for k, c in enumerate(columns) if k not in kept)


def _least(cells: Sequence[str], natural: int) -> int:
    """Characters that a column needs at least when its cells are broken."""
    longest = max((len(word) for cell in cells for word in textwrap.wrap(cell, 1, break_long_words=False)), default=0)
    return min(natural, max(_SHORTEST_NAME, min(longest, _LONGEST_WORD)))


def _kept(columns: Sequence[Column], least: Sequence[int], width: int, gap: int) -> list[int]:
    """The columns that stay, by position."""
    kept = list(range(len(columns)))
    for k in sorted((k for k in kept if columns[k].dropped), key=lambda k: -columns[k].dropped):
        if sum(least[k] + gap for k in kept) - gap <= width:
            break
        kept.remove(k)
    return kept


def _blocks(kept: Sequence[int], least: Sequence[int], width: int, gap: int) -> list[list[int]]:
    """The columns of each block: the first column, and as many others as there is room for, at least one."""
    if not kept:
        return []
    first, *others = kept
    blocks = [[first]]
    for k in others:
        if len(blocks[-1]) > 1 and sum(least[j] + gap for j in blocks[-1]) + least[k] > width:
            blocks.append([first])
        blocks[-1].append(k)
    return blocks


def _widths(block: Sequence[int], least: Sequence[int], natural: Sequence[int], width: int, gap: int) -> dict[int, int]:
    """The width of each column of a block. Free room goes to the columns that would be broken, the narrowest first."""
    widths = {k: least[k] for k in block}
    room = max(width - sum(widths.values()) - gap * (len(block) - 1), 0)
    wanting = sorted((k for k in block if least[k] < natural[k]), key=lambda k: natural[k] - least[k])
    for place, k in enumerate(wanting):
        more = min(natural[k] - least[k], room // (len(wanting) - place))
        widths[k] += more
        room -= more
    return widths


def nested(name: str, value: Any, indent: int = 0) -> list[str]:
    """``name: value`` on a line; of a mapping, a line for each value, indented by two more."""
    start = f"{' ' * indent}{visible(name)}:"
    if isinstance(value, Mapping) and value:
        return [start, *(line for key, v in value.items() for line in nested(str(key), v, indent + 2))]
    return [f"{start} {visible(plain(value))}"]


def plain(value: Any) -> str:
    """A value in words: yes and no, six digits of a float, commas between members, a list in a list in brackets."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {plain(v)}" for k, v in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(f"({plain(v)})" if isinstance(v, (list, tuple)) else plain(v) for v in value) or "none"
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
