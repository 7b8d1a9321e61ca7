"""A report on 1,000 records, from the command line's start to its last line: intervals, tests and all imports."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from written_records import baseline, record, write_study

from harness.records.store import Outcome, RankQuality, Record

LIMIT = 2.0  # seconds
TASKS, ROWS, SEEDS = 5, 24, 8
REPORT = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"


def thousand() -> list[Record]:
    """Five tasks with 24 rows and a reference of eight seeds each, 20 incumbents a run; no two scores alike."""
    rng = np.random.default_rng(0)
    records = []
    for task in range(TASKS):
        for row in range(ROWS + 1):
            label = f"strategy-{row}" if row < ROWS else "matched-random-search"
            for seed in range(SEEDS):
                costs = np.sort(rng.choice(np.arange(1, 501), size=20, replace=False))
                valids, finals = np.sort(rng.normal(88, 3, size=(2, 20)), axis=1)
                known = Outcome(float(finals[-1]), "test", "mean", float(valids[-1]), 12, 0.4, 0.2)
                more: dict[str, Any] = {"ktau": RankQuality(*rng.uniform(0, 1, 4).tolist(), 1000)} if row < 4 else {}
                records.append(
                    record(
                        label,
                        seed,
                        task=f"toy/{task}",
                        role="row" if row < ROWS else "reference",
                        incumbents=[
                            (c, 200.0 * c, None, v, f)
                            for c, v, f in zip(costs.tolist(), valids.tolist(), finals.tolist(), strict=True)
                        ],
                        final=known,
                        **more,
                    )
                )
    return records


@pytest.mark.benchmark(group="report")
@pytest.mark.parametrize("options", [[], ["--format", "json"], ["--section", "curves", "--format", "csv"]])
def test_report_on_a_thousand_records(benchmark: Any, tmp_path: Path, options: list[str]) -> None:
    records = thousand()
    assert len(records) == 1000
    draws = np.random.default_rng(1).normal(50, 10, size=1000).tolist()
    folder = write_study(tmp_path, records, [baseline(f"toy/{t}", draws=draws) for t in range(TASKS)], plan={})
    command = [sys.executable, "-c", REPORT, "report", str(folder), *options]

    busy: list[float] = []

    def report() -> subprocess.CompletedProcess[str]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = subprocess.run(command, capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return found

    found = benchmark.pedantic(report, rounds=5, warmup_rounds=1)

    assert found.stderr == ""
    assert all(f"toy/{t}" in found.stdout for t in range(TASKS))
    benchmark.extra_info["cpu_seconds"] = median(busy)
    # One thread: CPU time is the wall time of a machine on which nothing else runs.
    assert median(busy) < LIMIT
