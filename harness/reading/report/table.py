"""What a section of a report shows: a table, which every renderer sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["plain", "other", "reference", "heading"]


@dataclass(frozen=True, slots=True)
class Column:
    """right: set flush right, as numbers are. wraps: a narrow terminal breaks its cells into lines.

    dropped: 0 where it always stands; else a narrow terminal does without it, first the column of the highest number.
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
    kind: Kind = "plain"


@dataclass(frozen=True, slots=True)
class Table:
    """notes: what the numbers are, above. legend: how to read them, below; footnotes: warnings, below that.

    whole: where the columns are that a narrow terminal does without. Without columns it is text alone.
    """

    title: str
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    legend: str = ""
    footnotes: tuple[str, ...] = ()
    whole: str = "--format json has them"
