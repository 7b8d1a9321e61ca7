"""The quickstart as a newcomer runs it: every table made anew, every run finished, the report printed, two workers."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUDY = ROOT / "examples" / "quickstart.toml"
COMMAND = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
CORES, LIMIT = 2, 120.0
"""Seconds that it may take on two cores that do nothing else."""


@pytest.mark.benchmark(group="quickstart")
def test_the_quickstart_is_run_and_reported_within_two_minutes(benchmark: Any, tmp_path: Path) -> None:
    pytest.importorskip("nas_bench_graph")
    study = tomllib.loads(STUDY.read_text(encoding="utf-8"))
    assert len(study["tasks"]) >= 3
    assert len({s["name"] for s in study["strategies"]}) >= 4
    assert study["seeds"] >= 8
    command = [sys.executable, "-c", COMMAND, "run", str(STUDY), "--results", str(tmp_path / "r"), "--jobs", str(CORES)]
    environment = os.environ | {"NAS_HARNESS_DATA": str(tmp_path / "data")}

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = benchmark.pedantic(
        lambda: subprocess.run(command, capture_output=True, text=True, env=environment, check=False), rounds=1
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert (found.returncode, "Traceback" in found.stderr) == (0, False), found.stderr
    assert all(task["name"] in found.stdout for task in study["tasks"])
    assert all(strategy["name"] in found.stdout for strategy in study["strategies"])
    assert "complete" in found.stdout.split("\nholds: ")[1]
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    benchmark.extra_info["cpu_seconds"] = busy
    # CPU time of all processes: twice the wall time of two cores on which nothing else runs, or less.
    assert busy < LIMIT
