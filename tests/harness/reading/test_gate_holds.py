"""How often gates err on real tables: a candidate that is equal, and one that lost what a component brings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulated_gates import until_decided, verdicts, worse_lines

from harness.reading.notebook import run_study
from harness.registry import Registry
from harness.statistics.gate import looks
from harness_ganas.search import GANAS

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
    """Runs are drawn from 200 of each, so that the two sides of a gate are independent. Gates of one line each, on each
    task, and gates of three lines, one a task."""
    pytest.importorskip("nas_bench_graph")
    study = run_study(STUDY, results=tmp_path, quiet=True)
    draw = np.random.default_rng(0)
    lines: dict[str, list[np.ndarray]] = {"equal": [], "lost": []}
    for setting in study.settings:
        whole, lost = (
            -np.array([r.outcome.valid_regret for r in e.runs if r.outcome is not None], dtype=np.float64)
            for e in setting.entries
        )
        sides = [draw.choice(of, (GATES, SEEDS)) for of in (whole, whole, lost)]
        lines["equal"].append(sides[1] - sides[0])
        lines["lost"].append(sides[2] - sides[0])
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
    of_three = {side: worse_lines(found, MARGIN, draw).any(axis=0).mean() for side, found in lines.items()}
    print("three lines:", {f"{side} called worse": f"{share:.3f}" for side, share in of_three.items()})
    assert of_three["equal"] < 0.065
    assert of_three["lost"] > 0.8


@pytest.mark.measure
@pytest.mark.timeout(3600)
def test_ga_nas_without_its_discriminator_is_caught(tmp_path: Path) -> None:
    """60 runs of each on NAS-Bench-201, ImageNet16-120, with the paper's 445 queries; gates of one line, margin .1."""
    name, registry = "nasbench201/imagenet16-120", Registry()
    task = registry.task(name)
    if missing := registry.protocol(task.protocol).missing(task):
        pytest.skip(missing)
    pytest.importorskip("torch")
    strategies = [
        {"name": "ga-nas"},
        {"name": "ga-nas", "label": "lost", "params": GANAS.ablations["no-discriminator"]},
    ]
    study: dict[str, Any] = STUDY | {
        "seeds": 60, "budget": {"queries": 445}, "tasks": [{"name": name}], "strategies": strategies,
    }  # fmt: skip
    (setting,) = run_study(study, results=tmp_path, quiet=True).settings
    whole, lost = (
        -np.array([r.outcome.valid_regret for r in e.runs if r.outcome is not None], dtype=np.float64)
        for e in setting.entries
    )
    draw = np.random.default_rng(0)
    sides = [draw.choice(of, (GATES, SEEDS)) for of in (whole, whole, lost)]
    equal, caught = (np.mean(verdicts(side - sides[0], 0.1, draw) == "worse") for side in sides[1:])
    print(f"loss {whole.mean() - lost.mean():.3f}; equal called worse {equal:.3f}, lost called worse {caught:.3f}")
    assert equal < 0.065
    assert caught > 0.8
