"""NAS-Bench-301: surrogates that predict the scores of all 10^18 architectures of the DARTS space on CIFAR-10.

Source: Zela et al. (ICLR 2022); YAHPO Gym (Pfisterer et al., AutoML 2022) for its own surrogate of the same trainings.
No surrogate predicts a test score. So the validation score is reported, and every record says so.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import DataSet, Task
from harness.data.tables import Answer, Table, data_dir, table_exists
from harness_nasbench.benchmark import Benchmark
from harness_nasbench.datasets import NASBENCH301
from harness_nasbench.nasbench301_import import INSTALL, NAME, import_table
from harness_nasbench.surrogate import Predictor, SurrogateEvaluator

SPLITS = {"validation": "predicted validation accuracy (%) on CIFAR-10", "test": "none: no surrogate predicts it"}
_OWN = "validation accuracy on CIFAR-10 as the official ensemble of {} trees predicts it"
_SUMMARIES = {
    "yahpo": "validation accuracy on CIFAR-10 as YAHPO Gym's surrogate predicts it, after 12 to 98 epochs",
    "xgb": _OWN.format("XGBoost"),
    "xgb@noise": f"{_OWN.format('XGBoost')}, with its noise; reported without",
    "lgb": _OWN.format("LightGBM"),
    "lgb@noise": f"{_OWN.format('LightGBM')}, with its noise; reported without",
}


def known_answers(table: Table) -> list[Answer]:
    """Whether the file is the published one."""
    if "published" not in table.meta.facts:
        return []
    found = float(table.meta.facts["published"])
    return [Answer("SHA-256 is that of the file published with YAHPO Gym v1 (1: yes)", 1.0, found)]


class NASBench301(Benchmark):
    """Surrogate: the DARTS space on CIFAR-10, 10^18 architectures; validation scores only.

    One task a surrogate: ``nasbench301/yahpo``, ``xgb``, ``lgb``, and ``@noise`` of the last two; final ``single``.

    With noise, a search sees one fixed draw for each network; the mean over the ensemble is reported.
    """

    name = "nasbench301"
    data = replace(NASBENCH301, make=import_table, answers=known_answers)

    def tasks(self) -> Iterable[Task]:
        return [
            Task(f"{NAME}/{which}", NAME, what, finals=("single",), data_set="cifar10")
            for which, what in _SUMMARIES.items()
        ]

    def folder(self, task: Task) -> Path:
        return data_dir() / NAME / task.name.partition("/")[2].partition("@")[0]

    def missing(self, task: Task) -> str | None:
        folder = self.folder(task)
        if not table_exists(folder):
            return f"{NAME}'s surrogate {folder.name!r} is not imported: nas-harness data import {NAME} PATH"
        if folder.name != "yahpo":
            return None
        absent = [m for m in ("onnx", "onnxruntime") if importlib.util.find_spec(m) is None]
        return f"{' and '.join(absent)} not installed: {INSTALL}" if absent else None

    def open(self, task: Task) -> SurrogateEvaluator:
        table = self.table(task)
        noisy = task.name.endswith("@noise")
        about: dict[str, Any] = {
            "splits": SPLITS, "repeats": "none: one prediction", "epoch": "final",
            "noise": "one draw a network, by its encoding; none in the final score" if noisy else "none",
        }  # fmt: skip
        return SurrogateEvaluator(task, _predictor(table, noisy=noisy), table.meta, about)

    def datasets(self) -> tuple[DataSet, ...]:
        (found,) = super().datasets()
        here = tuple(folder for folder in found.folders if table_exists(data_dir() / folder))
        return (replace(found, folders=here or found.folders),)  # each is of use alone


def _predictor(table: Table, *, noisy: bool) -> Predictor:
    if table.folder.name == "yahpo":
        from harness_nasbench.nasbench301_yahpo import Yahpo

        return Yahpo(table)
    from harness_nasbench.nasbench301_ensembles import Ensembles

    return Ensembles(table, noisy=noisy)
