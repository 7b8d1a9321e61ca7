"""NAS-Bench-301 as a protocol: the YAHPO surrogate where the data is, else a small model with the same interface."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from small_surrogate import build
from written_xgboost import write_booster

from harness.cli import main
from harness.data.tables import Table, open_table
from harness.errors import DataError, DataMissing, HarnessError, InvalidArchitecture
from harness.search.budget import Budget
from harness.search.oracle import Oracle
from harness.testing.conformance import check_protocol
from harness_nasbench.formats import darts_cells
from harness_nasbench.formats import nasbench301 as official
from harness_nasbench.formats.trees import Forest, Tree
from harness_nasbench.nasbench301 import NASBench301
from harness_nasbench.nasbench301_ensembles import Ensembles, predictions, read_member
from harness_nasbench.nasbench301_import import import_table
from harness_nasbench.spaces.darts import DartsSpace
from harness_nasbench.surrogate import SurrogateEvaluator, row_of

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

PROTOCOL = NASBench301()
SPACE = DartsSpace()
TASKS = {task.name: task for task in PROTOCOL.tasks()}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model with invented answers."""
    folder = tmp_path_factory.mktemp("yahpo")
    (folder / "surrogate.onnx").write_bytes(build().SerializeToString())
    return folder


@pytest.fixture
def opened(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SurrogateEvaluator:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path))
    import_table(small, tmp_path)
    return PROTOCOL.open(TASKS["nasbench301/yahpo"])


WRITTEN = Path(__file__).resolve().parent.parent / "data" / "nasbench301"
"""Small boosters as the libraries of 2020 pickled them, with invented targets, and their predictions."""


def models(base: Path, runtime: bool = True) -> Path:
    """A folder laid out as ``nb_models_1.0`` is: two xgb members, a runtime member, and a graph network."""
    members = {"xgb_v1.0/surrogate_0": ("xgb", "xgboost_1.0.2"), "xgb_v1.0/surrogate_1": ("xgb", "xgboost_1.2.1")}
    members |= {"gnn_gin_v1.0/surrogate_0": ("gnn_gin", "lightgbm_2.3.1")}
    members |= {"lgb_runtime_v1.0/surrogate_0": ("lgb_time", "lightgbm_2.3.1")} if runtime else {}
    for path, (kind, file) in members.items():
        (base / path).mkdir(parents=True)
        shutil.copy(WRITTEN / f"{file}.model", base / path / "surrogate_model.model")
        (base / path / "model_config.json").write_text(json.dumps({"model": kind}))
        (base / path / "data_config.json").write_text("{}")
    return base


def members(folder: Path, kind: str) -> list[Forest]:
    return [official.read_member(file, kind=kind) for file in sorted(folder.rglob("surrogate_model.model"))]


def pickled(trees: list[Tree]) -> bytes:
    """A pickled Booster of these trees, put together by opcodes."""
    state = pickle.dumps({"handle": write_booster(trees, features=56, base=0.5)}, 2)[2:-1]
    return b"\x80\x02cxgboost.core\nBooster\n)\x81" + state + b"b."


def sample(n: int, seed: int = 0) -> list[tuple[int, ...]]:
    return SPACE.sample(np.random.default_rng(seed), n)


def swapped(arch: tuple[int, ...]) -> tuple[int, ...]:
    """A normal cell whose nodes 2 and 3 both read the two inputs, with those two nodes exchanged, and so all that
    reads them: another encoding of the same network."""
    g = SPACE.genotype(arch)
    assert [p for _, p in g.normal[:4]] == [0, 1, 0, 1]
    other = {2: 3, 3: 2}
    rest = [(op, other.get(p, p)) for op, p in g.normal[4:]]
    return SPACE.from_genotype(g._replace(normal=[*g.normal[2:4], *g.normal[:2], *rest])._asdict())


def test_answers_are_those_of_the_unchanged_file(shared_data: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path))
    source = shared_data / "nasbench301_yahpo"
    import_table(source, tmp_path)
    evaluator = PROTOCOL.open(TASKS["nasbench301/yahpo"])
    validator = evaluator.validator()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = onnxruntime.InferenceSession(str(source / "surrogate.onnx"), options, providers=["CPUExecutionProvider"])
    encoding = json.loads((source / "encoding.json").read_text())
    names = [f"edge_{kind}_{i}" for kind in ("normal", "reduce") for i in range(14)]
    names += [f"inputs_node_{kind}_{i}" for kind in ("normal", "reduce") for i in (3, 4, 5)]
    archs = sample(20)
    for arch in archs:
        config = SPACE.config(arch)
        row = [
            encoding[(darts_cells.PREFIX + name).replace(":", "_COLON_")][config.get(darts_cells.PREFIX + name, "#na#")]
            for name in names
        ]
        for fidelity in validator.fidelities:
            assert fidelity.epochs is not None
            inputs = {"x_cat": np.array([row], dtype=np.int32), "x_cont": np.array([[fidelity.epochs]], np.float32)}
            ((accuracy, seconds),) = model.run(None, inputs)[0].tolist()
            reading = validator.read(arch, validator.row(arch), fidelity, None)
            assert (reading.valid, reading.seconds) == (accuracy, seconds)
    full = validator.fidelities[-1]
    final = evaluator.final_scores(archs, final="single").scores
    assert final.tolist() == validator.validate(archs, fidelity=full).valid.tolist()
    assert evaluator.provenance()["version"] == "YAHPO Gym v1"
    (data,) = PROTOCOL.datasets()
    assert data.answers is not None
    assert all(a.holds for a in data.answers(open_table(tmp_path / "nasbench301" / "yahpo")))


def test_it_conforms(opened: SurrogateEvaluator) -> None:
    report = check_protocol(PROTOCOL, tasks=["nasbench301/yahpo"])
    assert report.ok, str(report)


def test_no_test_score_exists_and_it_says_so(opened: SurrogateEvaluator) -> None:
    assert opened.final_split == "valid"
    assert opened.columns == ("validation",)
    assert opened.truth("single") is None
    assert opened.sampling_draws == 10_000
    assert opened.provenance()["splits"]["test"].startswith("none")
    assert opened.provenance()["version"].startswith("unknown")
    with pytest.raises(HarnessError, match="cannot be searched on 'test'"):
        opened.validator("test")


def test_a_row_is_a_network_up_to_isomorphism(opened: SurrogateEvaluator) -> None:
    validator = opened.validator()
    archs = [a for a in sample(3000) if a[2] == 0][:200]
    rows = validator.identity(archs)
    twins = [swapped(a) for a in archs]
    assert validator.identity(twins).tolist() == rows.tolist()
    keys = SPACE.keys(archs)
    assert len(set(zip(keys, rows.tolist(), strict=True))) == len(set(keys)) == len(set(rows.tolist()))
    largest = max(row_of(tuple(len(c.options) - 1 for c in SPACE.choices)), int(rows.max()))
    assert 0 <= int(rows.min()) <= largest < 1_076_746_950_455_072_400
    oracle = Oracle(validator, Budget(queries=10))
    differing = next((a, t) for a, t in zip(archs, twins, strict=True) if a != t)
    assert oracle.query(differing[0]) == oracle.query(differing[1])
    assert oracle.paid[0] == 1


def test_epochs_and_seconds_resume(opened: SurrogateEvaluator) -> None:
    validator = opened.validator()
    (arch,) = sample(1)
    first, *_, full = validator.fidelities
    seconds = [float(validator.validate([arch], fidelity=f).seconds[0]) for f in (first, full)]  # type: ignore[index]
    oracle = Oracle(validator, Budget(seconds=1e9))
    oracle.query(arch, fidelity=first)
    assert oracle.paid == (1, 12.0, pytest.approx(seconds[0]))
    oracle.query(arch)
    assert oracle.paid == (2, 98.0, pytest.approx(max(seconds)))


def test_wrong_architectures_are_refused(opened: SurrogateEvaluator) -> None:
    validator = opened.validator()
    for bad in ((0,) * 21, (*(0,) * 21, 9), "x"):
        with pytest.raises(InvalidArchitecture):
            validator.row(bad)  # type: ignore[arg-type]
        with pytest.raises(InvalidArchitecture):
            opened.final_scores([bad], final="single")  # type: ignore[list-item]


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path))
    with pytest.raises(DataMissing, match="nas-harness data import nasbench301 PATH"):
        PROTOCOL.open(TASKS["nasbench301/yahpo"])


@pytest.mark.parametrize("packed", [False, True])
def test_official_ensembles(
    packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path / "data"))
    source = models(tmp_path / "nb_models_1.0")
    if packed:
        source = Path(shutil.make_archive(str(tmp_path / "nasbench301_models_v1.0"), "zip", source))
    assert main(["data", "import", "nasbench301", str(source)]) == 0
    assert "tasks here: nasbench301/xgb, nasbench301/xgb@noise\n" in capsys.readouterr().out
    assert main(["data", "list"]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("nasbench301 "))
    assert row.split()[1:3] == ["xgb,", "xgb@noise"]
    assert [p.name for p in (tmp_path / "data" / "nasbench301").iterdir()] == ["xgb"]
    evaluator = PROTOCOL.open(TASKS["nasbench301/xgb"])
    validator = evaluator.validator()
    archs = sample(50)
    rows = official.encode(SPACE.as_cells(archs))
    read = members(tmp_path / "nb_models_1.0" / "xgb_v1.0", "xgb")
    (full,) = validator.fidelities
    found = validator.validate(archs, fidelity=full)
    assert found.valid.tolist() == predictions(read, rows).mean(axis=0).tolist()
    timed = members(tmp_path / "nb_models_1.0" / "lgb_runtime_v1.0", "lgb_time")
    assert found.seconds is not None
    assert found.seconds.tolist() == predictions(timed, rows).mean(axis=0).tolist()
    assert evaluator.provenance()["version"] == "1.0"
    with pytest.raises(DataMissing, match="'lgb' is not imported"):
        PROTOCOL.open(TASKS["nasbench301/lgb"])


def test_predictions_survive_the_table_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the libraries that wrote the boosters answered, after the import."""
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path))
    import_table(models(tmp_path / "nb_models_1.0"), tmp_path)
    table = open_table(tmp_path / "nasbench301" / "xgb")
    answers = [json.loads((WRITTEN / f"{name}.json").read_text()) for name in ("xgboost_1.0.2", "xgboost_1.2.1")]
    answers.append(json.loads((WRITTEN / "lightgbm_2.3.1.json").read_text()))
    for member, known in zip(table.meta.facts["members"], answers, strict=True):
        assert read_member(table, member).predict(known["rows"]).tolist() == known["predictions"]


def test_noise_is_the_members_spread_and_not_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path))
    source = models(tmp_path / "nb_models_1.0", runtime=False)
    stump = Tree(*(np.array(x) for x in ([1, -1, -1], [2, -1, -1], [10, 0, 0], [3.0, 0, 0], [0, -0.25, 0.75])))
    (source / "xgb_v1.0/surrogate_1/surrogate_model.model").write_bytes(pickled([stump]))
    import_table(source, tmp_path)
    plain, noisy = (PROTOCOL.open(TASKS[f"nasbench301/xgb{v}"]) for v in ("", "@noise"))
    archs = sample(2000)
    (full,) = noisy.validator().fidelities
    found = noisy.validator().validate(archs, fidelity=full)
    assert found.seconds is None
    assert not noisy.validator().records_seconds
    again = PROTOCOL.open(TASKS["nasbench301/xgb@noise"]).validator()
    assert [again.read(a, 0, full, None).valid for a in archs[:20]] == found.valid[:20].tolist()
    mean = plain.final_scores(archs, final="single").scores
    assert noisy.final_scores(archs, final="single").scores.tolist() == mean.tolist()
    rows = official.encode(SPACE.as_cells(archs))
    spread = predictions(members(tmp_path / "nb_models_1.0" / "xgb_v1.0", "xgb"), rows).std(axis=0)
    apart = spread > 0
    assert apart.mean() > 0.9
    standard = (found.valid - mean)[apart] / spread[apart]
    assert abs(standard.mean()) < 4 / len(standard) ** 0.5
    assert standard.std() == pytest.approx(1, abs=4 / (2 * len(standard)) ** 0.5)
    state = np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    noisy.validator().validate(archs[:3], fidelity=full)
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index]  # noqa: NPY002


def test_ensembles_conform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path))
    import_table(models(tmp_path / "nb_models_1.0"), tmp_path)
    report = check_protocol(PROTOCOL, tasks=["nasbench301/xgb", "nasbench301/xgb@noise"])
    assert report.ok, str(report)


def test_a_table_that_holds_no_ensemble_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path))
    import_table(models(tmp_path / "nb_models_1.0"), tmp_path)
    table = open_table(tmp_path / "nasbench301" / "xgb")
    (first, *others) = table.meta.facts["members"]
    for bad in ({"nodes": [1, 5]}, {"depth": 1 << 40}, {"dtype": "object"}, {"predicts": "test"}):
        meta = msgspec.structs.replace(table.meta, facts={"surrogate": "xgb", "members": [first | bad, *others]})
        with pytest.raises(DataError, match="not an ensemble of NAS-Bench-301"):
            Ensembles(Table(table.folder, meta))


def damaged(folder: Path, small: Path) -> dict[str, Path]:
    """Files that are not what they say, by what is wrong with them."""
    good = (small / "surrogate.onnx").read_bytes()
    found = {name: folder / name for name in ("cut.onnx", "text.onnx", "table.csv", "empty.onnx", "bomb.zip")}
    found |= {name: folder / name for name in ("slip.zip", "other.zip", "code.zip", "cut.zip", "flipped.zip")}
    found["cut.onnx"].write_bytes(good[: len(good) // 2])
    found["text.onnx"].write_bytes(b"PK\x03\x04 not a model")
    found["table.csv"].write_text("arch,test\n")
    found["empty.onnx"].write_bytes(b"")
    with zipfile.ZipFile(found["bomb.zip"], "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nb_models/xgb_v1.0/surrogate_model.model", bytes(1 << 24))
        archive.writestr("nb_models/xgb_v1.0/model_config.json", bytes(1 << 24))
    with zipfile.ZipFile(found["slip.zip"], "w") as archive:
        archive.writestr("../../surrogate_model.model", b"")
        archive.writestr("../../model_config.json", '{"model": "xgb"}')
    with zipfile.ZipFile(found["other.zip"], "w") as archive:
        archive.writestr("nb_models/gnn_gin_v1.0/surrogate_model.model", b"")
        archive.writestr("nb_models/gnn_gin_v1.0/model_config.json", '{"model": "gnn_gin"}')
    with zipfile.ZipFile(found["code.zip"], "w") as archive:
        archive.writestr("nb_models/xgb_v1.0/surrogate_model.model", b"\x80\x02cos\nsystem\nU\x04trueq\x00\x85R.")
        archive.writestr("nb_models/xgb_v1.0/model_config.json", '{"model": "xgb"}')
    found["cut.zip"].write_bytes(found["code.zip"].read_bytes()[:-30])
    with zipfile.ZipFile(found["flipped.zip"], "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nb_models/xgb_v1.0/surrogate_model.model", bytes(range(256)))
        archive.writestr("nb_models/xgb_v1.0/model_config.json", '{"model": "xgb"}')
    flipped = bytearray(found["flipped.zip"].read_bytes())
    flipped[30 + len("nb_models/xgb_v1.0/surrogate_model.model")] ^= 0xFF  # the first byte behind the member's header
    found["flipped.zip"].write_bytes(flipped)
    found["other"] = folder / "other"
    found["other"].mkdir()
    shutil.copy(small / "surrogate.onnx", found["other"])
    (found["other"] / "encoding.json").write_text('{"edge_normal_0": {"#na#": 0}}')
    found["nothing"] = folder / "nothing"
    found["nothing"].mkdir()
    return found


def test_bad_imports_change_nothing(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv("NAS_HARNESS_DATA", str(data))
    assert main(["data", "import", "nasbench301", str(small)]) == 1  # whole, but not the published model
    assert "published with YAHPO Gym v1 (1: yes): published 1, found 0" in capsys.readouterr().err
    before = {p: p.read_bytes() for p in data.rglob("*") if p.is_file()}
    folder = tmp_path / "bad"
    folder.mkdir()
    for name, path in damaged(folder, small).items():
        assert main(["data", "import", "nasbench301", str(path)]) == 2, name
        said = capsys.readouterr().err
        assert str(path) in said.replace("\n", ""), said
        assert "Traceback" not in said
        assert {p: p.read_bytes() for p in data.rglob("*") if p.is_file()} == before, name
        assert [p.name for p in (data / "nasbench301").iterdir()] == ["yahpo"]


def test_the_model_of_another_number_of_categories_is_refused(tmp_path: Path, shared_data: Path) -> None:
    source = shared_data / "nasbench301_yahpo"
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(source / "surrogate.onnx", folder)
    encoding = json.loads((source / "encoding.json").read_text())
    key = next(k for k in encoding if k.endswith("edge_reduce_3"))
    encoding[key]["skip_connect"], encoding[key]["sep_conv_5x5"] = 6, 7
    (folder / "encoding.json").write_text(json.dumps(encoding))
    with pytest.raises(HarnessError, match="edge_reduce_3 has the categories"):
        import_table(folder, tmp_path / "data")
    assert not (tmp_path / "data").exists()
