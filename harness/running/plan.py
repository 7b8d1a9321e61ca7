"""From a study to its plan: all of its searches and outcomes, each with an id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from harness.errors import PluginError, StudyError, as_plugin_error
from harness.protocol import Evaluator, Task, Truth, misfit
from harness.records.identity import code_version
from harness.records.lines import Cell, PlannedSetting, PlanRecord
from harness.records.specs import KEPT, STRICT, Entry, OutcomeSpec, SamplingSpec, SearchSpec, Setting
from harness.registry import Registry
from harness.running.study import MATCHED, Study, TaskSpec, of_field, resolve_entries
from harness.search.budget import Budget
from harness.search.constraints import Constraint
from harness.search.oracle import Oracle
from harness.strategy import Scoring

KTAU_SAMPLE = 1000
REFERENCE_SEEDS = 200
"""Runs of matched random search where a query costs a look-up: they make small differences visible."""
FEWEST_DRAWS = 8


@dataclass(frozen=True)
class OpenTask:
    """A task of the study, opened. spec: its random sampling, with every default filled in.

    reference_seeds: how often matched random search is carried out.
    """

    evaluator: Evaluator
    search: Evaluator
    spec: SamplingSpec
    reference_seeds: int = 0

    @property
    def task(self) -> Task:
        return self.evaluator.task

    @property
    def trains(self) -> bool:
        """Whether a final score needs a training of its own."""
        return not self.task.recorded

    @cached_property
    def other_laws(self) -> list[str]:
        """Laws of the space that differ from the task's; none where every query is a training.

        Where every row is known, laws of equal weights count as one.
        """
        if not _looked_up(self.evaluator, self.search):
            return []
        truth = self.evaluator.truth(self.spec.final)
        found: list[str] = []
        for law in self.evaluator.space.laws:
            known = [self.spec.law, *found]
            if law not in known and not any(_alike(truth, law, other) for other in known):
                found.append(law)
        return found

    def sells_more(self, budget: Budget) -> bool:
        """Whether single repeats buy more architectures than means of several do. They do not where only queries
        count."""
        counts = budget.epochs is not None or budget.seconds is not None
        return counts and _looked_up(self.evaluator, self.search) and len(self.search.validator().repeats) > 1

    def has(self, entry: Entry, budget: Budget) -> bool:
        """Whether the entry is carried out here: references by another law, or by single repeats, not on every task."""
        if entry.role == "reference" and entry.params.get("single"):
            return self.sells_more(budget)
        return entry.role == "entry" or entry.params["law"] in (None, *self.other_laws)


def _looked_up(*evaluators: Evaluator) -> bool:
    """Whether queries and final scores cost a look-up."""
    return all(evaluator.task.recorded for evaluator in evaluators)


@dataclass(frozen=True)
class Plan:
    """A study as work. record: as it is stored. titles: of each search, for messages.

    outcomes: of each search, by its id.
    """

    study: Study
    record: PlanRecord
    tasks: tuple[OpenTask, ...]
    searches: dict[str, SearchSpec] = field(default_factory=dict)
    outcomes: dict[str, list[OutcomeSpec]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)


class Evaluators:
    """Opens each task once a process."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._open: dict[str, Evaluator] = {}

    def __call__(self, name: str) -> Evaluator:
        """Raises UnknownName, PluginError, DataMissing, DataError."""
        if name not in self._open:
            task = self.registry.task(name)
            title = f"{self.registry.find('protocol', task.protocol).title}: task {name!r}"
            with as_plugin_error(f"{title} does not open"):
                found = self.registry.protocol(task.protocol).open(task)
            if why := misfit(found):
                raise PluginError(f"{title} opens {why}")
            self._open[name] = found
        return self._open[name]


def make_plan(study: Study, registry: Registry, evaluators: Evaluators | None = None) -> Plan:
    """Open the study's tasks, find its strategies, and list its searches, those of entries first.

    Raises UnknownName, StudyError, PluginError, DataMissing, DataError.
    """
    evaluators = evaluators or Evaluators(registry)
    own = resolve_entries(study, registry)
    tasks = tuple(_open(study, spec, evaluators, f"tasks[{i}]") for i, spec in enumerate(study.tasks))
    for position, t in enumerate(tasks):
        for budget in study.budgets:
            with of_field("budget"):
                _check_limits(t, budget, ())
            with of_field(f"tasks[{position}].constraints"):
                _check_limits(t, budget, t.spec.constraints)
        for entry in own:
            _check_mode(t, entry, registry, study.budgets)
    declared = {e.strategy: tuple(registry.load("strategy", e.strategy).ablations) for e in own}
    places = [(t, budget) for t in tasks for budget in study.budgets]
    laws = sorted({law for t in tasks for law in t.other_laws})
    references = _references(own, laws, single=any(t.sells_more(budget) for t, budget in places))
    record = PlanRecord(
        study=study.name,
        seed=study.seed,
        seeds=study.seeds,
        reference_seeds=max(t.reference_seeds for t in tasks),
        settings=[_planned(t, budget) for t, budget in places],
        entries=[*own, *references],
        cells=[],
        declared=declared,
    )
    plan = Plan(study, record, tasks)
    codes = [code_of(entry.strategy, registry) for entry in record.entries]
    # Entries first: they take longest, and an interrupted study then has what it was made for.
    for place, (entry, code) in enumerate(zip(record.entries, codes, strict=True)):
        for at, (t, budget) in enumerate(places):
            if t.has(entry, budget):
                _add_cell(plan, Cell(at, place, [], []), t, budget, entry, code)
    return plan


def _add_cell(plan: Plan, cell: Cell, t: OpenTask, budget: Budget, entry: Entry, code: dict[str, str]) -> None:
    """One entry in one setting: its searches and outcomes go to the plan."""
    study = plan.study
    is_reference = entry.role == "reference"
    ktau = study.ktau_sample if study.ktau_sample is not None else (KTAU_SAMPLE if t.task.recorded else None)
    for seed in range(t.reference_seeds if is_reference else study.seeds):
        search = SearchSpec(
            search_task=t.spec.search_task,
            law=t.spec.law,
            constraints=t.spec.constraints,
            strategy=entry.strategy,
            params=entry.params,
            oracle=entry.scoring.oracle,
            top=entry.scoring.top,
            budget=budget,
            study_seed=study.seed,
            search_seed=seed,
            data_digest=t.spec.search_data_digest,
            code=code,
        )
        identity = search.id
        outcome = OutcomeSpec(
            search=identity,
            task=t.spec.task,
            final=t.spec.final,
            final_seed=t.spec.final_seed,
            report=entry.scoring.report,
            ktau_sample=None if is_reference else ktau,
            incumbents=t.task.recorded or study.score_incumbents,
            data_digest=t.spec.data_digest,
        )
        plan.searches[identity] = search
        if all(o.id != outcome.id for o in plan.outcomes.setdefault(identity, [])):
            plan.outcomes[identity].append(outcome)
        plan.titles.setdefault(identity, f"{entry.title} on {t.task.name}, seed {seed}")
        cell.searches.append(identity)
        cell.outcomes.append(outcome.id)
    plan.record.cells.append(cell)


def _references(own: list[Entry], laws: list[str], *, single: bool) -> list[Entry]:
    """Matched random search for each way in which entries are scored, named after strict or the first mode with it.

    There is one by the task's law, one by each other law, and one by single repeats: no strategy should win only by how
    it draws or what it buys. Test scores, which some modes search on, have no single repeats.
    """
    first: dict[Scoring, str] = {}
    for entry in sorted(own, key=lambda entry: entry.mode != STRICT):
        first.setdefault(entry.scoring, entry.mode)
    kinds: list[tuple[str, dict[str, Any]]] = [(MATCHED, {"law": None})]
    kinds += [(f"{MATCHED} by {law}", {"law": law}) for law in laws]
    if single:
        kinds.append((f"{MATCHED} by single repeats", {"law": None, "single": True}))
    return [
        Entry(
            label=label,
            strategy=MATCHED,
            mode=mode,
            scoring=scoring,
            params={"returned": max(scoring.top, KEPT), **params},
            role="reference",
        )
        for label, params in kinds
        for scoring, mode in first.items()
        if "single" not in params or scoring.oracle == "validation"
    ]


def _alike(truth: Truth | None, law: str, other: str) -> bool:
    if truth is None or law not in truth.weights or other not in truth.weights:
        return False
    n = len(truth.final)
    a, b = (np.full(n, 1 / n) if w is None else w for w in (truth.weights[law], truth.weights[other]))
    return bool(np.allclose(a, b, rtol=1e-9, atol=0.0))


def code_of(strategy: str, registry: Registry) -> dict[str, str]:
    """The version of a strategy's code, as its searches' specifications hold it. Raises UnknownName, PluginError."""
    if strategy == MATCHED:
        code = code_version("harness", "nas-harness")
        return {k: v for k, v in code.items() if k != "sha256"}
    cls = registry.load("strategy", strategy)
    return code_version(cls.__module__, registry.find("strategy", strategy).distribution)


def _planned(t: OpenTask, budget: Budget) -> PlannedSetting:
    setting = Setting(
        task=t.spec.task,
        search_task=t.spec.search_task,
        law=t.spec.law,
        final=t.spec.final,
        final_seed=t.spec.final_seed,
        budget=budget,
        constraints=t.spec.constraints,
    )
    return PlannedSetting(
        setting=setting,
        sampling=t.spec.id,
        recorded=t.task.recorded,
        data_set=t.task.data_set,
        validated_on=t.search.task.validated_on,
        one_training=t.task.one_training if t.search is t.evaluator else False,
        laws=tuple(t.evaluator.space.laws),
    )


def _open(study: Study, spec: TaskSpec, evaluators: Evaluators, place: str) -> OpenTask:
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
    with of_field(f"{place}.final_seed"):
        if spec.final_seed is not None and task.recorded:
            raise StudyError(f"task {spec.name!r} is recorded, so no final training could take a final_seed")
        own = study.final_seed if spec.final_seed is None else spec.final_seed
        final_seed = None if task.recorded else own
    with of_field(f"{place}.law"):
        law = spec.law or evaluator.law
        for of in (evaluator, search):
            if law not in of.space.laws:
                raise StudyError(f"task {of.task.name!r} has no law {law!r}; it has {', '.join(of.space.laws)}")
    with of_field(f"{place}.as_small_as"):
        constraints = (*map(Constraint.parse, spec.constraints), *_as_small_as(spec, search))
    exact = evaluator.truth(final) is not None
    sampling = SamplingSpec(
        task=task.name,
        search_task=search.task.name,
        law=law,
        final=final,
        final_seed=final_seed,
        constraints=constraints,
        study_seed=study.seed,
        draws=None if exact else (evaluator.sampling_draws or study.draws or max(FEWEST_DRAWS, study.seeds)),
        data_digest=evaluator.data_digest,
        search_data_digest=search.data_digest,
    )
    usual = max(study.seeds, REFERENCE_SEEDS) if _looked_up(evaluator, search) else study.seeds
    seeds = usual if study.reference_seeds is None else study.reference_seeds
    return OpenTask(evaluator, search, sampling, seeds)


def _check_search(spec: TaskSpec, evaluator: Evaluator, search: Evaluator) -> None:
    if search is evaluator and not evaluator.task.searchable:
        raise StudyError(
            f"task {spec.name!r} has no validation scores of its own, so a study cannot both search and score it; "
            "name another task on the same space as its search_task"
        )
    if search.space.name != evaluator.space.name or search.space.radices != evaluator.space.radices:
        raise StudyError(
            f"search_task {spec.search_task!r} is on the space {search.space.name}, "
            f"{spec.name!r} on {evaluator.space.name}"
        )


def _check_limits(t: OpenTask, budget: Budget, constraints: tuple[Constraint, ...]) -> None:
    """Raises StudyError where the oracle would refuse the budget or a constraint."""
    try:
        Oracle(t.search.validator(), budget, constraints=constraints)
    except StudyError as error:
        raise StudyError(f"{t.spec.search_task}: {error}") from None


def _as_small_as(spec: TaskSpec, search: Evaluator) -> tuple[Constraint, ...]:
    """Constraints that the named architecture just satisfies: its own params and flops are the bounds."""
    if spec.as_small_as is None:
        return ()
    arch = search.space.parse(spec.as_small_as)
    costs = {name: float(values[0]) for name, values in sorted(search.validator().costs([arch]).items())}
    if not costs or not np.isfinite(list(costs.values())).all():
        raise StudyError(f"task {spec.name!r} knows no costs of it: take out as_small_as = {spec.as_small_as!r}")
    return tuple(Constraint(name, "<=", value) for name, value in costs.items())


def _check_mode(t: OpenTask, entry: Entry, registry: Registry, budgets: Iterable[Budget]) -> None:
    if entry.scoring.oracle not in t.search.columns:
        raise StudyError(
            f"{entry.label} in mode {entry.mode!r} searches on test scores, which {t.spec.search_task!r} does not offer"
        )
    if "training" in registry.load("strategy", entry.strategy).needs:
        for budget in budgets:
            with of_field("budget"):
                trains = Oracle(t.search.validator(), budget).training is not None
            if not trains:
                raise StudyError(
                    f"{entry.label} trains networks itself, for which {t.spec.search_task!r} offers no images with "
                    "labels: its scores are recorded, a supernet's, or of trainings without labels"
                )
