"""Rank, regret and what is reported go by the feasible rows and by the sign of the final task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from studies import run, study

from harness.reading.results import read_results
from harness.registry import Registry
from harness.running.feasible import feasible, row_of
from harness.running.plan import Evaluators
from harness.running.study import TaskSpec


@pytest.mark.parametrize(
    ("task", "search_task", "constraints"),
    [
        ("toy/edges", "toy/error", ()),
        ("toy/error", "toy/edges", ()),
        ("toy/error", "toy/error", ("params <= 400",)),
        ("toy/edges", "toy/edges", ("params <= 400", "train_seconds <= 100")),
    ],
)
def test_rank_and_regret_of_feasible_rows_by_the_final_tasks_sign(
    toy: Registry, tmp_path: Path, task: str, search_task: str, constraints: tuple[str, ...]
) -> None:
    given: Any = TaskSpec(name=task, search_task=search_task, constraints=constraints)
    asked = study("toy-sampler", "toy-sampler@top", seeds=3, queries=6)
    asked = type(asked)(**{name: getattr(asked, name) for name in asked.__struct_fields__} | {"tasks": (given,)})
    summary, _ = run(toy, tmp_path, asked)
    open_task = Evaluators(toy)
    evaluator, search = open_task(task), open_task(search_task)
    found = read_results(summary.folder)
    runs = [r for r in found.every_run if r.score is not None]
    truth = evaluator.truth("single")
    assert truth is not None
    allowed = feasible(search, list(truth.architectures), runs[0].setting.constraints)
    assert allowed.all() != bool(constraints)
    sign = -1.0 if task == "toy/error" else 1.0
    rows = sign * truth.final[allowed]
    best_valid = search.truth("single").valid[allowed]  # type: ignore[union-attr,index]
    assert len(runs) == len(list(found.every_run))
    for r in runs:
        outcome = r.outcome
        assert outcome is not None
        assert outcome.rank == 1 + (rows > sign * outcome.score).sum()
        assert outcome.regret == pytest.approx(rows.max() - sign * outcome.score)
        assert outcome.regret >= 0
        known = best_valid.min() if search_task == "toy/error" else best_valid.max()
        assert outcome.valid_regret == pytest.approx(abs(known - outcome.valid))
        chosen = [sign * s for s in outcome.scores[: r.entry.scoring.top]]
        assert sign * outcome.score == (max(chosen) if r.entry.mode == "top" else chosen[0])
    (sampling,) = {s.sampling.id: s.sampling for s in found.settings if s.sampling}.values()
    assert (sampling.best, sampling.worst) == (sign * rows.max(), sign * rows.min())
    assert sampling.n == allowed.sum()
    at_best = np.flatnonzero(best_valid == (best_valid.min() if search_task == "toy/error" else best_valid.max()))
    assert sampling.best_validated == pytest.approx(sign * rows[at_best].mean())


@pytest.mark.parametrize("task", ["toy/edges", "toy/drawn"])
def test_what_the_search_tasks_table_lacks_is_not_feasible_where_a_constraint_is_known_only_after(
    toy: Registry, tmp_path: Path, task: str
) -> None:
    given = TaskSpec(name=task, search_task="toy/partial", constraints=("train_seconds <= 100",))
    asked = msgspec.structs.replace(study("toy-sampler", seeds=3, queries=6), tasks=(given,))
    _, runs = run(toy, tmp_path, asked)
    search = Evaluators(toy)("toy/partial")
    assert all(r.score is not None for r in runs)
    archs = list(search.space.enumerate())
    allowed = feasible(search, archs, runs[0].setting.constraints)
    known = [row_of(search.validator(), arch) >= 0 for arch in archs]
    assert 0 < allowed.sum() < sum(known)
    assert not allowed[np.logical_not(known)].any()
