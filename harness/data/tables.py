"""Tables of recorded protocols: a folder of ``.npy`` columns and a ``meta.json``, memory-mapped and checksummed.

An importer writes a table once; from then on it is opened read-only. Opening reads ``meta.json`` and the size of each
column file, and maps a column only when it is asked for, so that it takes milliseconds and all workers share the pages.
Nothing is unpickled. A value that was never measured is NaN.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import platformdirs

from harness.data.reading import open_file, read_file
from harness.errors import DataError, DataMissing

SCHEMA = 1
_META = "meta.json"
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,79}")
_KINDS = "biufS"
_STALE_SECONDS = 24 * 3600.0
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD, RENAME_EXCHANGE


class ColumnMeta(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column: numpy dtype string, shape (first axis: rows), and size and SHA-256 of its file."""

    dtype: str
    shape: tuple[int, ...]
    bytes: int
    sha256: str


class TableMeta(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a table is and where it comes from. ``facts``: what the importer found, such as splits and repeats."""

    schema: int = SCHEMA
    benchmark: str
    rows: int
    source: str
    source_sha256: str
    version: str
    licence: str
    importer: str
    facts: dict[str, Any] = {}
    columns: dict[str, ColumnMeta]

    @property
    def digest(self) -> str:
        """SHA-256 of the columns' names and digests: equal for equal data, whichever file it came from."""
        lines = (f"{name} {column.sha256}\n" for name, column in sorted(self.columns.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


Progress = Callable[[str, float], None]
"""Called with what is being done and how much of it is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """An official file that can be downloaded. sha256: as its publisher states it; None where none is stated."""

    name: str
    url: str
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A published number, and the same from a table. ``holds``: they differ by at most ``within``."""

    what: str
    published: float
    found: float
    within: float = 0.0

    @property
    def holds(self) -> bool:
        return abs(self.found - self.published) <= self.within + 1e-9


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a protocol's tables are made from, for ``nas-harness data``; what `TrainingProtocol.datasets` returns.

    name: what a user asks for. source: the official address, for people. size: bytes of the official files, about.
    folders: its tables, relative to the data folder; present when all are. accepts: what `make` reads, in words.
    make: writes the table from a file or folder of the user's, given the data folder and a progress callback, and
    returns its folder; None where the tables are made by themselves from an installed package (``install``), whose
    import name ``package`` is: a search may not import it.
    files: what can be downloaded, the first by default. answers: what is known of the data, beside what a table has.
    """

    name: str
    summary: str
    licence: str
    source: str
    tasks: tuple[str, ...]
    folders: tuple[str, ...]
    size: int | None = None
    accepts: str = ""
    make: Callable[[Path, Path, Progress | None], Path] | None = None
    files: tuple[SourceFile, ...] = ()
    install: str = ""
    package: str = ""
    answers: Callable[[Table], Sequence[Answer]] | None = None

    def present(self, where: Path | None = None) -> bool:
        """Whether all its tables stand in the data folder."""
        return all(table_exists(data_dir(where) / folder) for folder in self.folders)


class Table:
    """An opened table. ``table[name]`` is a read-only memory-mapped array [rows, ...]."""

    def __init__(self, folder: Path, meta: TableMeta) -> None:
        self.folder, self.meta = folder, meta
        self._opened: dict[str, npt.NDArray[Any]] = {}

    @property
    def digest(self) -> str:
        return self.meta.digest

    def __contains__(self, name: object) -> bool:
        return name in self.meta.columns

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Raises DataError where the table has no such column or its file is not what `meta` says."""
        if name not in self._opened:
            self._opened[name] = self._map(name)
        return self._opened[name]

    def _map(self, name: str) -> npt.NDArray[Any]:
        expected = self.meta.columns.get(name)
        if expected is None:
            raise DataError(f"{self.folder}: the table has no column {name!r}")
        path = self.folder / f"{name}.npy"
        try:
            found = np.lib.format.open_memmap(path, mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path}: not a readable column: {error}; import the benchmark again") from error
        if found.dtype.str != expected.dtype or found.shape != expected.shape:
            raise DataError(
                f"{path}: is {found.dtype.str} {found.shape}, but {_META} says {expected.dtype} {expected.shape}; "
                "import the benchmark again"
            )
        return found

    def verify(self) -> None:
        """Read every column and compare its SHA-256. Raises DataError for the first that differs."""
        for name, expected in self.meta.columns.items():
            self._map(name)
            path = self.folder / f"{name}.npy"
            if sha256(path) != expected.sha256:
                raise DataError(f"{path}: its SHA-256 is not the one in {_META}; import the benchmark again")


def data_dir(explicit: Path | str | None = None) -> Path:
    """Where tables live: ``explicit``, else the environment's NAS_HARNESS_DATA, else the user's data folder."""
    chosen = explicit or os.environ.get("NAS_HARNESS_DATA")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_data_path("nas-harness"))


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open_file(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def table_exists(folder: Path) -> bool:
    """Whether a table stands at ``folder``. Cheap; the table may still be damaged."""
    return (folder / _META).is_file()


def open_table(folder: Path, importer: str | None = None) -> Table:
    """The table at ``folder``, made by ``importer`` where that is given.

    Raises DataMissing where there is none, DataError where it is incomplete, no table, or made by another importer.
    """
    try:
        table = _open(folder)
    except DataError:  # it may have been replaced between two of its files
        table = _open(folder)
    if importer is not None and table.meta.importer != importer:
        raise DataError(
            f"{folder}: made by the importer {table.meta.importer}; this version's is {importer}, which writes other "
            f"columns: import it again (nas-harness data import {importer.partition('/')[0]} PATH)"
        )
    return table


def _open(folder: Path) -> Table:
    path = folder / _META
    try:
        meta = msgspec.json.decode(read_file(path), type=TableMeta)
    except FileNotFoundError:
        if folder.is_dir():
            raise DataError(f"{folder}: a folder without {_META} is no table; remove it") from None
        raise DataMissing(f"no table at {folder}") from None
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(f"{path}: not a table's {_META}: {error}; import the benchmark again") from error
    if meta.schema != SCHEMA:
        raise DataError(f"{path}: written in table format {meta.schema}; this version reads {SCHEMA}: import it again")
    for name, column in meta.columns.items():
        if not _NAME.fullmatch(name):
            raise DataError(f"{path}: {name!r} is no column name")
        if not column.shape or column.shape[0] != meta.rows:
            raise DataError(f"{path}: column {name!r} has shape {column.shape}, but the table has {meta.rows} rows")
        file = folder / f"{name}.npy"
        try:
            size = file.stat().st_size
        except OSError as error:
            raise DataError(f"{file}: a column is missing: {error}; import the benchmark again") from error
        if size != column.bytes:
            raise DataError(f"{file}: has {size} bytes instead of {column.bytes}; import the benchmark again")
    return Table(folder, meta)


def write_table(
    folder: Path,
    columns: Mapping[str, npt.NDArray[Any]],
    *,
    benchmark: str,
    source: str,
    source_sha256: str,
    version: str,
    licence: str,
    importer: str,
    facts: Mapping[str, Any] | None = None,
) -> Table:
    """Write a table in one step: it is there whole or not at all. An earlier table stays until the new one is whole.

    columns: plain numeric or byte-string arrays [rows, ...]. Raises DataError where the columns do not form a table, or
    the disk is full.
    """
    rows = _check_columns(folder, columns)
    folder = folder.resolve()  # a link to a table elsewhere stays one
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        beside = f".{folder.name}.partial-"
        with TemporaryDirectory(prefix=beside, dir=folder.parent, ignore_cleanup_errors=True) as made:
            scratch = Path(made)
            scratch.chmod(0o755)
            written = {name: _write_column(scratch / f"{name}.npy", array) for name, array in columns.items()}
            meta = TableMeta(
                benchmark=benchmark, rows=rows, source=source, source_sha256=source_sha256, version=version,
                licence=licence, importer=importer, facts=dict(facts or {}), columns=written,
            )  # fmt: skip
            _write_bytes(scratch / _META, msgspec.json.format(msgspec.json.encode(meta), indent=1) + b"\n")
            _place(scratch, folder)
    except OSError as error:
        raise DataError(f"{folder}: the table cannot be written: {error}; nothing was changed") from error
    return open_table(folder)


def remove_table(folder: Path) -> None:
    """Remove a table and nothing else. Raises DataMissing where there is none, DataError where it cannot be removed."""
    table = open_table(folder)
    try:
        for name in table.meta.columns:
            (folder / f"{name}.npy").unlink()
        (folder / _META).unlink()
        folder.rmdir()
    except OSError as error:
        raise DataError(f"{folder}: cannot be removed: {error}") from error


def _check_columns(folder: Path, columns: Mapping[str, npt.NDArray[Any]]) -> int:
    if not columns:
        raise DataError(f"{folder}: a table needs at least one column")
    for name, array in columns.items():
        if not _NAME.fullmatch(name):
            raise DataError(f"{folder}: {name!r} is no column name")
        if not array.ndim:
            raise DataError(f"{folder}: column {name!r} is a single value, not one per row")
        if array.dtype.kind not in _KINDS or array.dtype.hasobject:
            raise DataError(f"{folder}: column {name!r} has dtype {array.dtype}, which a table does not hold")
        if not array.size:
            raise DataError(f"{folder}: column {name!r} is empty")
    rows = {name: len(array) for name, array in columns.items()}
    if len(set(rows.values())) > 1:
        raise DataError(f"{folder}: the columns differ in rows: {rows}")
    return next(iter(rows.values()))


def _write_column(path: Path, array: npt.NDArray[Any]) -> ColumnMeta:
    plain = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    with open(path, "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(plain))
        stream.write(plain.data)  # numpy's own writing does not say why the disk refuses it
        stream.flush()
        os.fsync(stream.fileno())
    return ColumnMeta(plain.dtype.str, plain.shape, path.stat().st_size, sha256(path))


def _write_bytes(path: Path, data: bytes) -> None:
    with open(path, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _place(scratch: Path, folder: Path) -> None:
    """Give a whole table its name. Where another has it, the two exchange theirs."""
    try:
        os.rename(scratch, folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        _exchange(scratch, folder)


def _exchange(one: Path, other: Path) -> None:
    """Exchange the names of two folders in one step, by Linux's renameat2; in three on a file system without it."""
    failed = ctypes.CDLL(None).renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE)
    if failed:
        spare = one.with_name(f"{one.name}-replaced")
        os.rename(other, spare)
        os.rename(one, other)
        os.rename(spare, one)


def _sweep(folder: Path) -> None:
    """Remove what a killed import left behind a day or more ago."""
    for left in folder.parent.glob(f".{folder.name}.partial-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
