"""The Dask executor: the same records as serial, and what becomes of runs that hang and workers that die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.errors import HarnessError
from harness.records.store import Record, read_records
from harness.registry import Registry
from harness.running.campaign import Summary, run_study
from harness.running.study import MATCHED, StrategySpec, Study, TaskSpec
from harness.search.budget import Budget

distributed = pytest.importorskip("distributed")


def study(*names: str, seeds: int = 1) -> Study:
    return Study(
        name="s", budget=Budget(queries=12), tasks=(TaskSpec(name="toy/edges"),), seeds=seeds,
        strategies=tuple(StrategySpec(name=n) for n in names),
    )  # fmt: skip


def run(toy: Registry, folder: Path, given: Study, **options: Any) -> tuple[Summary, list[Record]]:
    summary = run_study(given, registry=toy, results=folder, **options)
    return summary, read_records(summary.folder)[0]


def comparable(records: list[Record]) -> dict[str, bytes]:
    plain = [msgspec.structs.replace(r, timing={}, environment={}) for r in records]
    return {r.id: msgspec.json.encode(r) for r in plain}


def test_the_records_are_those_of_serial_whoever_hangs_or_dies_beside_them(toy: Registry, tmp_path: Path) -> None:
    _, serial = run(toy, tmp_path / "a", study("toy-returner"), executor="serial", keep_queries=True)
    started = time.monotonic()
    summary, dask = run(
        toy, tmp_path / "b", study("toy-returner", "toy-deaf", "toy-killer"), executor="dask", jobs=2, run_timeout=4.0,
        keep_queries=True,
    )  # fmt: skip
    assert time.monotonic() - started < 90
    failed = {r.label: (r.status, r.error) for r in summary.failed}
    assert failed == {
        "toy-deaf": ("timeout", "took longer than 4 s"),
        "toy-killer": ("failed", "its process died 2 times"),
    }
    fine = comparable([r for r in dask if r.status == "ok"])
    assert fine == comparable(serial)
    assert {r.label for r in serial} == {"toy-returner", MATCHED}
    kept = [{p.name for p in (tmp_path / x / "s" / "queries").iterdir()} for x in "ab"]
    assert kept[0] == kept[1]


def children() -> set[int]:
    """Processes that carry out runs, here or on workers."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            mine = f"PYTEST_RUN={os.getpid()}".encode() in (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mine and b"harness.running.isolated" in words:
            found.add(int(folder.name))
    return found


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_no_run(toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_RUN", str(os.getpid()))
    _, serial = run(toy, tmp_path / "a", study("toy-slow", seeds=4), executor="serial")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
    ) as cluster:
        killed: list[int] = []

        def kill_a_busy_worker() -> None:
            while not (busy := children()):
                time.sleep(0.05)
            parent = int(Path(f"/proc/{min(busy)}/stat").read_text().rpartition(")")[2].split()[1])
            os.kill(parent, signal.SIGKILL)
            killed.append(parent)

        killer = threading.Thread(target=kill_a_busy_worker)
        killer.start()
        summary, dask = run(
            toy, tmp_path / "b", study("toy-slow", seeds=4), executor="dask", cluster=cluster.scheduler_address
        )
        killer.join()
    assert len(killed) == 1
    assert summary.failed == []
    assert comparable(dask) == comparable(serial)
    assert len(dask) == 8
    wait_until_gone()


def wait_until_gone() -> None:
    deadline = time.monotonic() + 10
    while children() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert children() == set()


def test_interruption_ends_every_process(toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_RUN", str(os.getpid()))

    class Interrupt:
        def planned(self, total: int, already_done: int) -> None: ...
        def started(self, run: Any) -> None: ...
        def note(self, message: str) -> None: ...
        def finished(self, record: Record) -> None:
            raise KeyboardInterrupt

    summary, records = run(
        toy, tmp_path, study("toy-sampler", "toy-hanger"), executor="dask", jobs=2, listener=Interrupt()
    )
    assert summary.interrupted
    assert len(records) == 1
    wait_until_gone()


def test_an_address_without_a_cluster_and_a_cluster_for_another_executor_are_refused(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.running.dask._SECONDS_TO_CONNECT", 1)
    with pytest.raises(HarnessError, match="no Dask cluster with workers at tcp://127.0.0.1:1"):
        run(toy, tmp_path, study("toy-sampler"), executor="dask", cluster="tcp://127.0.0.1:1")
    with pytest.raises(HarnessError, match="add --executor dask"):
        run(toy, tmp_path, study("toy-sampler"), cluster="tcp://127.0.0.1:1")


def test_dask_is_imported_only_where_it_is_asked_for() -> None:
    code = "import harness.running.campaign, sys; assert not {'dask', 'distributed'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
