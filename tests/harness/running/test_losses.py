"""What is lost is no outcome: workers, coordinators and clusters that are killed, and runs that break their limits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from distributions import install
from leftovers import assert_gone, new_mark
from studies import Notes, comparable, run, study

from harness import hookimpl
from harness.cli import main
from harness.errors import HarnessError
from harness.records.store import FILES, read_folder
from harness.registry import Registry
from harness.running.execution import Done, Lost, Serial, Work
from harness.running.folder import LOGS
from harness.running.items import Item
from harness.running.study import MATCHED

ROOT = Path(__file__).resolve().parents[3]
STUDY = """
name = "s"
seed = 3
seeds = 12
reference_seeds = 4
budget = { queries = 12 }
tasks = [{ name = "toy/edges" }]
strategies = [{ name = "toy-slow" }]
"""
"""Long enough that a kill after six records finds it under way."""


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    return new_mark(monkeypatch)


def lossy(toy: Registry, losses: dict[str, int]) -> list[int]:
    """An executor that loses an item as often as its strategy says; how many items it was given each time."""
    given: list[int] = []

    class Lossy(Serial):
        """Loses what it is told to lose."""

        name = "lossy"

        def execute(self, items: Iterable[Item], work: Work, *, started: Any) -> Iterator[Done | Lost]:
            items = list(items)
            given.append(len(items))
            for item in items:
                if losses.get(item.title, 0) > 0:
                    losses[item.title] -= 1
                    yield Lost(item, "the lights went out")
                else:
                    yield from super().execute([item], work, started=started)

    toy.register(SimpleNamespace(nas_harness_executors=hookimpl(lambda: [Lossy])), "lossy")
    return given


def test_what_is_lost_twice_is_carried_out_a_third_time_alone(toy: Registry, tmp_path: Path) -> None:
    _, expected = run(toy, tmp_path / "a", study("toy-sampler", seeds=3))
    given = lossy(toy, {f"toy-sampler on toy/edges, seed {seed}": times for seed, times in enumerate((2, 2, 1))})
    listener = Notes()
    summary, runs = run(toy, tmp_path / "b", study("toy-sampler", seeds=3), executor="lossy", listener=listener)
    assert given == [4, 3, 1, 1]
    assert (summary.failed, summary.stopped) == ([], None)
    assert comparable(runs) == comparable(expected)
    assert listener.notes == [
        f"{n} lost and carried out again; the last: toy-sampler on toy/edges, seed {seed}: the lights went out"
        for n, seed in (("3 items", 2), ("2 items", 1))
    ]


def test_what_is_lost_three_times_ends_the_study_without_a_record_and_the_next_call_goes_on(
    toy: Registry, tmp_path: Path
) -> None:
    lossy(toy, {"toy-sampler on toy/edges, seed 1": 3})
    summary, runs = run(toy, tmp_path, study("toy-sampler"), executor="lossy")
    assert summary.stopped == (
        "toy-sampler on toy/edges, seed 1 was lost 3 times, the last time alone: the lights went out"
    )
    assert (summary.finished, summary.failed, len(runs)) == (3, [], 3)
    assert b"lights" not in (tmp_path / "s" / "searches.jsonl").read_bytes()
    summary, runs = run(toy, tmp_path, study("toy-sampler"), executor="lossy")
    assert (summary.stopped, summary.already, summary.finished, len(runs)) == (None, 3, 1, 4)


# -- runs that break their limits --------------------------------------------------------------------------------------


@pytest.fixture
def corpus(toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The toy plugin and the strategies that misbehave, here and in workers."""
    folder = tmp_path / "installed"
    install(folder, "misbehaving", load="misbehaving.strategies")
    monkeypatch.syspath_prepend(str(folder))
    path = [str(folder), str(ROOT / "tests"), os.environ["PYTHONPATH"]]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setenv("NAS_HARNESS_PLUGINS", "toy,misbehaving")
    return Registry()


def test_what_breaks_its_limits_or_ends_its_process_is_a_failed_run_by_name(
    corpus: Registry, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = study("allocates", "hangs", "exits-at-once", "prints-without-end", seeds=1, reference_seeds=1)
    options = {"executor": "process", "jobs": 2, "run_timeout": 20.0, "run_memory": 300 << 20}
    summary, runs = run(corpus, tmp_path, given, **options)
    assert summary.stopped is None
    said = {r.entry.label: (r.status, r.error, r.search.ended_by) for r in runs if r.failed}
    assert said == {
        "allocates": ("failed", "took more memory than 300 MiB", "memory"),
        "hangs": ("timeout", "took longer than 20 s", "timeout"),
        "exits-at-once": ("failed", "it ended its process with exit status 0 before it had an outcome", "ended"),
    }
    assert capfd.readouterr().out == ""
    (log,) = (summary.folder / LOGS).iterdir()
    printer = next(r for r in runs if r.entry.label == "prints-without-end")
    assert log.name == f"{printer.search.id}.log"
    assert 1 << 20 <= log.stat().st_size <= (1 << 20) + 100


@pytest.mark.slow
def test_sound_strategies_among_strategies_that_misbehave_leave_the_records_that_they_leave_alone(
    corpus: Registry, tmp_path: Path, mark: str
) -> None:
    from misbehaving.strategies import STRATEGIES

    sound = ("toy-sampler", "toy-returner", "toy-slow")
    expected: dict[str, bytes] = {}
    for name in sound:
        _, alone = run(corpus, tmp_path / name, study(name), executor="process", jobs=1)
        expected |= comparable(alone)
    names = [s.name for s in STRATEGIES]
    mixed = [n for i, name in enumerate(names) for n in ([name, sound[i // 8]] if i % 8 == 0 and i < 24 else [name])]
    summary, runs = run(
        corpus, tmp_path / "mixed", study(*mixed), executor="process", jobs=2, run_timeout=10.0, run_memory=400 << 20
    )
    assert comparable(r for r in runs if r.entry.label in (*sound, MATCHED)) == expected
    assert summary.stopped is None
    assert Counter(r.entry.label for r in runs) == dict.fromkeys((*names, *sound, MATCHED), 2)
    assert_gone(mark)


def test_a_limit_below_what_a_run_needs_is_refused_before_anything_is_written(toy: Registry, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="a run may hold 1 MiB, but its process holds"):
        run(toy, tmp_path, study("toy-sampler"), executor="process", run_memory=1 << 20)
    assert not (tmp_path / "s").exists()


# -- kills -------------------------------------------------------------------------------------------------------------


def words(results: Path, *more: str) -> list[str]:
    """The command that carries the study out."""
    results.mkdir(parents=True, exist_ok=True)
    file = results / "study.toml"
    file.write_text(STUDY)
    return ["run", str(file), "--results", str(results), "--quiet", *more]


def start(results: Path, *more: str) -> subprocess.Popen[bytes]:
    code = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", code, *words(results, "--jobs", "2", *more)],
        start_new_session=True,
        stderr=subprocess.PIPE,
    )


def lines(results: Path) -> int:
    file = results / "s" / "searches.jsonl"
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def wait_for(process: subprocess.Popen[bytes], results: Path, n: int) -> None:
    deadline = time.monotonic() + 120
    while lines(results) < n and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.poll() is None


def records(results: Path) -> dict[str, Any]:
    """Every record as JSON without what may differ; each id once, and nothing torn."""
    found: dict[str, Any] = {}
    count: Counter[str] = Counter()
    for name in FILES.values():
        file = results / "s" / name
        for line in file.read_text().splitlines() if file.is_file() and name != "plans.jsonl" else ():
            record = json.loads(line)
            found[record["id"]] = {k: v for k, v in record.items() if k not in ("timing", "environment")}
            count[record["id"]] += 1
    assert set(count.values()) == {1}
    assert read_folder(results / "s").problems == []
    return found


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The records of a study that nobody killed."""
    with pytest.MonkeyPatch.context() as patch:
        folder = str(ROOT / "tests" / "toy")
        patch.syspath_prepend(folder)
        patch.setenv("NAS_HARNESS_PLUGINS", "toy")
        results = tmp_path_factory.mktemp("expected")
        assert resume(results) == 0
        yield records(results)


def resume(results: Path) -> int:
    from harness.registry import default_registry

    default_registry.cache_clear()
    try:
        return main(words(results, "--executor", "serial"))
    finally:
        default_registry.cache_clear()


VICTIMS = ("coordinator", "template", "keeper", "child")


def kill(victim: str, coordinator: int) -> None:
    """With SIGKILL, once it is there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if victim == "coordinator":
                return os.kill(coordinator, signal.SIGKILL)
            templates = psutil.Process(coordinator).children()
            keepers = [k for t in templates for k in t.children()]
            there = {"template": templates, "keeper": keepers, "child": [c for k in keepers for c in k.children()]}
            if there[victim]:
                return os.kill(there[victim][0].pid, signal.SIGKILL)
        except (psutil.Error, ProcessLookupError):
            continue
        time.sleep(0.005)
    raise AssertionError(f"there is no {victim}")


def kill_at_random(seed: int, results: Path, mark: str, expected: dict[str, Any]) -> None:
    """Somebody, some time; one resume gives the full set."""
    rng = np.random.default_rng(seed)
    victim = VICTIMS[seed % len(VICTIMS)]
    with start(results) as process:
        wait_for(process, results, int(rng.integers(1, 7)))
        time.sleep(float(rng.uniform(0, 0.3)))
        kill(victim, process.pid)
        _, said = process.communicate(timeout=120)
    assert (process.returncode, said) == ((-9, b"") if victim == "coordinator" else (0, b""))
    assert_gone(mark)
    if victim != "coordinator":
        assert records(results) == expected, "nothing was missing even before it was resumed"
    assert resume(results) == 0
    assert records(results) == expected


@pytest.mark.parametrize("seed", range(2))
def test_one_resume_after_a_random_kill_gives_the_full_set(
    toy: Registry, tmp_path: Path, seed: int, mark: str, expected: dict[str, Any]
) -> None:
    kill_at_random(seed, tmp_path, mark, expected)


@pytest.mark.measure
@pytest.mark.timeout(3600)
def test_one_resume_after_each_of_fifty_random_kills_gives_the_full_set(
    toy: Registry, tmp_path: Path, mark: str, expected: dict[str, Any]
) -> None:
    for seed in range(34):
        kill_at_random(seed, tmp_path / str(seed), mark, expected)
    for seed in range(16):
        kill_of_cluster(seed, tmp_path / f"cluster-{seed}", mark, expected)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_leave_whole_records_and_no_process(
    toy: Registry, tmp_path: Path, number: signal.Signals, mark: str, expected: dict[str, Any]
) -> None:
    with start(tmp_path) as process:
        wait_for(process, tmp_path, 2)
        os.killpg(process.pid, number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"interrupted\n" in said
    assert b"of 16 runs are kept" in said
    assert_gone(mark)
    assert 2 <= len([r for r in records(tmp_path).values() if "queries_sha256" in r]) < 16
    assert resume(tmp_path) == 0
    assert records(tmp_path) == expected


# -- clusters ----------------------------------------------------------------------------------------------------------


class Cluster:
    """A Dask scheduler and two workers, each a process."""

    def __init__(self, folder: Path, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--scheduler-file", str(self.file), "--port", "0", "--no-dashboard")
        deadline = time.monotonic() + 60
        while not (self.file.is_file() and self.file.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.address = json.loads(self.file.read_text())["address"]
        words = ("worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0")
        self.workers = [self._start(*words, "--local-directory", str(folder), **environment) for _ in range(2)]

    def _start(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        module = {"scheduler": "dask_scheduler", "worker": "dask_worker"}[words[0]]
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *words[1:]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


def kill_of_cluster(seed: int, results: Path, mark: str, expected: dict[str, Any]) -> None:
    """Its scheduler, one of its workers, or the coordinator."""
    rng = np.random.default_rng(seed)
    victim = ("scheduler", "worker", "coordinator")[seed % 3]
    with Cluster(results / "dask") as cluster:
        with start(results, "--executor", "dask", "--cluster", cluster.address) as process:
            wait_for(process, results, int(rng.integers(1, 7)))
            time.sleep(float(rng.uniform(0, 0.3)))
            {"scheduler": cluster.scheduler, "worker": cluster.workers[0], "coordinator": process}[victim].kill()
            _, said = process.communicate(timeout=120)
        if victim == "worker":
            assert process.returncode == 0, said
            assert records(results) == expected
        elif victim == "scheduler":
            assert process.returncode == 3, said
            assert b"stopped: the Dask scheduler at tcp://" in said
        if victim == "coordinator":
            templates = [p for w in cluster.workers for p in psutil.Process(w.pid).children()]
            _, left = psutil.wait_procs(templates, timeout=30)
            assert left == [], "processes of a study whose coordinator is gone"
    assert_gone(mark)
    assert resume(results) == 0
    assert records(results) == expected


@pytest.mark.measure
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(3))
def test_one_resume_after_a_part_of_a_cluster_is_killed_gives_the_full_set(
    toy: Registry, tmp_path: Path, seed: int, mark: str, expected: dict[str, Any]
) -> None:
    pytest.importorskip("distributed")
    kill_of_cluster(seed, tmp_path, mark, expected)


def test_workers_without_a_plugin_are_refused_by_name_before_anything_is_written(toy: Registry, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    bare = os.pathsep.join(p for p in os.environ["PYTHONPATH"].split(os.pathsep) if not p.endswith("toy"))
    with Cluster(tmp_path / "dask", PYTHONPATH=bare) as cluster:
        wanted = "(?s)worker tcp://.*unknown strategy 'toy-sampler'"
        with pytest.raises(HarnessError, match=wanted):
            run(toy, tmp_path, study("toy-sampler"), executor="dask", cluster=cluster.address)
    assert not (tmp_path / "s").exists()
