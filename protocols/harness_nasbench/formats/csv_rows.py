"""Rows of a CSV file with a known header, each checked as it is read."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.data.reading import open_file
from harness.errors import DataError

__all__ = ["decimal", "integer", "rows"]

_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,3})?")
_INTEGER = re.compile(r"[0-9]{1,18}")


def rows(path: Path, header: Sequence[str], *, max_rows: int) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) for every row under exactly this header.

    Raises `DataError` for a file that cannot be read, is not UTF-8, has another header, a row of another width, or more
    than `max_rows` rows.
    """
    line = 1
    try:
        with open_file(path) as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            _check_header(next(reader, []), header, path)
            for count, cells in enumerate(reader, 1):
                line = reader.line_num
                if len(cells) != len(header):
                    raise DataError(f"{path}: line {line}: {len(cells)} columns instead of {len(header)}")
                if count > max_rows:
                    raise DataError(f"{path}: line {line}: more than {max_rows:,} rows")
                yield line, cells
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: after line {line}: not UTF-8 text: {error.reason}") from error
    except csv.Error as error:
        raise DataError(f"{path}: after line {line}: not CSV: {error}") from error


def _check_header(found: Sequence[str], expected: Sequence[str], path: Path) -> None:
    if list(found) == list(expected):
        return
    if found and found[0] == "\ufeff" + expected[0]:
        raise DataError(f"{path}: line 1: starts with a byte order mark; save it as plain UTF-8")
    for place, (have, want) in enumerate(zip(found, expected, strict=False), 1):
        if have != want:
            raise DataError(f"{path}: line 1: column {place} is {have[:80]!r} instead of {want!r}")
    raise DataError(f"{path}: line 1: {len(found)} columns instead of {len(expected)}")


def decimal(text: str, low: float, high: float, *, path: Path, line: int, column: str) -> float:
    """A plain decimal number within [low, high]; `DataError` names the cell otherwise."""
    if not _DECIMAL.fullmatch(text):
        raise DataError(f"{path}: line {line}: column {column!r} is {text[:40]!r}, which is no number")
    value = float(text)
    if not low <= value <= high:
        raise DataError(f"{path}: line {line}: column {column!r} is {text[:40]}, outside {low:g} to {high:g}")
    return value


def integer(text: str, low: int, high: int, *, path: Path, line: int, column: str) -> int:
    """A whole number within [low, high]; `DataError` names the cell otherwise."""
    if not _INTEGER.fullmatch(text):
        raise DataError(f"{path}: line {line}: column {column!r} is {text[:40]!r}, which is no whole number")
    value = int(text)
    if not low <= value <= high:
        raise DataError(f"{path}: line {line}: column {column!r} is {text[:40]}, outside {low} to {high}")
    return value
