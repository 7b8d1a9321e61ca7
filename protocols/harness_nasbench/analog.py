"""analog-nasbench: NAS-Bench-201's cells on CIFAR-10 under five training protocols.

The data come with the package `analog-nasbench`, which states no licence. So they stay where the user installed them,
and are read there without importing the package. They have one accuracy a cell and protocol, on the same test images,
and no validation split. A task therefore gives final scores only. Another task on the same space is searched in its
place: ``nasbench201/cifar10`` or another variant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from harness import Fidelity, Task
from harness.statistics.ties import rounded
from harness_nasbench.benchmark import PackagedBenchmark
from harness_nasbench.datasets import ANALOG_NASBENCH
from harness_nasbench.recorded import Columns, Layout, RecordedEvaluator, Rows
from harness_nasbench.spaces.nasbench201 import NASBench201Space

NAME = "analog-nasbench"
VARIANTS = {
    "baseline": "floating point",
    "ptq": "post-training quantisation",
    "qat": "quantisation-aware training",
    "noisy": "noise-aware training",
    "analog": "analog hardware",
}
FULL = Fidelity("full")


def read_columns(path: Path) -> Mapping[str, npt.NDArray[Any]]:
    """Accuracy in percent of each variant, float64 [15625], in the order of the space's encodings."""
    from harness_nasbench.formats import analog

    return {variant: rounded(column) for variant, column in analog.read(path).items()}


class AnalogNASBench(PackagedBenchmark):
    """Recorded: NAS-Bench-201's cells under five training protocols; final scores only.

    Five tasks ``analog-nasbench/<variant>``; each scores the answers of a search on another task.
    """

    name = NAME
    data = ANALOG_NASBENCH
    distribution, importer = NAME, f"{NAME}/2"

    def tasks(self) -> Iterable[Task]:
        return [
            Task(
                f"{NAME}/{variant}", NAME, f"CIFAR-10 test accuracy of NAS-Bench-201's cells: {what}; no validation",
                finals=("single",), searchable=False, data_set="cifar10", validated_on="test",
            )
            for variant, what in VARIANTS.items()
        ]  # fmt: skip

    def open(self, task: Task) -> RecordedEvaluator:
        """The variant. Its validator answers with the same accuracy, for searches that another variant scores."""
        variant = task.name.partition("/")[2]
        table = self.packaged(task, "data.anb", read_columns, {"unit": "percent"})
        space = NASBench201Space()
        layout = Layout(validation={FULL: Columns(variant)}, finals={"single": variant})
        split = "accuracy on CIFAR-10's test images"
        about = {"splits": {"validation": f"none: {split}", "test": split}, "repeats": "one training"}
        return RecordedEvaluator(task, space, table, layout, Rows.of_space(space), about=about)
