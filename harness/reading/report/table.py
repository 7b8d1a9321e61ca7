"""The table that a section of a report shows, and that every renderer writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

T = TypeVar("T")
Kind = Literal["entry", "reference", "other", "heading"]


@dataclass(frozen=True, slots=True)
class Column:
    """right: aligned to the right, as numbers are. wraps: a narrow terminal breaks its cells into lines.

    dropped: 0 where it is always shown; else a narrow terminal may leave it out, the highest number first.
    """

    header: str
    right: bool = True
    dropped: int = 0
    wraps: bool = False


def name_column(header: str) -> Column:
    """What the rows are called."""
    return Column(header, right=False, wraps=True)


@dataclass(frozen=True, slots=True)
class Row:
    """A cell for each column. kind: ``reference`` is not ranked, ``other`` is not strict, ``heading`` has one cell."""

    cells: tuple[str, ...]
    kind: Kind = "entry"


@dataclass(frozen=True, slots=True)
class Table:
    """notes: what the numbers are, above. legend: how to read them, below; footnotes: warnings, below that.

    whole: where to find the columns that a narrow terminal leaves out. A table without columns is only text.
    """

    title: str
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    legend: str = ""
    footnotes: tuple[str, ...] = ()
    whole: str = "--format json has them"


Cells = tuple[Column, Callable[[T], str]]
"""A column, and its cell for an item."""


def laid_out(items: Iterable[T], cells: Sequence[Cells[T]]) -> tuple[tuple[Column, ...], tuple[Row, ...]]:
    """The columns, and a row for each item."""
    rows = (Row(tuple(cell(item) for _, cell in cells)) for item in items)
    return tuple(column for column, _ in cells), tuple(rows)
