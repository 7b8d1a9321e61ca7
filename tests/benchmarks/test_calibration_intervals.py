"""Whether the intervals that a report shows without a mark cover what they say, on the runs of real searches.

A population is the final scores of many searches of one strategy with 100 queries on one task. A study draws n of them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from populations import TASKS, import_tables, open_task, searched

from harness.statistics.coverage import LEAST_COVERAGE, TIED_SHARE, student_coverage
from harness.statistics.inference import student_t

pytestmark = [pytest.mark.calibration, pytest.mark.measure]

STUDIES = 10_000
RUNS = {"random-search": 1500, "regularized-evolution": 1500, "local-search": 1500, "tpe": 200}
"""TPE takes a third of a second a search, so it has fewer runs."""
CASES = [(name, task) for name in RUNS for task in TASKS]


@pytest.fixture(scope="module")
def tables(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("nas_bench_graph")
    folder = tmp_path_factory.mktemp("tables")
    import_tables(shared_data, folder)
    return folder


@cache
def population(name: str, task: str) -> np.ndarray:
    return searched(open_task(task), name, range(RUNS[name])).outcomes


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "task"), CASES)
def test_an_interval_covers_or_is_marked(name: str, task: str, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Covers 93 to 97 % of the studies that are not marked, within the error of 1,500 runs, or most are marked."""
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tables))
    if name == "tpe":
        pytest.importorskip("optuna")
    outcomes, reference = population(name, task), population("random-search", task)
    for n in (8, 20):
        rng = np.random.default_rng(n)
        runs = rng.choice(outcomes, size=(STUDIES, n))
        half = student_t(n - 1, 0.95) * runs.std(axis=1, ddof=1) / np.sqrt(n)
        held = np.abs(runs.mean(axis=1) - outcomes.mean()) <= half + 1e-9
        most = np.array([np.unique(study, return_counts=True)[1].max() for study in runs])
        marked = most > max(1.0, TIED_SHARE * n)
        tails = [student_coverage(rng.choice(reference, 200, replace=False), n, rng=rng) for _ in range(20)]
        tailed = float(np.mean([tail is not None and tail < LEAST_COVERAGE for tail in tails]))
        shown = 100 * held[~marked].mean() if not marked.all() else np.nan
        print(
            f"{name} on {task}, n = {n}: all {100 * held.mean():.1f} %, shown unmarked {shown:.1f} %, "
            f"tied in {100 * marked.mean():.0f} %, task marked in {100 * tailed:.0f} %"
        )
        assert marked.mean() > 0.5 or tailed > 0.5 or 92.5 < shown < 97.5
