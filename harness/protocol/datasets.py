"""Every data set that any protocol knows: what it is, whether it is here, and how it gets here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.fetch import fetch
from harness.data.reading import check_file_or_folder, memory_in_proportion
from harness.data.tables import Answer, DataSet, Progress, Table, data_dir, open_table, remove_table, table_exists
from harness.errors import DataError, DataMissing, HarnessError, UnknownName
from harness.protocol import TrainingProtocol

DOWNLOADS = "downloads"


@dataclass(frozen=True, slots=True)
class Known:
    """A data set and the protocol that reads it."""

    protocol: str
    data: DataSet
    reader: TrainingProtocol

    def tasks_here(self) -> list[str]:
        """Those of its tasks that can be opened: their tables are here, or made when they are first used."""
        own = frozenset(self.data.tasks)
        return [t.name for t in self.reader.tasks() if t.name in own and self.reader.missing(t) is None]


def known_datasets(readers: Mapping[str, TrainingProtocol]) -> list[Known]:
    """The data sets of these training protocols, by name."""
    found = [Known(name, data, reader) for name, reader in readers.items() for data in reader.datasets()]
    return sorted(found, key=lambda k: k.data.name)


def find_dataset(readers: Mapping[str, TrainingProtocol], name: str) -> Known:
    """Raises UnknownName, offering the nearest known ones."""
    found = {k.data.name: k for k in known_datasets(readers)}
    if name not in found:
        raise UnknownName("data set", name, found, hint="nas-harness data list")
    return found[name]


def import_dataset(data: DataSet, path: Path, progress: Progress | None = None) -> Path:
    """Make the table from a file or folder of the user's. Raises DataError; an earlier table then stays."""
    if data.make is None:
        raise HarnessError(f"{data.name} is made from an installed package, not from a file: {data.install}")
    accepts = f"{data.name} is imported from {data.accepts or data.source}"
    try:
        check_file_or_folder(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; {accepts}") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; {accepts}") from error
    with memory_in_proportion(path):
        return data.make(path, data_dir(), progress)


def fetch_dataset(data: DataSet, which: str | None = None, progress: Progress | None = None) -> tuple[Path, str]:
    """Download an official file (the first, or the one of that name) into the data folder. Its path and SHA-256."""
    if not data.files:
        how = data.install or f"get it from {data.source}, then: nas-harness data import {data.name} PATH"
        raise HarnessError(f"{data.name} has no address to fetch it from; {how}")
    files = {f.name: f for f in data.files}
    if which is not None and which not in files:
        raise UnknownName("file", which, files, hint=f"nas-harness data info {data.name}")
    return fetch(files[which] if which else data.files[0], data_dir() / DOWNLOADS, progress=progress)


def verify_dataset(data: DataSet) -> tuple[list[Path], list[Answer]]:
    """Compare every column with its checksum: the tables, and the known answers. Raises DataMissing, DataError."""
    tables = [open_table(folder) for folder in _present(data)]
    for table in tables:
        table.verify()
    return [t.folder for t in tables], [a for t in tables for a in _answers(data, t)]


def known_answers(data: DataSet) -> list[Answer]:
    """The published numbers of the data set, beside those of its tables here; empty where either is missing.

    Raises DataError where a table is damaged. It compares no checksums: `verify_dataset` does.
    """
    return [a for folder in _folders(data) for a in _answers(data, open_table(folder))]


def _answers(data: DataSet, table: Table) -> list[Answer]:
    return [] if data.answers is None else list(data.answers(table))


def describe_dataset(known: Known) -> dict[str, Any]:
    """Plain values: what the data set is; for each table where it is, what it was made from, and what was found.

    Raises DataError where a table is damaged.
    """
    data = known.data
    tables = []
    for folder in _folders(data):
        table = open_table(folder)
        meta = table.meta
        tables.append(
            {
                "folder": str(folder),
                "rows": meta.rows,
                "columns": len(meta.columns),
                "source": meta.source,
                "source_sha256": meta.source_sha256,
                "version": meta.version,
                "importer": meta.importer,
                "bytes": sum(c.bytes for c in meta.columns.values()),
                "digest": meta.digest,
                "facts": meta.facts,
                "known_answers": [
                    {"what": a.what, "published": a.published, "found": a.found, "agrees": a.holds}
                    for a in _answers(data, table)
                ],
            }
        )
    return {
        "name": data.name,
        "protocol": known.protocol,
        "summary": data.summary,
        "licence": data.licence,
        "source": data.source,
        "size": data.size,
        "present": data.present(),
        "tasks": list(data.tasks),
        "tasks_here": known.tasks_here(),
        "accepts": data.accepts,
        "install": data.install,
        "files": [{"name": f.name, "url": f.url, "size": f.size, "sha256": f.sha256} for f in data.files],
        "tables": tables,
    }


def remove_dataset(data: DataSet) -> list[Path]:
    """Remove its tables from the data folder; official files stay. Raises DataMissing where there is none."""
    folders = _present(data)
    for folder in folders:
        remove_table(folder)
    return folders


def _folders(data: DataSet) -> list[Path]:
    return [data_dir() / f for f in data.folders if table_exists(data_dir() / f)]


def _present(data: DataSet) -> list[Path]:
    folders = _folders(data)
    if not folders:
        how = data.install or f"nas-harness data import {data.name} PATH"
        raise DataMissing(f"{data.name} is not in {data_dir()}: {how}")
    return folders
