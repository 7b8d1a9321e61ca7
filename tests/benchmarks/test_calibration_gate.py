"""How often the gate errs, and what it catches, on the validation scores of real searches."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from populations import TASKS, import_tables, open_task, searched
from simulated_gates import until_decided, verdicts

from harness.statistics.gate import looks

pytestmark = [pytest.mark.calibration, pytest.mark.measure]

GATES = 2000
SHARE = 0.5
"""The margin, as a share of the reference's standard deviation over seeds."""
LARGE_LOSS = ("nasbench201/cifar10", "nasbench201/cifar100", "nasbench201/imagenet16-120", "nasbench-graph/arxiv")


@pytest.fixture
def tables(shared_data: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nas_bench_graph")
    folder = tmp_path_factory.mktemp("tables")
    import_tables(shared_data, folder)
    monkeypatch.setenv("NAS_HARNESS_DATA", str(folder))


@cache
def evolution(task: str) -> np.ndarray:
    return searched(open_task(task), "regularized-evolution", range(1000)).valid[:, -1]


@cache
def without_tournament(task: str) -> np.ndarray:
    """Evolution with a population of one: a random walk."""
    found = searched(open_task(task), "regularized-evolution", range(300), params={"population": 1, "sample": 1})
    return found.valid[:, -1]


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("task", TASKS)
def test_an_equal_candidate_is_worse_in_one_gate_of_twenty(task: str) -> None:
    """And one that lost just the margin passes in one of twenty, at once or in steps."""
    rng, reference = np.random.default_rng(0), evolution(task)
    margin, steps = SHARE * float(reference.std()), looks(20, 160)
    for n in (8, 20):
        said = verdicts(rng.choice(reference, (GATES, n)) - rng.choice(reference, (GATES, n)), margin, rng)
        assert np.mean(said == "worse") < 0.065
        said = verdicts(rng.choice(reference, (GATES, n)) - rng.choice(reference, (GATES, n)) - margin, margin, rng)
        assert np.mean(np.isin(said, ["not worse", "better"])) < 0.07
    equal, seeds = until_decided(reference, reference, margin, rng, gates=GATES, looks=steps)
    assert np.mean(equal == "worse") < 0.06
    assert np.mean(equal == "undecided") < 0.05
    lost, _ = until_decided(reference - margin, reference, margin, rng, gates=GATES, looks=steps)
    assert np.mean(np.isin(lost, ["not worse", "better"])) < 0.06
    print(f"{task}: worse {100 * np.mean(equal == 'worse'):.1f} %, {seeds.mean():.0f} seeds")


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("task", LARGE_LOSS)
def test_a_lost_component_is_caught(task: str) -> None:
    """Evolution without its tournament loses two standard deviations here; 20 seeds see it in four gates of five."""
    rng, reference, candidate = np.random.default_rng(0), evolution(task), without_tournament(task)
    differences = rng.choice(candidate, (GATES, 20)) - rng.choice(reference, (GATES, 20))
    said = verdicts(differences, SHARE * float(reference.std()), rng)
    assert np.mean(said == "worse") >= 0.8
