"""NAS-Bench-Graph: real validation and test scores of 26,206 graph neural networks on eight data sets.

Source: Qin et al. (NeurIPS 2022). The data comes with the package `nas-bench-graph`, which is found but not imported;
its pickles are read without running code and turned into a table when a task is first opened. The package's ninth data
set, proteins, has scores for 2,021 architectures of another operation set only and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness import DataError, Fidelity, Task
from harness.data.tables import data_dir
from harness.statistics.ties import rounded
from harness_nasbench.benchmark import PackagedBenchmark
from harness_nasbench.datasets import NASBENCH_GRAPH
from harness_nasbench.recorded import Columns, Layout, RecordedEvaluator, Rows
from harness_nasbench.spaces.nasbench_graph import NASBenchGraphSpace

NAME = "nasbench-graph"
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
_FIELDS = ("valid_perf", "perf", "latency", "para")
_LAYOUT = Layout(
    validation={FULL: Columns("valid")},
    finals={"single": "test"},
    test={FULL: Columns("test")},
    measured={"latency": "latency"},
    costs={"params": "params"},
)


def read_bench(path: Path) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """The columns of one ``.bench`` file, float64 [26206], rows in the order of the official hash.

    valid, test: accuracy in percent. latency: seconds. params: count. Raises DataError with file, hash and reason.
    """
    from harness.data import safe_pickle

    found = safe_pickle.load_path(path)
    hashes = NASBenchGraphSpace().hashes.tolist()
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
        "valid": rounded(100.0 * values[:, 0]),
        "test": rounded(100.0 * values[:, 1]),
        "latency": values[:, 2].copy(),
        "params": np.round(1e6 * values[:, 3]),
    }


class NASBenchGraph(PackagedBenchmark):
    """Recorded: 26,206 graph neural networks on eight data sets, as installed with nas-bench-graph.

    Eight tasks ``nasbench-graph/<data set>``; one fidelity, final ``single``, parameters known before a query.
    """

    name = NAME
    data = replace(NASBENCH_GRAPH, folders=tuple(f"{NAME}/{dataset}" for dataset in TASKS))
    distribution, importer = "nas-bench-graph", f"{NAME}/2"

    def tasks(self) -> Iterable[Task]:
        return [
            Task(
                f"{NAME}/{dataset}", NAME, f"accuracy on the graph {dataset} ({what})", finals=("single",),
                data_set=dataset, one_training=True,
            )
            for dataset, what in TASKS.items()
        ]  # fmt: skip

    def folder(self, task: Task) -> Path:
        return data_dir() / NAME / task.name.partition("/")[2]

    def open(self, task: Task) -> RecordedEvaluator:
        source = f"light/{task.name.partition('/')[2]}.bench"
        table = self.packaged(task, source, read_bench, {"unit": "percent; latency in seconds"})
        about = {"splits": {"validation": "valid_perf", "test": "perf"}, "repeats": "mean of three trainings"}
        space = NASBenchGraphSpace()
        return RecordedEvaluator(task, space, table, _LAYOUT, Rows.of_space(space), about=about)
