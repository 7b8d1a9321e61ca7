"""What the protocols of published benchmarks have in common: tables that a user imports, or that a package brings."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from harness import DataMissing, DataSet, Task, TrainingProtocol
from harness.data.tables import Table, data_dir, open_table, sha256, table_exists, write_table


class Benchmark(TrainingProtocol):
    """A published benchmark, imported by its user. data: what its authors publish, and how its tables are made; the
    tasks are added here."""

    data: DataSet

    def folder(self, task: Task) -> Path:
        """Where the table of a task's scores stands."""
        return data_dir() / self.data.folders[0]

    def missing(self, task: Task) -> str | None:
        if self.data.present():
            return None
        return f"{self.name} is not imported: nas-harness data import {self.name} PATH"

    def table(self, task: Task, importer: str | None = None) -> Table:
        """The table of a task's scores, made by ``importer`` where that is given. Raises DataMissing, DataError."""
        if (why := self.missing(task)) is not None:
            raise DataMissing(f"{task.name}: {why}; looked in {data_dir()}")
        return open_table(self.folder(task), importer)

    def datasets(self) -> tuple[DataSet, ...]:
        return (replace(self.data, tasks=tuple(task.name for task in self.tasks())),)


class PackagedBenchmark(Benchmark):
    """A benchmark that is the data of an installed package, kept as a table after the first opening.

    distribution: the name by which the package is installed. importer: what writes the tables, with its version.
    """

    distribution: str
    importer: str

    def package(self) -> Path | None:
        """Where the package is installed; None where it is not. Does not import it."""
        spec = importlib.util.find_spec(self.data.package)
        if spec is None or not spec.submodule_search_locations:
            return None
        return Path(next(iter(spec.submodule_search_locations)))

    def version(self) -> str:
        return importlib.metadata.version(self.distribution)

    def missing(self, task: Task) -> str | None:
        if self.package() is not None or table_exists(self.folder(task)):
            return None
        return f"the package {self.distribution} is not installed: {self.data.install}"

    def packaged(
        self, task: Task, file: str, read: Callable[[Path], Mapping[str, npt.NDArray[Any]]], facts: Mapping[str, Any]
    ) -> Table:
        """The task's table, made by ``read`` from the package's ``file`` if it is not there or is outdated.

        Outdated: from another version of the package, or made by another version of the importer. Raises DataMissing
        where there is neither table nor package, DataError where the file cannot be trusted.
        """
        package, folder = self.package(), self.folder(task)
        if package is None:
            return self.table(task)
        if table_exists(folder):
            found = open_table(folder)
            if (found.meta.version, found.meta.importer) == (self.version(), self.importer):
                return found
        source = package / file
        return write_table(
            folder, read(source), benchmark=self.name, source=file, source_sha256=sha256(source),
            version=self.version(), licence=self.data.licence, importer=self.importer, facts=facts,
        )  # fmt: skip
