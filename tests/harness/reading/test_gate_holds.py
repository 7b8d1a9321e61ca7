"""How often gates err on real tables: a candidate that is equal, and one that lost what a component brings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from simulated_gates import until_decided, verdicts

from harness.reading.notebook import run_study
from harness.statistics.gate import looks

TASKS = ("nasbench-graph/cora", "nasbench-graph/citeseer", "nasbench-graph/arxiv")
RUNS, SEEDS, GATES, MARGIN = 200, 20, 1000, 0.2
STUDY = {
    "name": "populations",
    "seeds": RUNS,
    "reference_seeds": 1,
    "budget": {"queries": 100},
    "tasks": [{"name": name} for name in TASKS],
    "strategies": [
        {"name": "regularized-evolution"},
        {"name": "regularized-evolution", "label": "population 1", "params": {"population": 1, "sample": 1}},
    ],
}


@pytest.mark.measure
def test_an_equal_candidate_is_rarely_worse_and_a_lost_population_is_caught(tmp_path: Path) -> None:
    """Runs are drawn from 200 of each, so that the two sides of a gate are independent. A gate has one row here."""
    pytest.importorskip("nas_bench_graph")
    study = run_study(STUDY, results=tmp_path, quiet=True)
    draw = np.random.default_rng(0)
    for setting in study.settings:
        whole, lost = (
            -np.array([r.outcome.valid_regret for r in e.runs if r.outcome is not None], dtype=np.float64)
            for e in setting.entries
        )
        sides = [draw.choice(of, (GATES, SEEDS)) for of in (whole, whole, lost)]
        equal, caught = verdicts(sides[1] - sides[0], MARGIN, draw), verdicts(sides[2] - sides[0], MARGIN, draw)
        steps, seeds = until_decided(whole, whole, MARGIN, draw, gates=GATES, looks=looks(SEEDS, 160))
        shares = {
            "equal called worse": np.mean(equal == "worse"),
            "equal called worse, until decided": np.mean(steps == "worse"),
            "lost called worse": np.mean(caught == "worse"),
            "lost called not worse": np.mean(np.isin(caught, ["not worse", "better"])),
        }
        print(setting.title, f"loss {whole.mean() - lost.mean():.2f}, std {whole.std(ddof=1):.2f}", end=" ")
        print({k: f"{v:.3f}" for k, v in shares.items()}, f"{seeds.mean():.0f} seeds")
        assert shares["equal called worse"] < 0.065
        assert shares["equal called worse, until decided"] < 0.065
        assert shares["lost called worse"] > 0.7
