from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.tables import open_table
from harness.errors import DataError, DataMissing
from harness.testing.reachability import paths_to
from harness_nasbench.macro import NASBenchMacro, import_table
from harness_nasbench.recorded import RecordedEvaluator
from harness_nasbench.spaces.chain import ChainSpace

SPACE = ChainSpace()
ARCHS = list(SPACE.enumerate())
PROTOCOL = NASBenchMacro()


def write_json(path: Path, **changes: Any) -> Path:
    """A file in the official form with invented scores; ``changes``: fields of the architecture 00000001."""
    rng = np.random.default_rng(0)
    costs = SPACE.costs(ARCHS)
    data = {}
    scores: dict[str, list[float]] = {}
    for i in rng.permutation(len(ARCHS)):
        runs = scores.setdefault(SPACE.key(ARCHS[i]), rng.uniform(80, 93, 3).round(2).tolist())
        data[SPACE.describe(ARCHS[i])] = {
            "test_acc": runs, "mean_acc": sum(runs) / 3, "std": 0.1, "params": int(costs["params"][i]),
            "flops": int(costs["flops"][i]),
        }  # fmt: skip
    data["00000001"] |= changes
    path.write_text(json.dumps(data))
    return path


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> RecordedEvaluator:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(folder))
    (task,) = PROTOCOL.tasks()
    return PROTOCOL.open(task)


def test_the_best_of_the_real_table(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_table(shared_data / "nasbench_macro.csv", tmp_path)
    evaluator = opened(tmp_path, monkeypatch)
    truth = evaluator.truth("mean")
    assert truth.valid is not None
    three = (truth.valid + 2 * truth.final) / 3
    assert round(float(three.max()), 2) == 93.13
    (data,) = PROTOCOL.datasets()
    assert data.answers is not None
    assert all(a.holds for a in data.answers(open_table(tmp_path / "nasbench-macro")))
    with open(shared_data / "nasbench_macro.csv", encoding="utf-8", newline="") as stream:
        for row in list(csv.DictReader(stream))[::101]:
            arch = SPACE.parse(row["arch"])
            validator = evaluator.validator()
            reading = validator.read(arch, validator.row(arch), validator.fidelities[0], None)
            assert reading.valid == float(row["test_run0"])
            final = evaluator.final_scores([arch], final="mean").scores[0]
            assert final == pytest.approx((float(row["test_run1"]) + float(row["test_run2"])) / 2)
            assert validator.costs([arch])["params"][0] == float(row["params"])
            assert validator.costs([arch])["flops"][0] == float(row["flops"])


def test_json_and_what_records_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_json(tmp_path / "official.json")
    import_table(source, tmp_path / "data")
    evaluator = opened(tmp_path / "data", monkeypatch)
    data = json.loads(source.read_text())
    archs = ARCHS[::57]
    runs = np.array([data[SPACE.describe(a)]["test_acc"] for a in archs])
    found = evaluator.validator().validate(archs, fidelity=evaluator.validator().fidelities[0])
    assert found.valid.tolist() == runs[:, 0].tolist()
    assert evaluator.final_scores(archs, final="mean").scores == pytest.approx(runs[:, 1:].mean(axis=1))
    splits = evaluator.provenance()["splits"]
    assert splits["validation"].startswith("run 0")
    assert splits["test"].startswith("mean of runs 1 and 2")
    truth = evaluator.truth("mean")
    assert len(truth.final) == 3_969
    every = [np.mean(entry["test_acc"][1:]) for entry in data.values()]
    assert truth.mean_std("encodings")[0] == pytest.approx(np.mean(every))
    assert evaluator.provenance()["epoch"] == "best"
    assert paths_to(evaluator.validator(), [truth.final]) == []


def test_equal_means_of_unequal_runs_tie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As floating-point numbers these two means differ in the last bit."""
    twins = [[90.0, 80.0, 80.02], [90.0, 80.01, 80.01]]
    assert np.mean(twins[0][1:]) != np.mean(twins[1][1:])
    source = write_json(tmp_path / "official.json")
    data = json.loads(source.read_text())
    pair = [SPACE.parse(text) for text in ("11111111", "22222222")]
    for arch, runs in zip(pair, twins, strict=True):
        data[SPACE.describe(arch)] |= {"test_acc": runs, "mean_acc": sum(runs) / 3}
    source.write_text(json.dumps(data))
    import_table(source, tmp_path / "data")
    first, second = opened(tmp_path / "data", monkeypatch).final_scores(pair, final="mean").scores
    assert first == second == 80.01


def test_isomorphic_chains_are_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_table(write_json(tmp_path / "official.json"), tmp_path / "data")
    validator = opened(tmp_path / "data", monkeypatch).validator()
    assert validator.rows == 3_969
    assert validator.row(SPACE.parse("11102001")) == validator.row(SPACE.parse("11120010"))
    assert validator.row(SPACE.parse("11102001")) != validator.row(SPACE.parse("11012001"))
    rows = validator.identity(ARCHS)
    keys = SPACE.keys(ARCHS)
    assert len(set(zip(rows.tolist(), keys, strict=True))) == 3_969


def test_without_a_table_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataMissing, match="nas-harness data import nasbench-macro PATH"):
        opened(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"params": 1000}, "00000001: params is 1000"),
        ({"flops": 1000}, "00000001: flops is 1000"),
        ({"test_acc": [90.0, 91.0]}, "00000001"),
        ({"test_acc": [90.0, 90.0, 90.0], "mean_acc": 90.0}, "00000001 and 000000?10 are one network"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    import_table(write_json(tmp_path / "good.json"), tmp_path / "data")
    before = open_table(tmp_path / "data" / "nasbench-macro").digest
    with pytest.raises(DataError, match=message) as caught:
        import_table(write_json(tmp_path / "bad.json", **changes), tmp_path / "data")
    assert "bad.json" in str(caught.value)
    assert open_table(tmp_path / "data" / "nasbench-macro").digest == before
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["nasbench-macro"]


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="official .json"):
        import_table(tmp_path / "table.pth", tmp_path)
