"""Strategies that hunt for test scores find none in a run's process, or are named. In the coordinator's they do."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from distributions import install
from leftovers import assert_gone, new_mark
from misbehaving.hunters import HUNTERS, WANTED
from studies import run, study

from harness.data.tables import write_table
from harness.registry import Registry
from harness.running import landlock
from harness_nasbench.macro import IMPORTER, NAME, SPLITS
from harness_nasbench.recorded import Rows
from harness_nasbench.spaces.chain import ChainSpace

ROOT = Path(__file__).resolve().parents[3]
NATIVE = {"hunts-natively", "hunts-by-program"}
"""What Python's audit hooks do not see: the kernel alone can refuse it."""


@pytest.fixture
def hunted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A recorded task on a table of invented scores, and strategies that hunt for them, here and in workers."""
    new_mark(monkeypatch)
    rows = len(Rows.of_keys(ChainSpace()).architectures)
    rng = np.random.default_rng(0)
    test = rng.uniform(80, 93, rows)
    data = tmp_path / "data"
    write_table(
        data / NAME, {"valid": rng.uniform(80, 93, rows), "test": test}, benchmark=NAME, source="invented",
        source_sha256="", version="1", licence="none", importer=IMPORTER, facts={"splits": SPLITS, "repeats": "none"},
    )  # fmt: skip
    installed = tmp_path / "installed"
    (installed / "package_of_scores").mkdir(parents=True)
    (installed / "package_of_scores" / "__init__.py").write_text("SCORES = True\n")
    install(installed, "hunters", load="misbehaving.hunters")
    monkeypatch.syspath_prepend(str(installed))
    path = [str(installed), str(ROOT / "tests"), *filter(None, sys.path)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setenv("NAS_HARNESS_PLUGINS", "hunters")
    monkeypatch.setenv("NAS_HARNESS_DATA", str(data))
    records = tmp_path / "results" / "old"
    records.mkdir(parents=True)
    (records / "outcomes.jsonl").write_text('{"score": 93.0}\n'.replace(": ", ":"))
    monkeypatch.setenv(WANTED, f"{float(test[7])!r} {float(test[8])!r}")
    monkeypatch.setenv("HUNTED_RECORDS", str(records))
    monkeypatch.setenv("HUNTED_COORDINATOR", str(os.getpid()))
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HUNTED_PORT", str(server.getsockname()[1]))
        server.settimeout(0)
        yield Registry()


def findings(hunted: Registry, tmp_path: Path, executor: str, *names: str) -> dict[str, str]:
    """Of each hunter: ``found``, ``nothing``, or why its run failed."""
    given = study(*(names or (h.name for h in HUNTERS)), tasks=("hunted/cifar10",), seeds=1, queries=10)
    options = {"jobs": 2} if executor == "process" else {}
    summary, runs = run(hunted, tmp_path / "results", given, executor=executor, run_timeout=60.0, **options)
    assert summary.stopped is None
    return {
        r.entry.label: str(r.search.error) if r.failed else "found" if r.search.notes.get("found") else "nothing"
        for r in runs
        if r.entry.label.startswith("hunt")
    }


def test_who_hunts_for_test_scores_finds_none_or_is_named(hunted: Registry, tmp_path: Path) -> None:
    found = findings(hunted, tmp_path, "process")
    assert {h.name for h in HUNTERS} == set(found)
    said = {name: what for name, what in found.items() if what not in ("found", "nothing")}
    allowed = NATIVE if not landlock.version() else set()
    assert {name for name, what in found.items() if what == "found"} <= allowed, found
    closed = r"it opened {}.*, which is closed to a search \(hunters.py:\d+\)"
    data, results = str(tmp_path / "data"), str(tmp_path / "results")
    for name, words in {
        "hunts-in-frames": closed.format(data),
        "hunts-among-objects": closed.format(data),
        "hunts-by-path": closed.format(data),
        "hunts-by-link": closed.format(data),
        "hunts-in-the-environment": closed.format(data),
        "hunts-in-old-records": closed.format(results),
        "hunts-by-import": r"it imported package_of_scores, which holds scores \(hunters.py:\d+\)",
        "hunts-in-other-processes": rf"it opened the memory of another process, /proc/{os.getpid()}/mem .*",
        "hunts-by-socket": r"it connected to 127.0.0.1, where its study is carried out \(hunters.py:\d+\)",
    }.items():
        assert name in said, found
        assert re.fullmatch(words, said[name]), said[name]
    assert_gone(os.environ[WANTED])


def test_the_same_hunters_find_scores_where_nothing_is_closed(
    hunted: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that what they do not find above is not their own fault."""
    monkeypatch.chdir(tmp_path)
    others = [h.name for h in HUNTERS if h.name not in ("hunts-by-socket", "hunts-in-the-pickled-oracle")]
    found = findings(hunted, tmp_path, "serial", *others)
    assert found == dict.fromkeys(others, "found")
