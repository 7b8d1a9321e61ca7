"""``nas-harness --help`` against ``pytest --version``, interleaved in one run so that a busy machine slows both."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import pytest

MOST = 1.5
ROUNDS = 15


@pytest.mark.benchmark(group="start")
def test_help_starts_as_fast_as_pytest(benchmark: Any, tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent

    def seconds(*command: str) -> float:
        started = time.perf_counter()
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
        return time.perf_counter() - started

    def both() -> tuple[float, float]:
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(ROUNDS):
            ours.append(seconds(str(scripts / "nas-harness"), "--help"))
            theirs.append(seconds(str(scripts / "pytest"), "--version"))
        return median(ours), median(theirs)

    help_seconds, pytest_seconds = benchmark.pedantic(both, rounds=1, warmup_rounds=0)
    ratio = help_seconds / pytest_seconds
    benchmark.extra_info |= {"help_seconds": help_seconds, "pytest_seconds": pytest_seconds, "ratio": ratio}
    assert ratio < MOST
