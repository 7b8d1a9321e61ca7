"""NAS-Bench-Macro: 6,561 chains of eight layers, 3,969 different networks trained three times each on CIFAR-10.

Source: Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search" (CVPR 2021), and the training code
beside its data: identity layers are moved to the end of their stage before training, so that isomorphic chains share
their scores; a run's accuracy is the best of its 50 epochs. The benchmark publishes test accuracies only. So run 0 is
taken for validation, and the mean of runs 1 and 2 is final. Both share no training, but they share the test images, and
every record says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness import DataError, Fidelity, Task
from harness.data.tables import Answer, Progress, Table, sha256, write_table
from harness.statistics.ties import rounded
from harness_nasbench.benchmark import Benchmark
from harness_nasbench.datasets import NASBENCH_MACRO
from harness_nasbench.recorded import Columns, Layout, RecordedEvaluator, Rows
from harness_nasbench.spaces.chain import ChainSpace

NAME = "nasbench-macro"
IMPORTER = f"{NAME}/2"
TASK = f"{NAME}/cifar10"
SPLITS = {
    "validation": "run 0 on CIFAR-10's test images, best epoch; no validation split is published",
    "test": "mean of runs 1 and 2 on CIFAR-10's test images, best epoch",
}
FULL = Fidelity("50 epochs", 50)
_LAYOUT = Layout(validation={FULL: Columns("valid")}, finals={"mean": "test"}, test={FULL: Columns("test")})


def import_table(source: Path, where: Path, progress: Progress | None = None) -> Path:
    """Write the table under ``where`` from the official ``.json``, or its ``.csv`` form; returns its folder.

    Raises DataError with the file, the place and the reason; an existing table stays untouched then.
    """
    from harness_nasbench.formats import macro

    report = progress or (lambda what, done: None)
    readers = {".json": macro.read_json, ".csv": macro.read_csv}
    if source.suffix not in readers:
        raise DataError(f"{source}: {NAME} is imported from its official .json, or a .csv with the same content")
    report(f"reading {source.name}", 0.0)
    found = readers[source.suffix](source)
    archs = [tuple(blocks) for blocks in found.blocks.tolist()]
    costs = ChainSpace().costs(archs)
    for name, column in (("params", found.params), ("flops", found.flops)):
        if (differs := costs[name] != column).any():
            i = int(differs.argmax())
            place = f"{source}: architecture {found.architectures[i]}"
            raise DataError(f"{place}: {name} is {column[i]}, its layers have {costs[name][i]:.0f}")
    rows = Rows.of_keys(ChainSpace())
    row_of = np.array([rows.of(arch) for arch in archs])
    first = np.unique(row_of, return_index=True)[1]
    if (differs := (found.test != found.test[first[row_of]]).any(axis=1)).any():
        i = int(differs.argmax())
        names = found.architectures[first[row_of[i]]], found.architectures[i]
        raise DataError(f"{source}: architectures {' and '.join(names)} are one network, but their scores differ")
    report("writing", 0.9)
    folder = where / NAME
    test = found.test[first]
    write_table(
        folder, {"valid": rounded(test[:, 0]), "test": rounded(test[:, 1:].mean(axis=1))},
        benchmark=NAME, source=source.name, source_sha256=sha256(source), version=source.stem,
        licence=NASBENCH_MACRO.licence, importer=IMPORTER,
        facts={"splits": SPLITS, "repeats": "three runs: one validates, two are final"},
    )  # fmt: skip
    report("done", 1.0)
    return folder


def known_answers(table: Table) -> list[Answer]:
    """The best mean of the three runs, as published."""
    three = (table["valid"] + 2 * table["test"]) / 3
    return [Answer("best mean test accuracy", 93.13, round(float(three.max()), 2))]


class NASBenchMacro(Benchmark):
    """Recorded: 6,561 chains of eight layers on CIFAR-10; one run validates, two are final.

    One task, ``nasbench-macro/cifar10``; no validation split, so one run validates and the others are final.
    """

    name = NAME
    data = replace(NASBENCH_MACRO, make=import_table, answers=known_answers)

    def tasks(self) -> Iterable[Task]:
        what = "CIFAR-10 test accuracy; run 0 validates, the mean of runs 1 and 2 is final"
        return [Task(TASK, NAME, what, data_set="cifar10", validated_on="test", one_training=False)]

    def open(self, task: Task) -> RecordedEvaluator:
        table = self.table(task, IMPORTER)
        facts = table.meta.facts
        about = {"splits": facts["splits"], "repeats": facts["repeats"], "epoch": "best"}
        space = ChainSpace()
        return RecordedEvaluator(task, space, table, _LAYOUT, Rows.of_keys(space), about=about)
