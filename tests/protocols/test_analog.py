from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.errors import DataMissing
from harness.testing.reachability import paths_to
from harness_nasbench.analog import VARIANTS, AnalogNASBench
from harness_nasbench.spaces.nasbench201 import NASBench201Space

PROTOCOL = AnalogNASBench()
TASKS = {task.name.partition("/")[2]: task for task in PROTOCOL.tasks()}
needs_data = pytest.mark.skipif(PROTOCOL.package() is None, reason="analog-nasbench is not installed")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def _in_data(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(data))


def test_five_variants_are_finals_only() -> None:
    assert list(TASKS) == ["baseline", "ptq", "qat", "noisy", "analog"]
    assert not any(task.searchable for task in TASKS.values())
    assert all(task.finals == ("single",) for task in TASKS.values())


def test_without_package_and_table_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path))
    monkeypatch.setattr(AnalogNASBench, "data", replace(AnalogNASBench.data, package="no_such_package"))
    with pytest.raises(DataMissing, match=r"pip install nas-harness\[analog\]"):
        PROTOCOL.open(TASKS["analog"])


@needs_data
def test_the_baseline_is_nasbench201s_training_of_the_same_cells(shared_data: Path) -> None:
    """Pearson's r is 0.9994, against 0.991 under the next best reading of the file's operation order."""
    space = NASBench201Space()
    with open(shared_data / "nasbench201.csv", encoding="utf-8", newline="") as stream:
        test = {space.parse(row["arch"]): float(row["cifar10_test_200ep"]) for row in csv.DictReader(stream)}
    truth = PROTOCOL.open(TASKS["baseline"]).truth("single")
    other = np.array([test[arch] for arch in truth.architectures])
    assert round(float(np.corrcoef(truth.final, other)[0, 1]), 4) == 0.9994


@needs_data
@pytest.mark.parametrize("variant", list(VARIANTS))
def test_each_variant_has_its_own_scores(variant: str) -> None:
    evaluator = PROTOCOL.open(TASKS[variant])
    found = evaluator.truth("single").final
    assert found.shape == (15_625,)
    assert 0 <= found.min() < found.max() <= 100
    others = [PROTOCOL.open(TASKS[v]).truth("single").final for v in VARIANTS if v != variant]
    assert not any(np.array_equal(found, other) for other in others)
    assert paths_to(evaluator.validator(), others) == []
    assert evaluator.columns == ("validation",)
    assert evaluator.provenance()["splits"]["validation"].startswith("none")
