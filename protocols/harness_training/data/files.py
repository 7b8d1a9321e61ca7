"""Members of an official archive, or files of the folder it unpacks to, read without being unpacked."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness import DataError
from harness.data.reading import open_file, read_file

_BROKEN = (tarfile.TarError, OSError, EOFError, zlib.error)


def read_members(source: Path, sizes: Mapping[str, int]) -> dict[str, bytes]:
    """The named members of a ``.tar.gz`` or a folder, wherever in it, each of at most so many bytes.

    Raises DataError where one is missing, larger, or damaged.
    """
    try:
        found = _of_folder(source, sizes) if source.is_dir() else _of_archive(source, sizes)
    except _BROKEN as error:
        why = str(error).partition(":\n")[0]  # tarfile goes on with a line for each compression that it tried
        raise DataError(f"{source}: cannot be read: {why}") from error
    if absent := sorted(set(sizes) - set(found)):
        raise DataError(f"{source}: {', '.join(absent)} {'is' if len(absent) == 1 else 'are'} not in it")
    return found


def _of_folder(source: Path, sizes: Mapping[str, int]) -> dict[str, bytes]:
    return {p.name: _bounded(p, sizes[p.name]) for p in sorted(source.rglob("*")) if p.name in sizes and p.is_file()}


def _bounded(path: Path, most: int) -> bytes:
    if path.stat().st_size > most:
        raise DataError(f"{path}: has {path.stat().st_size} bytes, at most {most} are expected")
    return read_file(path)


def _of_archive(source: Path, sizes: Mapping[str, int]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with open_file(source) as file, tarfile.open(fileobj=file, mode="r:*") as archive:
        for member in archive:
            name = Path(member.name).name
            if name in sizes and member.isfile():
                if member.size > sizes[name]:
                    raise DataError(f"{source}: {name} has {member.size} bytes, at most {sizes[name]} are expected")
                stream = archive.extractfile(member)
                assert stream is not None
                found[name] = stream.read()
    return found


def read_plain(path: Path, most: int) -> bytes:
    """A file, decompressed where its name ends in ``.gz``; at most ``most`` bytes. Raises DataError."""
    try:
        with open_file(path) as file:
            data = (gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file).read(most + 1)
    except _BROKEN as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if len(data) > most:
        raise DataError(f"{path}: holds more than {most} bytes")
    return data


def find_one(folder: Path, names: Iterable[str]) -> Path:
    """The first of these that stands in the folder or below it. Raises DataError, naming what was looked for."""
    names = list(names)
    for name in names:
        for path in sorted(folder.rglob(name)):
            if path.is_file():
                return path
    raise DataError(f"{folder}: holds no {' or '.join(names)}")
