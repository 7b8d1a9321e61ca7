"""From a study to its plan: every run it consists of, each with an id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from harness.errors import StudyError
from harness.protocol import Evaluator, Task
from harness.records.identity import code_version, digest
from harness.registry import Registry
from harness.running.study import MATCHED, Row, Study, TaskSpec, of_field, resolve_rows
from harness.search.budget import Budget
from harness.search.constraints import Constraint
from harness.search.oracle import Oracle
from harness.strategy import Mode

KTAU_ROWS = 1000


class RunSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One run: everything that decides its record. Plain values, so that it travels to any worker."""

    id: str
    study: str
    task: str
    search_task: str
    law: str
    final: str
    constraints: tuple[str, ...]
    strategy: str
    label: str
    role: Literal["row", "reference"]
    mode: str
    mode_settings: dict[str, Any]
    params: dict[str, Any]
    budget: Budget
    study_seed: int
    search_seed: int
    final_seed: int | None
    ktau_sample: int | None
    tuning_queries: int | None
    ablation: str | None
    code: dict[str, str]

    @property
    def title(self) -> str:
        """How the run is called in messages."""
        mode = "" if self.mode == "strict" else f" ({self.mode})"
        return f"{self.label}{mode} on {self.task}, seed {self.search_seed}"


@dataclass(frozen=True)
class OpenTask:
    """A task of the study, opened, with all that it leaves open decided."""

    spec: TaskSpec
    task: Task
    evaluator: Evaluator
    search: Evaluator
    law: str
    final: str
    constraints: tuple[str, ...]

    @property
    def search_name(self) -> str:
        return self.search.task.name


@dataclass(frozen=True)
class Plan:
    study: Study
    tasks: tuple[OpenTask, ...]
    rows: tuple[Row, ...]
    runs: tuple[RunSpec, ...]
    declared: dict[str, tuple[str, ...]]
    """Ablations that each strategy declares."""


class Evaluators:
    """Opens each task once a process."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._open: dict[str, Evaluator] = {}

    def __call__(self, name: str) -> Evaluator:
        """Raises UnknownName, PluginError, DataMissing, DataError."""
        if name not in self._open:
            task = self.registry.task(name)
            self._open[name] = self.registry.protocol(task.protocol).open(task)
        return self._open[name]


def make_plan(study: Study, registry: Registry, evaluators: Evaluators | None = None) -> Plan:
    """Open the study's tasks, resolve its rows, and list its runs, rows first, then the reference runs.

    Raises UnknownName, StudyError, PluginError, DataMissing, DataError.
    """
    evaluators = evaluators or Evaluators(registry)
    rows = resolve_rows(study, registry)
    tasks = tuple(_open(spec, evaluators, f"tasks[{i}]") for i, spec in enumerate(study.tasks))
    for position, t in enumerate(tasks):
        with of_field("budget"):
            _check_limits(t, study.budget, ())
        with of_field(f"tasks[{position}].constraints"):
            _check_limits(t, study.budget, t.constraints)
    runs: list[RunSpec] = []
    for t in tasks:
        modes: dict[str, tuple[str, Mode]] = {}
        for row in rows:
            cls = registry.load("strategy", row.strategy)
            mode: Mode = cls.modes[row.mode]
            _check_mode(t, row, mode, cls)
            modes.setdefault(repr(_settings(mode)), (row.mode, mode))
            code = code_version(cls.__module__, registry.find("strategy", row.strategy).distribution)
            for seed in range(study.seeds):
                runs.append(_spec(study, t, row, mode, seed, "row", code))
        for name, mode in modes.values():
            reference = Row(strategy=MATCHED, label=MATCHED, mode=name, params={"returned": max(mode.top, 1)})
            code = code_version("harness", "nas-harness")
            code = {k: v for k, v in code.items() if k != "sha256"}
            for seed in range(study.seeds):
                runs.append(_spec(study, t, reference, mode, seed, "reference", code))
    declared = {row.strategy: tuple(registry.load("strategy", row.strategy).ablations) for row in rows}
    return Plan(study, tasks, tuple(rows), tuple(runs), declared)


def _open(spec: TaskSpec, evaluators: Evaluators, place: str) -> OpenTask:
    with of_field(f"{place}.name"):
        evaluator = evaluators(spec.name)
    task = evaluator.task
    with of_field(f"{place}.search_task"):
        search = evaluators(spec.search_task) if spec.search_task else evaluator
        _check_search(spec, evaluator, search)
    with of_field(f"{place}.final"):
        final = spec.final or task.finals[0]
        if final not in task.finals:
            raise StudyError(f"task {spec.name!r} has no final {final!r}; it has {', '.join(task.finals)}")
    with of_field(f"{place}.law"):
        law = spec.law or evaluator.law
        for of in (evaluator, search):
            if law not in of.space.laws:
                raise StudyError(f"task {of.task.name!r} has no law {law!r}; it has {', '.join(of.space.laws)}")
    with of_field(f"{place}.reference"):
        constraints = tuple(str(Constraint.parse(c)) for c in spec.constraints) + _reference(spec, search)
    return OpenTask(spec, task, evaluator, search, law, final, constraints)


def _check_search(spec: TaskSpec, evaluator: Evaluator, search: Evaluator) -> None:
    if search is evaluator and not evaluator.task.searchable:
        raise StudyError(
            f"task {spec.name!r} has no validation scores of its own, so it is not searched and scored at once; "
            "name another task on the same space as its search_task"
        )
    if search.space.name != evaluator.space.name or search.space.radices != evaluator.space.radices:
        raise StudyError(
            f"search_task {spec.search_task!r} is on the space {search.space.name}, "
            f"{spec.name!r} on {evaluator.space.name}"
        )


def _check_limits(t: OpenTask, budget: Budget, constraints: tuple[str, ...]) -> None:
    """Raises StudyError where the oracle would refuse the budget or a constraint."""
    try:
        Oracle(t.search.validator(), budget, constraints=[Constraint.parse(c) for c in constraints])
    except StudyError as error:
        raise StudyError(f"{t.search_name}: {error}") from None


def _reference(spec: TaskSpec, search: Evaluator) -> tuple[str, ...]:
    """Constraints under which the reference architecture is itself just feasible: its own params and flops."""
    if spec.reference is None:
        return ()
    arch = search.space.parse(spec.reference)
    costs = search.validator().costs([arch])
    if not costs:
        raise StudyError(f"task {spec.name!r} knows no costs, so {spec.reference!r} cannot be a reference")
    return tuple(f"{name} <= {float(values[0])!r}" for name, values in sorted(costs.items()))


def _settings(mode: Mode) -> dict[str, Any]:
    return {"oracle": mode.oracle, "report": mode.report, "top": mode.top}


def _check_mode(t: OpenTask, row: Row, mode: Mode, cls: Any) -> None:
    column = "validation" if mode.oracle == "validation" else "test"
    if column not in t.search.columns:
        raise StudyError(
            f"{row.label} in mode {row.mode!r} searches on test scores, which {t.search_name!r} does not offer"
        )
    if "training" in cls.needs and t.search.task.recorded:
        raise StudyError(f"{row.label} trains networks itself, but {t.search_name!r} is recorded")


def _spec(
    study: Study, t: OpenTask, row: Row, mode: Mode, seed: int, role: Literal["row", "reference"], code: dict[str, str]
) -> RunSpec:
    final_seed = None if t.task.recorded else study.final_seed
    ktau = study.ktau_sample if study.ktau_sample is not None else (KTAU_ROWS if t.task.recorded else None)
    identity = digest(
        t.task.name,
        t.search_name,
        row.strategy,
        row.label,
        role,
        row.mode,
        _settings(mode),
        row.params,
        study.budget,
        seed,
        t.final,
        final_seed,
        t.law,
        t.constraints,
        study.seed,
        ktau,
        t.evaluator.data_digest,
        t.search.data_digest,
        code,
        row.tuning_queries,
    )
    return RunSpec(
        id=identity,
        study=study.name,
        task=t.task.name,
        search_task=t.search_name,
        law=t.law,
        final=t.final,
        constraints=t.constraints,
        strategy=row.strategy,
        label=row.label,
        role=role,
        mode=row.mode,
        mode_settings=_settings(mode),
        params=row.params,
        budget=study.budget,
        study_seed=study.seed,
        search_seed=seed,
        final_seed=final_seed,
        ktau_sample=ktau if role == "row" else None,
        tuning_queries=row.tuning_queries,
        ablation=row.ablation,
        code=code,
    )
