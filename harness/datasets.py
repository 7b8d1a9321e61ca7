"""Every data set that any protocol knows: what it is, whether it is here, and how it gets here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError, DataMissing, HarnessError, UnknownName
from harness.fetch import fetch
from harness.registry import Registry
from harness.tables import Answer, DataSet, Progress, data_dir, open_table, remove_table, table_exists

DOWNLOADS = "downloads"


@dataclass(frozen=True, slots=True)
class Known:
    """A data set and the protocol that reads it."""

    protocol: str
    data: DataSet

    def present(self) -> bool:
        return self.data.present(data_dir())


def known_datasets(registry: Registry) -> list[Known]:
    """Of every protocol that loads, by name."""
    found = [
        Known(name, data)
        for name in registry.names("protocol")
        if registry.find("protocol", name).status == "ok"
        for data in registry.protocol(name).datasets()
    ]
    return sorted(found, key=lambda k: k.data.name)


def find_dataset(registry: Registry, name: str) -> Known:
    """Raises UnknownName, offering the nearest known ones."""
    found = {k.data.name: k for k in known_datasets(registry)}
    if name not in found:
        raise UnknownName("data set", name, found, hint="nas-harness data list")
    return found[name]


def import_dataset(data: DataSet, path: Path, progress: Progress | None = None) -> Path:
    """Make the table from a file or folder of the user's. Raises DataError, leaving what was there as it was."""
    if data.make is None:
        raise HarnessError(f"{data.name} is made from an installed package, not from a file: {data.install}")
    if not path.exists():
        raise DataError(f"{path}: no such file; {data.name} is imported from {data.accepts or data.source}")
    return data.make(path, data_dir(), progress)


def fetch_dataset(data: DataSet, which: str | None = None, progress: Progress | None = None) -> tuple[Path, str]:
    """Download an official file (the first, or the one of that name) into the data folder: its path and SHA-256."""
    if not data.files:
        how = data.install or f"get it from {data.source}, then: nas-harness data import {data.name} PATH"
        raise HarnessError(f"{data.name} has no address to fetch it from; {how}")
    files = {f.name: f for f in data.files}
    if which is not None and which not in files:
        raise UnknownName("file", which, files, hint=f"nas-harness data info {data.name}")
    return fetch(files[which] if which else data.files[0], data_dir() / DOWNLOADS, progress=progress)


def verify_dataset(data: DataSet) -> tuple[list[Path], list[Answer]]:
    """Compare every column with its checksum: the tables, and the known answers. Raises DataMissing, DataError."""
    folders: list[Path] = []
    answers: list[Answer] = []
    for folder in _present(data):
        table = open_table(folder)
        table.verify()
        folders.append(folder)
        if data.answers is not None:
            answers += data.answers(table)
    return folders, answers


def describe_dataset(known: Known) -> dict[str, Any]:
    """Plain values: what it is, and of each of its tables where it is, from what it was made, and what was found."""
    data = known.data
    tables = []
    for folder in (data_dir() / f for f in data.folders):
        if table_exists(folder):
            meta = open_table(folder).meta
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
                }
            )
    return {
        "name": data.name,
        "protocol": known.protocol,
        "summary": data.summary,
        "licence": data.licence,
        "source": data.source,
        "size": data.size,
        "present": known.present(),
        "tasks": list(data.tasks),
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


def _present(data: DataSet) -> list[Path]:
    folders = [data_dir() / f for f in data.folders if table_exists(data_dir() / f)]
    if not folders:
        how = data.install or f"nas-harness data import {data.name} PATH"
        raise DataMissing(f"{data.name} is not in {data_dir()}: {how}")
    return folders
