"""Runs and random sampling written by hand, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.protocol import Score
from harness.reading.study import StudyRuns, study_of
from harness.records.lines import (
    Asked,
    Cell,
    Incumbent,
    Line,
    OutcomeRecord,
    Paid,
    PlannedSetting,
    PlanRecord,
    RankQuality,
    SamplingRecord,
    SearchRecord,
)
from harness.records.runs import Run
from harness.records.specs import Entry, OutcomeSpec, SamplingSpec, SearchSpec, Setting
from harness.records.store import FILES, Folder
from harness.search.budget import Budget
from harness.search.constraints import Constraint
from harness.strategy import Scoring

TEST_ORACLE = Scoring("test", "first", 1)
BEST_OF_TEN = Scoring("validation", "best_of_returned", 10)
ERROR = Score("error", "%", higher_is_better=False)
DRAWS = [40.0, 60.0] * 500
"""1,000 draws of mean 50 and population standard deviation 10."""
MATCHED = "matched-random-search"
_QUERIES = Budget(queries=100)
_PAID = Paid(100)


def sampling(task: str = "toy/a", **changes: Any) -> SamplingRecord:
    """Random sampling: mean 50, standard deviation 10, scores of 20 to 95, best validated 90, validation to 92."""
    of_spec: dict[str, Any] = {
        "task": task,
        "search_task": task,
        "law": "rows",
        "final": "mean",
        "final_seed": None,
        "constraints": (),
        "study_seed": 0,
        "data_digest": "d1",
        "search_data_digest": "d1",
    }
    of_spec |= {name: changes.pop(name) for name in list(changes) if name in of_spec}
    of_spec["constraints"] = _parsed(of_spec["constraints"])
    drawn = None if changes.get("exact", True) else changes.get("n", 400)
    spec = SamplingSpec(**of_spec, draws=drawn)
    fields: dict[str, Any] = {
        "split": "test",
        "score": Score(),
        "search_score": changes.get("score", Score()),
        "mean": 50.0,
        "std": 10.0,
        "exact": True,
        "n": 400,
        "draws": DRAWS,
        "worst": 20.0,
        "best": 95.0,
        "best_validated": 90.0,
        "tied": 1,
        "best_valid": 92.0,
        "worst_valid": 15.0,
        "valid_mean": 48.0,
        "ktau_valid": 0.7,
    }
    return SamplingRecord(id=spec.id, spec=spec, **(fields | changes))


def run(
    label: str = "alpha",
    seed: int = 0,
    score: float | None = 80.0,
    *,
    task: str = "toy/a",
    search_task: str | None = None,
    law: str = "rows",
    final: str = "mean",
    final_seed: int | None = None,
    budget: Budget = _QUERIES,
    constraints: Sequence[str] = (),
    strategy: str | None = None,
    mode: str = "strict",
    scoring: Scoring | None = None,
    params: dict[str, Any] | None = None,
    role: Any = "entry",
    ablation: str | None = None,
    tuning: int | None = 0,
    paid: Paid | None = _PAID,
    incumbents: Sequence[tuple[Any, ...]] = (),
    valid: float | None = None,
    rank: int | None = None,
    regret: float | None = None,
    valid_regret: float | None = None,
    ktau: RankQuality | None = None,
    split: Any = "test",
    arch: Any = (0, 1),
    asked: Asked | None = None,
    study_seed: int = 0,
    data_digest: str = "d1",
    code: dict[str, str] | None = None,
    provenance: dict[str, Any] | None = None,
    search: dict[str, Any] | None = None,
    outcome: dict[str, Any] | None = None,
) -> Run:
    """One run with everything in order; ``score`` None: a failed one; ``paid`` None: a killed one.

    incumbents: (queries, epochs, seconds, validation score, final score), of which the last is reported.
    search, outcome: fields of the two records to change.
    """
    scoring = scoring or Scoring()
    entry = Entry(
        label=label,
        strategy=strategy or label,
        mode=mode,
        scoring=scoring,
        params=params if params is not None else {"size": 3} | ({"off": ablation} if ablation else {}),
        role=role,
        tuning_queries=tuning if role == "entry" else None,
        ablation=ablation,
    )
    setting = Setting(
        task=task,
        search_task=search_task or task,
        law=law,
        final=final,
        final_seed=final_seed,
        budget=budget,
        constraints=_parsed(constraints),
    )
    spec = SearchSpec(
        search_task=setting.search_task,
        law=law,
        constraints=setting.constraints,
        strategy=entry.strategy,
        params=entry.params,
        oracle=scoring.oracle,
        top=scoring.top,
        budget=budget,
        study_seed=study_seed,
        search_seed=seed,
        data_digest=data_digest,
        code=code if code is not None else {"distribution": "toy", "version": "1.0"},
    )
    queries = paid.queries if paid is not None else 0
    last = len(incumbents) - 1
    found = {
        "asked": asked or (Asked(queries + 20, 20, 0, keys=queries) if paid is not None else Asked()),
        "status": "ok" if score is not None else ("failed" if paid is not None else "timeout"),
        "error": None if score is not None else "ValueError: no",
        "ended_by": "queries" if score is not None else "error",
        "returned": [arch] if score is not None and arch is not None else [],
        "incumbents": [Incumbent(*point[:4], arch if k == last else (0, 2 + k)) for k, point in enumerate(incumbents)],
        "ordered": ktau is not None and score is not None,
        "queries_sha256": f"{label} {seed}" if paid is not None else "",
        "timing": {"search_seconds": 2.0},
    }
    searched = SearchRecord(id=spec.id, spec=spec, paid=paid, **(found | (search or {})))
    scored = None
    if score is not None:
        of_score = OutcomeSpec(
            search=spec.id,
            task=task,
            final=final,
            final_seed=final_seed,
            report=scoring.report,
            ktau_sample=1000,
            incumbents=True,
            data_digest=data_digest,
        )
        told: dict[str, Any] = {
            "split": split,
            "score": score,
            "arch": arch,
            "reported": "0-1",
            "valid": valid,
            "rank": rank,
            "regret": regret,
            "valid_regret": valid_regret,
            "incumbents": [point[4] for point in incumbents],
            "ktau": ktau,
            "provenance": provenance
            if provenance is not None
            else {"task": {"benchmark": "toy", "version": "1"}, "data_digest": data_digest},
        }
        scored = OutcomeRecord(id=of_score.id, spec=of_score, **(told | (outcome or {})))
    return Run(entry, setting, searched, scored)


def entry(label: str, scores: Sequence[float | None], **options: Any) -> list[Run]:
    """A run for each score, search seeds from 0."""
    return [run(label, seed, score, **options) for seed, score in enumerate(scores)]


def reference(scores: Sequence[float | None], **options: Any) -> list[Run]:
    """Matched random search, a run for each score."""
    return entry(MATCHED, scores, role="reference", **options)


def plan_of(
    runs: Iterable[Run],
    samplings: Sequence[SamplingRecord] = (),
    *,
    about: dict[str, dict[str, Any]] | None = None,
    **changes: Any,
) -> PlanRecord:
    """The plan of these runs. about: of a task, what it says of itself."""
    settings: list[PlannedSetting] = []
    entries: list[Entry] = []
    cells: dict[tuple[int, int], Cell] = {}
    for r in runs:
        planned = _planned(r.setting, samplings, (about or {}).get(r.setting.task, {}))
        if planned not in settings:
            settings.append(planned)
        if r.entry not in entries:
            entries.append(r.entry)
        place = settings.index(planned), entries.index(r.entry)
        cell = cells.setdefault(place, Cell(*place, [], []))
        cell.searches.append(r.search.id)
        cell.outcomes.append(r.outcome.id if r.outcome is not None else f"none of {r.search.id}")
    fields: dict[str, Any] = {
        "study": "written",
        "seed": 0,
        "seeds": 8,
        "reference_seeds": 8,
        "settings": settings,
        "entries": entries,
        "cells": list(cells.values()),
    }
    return PlanRecord(**(fields | changes))


def study(
    runs: Sequence[Run], samplings: Sequence[SamplingRecord] | None = None, *, missing: Sequence[Run] = (), **plan: Any
) -> StudyRuns:
    """The study that these make, without a folder. samplings, missing: as of `write_study`."""
    known = _usual(runs) if samplings is None else samplings
    folder = Folder(
        Path("written"),
        {r.search.id: r.search for r in runs},
        {r.outcome.id: r.outcome for r in runs if r.outcome is not None},
        samplings={s.id: s for s in known},
        plans=[plan_of([*runs, *missing], known, **plan)],
        replays={r.search.id: r.replay for r in runs if r.replay is not None},
    )
    return study_of(folder)


def _usual(runs: Sequence[Run]) -> list[SamplingRecord]:
    return [
        sampling(s.task, search_task=s.search_task, law=s.law, final=s.final, final_seed=s.final_seed,
                 constraints=s.constraints)
        for s in dict.fromkeys(msgspec.structs.replace(r.setting, budget=_QUERIES) for r in runs)
    ]  # fmt: skip


def write_study(
    folder: Path,
    runs: Sequence[Run],
    samplings: Sequence[SamplingRecord] | None = None,
    *,
    missing: Sequence[Run] = (),
    plans: Sequence[PlanRecord] | None = None,
    **plan: Any,
) -> Path:
    """A study's folder that holds these. samplings: None is the usual one of each task.

    missing: runs that were planned too. plans: in place of the one that these runs make.
    """
    samplings = _usual(runs) if samplings is None else samplings
    lines: dict[str, Line] = {}
    for r in runs:
        lines |= {line.id: line for line in (r.search, r.outcome) if line is not None}
    lines |= {s.id: s for s in samplings}
    planned = plans if plans is not None else [plan_of([*runs, *missing], samplings, **plan)]
    folder.mkdir(parents=True, exist_ok=True)
    for kind, name in FILES.items():
        of_kind = [line for line in (*lines.values(), *planned) if isinstance(line, kind)]
        (folder / name).write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in of_kind))
    return folder


def _planned(setting: Setting, samplings: Sequence[SamplingRecord], about: dict[str, Any]) -> PlannedSetting:
    def like(s: Any) -> tuple[Any, ...]:
        return s.task, s.search_task, s.law, s.final, s.constraints

    known = {like(s.spec): s.id for s in samplings}
    fields: dict[str, Any] = {
        "recorded": setting.final_seed is None,
        "data_set": setting.task.partition("@")[0],
        "one_training": True,
        "laws": (setting.law,),
    }
    return PlannedSetting(setting=setting, sampling=known.get(like(setting), "none"), **(fields | about))


def _parsed(constraints: Sequence[Any]) -> tuple[Constraint, ...]:
    return tuple(c if isinstance(c, Constraint) else Constraint.parse(c) for c in constraints)
