from __future__ import annotations

import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.errors import DataError, DataMissing, HarnessError, InvalidArchitecture
from harness.testing.reachability import paths_to
from harness_nasbench.nasbench_graph import NASBenchGraph, read_bench
from harness_nasbench.recorded import RecordedEvaluator
from harness_nasbench.spaces.nasbench_graph import NASBenchGraphSpace

SPACE = NASBenchGraphSpace()
PROTOCOL = NASBenchGraph()
TASKS = {task.name: task for task in PROTOCOL.tasks()}

needs_data = pytest.mark.skipif(PROTOCOL.package() is None, reason="nas-bench-graph is not installed")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def _in_data(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(data))


@pytest.fixture(scope="module")
def official() -> dict[int, dict[str, float]]:
    """Cora as the package itself reads it."""
    return dict(pytest.importorskip("nas_bench_graph").light_read("cora"))


def opened(name: str = "cora") -> RecordedEvaluator:
    return PROTOCOL.open(TASKS[f"nasbench-graph/{name}"])


def test_the_eight_tasks() -> None:
    assert [name.partition("/")[2] for name in TASKS] == [
        "cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv",
    ]  # fmt: skip
    assert all(task.finals == ("single",) and task.searchable and task.recorded for task in TASKS.values())


@needs_data
def test_scores_are_the_packages_in_percent(official: dict[int, dict[str, float]]) -> None:
    evaluator = opened()
    validator = evaluator.validator()
    archs = SPACE.sample(np.random.default_rng(0), 500, "encodings")
    entries = [official[int(SPACE.key(a))] for a in archs]
    (full,) = validator.fidelities
    found = validator.validate(archs, fidelity=full)
    assert found.valid == pytest.approx([100 * e["valid_perf"] for e in entries], abs=5.1e-10)
    assert found.measured["latency"].tolist() == [e["latency"] for e in entries]
    assert found.seconds is None
    assert evaluator.final_scores(archs, final="single").scores == pytest.approx(
        [100 * e["perf"] for e in entries], abs=5.1e-10
    )
    assert validator.costs(archs)["params"] == pytest.approx([1e6 * e["para"] for e in entries], abs=0.5)
    assert set(validator.costs([])) == {"params"}
    assert validator.known_after == ("latency",)
    tested = evaluator.validator("test").validate(archs, fidelity=full)
    assert tested.valid.tolist() == evaluator.final_scores(archs, final="single").scores.tolist()


@needs_data
def test_coras_scores_are_means_of_three_trainings() -> None:
    """Cora is tested on 1,000 nodes, so that the scores are multiples of a third of a thousandth, and of no more."""
    counts = opened().truth("single").final / 100 * 3000
    assert np.abs(counts - counts.round()).max() < 1e-6
    assert np.abs(counts / 3 - (counts / 3).round()).max() > 0.3


@needs_data
def test_isomorphic_architectures_share_a_row() -> None:
    validator = opened().validator()
    a, b = SPACE.parse("[0,0,0,1]|gcn,gat,fc,sage"), SPACE.parse("[0,0,0,1]|gcn,fc,gat,sage")
    assert validator.row(a) == validator.row(b)
    assert validator.rows == 26_206


@needs_data
@pytest.mark.parametrize("name", [task.partition("/")[2] for task in TASKS])
def test_every_task_opens_with_its_own_scores(name: str) -> None:
    evaluator = opened(name)
    truth = evaluator.truth("single")
    assert truth.final.shape == (26_206,)
    assert not np.isnan(truth.final).any()
    assert 0 < truth.final.min() < truth.final.max() <= 100
    assert truth.valid is not None
    assert np.corrcoef(truth.valid, truth.final)[0, 1] > 0.3
    assert evaluator.provenance()["source"] == f"light/{name}.bench"
    assert [SPACE.key(truth.architectures[row]) for row in (0, 26_205)] == [SPACE.enumeration.keys[r] for r in (0, -1)]


@needs_data
def test_truth_means_follow_the_laws(official: dict[int, dict[str, float]]) -> None:
    truth = opened().truth("single")
    uniform = np.mean([100 * e["perf"] for e in official.values()])
    assert truth.mean_std("rows")[0] == pytest.approx(uniform, abs=1e-9)
    assert truth.mean_std("classes")[0] == pytest.approx(uniform, abs=1e-9)
    encodings = np.mean([100 * official[int(key)]["perf"] for key in SPACE.keys(list(SPACE.enumerate()))])
    assert truth.mean_std("encodings")[0] == pytest.approx(encodings, abs=1e-9)


@needs_data
def test_opening_again_takes_milliseconds_and_does_not_import_the_package() -> None:
    opened()
    code = (
        "import sys; from harness_nasbench.nasbench_graph import NASBenchGraph as P;"
        "p = P(); t = list(p.tasks())[0]; e = p.open(t); v = e.validator(); print(v.validate([(0, 0, 0, 0, 0)],"
        "fidelity=v.fidelities[0]).valid[0]); assert not {'nas_bench_graph', 'torch', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout) < 100
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        opened().validator()
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.05


@needs_data
def test_parallel_first_openings_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path))
    code = (
        "from harness_nasbench.nasbench_graph import NASBenchGraph as P; p = P();"
        "print(p.open(list(p.tasks())[0]).data_digest)"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    digests = {w.communicate()[0] for w in workers}
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64
    assert [p.name for p in (tmp_path / "nasbench-graph").iterdir()] == ["cora"]


@needs_data
def test_no_final_score_can_be_reached_from_a_validator() -> None:
    evaluator = opened()
    final = evaluator.truth("single").final
    assert paths_to(evaluator.validator(), [final]) == []
    assert paths_to(evaluator, [final]) != []


@needs_data
def test_a_table_of_another_package_version_is_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert opened("photo").provenance()["version"] == PROTOCOL.version()
    monkeypatch.setattr(NASBenchGraph, "version", lambda self: "99.0")
    assert opened("photo").provenance()["version"] == "99.0"


def test_without_package_and_table_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path))
    monkeypatch.setattr(NASBenchGraph, "data", replace(NASBenchGraph.data, package="no_such_package"))
    task = TASKS["nasbench-graph/cora"]
    assert "pip install nas-harness[graph]" in (PROTOCOL.missing(task) or "")
    with pytest.raises(DataMissing, match=r"pip install nas-harness\[graph\]"):
        PROTOCOL.open(task)
    assert list(tmp_path.iterdir()) == []


@needs_data
def test_a_written_table_does_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = opened().data_digest
    monkeypatch.setattr(NASBenchGraph, "data", replace(NASBenchGraph.data, package="no_such_package"))
    assert PROTOCOL.missing(TASKS["nasbench-graph/cora"]) is None
    assert opened().data_digest == expected


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (__import__("os").mkdir, (str(self.path),))


@needs_data
def test_torn_foreign_and_hostile_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, official: dict[int, dict[str, float]]
) -> None:
    package = PROTOCOL.package()
    assert package is not None
    whole = (package / "light" / "cora.bench").read_bytes()
    first = next(iter(official))
    cases = {
        "truncated": whole[: len(whole) // 2],
        "hostile": pickle.dumps(Hostile(tmp_path / "pwned")),
        "empty": b"",
        "list": pickle.dumps([1, 2]),
        "missing": pickle.dumps({k: v for k, v in official.items() if k != first}),
        "foreign": pickle.dumps({k + 1: v for k, v in official.items()}),
        "nan": pickle.dumps(official | {first: official[first] | {"perf": float("nan")}}),
        "percent": pickle.dumps(official | {first: official[first] | {"perf": 79.7}}),
        "field": pickle.dumps(official | {first: {"valid_perf": 0.5}}),
        "text": pickle.dumps(official | {first: official[first] | {"para": "1.7"}}),
    }
    fake = tmp_path / "imported_by_nobody"
    (fake / "light").mkdir(parents=True)
    (fake / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path / "data"))
    monkeypatch.syspath_prepend(fake.parent)
    monkeypatch.setattr(NASBenchGraph, "data", replace(NASBenchGraph.data, package=fake.name))
    for name, content in cases.items():
        (fake / "light" / "cora.bench").write_bytes(content)
        with pytest.raises(DataError, match=r"cora\.bench"):
            opened()
        assert not (tmp_path / "pwned").exists(), name
        assert not (tmp_path / "data" / "nasbench-graph").exists() or not list(
            (tmp_path / "data" / "nasbench-graph").iterdir()
        ), name
    (fake / "light" / "cora.bench").write_bytes(whole)
    assert read_bench(fake / "light" / "cora.bench")["valid"].max() < 100


@needs_data
def test_wrong_questions_are_refused() -> None:
    evaluator = opened()
    validator = evaluator.validator()
    with pytest.raises(InvalidArchitecture):
        validator.row((0, 8, 8, 8, 8))
    with pytest.raises(InvalidArchitecture):
        validator.identity([(0, 0, 0, 0, 0), (0, 9, 9, 9, 9)])
    with pytest.raises(HarnessError, match="mean"):
        evaluator.final_scores([(0, 0, 0, 0, 0)], final="mean")
    with pytest.raises(HarnessError, match="train"):
        evaluator.validator("train")
