"""Members of an official archive, or files of the folder it unpacks to, read without being unpacked."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path

from harness import DataError
from harness.data.reading import open_file, read_file

_BROKEN = (tarfile.TarError, OSError, EOFError, zlib.error)


def read_members(source: Path, names: Collection[str]) -> dict[str, bytes]:
    """The named members of a ``.tar.gz`` or a folder, wherever in it. Raises DataError where one is missing or
    damaged."""
    try:
        if source.is_dir():
            paths = (p for p in sorted(source.rglob("*")) if p.name in names and p.is_file())
            found = {p.name: read_file(p) for p in paths}
        else:
            found = _of_archive(source, names)
    except _BROKEN as error:
        why = str(error).partition(":\n")[0]  # tarfile goes on with a line for each compression that it tried
        raise DataError(f"{source}: cannot be read: {why}") from error
    if absent := sorted(set(names) - set(found)):
        raise DataError(f"{source}: {', '.join(absent)} {'is' if len(absent) == 1 else 'are'} not in it")
    return found


def _of_archive(source: Path, names: Collection[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with open_file(source) as file, tarfile.open(fileobj=file, mode="r:*") as archive:
        for member in archive:
            name = Path(member.name).name
            if name in names and member.isfile():
                stream = archive.extractfile(member)
                assert stream is not None
                found[name] = stream.read()
    return found


def read_plain(path: Path) -> bytes:
    """A file, decompressed where its name ends in ``.gz``. Raises DataError."""
    try:
        data = read_file(path)
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except _BROKEN as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def find_one(folder: Path, names: Iterable[str]) -> Path:
    """The first of these that stands in the folder or below it. Raises DataError, naming what was looked for."""
    names = list(names)
    for name in names:
        for path in sorted(folder.rglob(name)):
            if path.is_file():
                return path
    raise DataError(f"{folder}: holds no {' or '.join(names)}")
