"""NAS-Bench-101: 423,624 cells trained three times each on CIFAR-10, for 108 epochs and, in the full file, 4, 12, 36.

Source: Ying et al. (ICML 2019). The user brings ``nasbench_only108.tfrecord`` or ``nasbench_full.tfrecord`` and imports
it once. Isomorphic encodings are one cell and one row. A file with a part of the cells gives a task on a space
restricted to these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from harness import Architecture, Fidelity, RestrictedSpace, SearchSpace, Task, UnknownArchitecture
from harness.data.tables import Answer, Table, data_dir, open_table
from harness_nasbench.benchmark import Benchmark
from harness_nasbench.datasets import NASBENCH101
from harness_nasbench.formats.nasbench101 import EPOCHS, REPEATS
from harness_nasbench.nasbench101_import import IMPORTER, NAME, import_table
from harness_nasbench.recorded import Columns, Layout, RecordedEvaluator, Rows, finals_here
from harness_nasbench.spaces.nasbench101 import NASBench101Space
from harness_nasbench.spaces.nasbench101_index import CELLS, PackedArchitectures
from harness_nasbench.spaces.nasbench101_table import open_index

TASK = f"{NAME}/cifar10"
FIDELITIES = {epochs: Fidelity(f"{epochs} epochs", epochs) for epochs in EPOCHS}
"""Each fidelity is a training of its own, with its own learning-rate schedule: it is not resumable."""


def known_answers(table: Table) -> list[Answer]:
    """The number of cells, and the best mean validation and test accuracy after 108 epochs: one minus the errors
    .0494457682 and .0568242470 of automl/nas_benchmarks' ``nas_cifar10.py``."""
    if table.meta.benchmark != NAME or "e108_valid" not in table:
        return []
    return [
        Answer("cells", CELLS, table.meta.rows),
        Answer("best mean validation accuracy after 108 epochs", 95.0554, float(table["e108_valid"].max()), 1e-4),
        Answer("best mean test accuracy after 108 epochs", 94.3176, float(table["e108_test"].max()), 1e-4),
    ]


def columns_of(epochs: int, split: str) -> Columns:
    """The columns of one split after one number of epochs."""
    stem = f"e{epochs}"
    return Columns(
        f"{stem}_{split}",
        {k: f"{stem}_{split}_r{k}" for k in range(REPEATS)},
        f"{stem}_seconds",
        {k: f"{stem}_seconds_r{k}" for k in range(REPEATS)},
        f"{stem}_trainings",
    )


class NASBench101(Benchmark):
    """Recorded: 423,624 cells on CIFAR-10, three trainings each after 108 and, if there, 4, 12, 36 epochs.

    One task, ``nasbench101/cifar10``; fidelities and repeats as the imported file has them.
    """

    name = "nasbench101"
    data = replace(NASBENCH101, make=import_table, answers=known_answers)

    def tasks(self) -> Iterable[Task]:
        return [
            Task(
                TASK,
                NAME,
                "CIFAR-10 test accuracy after 108 epochs",
                finals=tuple(finals_here(data_dir() / self.data.folders[0], ["mean"])),
                data_set="cifar10",
                one_training=True,
            )
        ]

    def open(self, task: Task) -> RecordedEvaluator:
        table, of_index = self.table(task, IMPORTER), open_table(data_dir() / self.data.folders[1])
        facts = table.meta.facts
        space, rows = _space_and_rows(table, of_index)
        layout = Layout(
            validation={FIDELITIES[e]: columns_of(e, "valid") for e in facts["epochs"]},
            test={FIDELITIES[e]: columns_of(e, "test") for e in facts["epochs"]},
            finals={f: "e108_test" + f.replace("mean", "").replace("repeat:", "_r") for f in task.finals},
            costs={"params": "params"},
        )
        about = {
            "splits": facts["splits"], "split_sizes": facts["split_sizes"], "epoch": "final", "cells": facts["cells"],
            "repeats": "three trainings kept apart; mean of those that exist",
            "validation_equals_test": facts["equal_share"],
        }  # fmt: skip
        return RecordedEvaluator(task, space, table, layout, rows, about=about)


def _space_and_rows(table: Table, of_index: Table) -> tuple[SearchSpace, Rows]:
    """The whole space where the table has every cell, else the space of the cells that it has."""
    archs = PackedArchitectures(np.asarray(table["code"]))
    whole = table.meta.rows == CELLS
    index = open_index(of_index, table["hash"] if whole else None)
    space = NASBench101Space(index=index, rows=archs)
    if whole:
        share = index.encodings / index.encodings.sum()
        weights = {"rows": None, "classes": None, "encodings": share, "official": share}
        return space, Rows(index.number, archs, weights)
    rows = {index.cell(arch): row for row, arch in enumerate(archs)}

    def row_of(arch: Architecture) -> int:
        cell = index.number(arch)
        if cell not in rows:
            known = f"the table has {len(rows):,} of {CELLS:,} cells"
            raise UnknownArchitecture(f"{known}, but not {space.key(arch)}: {space.describe(arch)}")
        return rows[cell]

    return RestrictedSpace(space, list(archs)), Rows(row_of, archs, {"rows": None})
