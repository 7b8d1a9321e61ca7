"""NAS-Bench-Graph: real validation and test scores of 26,206 graph neural networks on eight data sets.

Source: Qin et al. (NeurIPS 2022). The data comes with the package `nas-bench-graph`, which is found but not imported;
its pickles are read without running code and turned into a table when a task is first opened. The package's ninth data
set, proteins, has scores for 2,021 architectures of another operation set only and is left out.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from harness import DataError, DataMissing, Fidelity, Task, TrainingProtocol
from harness.tables import DataSet, Table, data_dir, open_table, sha256, table_exists, write_table
from harness_nasbench.recorded import Columns, Layout, RecordedEvaluator, Rows
from harness_nasbench.spaces.nasbench_graph import NASBenchGraphSpace

NAME = "nasbench-graph"
INSTALL = "pip install nas-harness[graph]"
LICENCE = "Apache-2.0"
IMPORTER = "nasbench-graph/1"
FULL = Fidelity("full")
TASKS = {
    "cora": "citations, 7 classes",
    "citeseer": "citations, 6 classes",
    "pubmed": "citations, 3 classes",
    "cs": "co-authors, 15 classes",
    "physics": "co-authors, 5 classes",
    "photo": "co-purchases, 8 classes",
    "computers": "co-purchases, 10 classes",
    "arxiv": "citations, 40 classes",
}
_PACKAGE, _DISTRIBUTION = "nas_bench_graph", "nas-bench-graph"
_FIELDS = ("valid_perf", "perf", "latency", "para")
_MOST_BYTES = 16 << 20
_LAYOUT = Layout(
    validation={FULL: Columns("valid")},
    finals={"single": "test"},
    test={FULL: Columns("test")},
    measured={"latency": "latency"},
    costs={"params": "params"},
)


def package_folder() -> Path | None:
    """Where the package with the data is installed; None where it is not. Does not import it."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def package_version() -> str:
    return importlib.metadata.version(_DISTRIBUTION)


def read_bench(path: Path, space: NASBenchGraphSpace) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """The columns of one ``.bench`` file, float64 [26206], rows in the order of the official hash.

    valid, test: accuracy in percent. latency: seconds. params: count. Raises DataError with file, hash and reason.
    """
    from harness_nasbench.formats import safe_pickle

    found = safe_pickle.load_path(path, max_bytes=_MOST_BYTES)
    hashes = space.hashes.tolist()
    if not isinstance(found, dict) or set(found) != set(hashes):
        count = f"{len(found):,} entries" if isinstance(found, dict) else f"a {type(found).__name__}"
        raise DataError(f"{path}: {count} instead of the {len(hashes):,} architectures of NAS-Bench-Graph")
    values = np.empty((len(hashes), len(_FIELDS)))
    for row, code in enumerate(hashes):
        entry = found[code]
        numbers = [entry.get(field) for field in _FIELDS] if isinstance(entry, dict) else [None]
        if any(type(x) is not float or not math.isfinite(x) or x < 0.0 for x in numbers):
            raise DataError(f"{path}: architecture {code}: {str(entry)[:120]} is not {', '.join(_FIELDS)}")
        values[row] = numbers
    if values[:, :2].max() > 1.0:
        raise DataError(f"{path}: architecture {hashes[int(values[:, :2].max(axis=1).argmax())]}: a score above 1")
    return {
        "valid": 100.0 * values[:, 0],
        "test": 100.0 * values[:, 1],
        "latency": values[:, 2].copy(),
        "params": np.round(1e6 * values[:, 3]),
    }


class NASBenchGraph(TrainingProtocol):
    """Eight tasks ``nasbench-graph/<data set>``; one fidelity, final ``single``, parameters known before a query."""

    name = NAME

    def tasks(self) -> Iterable[Task]:
        return [
            Task(f"{NAME}/{dataset}", NAME, f"accuracy on the graph {dataset} ({what})", finals=("single",))
            for dataset, what in TASKS.items()
        ]

    def missing(self, task: Task) -> str | None:
        if package_folder() is not None or table_exists(self.folder(task)):
            return None
        return f"the package {_DISTRIBUTION} is not installed: {INSTALL}"

    def folder(self, task: Task) -> Path:
        return data_dir() / NAME / task.name.partition("/")[2]

    def open(self, task: Task) -> RecordedEvaluator:
        table = self.table(task)
        about = {"splits": {"validation": "valid_perf", "test": "perf"}, "repeats": "one training"}
        space = NASBenchGraphSpace()
        return RecordedEvaluator(task, space, table, _LAYOUT, Rows.of_space(space), about=about)

    def table(self, task: Task) -> Table:
        """The task's table, written from the installed package when it is not there or of another version."""
        package, folder = package_folder(), self.folder(task)
        if table_exists(folder):
            table = open_table(folder)
            if package is None or table.meta.version == package_version():
                return table
        if package is None:
            raise DataMissing(f"{task.name}: {self.missing(task)}")
        source = package / "light" / f"{task.name.partition('/')[2]}.bench"
        return write_table(
            folder, read_bench(source, NASBenchGraphSpace()), benchmark=NAME, source=source.name,
            source_sha256=sha256(source), version=package_version(), licence=LICENCE, importer=IMPORTER,
            facts={"unit": "percent; latency in seconds"},
        )  # fmt: skip

    def datasets(self) -> tuple[DataSet, ...]:
        return (
            DataSet(
                name=NAME, summary="NAS-Bench-Graph: 26,206 graph neural networks on eight data sets", size=16_300_000,
                licence=LICENCE, source="https://pypi.org/project/nas-bench-graph/", install=INSTALL,
                folders=tuple(f"{NAME}/{dataset}" for dataset in TASKS), tasks=tuple(t.name for t in self.tasks()),
            ),
        )  # fmt: skip
