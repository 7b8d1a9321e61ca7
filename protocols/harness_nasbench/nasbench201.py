"""NAS-Bench-201: 15,625 cells trained on three image data sets for 12 and for 200 epochs.

Source: Dong & Yang (ICLR 2020), and NATS-Bench (Dong et al., TPAMI 2021). The user brings the official file, or a CSV
of means, and imports it once. Isomorphic cells were trained apart, so each architecture is a row of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from harness import Fidelity, Task
from harness.data.tables import Answer, Table, data_dir
from harness_nasbench.benchmark import Benchmark
from harness_nasbench.datasets import NASBENCH201
from harness_nasbench.nasbench201_import import EPOCHS, IMPORTER, NAME, SPLITS, TABLES, import_table
from harness_nasbench.recorded import Columns, Layout, RecordedEvaluator, Rows, finals_here
from harness_nasbench.spaces.nasbench201 import NASBench201Space

FIDELITIES = {epochs: Fidelity(f"{epochs} epochs", epochs) for epochs in EPOCHS}
"""Each fidelity is a training of its own, with its own learning-rate schedule: it is not resumable."""
PREFIXES = {dataset: prefix for prefix, dataset in TABLES.items()}
_SEED = re.compile(r"_(?:s|run)(\d+)")
"""The end of a single training's column: ``_s777`` by its seed, or ``_run0`` by its place where no seed is known."""


def columns_of(table: Table, prefix: str, epochs: int, split: str) -> Columns:
    """The table's columns of one split: the mean, and single seeds, seconds and number of trainings where recorded."""
    stem = f"{prefix}_e{epochs}"

    def seeds(name: str) -> dict[int, str]:
        found = ((_SEED.fullmatch(c.removeprefix(name)), c) for c in table.meta.columns if c.startswith(name))
        return dict(sorted((int(match[1]), column) for match, column in found if match))

    timed = f"{stem}_seconds" in table
    counted = f"{stem}_trainings" in table
    return Columns(
        f"{stem}_{split}",
        seeds(f"{stem}_{split}"),
        f"{stem}_seconds" if timed else None,
        seeds(f"{stem}_seconds"),
        f"{stem}_trainings" if counted else None,
    )


_BEST = {"cifar10": (91.61, 94.37), "cifar100": (73.49, 73.51), "imagenet16_120": (46.73, 47.31)}


def known_answers(table: Table) -> list[Answer]:
    """Best mean validation and test accuracy after 200 epochs, as published; files differ in the second decimal."""
    found = []
    for prefix, each in _BEST.items():
        for split, published in zip(("valid", "test"), each, strict=True):
            best = round(float(table[f"{prefix}_e200_{split}"].max()), 2)
            found.append(Answer(f"best {split} accuracy on {TABLES[prefix]}", published, best, within=0.1))
    return found


class NASBench201(Benchmark):
    """Recorded: 15,625 cells on CIFAR-10, CIFAR-100 and ImageNet16-120 after 12 and 200 epochs.

    Tasks ``cifar10``, ``cifar100`` and ``imagenet16-120``: validation after 12 or 200 epochs, final after 200.
    """

    name = "nasbench201"
    data = replace(NASBENCH201, make=import_table, answers=known_answers)

    def tasks(self) -> Iterable[Task]:
        finals: dict[str, list[str]] = finals_here(data_dir() / NAME, {})
        return [
            Task(
                f"{NAME}/{dataset}", NAME, f"test accuracy on {dataset} after 200 epochs",
                finals=tuple(finals.get(prefix, ["mean"])), data_set=dataset,
                one_training=SPLITS[prefix][0][0] == SPLITS[prefix][1][0],
            )
            for dataset, prefix in PREFIXES.items()
        ]  # fmt: skip

    def open(self, task: Task) -> RecordedEvaluator:
        table = self.table(task, IMPORTER)
        dataset = task.name.partition("/")[2]
        prefix = PREFIXES[dataset]
        space = NASBench201Space(dataset)
        layout = Layout(
            validation={FIDELITIES[e]: columns_of(table, prefix, e, "valid") for e in EPOCHS},
            test={FIDELITIES[e]: columns_of(table, prefix, e, "test") for e in EPOCHS},
            finals={
                "mean": f"{prefix}_e200_test",
                **{
                    f"repeat:{seed}": column
                    for seed, column in columns_of(table, prefix, 200, "test").repeats.items()
                    if f"repeat:{seed}" in task.finals
                },
            },
            measured={"latency": f"{prefix}_latency"} if f"{prefix}_latency" in table else {},
        )
        return RecordedEvaluator(task, space, table, layout, Rows.of_space(space), about=self._about(table, prefix))

    def _about(self, table: Table, prefix: str) -> dict[str, Any]:
        facts = table.meta.facts
        shares = {k: v for k, v in facts["equal_share"].items() if k.startswith(f"{prefix}_e")}
        return {
            "splits": facts["splits"][prefix], "repeats": facts["repeats"], "validation_equals_test": shares,
            "epoch": "final",
        }  # fmt: skip
