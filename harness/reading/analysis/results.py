"""A study's folder as it is read back: records grouped into tasks and rows, each task with its random sampling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import RecordError, UnknownName, counted
from harness.records.store import BASELINES, RUNS, Baseline, Problem, Record, read_baselines, read_records
from harness.search.budget import Budget

PLAN = "plan.json"
STRICT = "strict"


class PlannedRow(msgspec.Struct, frozen=True):
    label: str
    strategy: str
    mode: str
    ablation: str | None = None


class PlanFile(msgspec.Struct, frozen=True):
    """What the study was when it last ran. ids: its runs; the folder may hold older ones."""

    study: str
    seeds: int
    ids: list[str]
    rows: list[PlannedRow] = []
    ablations_declared: dict[str, list[str]] = {}


@dataclass(frozen=True)
class Runs:
    """The runs of one row of one task, by search seed: one strategy entry, one mode, one set of parameters."""

    label: str
    strategy: str
    mode: str
    settings: dict[str, Any]
    ablation: str | None
    records: tuple[Record, ...]

    @property
    def title(self) -> str:
        return self.label if self.mode == STRICT else f"{self.label} ({self.mode})"

    @property
    def failed(self) -> tuple[Record, ...]:
        """Runs without a final score: failed, timed out, or nothing feasible found."""
        return tuple(r for r in self.records if r.final.score is None)

    @property
    def counted(self) -> tuple[Record, ...]:
        """Runs whose ledger is known; of one that was killed it is not."""
        return tuple(r for r in self.records if r.queries_sha256)


@dataclass(frozen=True)
class TaskRuns:
    """Everything on one task under one law, final, budget and set of constraints."""

    task: str
    search_task: str
    law: str
    final: str
    split: str
    budget: Budget
    constraints: tuple[str, ...]
    rows: tuple[Runs, ...]
    references: tuple[Runs, ...]
    baseline: Baseline | None

    @property
    def title(self) -> str:
        """The task's name, and what tells it from another entry of the same task."""
        searched = "" if self.search_task == self.task else f" searched on {self.search_task}"
        return self.task + searched + "".join(f", {c}" for c in self.constraints)

    @property
    def records(self) -> Iterable[Record]:
        return (r for row in (*self.rows, *self.references) for r in row.records)

    def reference_of(self, row: Runs) -> Runs | None:
        """The matched random search under the settings of the row's mode."""
        return next((r for r in self.references if r.settings == row.settings), None)


@dataclass(frozen=True)
class Results:
    """One study. problems: lines that are no records, and what was left out, each a sentence."""

    study: str
    folder: Path
    tasks: tuple[TaskRuns, ...]
    plan: PlanFile | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def records(self) -> Iterable[Record]:
        return (r for task in self.tasks for r in task.records)


def read_results(folder: Path) -> Results:
    """Raises RecordError where the folder holds no study or no whole record."""
    if not (folder / RUNS).is_file() and folder.is_dir():
        inside = sorted(p.name for p in folder.iterdir() if (p / RUNS).is_file())
        if inside:
            raise RecordError(f"{folder} holds studies, not one study; name one of: {', '.join(inside)}")
    records, problems = read_records(folder)
    told = [str(p) for p in problems]
    plan = _read_plan(folder / PLAN, told)
    if plan is not None:
        wanted = set(plan.ids)
        older = [r for r in records if r.id not in wanted]
        records = [r for r in records if r.id in wanted]
        if older:
            of_old = counted(len(older), "older record is", "older records are")
            told.append(f"{of_old} not of the study as it last ran and left out")
    if not records:
        raise RecordError(f"{folder} holds no finished run of the study; run it first (nas-harness run)")
    broken: list[Problem] = []
    baselines = list(read_baselines(folder / BASELINES, broken).values())
    told += [str(p) for p in broken]
    name = plan.study if plan is not None else records[-1].study
    return Results(name, folder, group(records, baselines, told), plan, told)


def _read_plan(path: Path, told: list[str]) -> PlanFile | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=PlanFile)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        told.append(f"{path}: cannot be read ({error}); every record of the folder is shown")
        return None


def group(records: Sequence[Record], baselines: Sequence[Baseline], told: list[str]) -> tuple[TaskRuns, ...]:
    """Records into tasks and rows, in the order they first occur.

    Scores under different laws, finals, budgets or constraints never share a table. Runs of one label that differ in
    parameters or code are not averaged: the latest stand, what is left out is added to ``told``.
    """
    tasks: dict[tuple[Any, ...], list[Record]] = {}
    for r in records:
        key = (r.task, r.search_task, r.law, r.final.value, r.final.split, r.budget, tuple(r.constraints))
        tasks.setdefault(key, []).append(r)
    found: list[TaskRuns] = []
    for (task, search_task, law, final, split, budget, constraints), members in tasks.items():
        rows = _rows([r for r in members if r.role == "row"], told)
        references = _rows([r for r in members if r.role == "reference"], told)
        digests = {r.provenance.get("data_digest", "") for r in members}
        baseline = next(
            (
                b
                for b in reversed(baselines)
                if (b.task, b.search_task, b.law, b.final, tuple(b.constraints))
                == (task, search_task, law, final, constraints)
                and b.data_digest in digests
            ),
            None,
        )
        found.append(TaskRuns(task, search_task, law, final, split, budget, constraints, rows, references, baseline))
    return tuple(found)


def _rows(records: Sequence[Record], told: list[str]) -> tuple[Runs, ...]:
    variants: dict[tuple[str, str, str], dict[bytes, list[Record]]] = {}
    for r in records:
        settings = msgspec.json.encode(r.mode_settings, order="deterministic").decode() if r.role == "reference" else ""
        same = [
            r.params,
            r.mode_settings,
            r.seeds.study,
            r.seeds.final,
            r.tuning_queries,
            r.provenance.get("code"),
            r.provenance.get("data_digest"),
        ]
        variant = msgspec.json.encode(same, order="deterministic")
        of_row = variants.setdefault((r.label, r.mode, settings), {})
        bucket = of_row.pop(variant, [])  # popped, so that the latest variant stands last
        bucket.append(r)
        of_row[variant] = bucket
    rows = []
    for (label, mode, _), of_row in variants.items():
        *older, runs = of_row.values()
        left_out = sum(len(o) for o in older)
        if left_out:
            others = f"{counted(left_out, 'run')} of other parameters, code or data than the latest"
            told.append(f"{label} ({mode}) on {runs[0].task}: {others} {'is' if left_out == 1 else 'are'} left out")
        runs = sorted(runs, key=lambda r: r.seeds.search)
        rows.append(Runs(label, runs[0].strategy, mode, runs[0].mode_settings, runs[0].ablation, tuple(runs)))
    return tuple(rows)


def check_names(results: Results, tasks: Sequence[str], rows: Sequence[str]) -> None:
    """Raises UnknownName for a task or a label that the study does not have."""
    labels = {r.label for t in results.tasks for r in (*t.rows, *t.references)}
    for kind, given, known in (("task", tasks, {t.task for t in results.tasks}), ("row", rows, labels)):
        for name in given:
            if name not in known:
                raise UnknownName(kind, name, known)


__all__ = ["STRICT", "PlanFile", "Results", "Runs", "TaskRuns", "check_names", "group", "read_results"]
