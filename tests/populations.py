"""What a strategy's runs score on real tasks: many searches through the oracle itself, for calibration tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from harness import BudgetExhausted, Strategy
from harness.protocol import Evaluator
from harness.records.identity import stream
from harness.running.reference import best_first
from harness.search.oracle import Budget, Oracle
from harness.statistics.ties import rounded
from harness_baselines.local_search import LocalSearch
from harness_baselines.random_search import RandomSearch
from harness_baselines.regularized_evolution import RegularizedEvolution
from harness_nasbench.macro import NASBenchMacro
from harness_nasbench.nasbench201 import NASBench201
from harness_nasbench.nasbench_graph import NASBenchGraph

QUERIES = 100
GRAPHS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv")
TASKS = (
    "nasbench201/cifar10",
    "nasbench201/cifar100",
    "nasbench201/imagenet16-120",
    *(f"nasbench-graph/{data_set}" for data_set in GRAPHS),
    "nasbench-macro/cifar10",
)
PROTOCOLS = {"nasbench201": NASBench201, "nasbench-graph": NASBenchGraph, "nasbench-macro": NASBenchMacro}


class Population(NamedTuple):
    """A row a run, a column a paid query (1 to QUERIES): final and validation score of the incumbent after it."""

    final: np.ndarray
    valid: np.ndarray

    @property
    def outcomes(self) -> np.ndarray:
        """Final score of what each run reports, [runs]."""
        scores: np.ndarray = self.final[:, -1]
        return scores


def import_tables(source: Path, where: Path) -> None:
    """Write the tables of NAS-Bench-201 and NAS-Bench-Macro under ``where``; NAS-Bench-Graph's come by themselves."""
    from harness_nasbench import macro, nasbench201_import

    nasbench201_import.import_table(source / "nasbench201.csv", where)
    macro.import_table(source / "nasbench_macro.csv", where)


def open_task(name: str) -> Evaluator:
    protocol = PROTOCOLS[name.partition("/")[0]]()
    (task,) = (t for t in protocol.tasks() if t.name == name)
    return protocol.open(task)


def strategy_class(name: str) -> type[Strategy]:
    if name == "tpe":
        from harness_csnas.search import TPE

        return TPE
    known: tuple[type[Strategy], ...] = (RandomSearch, LocalSearch, RegularizedEvolution)
    return {cls.name: cls for cls in known}[name]


def searched(
    evaluator: Evaluator,
    name: str,
    runs: Sequence[int],
    *,
    queries: int = QUERIES,
    params: Mapping[str, object] | None = None,
) -> Population:
    """Searches of ``name``, one for each seed of ``runs``, with ``queries`` paid queries each."""
    cls, validator, truth = strategy_class(name), evaluator.validator(), evaluator.truth(evaluator.task.finals[0])
    assert truth is not None
    finals, valids = np.full((2, len(runs), queries), np.nan)
    for i, seed in enumerate(runs):
        oracle = Oracle(validator, Budget(queries=queries))
        strategy = cls(msgspec.convert(params or {}, cls.Params))
        try:
            returned = strategy.search(oracle, stream(0, evaluator.task.name, name, seed))
        except BudgetExhausted:
            returned = best_first(oracle, 1)
        incumbents = oracle.incumbents
        archs = [found.arch for found in incumbents]
        assert tuple(returned[0]) == archs[-1]
        scores = truth.final[validator.identity(archs)]
        for found, score in zip(incumbents, scores.tolist(), strict=True):
            finals[i, found.place :], valids[i, found.place :] = score, found.score
    return Population(rounded(finals), rounded(valids))
