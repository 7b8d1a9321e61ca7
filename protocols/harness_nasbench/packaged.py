"""Data in an installed package: found without importing the package, and kept as a table after the first opening."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from harness import DataMissing
from harness.data.tables import Table, open_table, sha256, table_exists, write_table

Read = Callable[[Path], Mapping[str, npt.NDArray[Any]]]


@dataclass(frozen=True, slots=True)
class Packaged:
    """A package (import and distribution name) whose data is a benchmark, and the command that installs it."""

    benchmark: str
    package: str
    distribution: str
    install: str
    licence: str
    importer: str

    def folder(self) -> Path | None:
        """Where it is installed; None where it is not. Does not import it."""
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            return None
        return Path(next(iter(spec.submodule_search_locations)))

    def version(self) -> str:
        return importlib.metadata.version(self.distribution)

    def missing(self, table: Path) -> str | None:
        """Why ``table`` cannot be opened or made, or None."""
        if self.folder() is not None or table_exists(table):
            return None
        return f"the package {self.distribution} is not installed: {self.install}"

    def table(self, folder: Path, file: str, read: Read, facts: Mapping[str, Any]) -> Table:
        """The table at ``folder``, made by ``read`` from the package's ``file`` if it is not there or is outdated.

        Outdated: from another version of the package, or made by another version of the importer. Raises DataMissing
        where there is neither table nor package, DataError where the file cannot be trusted.
        """
        package = self.folder()
        if table_exists(folder):
            table = open_table(folder)
            if package is None or (table.meta.version, table.meta.importer) == (self.version(), self.importer):
                return table
        if package is None:
            raise DataMissing(f"{self.benchmark}: {self.missing(folder)}")
        source = package / file
        return write_table(
            folder, read(source), benchmark=self.benchmark, source=file, source_sha256=sha256(source),
            version=self.version(), licence=self.licence, importer=self.importer, facts=facts,
        )  # fmt: skip
