from __future__ import annotations

import bz2
import csv
import pickle
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.tables import data_dir, open_table
from harness.errors import DataError, DataMissing, HarnessError, InvalidArchitecture
from harness.reading.agreement import best, pairing
from harness.testing.reachability import paths_to
from harness_nasbench.formats import nasbench201 as nasbench201_formats
from harness_nasbench.formats.nasbench201 import OfficialTable
from harness_nasbench.formats.nasbench201_csv import HEADER, RUN_COLUMNS
from harness_nasbench.nasbench201 import NASBench201
from harness_nasbench.nasbench201_import import SPLITS, import_table, official_columns
from harness_nasbench.recorded import RecordedEvaluator
from harness_nasbench.spaces.nasbench201 import NASBench201Space

PROTOCOL = NASBench201()
DATASETS = ("cifar10", "cifar100", "imagenet16-120")
SPACE = NASBench201Space()
HALF_UNIT = 5.1e-10
"""Scores are rounded to 1e-9 when they are imported."""
ARCHS = list(SPACE.enumerate())

Edit = Callable[[int, dict[str, str]], None]


def write_csv(path: Path, edit: Edit | None = None) -> Path:
    """A file in the documented layout with invented scores, rows in an order of their own."""
    rng = np.random.default_rng(0)
    costs = [NASBench201Space(d).costs(ARCHS) for d in DATASETS]
    order = rng.permutation(len(ARCHS))
    scores = rng.uniform(10, 90, size=(len(ARCHS), len(HEADER)))
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, HEADER)
        writer.writeheader()
        for index, at in enumerate(order):
            row = dict(zip(HEADER, (f"{x:.4f}" for x in scores[index]), strict=True))
            row |= {"index": str(index), "arch": SPACE.describe(ARCHS[at])}
            for prefix, cost in zip(("cifar10", "cifar100", "imagenet16_120"), costs, strict=True):
                row[f"{prefix}_params_m"] = f"{cost['params'][at] / 1e6:.6f}"
                row[f"{prefix}_flops_m"] = f"{cost['flops'][at] / 1e6:.6f}"
                row[f"{prefix}_latency_s"] = "0.0125"
            if index % 2:
                row[RUN_COLUMNS[2]] = ""
            if edit is not None:
                edit(index, row)
            writer.writerow(row)
    return path


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The data folder with a table of invented scores, and the file it was imported from."""
    folder = tmp_path_factory.mktemp("invented")
    source = write_csv(folder / "invented.csv")
    import_table(source, folder / "data")
    return folder / "data", source


@pytest.fixture(scope="module")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder with the real table."""
    folder = tmp_path_factory.mktemp("real")
    import_table(shared_data / "nasbench201.csv", folder)
    return folder


def opened(dataset: str = "cifar10") -> RecordedEvaluator:
    (task,) = (t for t in PROTOCOL.tasks() if t.name == f"nasbench201/{dataset}")
    return PROTOCOL.open(task)


def test_single_trainings_of_the_test_split_are_repeats(
    real: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figure 8 of Yang et al.: tau-b of two real trainings is .905 over all cells, .42 over the best tenth."""
    monkeypatch.setenv("NAS_HARNESS_DATA", str(real))
    evaluator = opened("cifar10")
    assert evaluator.validator().repeats == ()
    assert opened("cifar100").validator("test").repeats == ()
    test = evaluator.validator("test")
    assert test.repeats == (0, 1, 2)
    full = test.fidelities[-1]
    runs = [test.validate(ARCHS, fidelity=full, repeat=run) for run in test.repeats]
    with (shared_data / "nasbench201.csv").open(newline="") as stream:
        for row in list(csv.DictReader(stream))[::500]:
            at = ARCHS.index(SPACE.parse(row["arch"]))
            for column, run in zip(RUN_COLUMNS, runs, strict=True):
                assert run.missing is not None
                assert run.missing[at] == (not row[column])
                assert row[column] == "" or run.valid[at] == float(row[column])
    tenth = best(evaluator.truth("mean").final)
    both = pairing(runs[0].valid, runs[1].valid)
    assert (both.n, both.ktau) == (13_400, pytest.approx(0.905, abs=0.0005))
    assert pairing(runs[0].valid[tenth], runs[1].valid[tenth]).ktau == pytest.approx(0.42, abs=0.005)


@pytest.mark.parametrize(
    ("dataset", "test", "valid", "ceiling", "encodings", "classes"),
    [
        ("cifar10", 94.37, 91.61, 94.37, 87.06, 89.76),
        ("cifar100", 73.51, 73.49, 73.51, 61.41, 64.14),
        ("imagenet16-120", 47.31, 46.73, 46.20, 33.59, 36.22),
    ],
)
def test_known_answers_of_the_real_table(
    real: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, test: float, valid: float, ceiling: float,
    encodings: float, classes: float,
) -> None:  # fmt: skip
    monkeypatch.setenv("NAS_HARNESS_DATA", str(real))
    truth = opened(dataset).truth("mean")
    assert truth.valid is not None
    assert round(float(truth.final.max()), 2) == test
    assert round(float(truth.valid.max()), 2) == valid
    assert round(float(truth.final[truth.valid.argmax()]), 2) == ceiling
    assert round(truth.mean_std("encodings")[0], 2) == encodings
    assert round(truth.mean_std("classes")[0], 2) == classes


def test_the_announced_answers_hold_on_the_real_table_and_not_on_another(
    real: Path, invented: tuple[Path, Path]
) -> None:
    (data,) = PROTOCOL.datasets()
    assert data.answers is not None
    answers = data.answers(open_table(real / "nasbench201"))
    assert [a.published for a in answers] == [91.61, 94.37, 73.49, 73.51, 46.73, 47.31]
    assert all(a.holds and a.found == a.published for a in answers)
    assert not any(a.holds for a in data.answers(open_table(invented[0] / "nasbench201")))


def test_the_share_of_equal_splits_is_recorded_and_small(real: Path) -> None:
    shares = open_table(real / "nasbench201").meta.facts["equal_share"]
    assert set(shares) == {f"{d}_e{e}" for d in ("cifar10", "cifar100", "imagenet16_120") for e in (12, 200)}
    assert all(0 <= share < 0.04 for share in shares.values())


def test_scores_are_the_files(invented: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(invented[0]))
    with invented[1].open(newline="") as stream:
        rows = list(csv.DictReader(stream))[::79]
    archs = [SPACE.parse(row["arch"]) for row in rows]
    for dataset in DATASETS:
        evaluator = opened(dataset)
        prefix = dataset.replace("-", "_")
        for column, split in (("validation", "valid"), ("test", "test")):
            validator = evaluator.validator(column)
            assert [(f.name, f.epochs, f.resumable) for f in validator.fidelities] == [
                ("12 epochs", 12, False), ("200 epochs", 200, False),
            ]  # fmt: skip
            for fidelity in validator.fidelities:
                expected = [float(row[f"{prefix}_{split}_{fidelity.epochs}ep"]) for row in rows]
                found = validator.validate(archs, fidelity=fidelity)
                assert found.valid.tolist() == expected
                assert found.seconds is None
                assert found.trainings is None
                assert found.measured["latency"].tolist() == [0.0125] * len(rows)
                for arch, value in zip(archs, expected, strict=True):
                    reading = validator.read(arch, validator.row(arch), fidelity, None)
                    assert (reading.valid, reading.trainings, reading.missing) == (value, 1, False)
                    assert type(reading.valid) is float
                    assert np.isnan(reading.seconds)
        final = evaluator.final_scores(archs, final="mean").scores
        assert final.tolist() == [float(row[f"{prefix}_test_200ep"]) for row in rows]
        costs = evaluator.validator().costs(archs)
        assert costs["params"] == pytest.approx([1e6 * float(row[f"{prefix}_params_m"]) for row in rows], abs=0.5)


def test_a_validator_answers_only_what_the_task_records(
    invented: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(invented[0]))
    evaluator = opened()
    validator = evaluator.validator()
    assert validator.repeats == ()
    assert not validator.records_seconds
    assert validator.known_after == ("latency",)
    assert set(validator.costs([])) == {"params", "flops"}
    assert validator.rows == 15_625
    assert validator.identity(ARCHS).tolist() == list(range(15_625))
    with pytest.raises(ValueError, match="unknown repeat 777"):
        validator.validate(ARCHS[:1], fidelity=validator.fidelities[1], repeat=777)
    with pytest.raises(InvalidArchitecture):
        validator.row((0, 0, 0, 0, 0, 5))
    with pytest.raises(HarnessError, match="repeat:777"):
        evaluator.final_scores(ARCHS[:1], final="repeat:777")


def test_no_final_score_can_be_reached_from_a_validator(
    invented: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(invented[0]))
    evaluator = opened()
    evaluator.final_scores(ARCHS[:1], final="mean")
    table = open_table(invented[0] / "nasbench201")
    finals = [np.array(table[name]) for name in table.meta.columns if "_test" in name]
    assert paths_to(evaluator.validator(), finals) == []
    assert paths_to(evaluator.space, finals) == []
    assert paths_to(evaluator, finals) != []


def test_provenance_names_splits_source_and_shares(
    invented: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(invented[0]))
    found = opened("cifar100").provenance()
    assert found["splits"] == {"validation": "cifar100 x-valid", "test": "cifar100 x-test"}
    assert found["source"] == "invented.csv"
    assert len(found["source_sha256"]) == 64
    assert set(found["validation_equals_test"]) == {"cifar100_e12", "cifar100_e200"}


def test_a_query_costs_about_a_microsecond(invented: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Row and score together against ten plain dict look-ups of the same architectures in the same run."""
    monkeypatch.setenv("NAS_HARNESS_DATA", str(invented[0]))
    validator = opened().validator()
    archs = SPACE.sample(np.random.default_rng(0), 2000)
    full, scores = validator.fidelities[-1], dict.fromkeys(ARCHS, 1.0)

    def ask() -> None:
        for arch in archs:
            validator.read(arch, validator.row(arch), full, None)

    def look_up() -> None:
        for arch in archs:
            scores[arch]

    asked, plain = (min(timeit.repeat(f, number=1, repeat=15)) for f in (ask, look_up))
    assert asked < 20 * plain


def test_without_a_table_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path))
    assert [t.finals for t in PROTOCOL.tasks()] == [("mean",)] * 3
    with pytest.raises(DataMissing, match="nas-harness data import nasbench201 PATH"):
        opened()


def test_a_damaged_table_does_not_hide_the_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path))
    (tmp_path / "nasbench201").mkdir()
    (tmp_path / "nasbench201" / "meta.json").write_text("{")
    assert len(list(PROTOCOL.tasks())) == 3
    with pytest.raises(DataError, match=r"meta\.json"):
        opened()


def mislabelled(index: int, row: dict[str, str]) -> None:
    if index % 4 == 0:
        row["cifar100_valid_200ep"] = row["cifar100_test_200ep"]


def wrong_costs(index: int, row: dict[str, str]) -> None:
    if index == 77:
        row["cifar10_params_m"] = "0.500000"


def nan(index: int, row: dict[str, str]) -> None:
    if index == 5:
        row["cifar10_valid_200ep"] = ""


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (mislabelled, "cifar100 after 200 epochs: validation equals test accuracy in 25%"),
        (wrong_costs, "index 77: 0.5 million cifar10 parameters"),
        (nan, "line 7"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_and_a_good_table_stays(
    invented: tuple[Path, Path], tmp_path: Path, edit: Edit, message: str
) -> None:
    source = write_csv(tmp_path / "bad.csv", edit)
    before = open_table(invented[0] / "nasbench201").digest
    with pytest.raises(DataError, match=message) as caught:
        import_table(source, invented[0])
    assert "bad.csv" in str(caught.value)
    open_table(invented[0] / "nasbench201").verify()
    assert open_table(invented[0] / "nasbench201").digest == before
    assert [p.name for p in invented[0].iterdir()] == ["nasbench201"]
    with pytest.raises(DataError, match=message):
        import_table(source, tmp_path / "new")
    assert not (tmp_path / "new").exists() or not list((tmp_path / "new").iterdir())


def official(seed: int = 0) -> OfficialTable:
    """Invented results as published: half of the cells lack seed 999, and 12 epochs have other seeds than 200."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(ARCHS))
    operations = np.array(ARCHS, dtype=np.int8)[order]
    archs = [ARCHS[i] for i in order]
    table = OfficialTable(tuple(map(SPACE.describe, archs)), operations, np.ones(len(archs), dtype=bool))
    half = np.arange(len(archs)) % 2 == 0
    for prefix, splits in SPLITS.items():
        space = NASBench201Space(prefix.replace("_", "-"))
        for dataset, split in splits:
            table.params[dataset] = space.costs(archs)["params"] / 1e6
            table.latency[dataset] = rng.uniform(0.01, 0.02, len(archs))
            for epochs, seeds in ((12, (777, 111) if dataset == "cifar10-valid" else (111,)), (200, (777, 888, 999))):
                for s in seeds:
                    value, took = rng.uniform(10, 90, len(archs)), rng.uniform(100, 200, len(archs))
                    if s == 999:
                        value[half] = np.nan
                        took[half] = np.nan
                    table.final[(epochs, dataset, split, s)] = value
                    table.train_seconds[(epochs, dataset, s)] = took
    return table


@pytest.fixture
def from_official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OfficialTable:
    """The protocol over a table made from `official`."""
    found = official()
    monkeypatch.setattr(nasbench201_formats, "read_official", lambda path, progress: found)
    source = tmp_path / "NATS-tss-v9_9-test.pickle.pbz2"
    source.write_bytes(b"invented")
    import_table(source, tmp_path / "data")
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path / "data"))
    return found


def test_seeds_are_kept_apart_and_absent_ones_stay_absent(from_official: OfficialTable) -> None:
    archs = [SPACE.parse(text) for text in from_official.architectures]
    evaluator = opened("cifar10")
    validator = evaluator.validator()
    short, full = validator.fidelities
    assert set(validator.repeats) == {777, 888, 999, 111}
    for seed in (777, 888, 999):
        expected = from_official.final[(200, "cifar10-valid", "x-valid", seed)]
        found = validator.validate(archs, fidelity=full, repeat=seed)
        np.testing.assert_allclose(found.valid, expected, atol=HALF_UNIT, rtol=0)
        np.testing.assert_array_equal(found.missing, np.isnan(expected))
    alone = validator.validate(archs, fidelity=short, repeat=888)
    assert alone.missing is not None
    assert alone.missing.all()
    absent, present = archs[0], archs[1]
    reading = validator.read(absent, validator.row(absent), full, 999)
    assert reading.missing
    assert np.isnan(reading.valid)
    reading = validator.read(present, validator.row(present), full, 999)
    assert reading.valid == round(from_official.final[(200, "cifar10-valid", "x-valid", 999)][1], 9)
    assert reading.seconds == from_official.train_seconds[(200, "cifar10-valid", 999)][1]
    assert not reading.missing


def test_the_mean_is_over_the_seeds_that_exist_and_pays_for_each(from_official: OfficialTable) -> None:
    archs = [SPACE.parse(text) for text in from_official.architectures]
    for dataset, prefix in (("cifar10", "cifar10"), ("imagenet16-120", "imagenet16_120")):
        evaluator = opened(dataset)
        validator = evaluator.validator()
        (training, split), (tested, test_split) = SPLITS[prefix]
        seeds = (777, 888, 999)
        valid = np.array([from_official.final[(200, training, split, s)] for s in seeds])
        found = validator.validate(archs, fidelity=validator.fidelities[1])
        np.testing.assert_allclose(found.valid, np.nanmean(valid, axis=0), atol=HALF_UNIT, rtol=0)
        assert found.trainings is not None
        assert found.trainings[:4].tolist() == [2, 3, 2, 3]
        took = np.array([from_official.train_seconds[(200, training, s)] for s in seeds])
        np.testing.assert_allclose(found.seconds, np.nansum(took, axis=0), rtol=1e-12)
        np.testing.assert_allclose(found.measured["train_seconds"], np.nanmean(took, axis=0), rtol=1e-12)
        reading = validator.read(archs[1], validator.row(archs[1]), validator.fidelities[1], None)
        assert (reading.trainings, reading.missing) == (3, False)
        assert reading.seconds == pytest.approx(took[:, 1].sum(), rel=1e-12)
        test = np.array([from_official.final[(200, tested, test_split, s)] for s in seeds])
        np.testing.assert_allclose(
            evaluator.final_scores(archs, final="mean").scores, np.nanmean(test, axis=0), atol=HALF_UNIT, rtol=0
        )
        assert validator.records_seconds
        assert set(validator.known_after) == {"latency", "train_seconds"}


def test_a_single_seed_is_a_final_only_where_every_row_has_it(from_official: OfficialTable) -> None:
    evaluator = opened("cifar10")
    assert evaluator.task.finals == ("mean", "repeat:777")
    archs = [SPACE.parse(text) for text in from_official.architectures]
    expected = from_official.final[(200, "cifar10", "ori-test", 777)]
    found = evaluator.final_scores(archs, final="repeat:777").scores
    np.testing.assert_allclose(found, expected, atol=HALF_UNIT, rtol=0)
    with pytest.raises(HarnessError, match="repeat:999"):
        evaluator.final_scores(archs[:1], final="repeat:999")


def test_validation_seeds_of_an_official_table_reach_no_final(from_official: OfficialTable) -> None:
    evaluator = opened("cifar100")
    evaluator.final_scores(ARCHS[:1], final="mean")
    table = open_table(data_dir() / "nasbench201")
    finals = [np.array(table[name]) for name in table.meta.columns if "_test" in name]
    assert paths_to(evaluator.validator(), finals) == []


def no_time(table: OfficialTable) -> None:
    del table.train_seconds[(200, "cifar10-valid", 888)]


def test_seconds_are_recorded_only_where_every_training_has_them() -> None:
    found = official()
    no_time(found)
    columns = official_columns(Path("some.pth"), found)
    assert "cifar10_e200_seconds" not in columns
    assert "cifar10_e12_seconds" in columns
    assert "cifar100_e200_seconds" in columns


def no_cifar100(table: OfficialTable) -> None:
    for key in [key for key in table.final if key[1] == "cifar100"]:
        del table.final[key]


def no_repeat(table: OfficialTable) -> None:
    table.final[(12, "ImageNet16-120", "x-test", 111)][7] = np.nan


def other_network(table: OfficialTable) -> None:
    table.params["cifar10-valid"][3] += 0.01


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_cifar100, "architecture 0: no cifar100 x-valid after 12 epochs"),
        (no_repeat, "architecture 7: no ImageNet16-120 x-test after 12 epochs"),
        (other_network, "index 3: .* million cifar10 parameters"),
    ],
)
def test_an_official_file_that_is_not_whole_is_refused(damage: Callable[[OfficialTable], None], message: str) -> None:
    found = official()
    damage(found)
    with pytest.raises(DataError, match=message) as caught:
        official_columns(Path("some.pth"), found)
    assert "some.pth" in str(caught.value)


@pytest.mark.slow
def test_a_whole_file_in_the_official_layout_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All 15,625 architectures as NATS-Bench pickles them, with last-epoch accuracies only."""
    found = official()
    infos: dict[int, Any] = {
        i: {epochs: {"arch_index": i, "all_results": {}} for epochs in ("12", "200")} for i in range(len(ARCHS))
    }
    for (epochs, dataset, split, seed), column in found.final.items():
        for i, (value, params) in enumerate(zip(column.tolist(), found.params[dataset].tolist(), strict=True)):
            if value == value:
                new = {"epochs": epochs, "params": params, "flop": 1.0, "latency": [], "eval_acc1es": {}}
                training = infos[i][str(epochs)]["all_results"].setdefault((dataset, seed), new)
                training["eval_acc1es"][f"{split}@{epochs - 1}"] = value
    source = tmp_path / "NATS-tss-v9_9-test.pickle.pbz2"
    with bz2.open(source, "wb", compresslevel=1) as stream:
        pickle.dump({"meta_archs": list(found.architectures), "arch2infos": infos}, stream)
    import_table(source, tmp_path / "data")
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path / "data"))
    evaluator = opened("cifar100")
    archs = [SPACE.parse(text) for text in found.architectures]
    expected = np.nanmean([found.final[(200, "cifar100", "x-test", s)] for s in (777, 888, 999)], axis=0)
    np.testing.assert_allclose(evaluator.final_scores(archs, final="mean").scores, expected, atol=HALF_UNIT, rtol=0)
    assert evaluator.provenance()["version"] == "NATS-tss-v9_9-test"
    assert not evaluator.validator().records_seconds


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text("{}")
    with pytest.raises(DataError, match=r"table\.json: nasbench201 is imported from"):
        import_table(tmp_path / "table.json", tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        import_table(tmp_path / "no.json", tmp_path)


def test_import_reports_its_progress(invented: tuple[Path, Path], tmp_path: Path) -> None:
    seen: list[float] = []
    folder = import_table(invented[1], tmp_path, lambda what, done: seen.append(done))
    assert folder == tmp_path / "nasbench201"
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)


def test_the_data_set_is_announced(invented: tuple[Path, Path], tmp_path: Path) -> None:
    (data,) = PROTOCOL.datasets()
    assert data.present(invented[0])
    assert not data.present(tmp_path)
    assert data.make is import_table
    assert set(data.tasks) == {f"nasbench201/{d}" for d in DATASETS}
    assert data_dir(tmp_path) == tmp_path
