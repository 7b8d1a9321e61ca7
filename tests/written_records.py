"""Records and baselines written by hand, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.records.store import (
    BASELINES,
    RUNS,
    Asked,
    Baseline,
    Incumbent,
    Outcome,
    Paid,
    RankQuality,
    Record,
    Seeds,
)
from harness.search.budget import Budget

STRICT = {"oracle": "validation", "report": "first", "top": 1}
TEST_ORACLE = {"oracle": "test", "report": "first", "top": 1}
BEST_OF_TEN = {"oracle": "validation", "report": "best_of_returned", "top": 10}
DRAWS = [40.0, 60.0] * 500
"""1,000 draws of mean 50 and population standard deviation 10."""


def baseline(task: str = "toy/a", **changes: Any) -> Baseline:
    """Random sampling with mean 50, standard deviation 10, ceiling 90, best 95, best validated 92."""
    fields: dict[str, Any] = {
        "id": f"baseline of {task}",
        "task": task,
        "search_task": task,
        "law": "rows",
        "final": "mean",
        "split": "test",
        "data_digest": "d1",
        "score": {"name": "accuracy", "unit": "%", "higher_is_better": True, "ratio_scale": True},
        "mean": 50.0,
        "std": 10.0,
        "exact": True,
        "n": 400,
        "draws": DRAWS,
        "ceiling": 90.0,
        "best": 95.0,
        "best_valid": 92.0,
        "valid_mean": 48.0,
        "ktau_valid": 0.7,
    }
    return Baseline(**(fields | changes))


def record(
    label: str = "alpha",
    seed: int = 0,
    score: float | None = 80.0,
    *,
    task: str = "toy/a",
    mode: str = "strict",
    settings: dict[str, Any] | None = None,
    role: str = "row",
    paid: Paid | None = None,
    incumbents: Sequence[tuple[Any, ...]] = (),
    valid: float | None = None,
    rank: int | None = None,
    regret: float | None = None,
    valid_regret: float | None = None,
    ktau: RankQuality | None = None,
    split: str = "test",
    **changes: Any,
) -> Record:
    """One run with everything in order; ``score`` None: a failed one."""
    paid = paid or Paid(100)
    failed: dict[str, Any] = (
        {} if score is not None else {"status": "failed", "error": "ValueError: no", "ended_by": "error"}
    )
    fields: dict[str, Any] = {
        "id": f"{task} {label} {mode} {role} {seed}",
        "study": "written",
        "task": task,
        "search_task": task,
        "strategy": label,
        "label": label,
        "role": role,
        "mode": mode,
        "mode_settings": settings or STRICT,
        "params": {"size": 3},
        "seeds": Seeds(0, seed),
        "budget": Budget(queries=100),
        "law": "rows",
        "paid": paid,
        "asked": Asked(paid.queries + 20, 20, 0, keys=paid.queries),
        "ended_by": "queries",
        "returned": [] if score is None else [(0, 1)],
        "reported": None if score is None else "0-1",
        "final": Outcome(score, split, "mean", *((valid, rank, regret, valid_regret) if score is not None else ())),
        "ktau": ktau,
        "incumbents": [Incumbent(*point) for point in incumbents],
        "queries_sha256": "ab" * 32,
        "tuning_queries": 0,
        "provenance": {
            "task": {"benchmark": "toy", "version": "1"},
            "data_digest": "d1",
            "code": {"distribution": "toy", "version": "1.0"},
        },
        "timing": {"search_seconds": 2.0},
    }
    return Record(**(fields | failed | changes))


def row(label: str, scores: Sequence[float | None], **options: Any) -> list[Record]:
    """A run for each score, search seeds from 0."""
    return [record(label, seed, score, **options) for seed, score in enumerate(scores)]


def reference(scores: Sequence[float | None], **options: Any) -> list[Record]:
    """Matched random search, a run for each score."""
    return row("matched-random-search", scores, role="reference", **options)


def write_study(
    folder: Path, records: Sequence[Record], baselines: Sequence[Baseline], *, plan: dict[str, Any] | None = None
) -> Path:
    """A study's folder that holds these."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RUNS).write_bytes(b"".join(msgspec.json.encode(r) + b"\n" for r in records))
    (folder / BASELINES).write_bytes(b"".join(msgspec.json.encode(b) + b"\n" for b in baselines))
    if plan is not None:
        whole = {"study": "written", "seeds": 8, "ids": [r.id for r in records]} | plan
        (folder / "plan.json").write_bytes(msgspec.json.encode(whole))
    return folder
