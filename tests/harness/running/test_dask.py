"""The Dask executor: the same records as serial, and what becomes of runs that hang and workers that die."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from studies import Notes, comparable, run, study

from harness.errors import HarnessError
from harness.registry import Registry
from harness.running.study import MATCHED
from harness.running.worker import preparation_of

distributed = pytest.importorskip("distributed")


def test_the_records_are_those_of_serial_whoever_hangs_or_dies_beside_them(toy: Registry, tmp_path: Path) -> None:
    _, serial = run(toy, tmp_path / "a", study("toy-returner", seeds=1), executor="serial", keep_queries=True)
    started = time.monotonic()
    given = study("toy-returner", "toy-deaf", "toy-killer", seeds=1)
    _, dask = run(toy, tmp_path / "b", given, executor="dask", jobs=2, run_timeout=20.0, keep_queries=True)
    assert time.monotonic() - started < 90
    failed = {r.entry.label: (r.status, re.sub(r"\d{3,}", "PID", r.error or "")) for r in dask if r.failed}
    assert failed == {
        "toy-deaf": ("timeout", "took longer than 20 s"),
        "toy-killer": ("failed", "it ended its process: SIGKILL, after os.kill(PID, 9)"),
    }
    fine = comparable([r for r in dask if r.status == "ok"])
    assert fine == comparable(serial)
    assert {r.entry.label for r in serial} == {"toy-returner", MATCHED}
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
        if mine and b"harness.running.template" in words:
            found.add(int(folder.name))
    return found


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_no_run(toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_RUN", str(os.getpid()))
    _, serial = run(toy, tmp_path / "a", study("toy-slow", seeds=4), executor="serial")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", memory_limit=0
    ) as cluster:
        killed: list[int] = []

        def kill_a_busy_worker() -> None:
            while not (busy := children()):
                time.sleep(0.05)
            template = next(pid for pid in busy if psutil.Process(pid).ppid() not in busy)
            parent = psutil.Process(template).ppid()
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

    notes = Notes(stop_after=1)
    summary, records = run(
        toy,
        tmp_path,
        study("toy-sampler", "toy-hanger", seeds=1),
        executor="dask",
        jobs=2,
        listener=notes,
    )
    assert summary.interrupted
    assert notes.notes[0].startswith("Dask's dashboard is at http://")
    assert len(records) == 1
    wait_until_gone()


def test_an_address_without_a_cluster_and_a_cluster_for_another_executor_are_refused(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.running.dask._SECONDS_TO_CONNECT", 1)
    with pytest.raises(HarnessError, match="no Dask cluster with workers at tcp://127.0.0.1:1"):
        run(toy, tmp_path, study("toy-sampler", seeds=1), executor="dask", cluster="tcp://127.0.0.1:1")
    assert not (tmp_path / "s").exists()
    with pytest.raises(HarnessError, match="add --executor dask"):
        run(toy, tmp_path, study("toy-sampler", seeds=1), executor="process", cluster="tcp://127.0.0.1:1")


def test_dask_is_imported_only_where_it_is_asked_for() -> None:
    code = "import harness.running.campaign, sys; assert not {'dask', 'distributed'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("harness", "searched", "told"),
    [
        ({"harness": {"version": "0.0.9"}}, {}, r"nas-harness is .*, and the study's is 0\.0\.9; install the same"),
        ({}, {"code": {"version": "7"}}, r"the strategy 'toy-sampler' is .*, and the study's is 7; install the same"),
        ({}, {"strategy": "toy-absent"}, "unknown strategy 'toy-absent'"),
        ({}, {"data_digest": "0" * 64}, "the data of 'toy/edges' is other than the study's; import the same file"),
        ({}, {"search_task": "toy/absent"}, "toy/absent: its table is not here"),
    ],
    ids=["harness", "strategy", "plugin", "data", "no-data"],
)
def test_workers_that_have_something_else_are_refused_by_name_before_anything_is_written(
    harness: dict[str, Any],
    searched: dict[str, Any],
    told: str,
    toy: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The coordinator says that it has something else than the worker."""

    def preparation(*given: Any) -> Any:
        wanted = preparation_of(*given)
        searches = tuple(msgspec.structs.replace(spec, **searched) for spec in wanted.searches)
        return msgspec.structs.replace(wanted, searches=searches, **harness)

    monkeypatch.setattr("harness.running.campaign.preparation_of", preparation)
    with pytest.raises(HarnessError, match=f"(?s)cannot carry out this study.*worker inproc://.*{told}"):
        run(toy, tmp_path, study("toy-sampler", seeds=1), executor="dask", jobs=1)
    assert not (tmp_path / "s").exists()
