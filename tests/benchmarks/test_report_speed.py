"""A report on 10,000 records of 5,000 runs, from the command line's start to its last line, all imports included."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from written_records import run, sampling, write_study

from harness.records.lines import Paid, RankQuality
from harness.records.runs import Run
from harness.search.budget import Budget

LIMIT = 4.0  # seconds
TASKS, ENTRIES, SEEDS, REFERENCES = 5, 24, 34, 184
REPORT = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"


def five_thousand() -> list[Run]:
    """Five tasks with 24 entries of 34 seeds and 184 reference runs, 20 incumbents a run; no two scores alike."""
    rng = np.random.default_rng(0)
    runs = []
    for task in range(TASKS):
        for place in range(ENTRIES + 1):
            is_entry = place < ENTRIES
            for seed in range(SEEDS if is_entry else REFERENCES):
                costs = np.sort(rng.choice(np.arange(1, 501), size=20, replace=False))
                valids, finals = np.sort(rng.normal(88, 3, size=(2, 20)), axis=1)
                more: dict[str, Any] = {"ktau": RankQuality(*rng.uniform(0, 1, 4).tolist(), 1000)} if place < 4 else {}
                runs.append(
                    run(
                        f"strategy-{place}" if is_entry else "matched-random-search",
                        seed,
                        float(finals[-1]),
                        task=f"toy/{task}",
                        role="entry" if is_entry else "reference",
                        budget=Budget(queries=500),
                        paid=Paid(500, 1e5),
                        incumbents=[
                            (c, 200.0 * c, None, v, f)
                            for c, v, f in zip(costs.tolist(), valids.tolist(), finals.tolist(), strict=True)
                        ],
                        valid=float(valids[-1]),
                        rank=12,
                        regret=0.4,
                        valid_regret=0.2,
                        **more,
                    )
                )
    return runs


@pytest.mark.benchmark(group="report")
@pytest.mark.parametrize("options", [[], ["--format", "json"], ["--section", "curves", "--format", "csv"]])
def test_report_on_ten_thousand_records(benchmark: Any, tmp_path: Path, options: list[str]) -> None:
    runs = five_thousand()
    assert len(runs) == 5000
    draws = np.random.default_rng(1).normal(50, 10, size=1000).tolist()
    folder = write_study(tmp_path, runs, [sampling(f"toy/{t}", draws=draws) for t in range(TASKS)])
    command = [sys.executable, "-c", REPORT, "report", str(folder), *options]

    busy: list[float] = []

    def report() -> subprocess.CompletedProcess[str]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = subprocess.run(command, capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return found

    found = benchmark.pedantic(report, rounds=3, warmup_rounds=1)

    assert found.stderr == ""
    assert all(f"toy/{t}" in found.stdout for t in range(TASKS))
    benchmark.extra_info["cpu_seconds"] = median(busy)
    # One thread: CPU time is the wall time of a machine on which nothing else runs.
    assert median(busy) < LIMIT
