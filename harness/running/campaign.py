"""A study, carried out: what is missing is run, every record is stored by this one coordinator."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np

from harness.errors import HarnessError, RecordError, StudyError
from harness.records.lines import PlanRecord, SamplingRecord, SearchRecord, TrainingRecord
from harness.records.runs import Run
from harness.records.specs import OutcomeSpec, TrainingSpec
from harness.records.store import Folder, Problem, Store, read_folder, read_samplings
from harness.registry import Registry
from harness.running.environment import describe_environment
from harness.running.execution import Done, Executor, Lost, Work, default_jobs
from harness.running.items import Item, OutcomeItem, SearchItem, TrainingItem
from harness.running.plan import OpenTask, Plan, make_plan
from harness.running.runner import Runner, lost_search
from harness.running.sampling import drawn_sampling, draws_of, exact_sampling, trainings_of
from harness.running.scoring import candidates, outcome_of
from harness.running.study import Study

_LONGEST_RUN = 366 * 86400.0


class Listener(Protocol):
    """What is told how a study goes on. Every method is called in the coordinator."""

    def stage(self, what: str, total: int, already: int) -> None:
        """A stage begins: ``total`` items, such as runs, of which ``already`` are there."""

    def started(self, title: str) -> None: ...
    def finished(self, title: str, said: str, failed: bool) -> None: ...
    def note(self, message: str) -> None: ...


class Silent:
    """A listener that does nothing."""

    def stage(self, what: str, total: int, already: int) -> None:
        return

    def started(self, title: str) -> None:
        return

    def finished(self, title: str, said: str, failed: bool) -> None:
        return

    def note(self, message: str) -> None:
        return


@dataclass(frozen=True)
class Settings:
    """How a study is carried out; none of it changes a record.

    jobs: default one a core. run_timeout, final_timeout: seconds a search, and a final training, may take.
    retry_failed: what failed before is run again; the first records stay in the file.
    """

    executor: str = "process"
    cluster: str | None = None
    jobs: int | None = None
    run_timeout: float = 3600.0
    final_timeout: float = 86400.0
    keep_queries: bool = False
    retry_failed: bool = False


@dataclass(frozen=True)
class Summary:
    """What came of it. failed: the runs that failed, timed out or found nothing feasible, old ones too, in words."""

    study: str
    folder: Path
    total: int
    already: int
    finished: int
    failed: list[str]
    problems: list[Problem]
    interrupted: bool


@dataclass
class _Hooks:
    """Calls a hook of every plugin in its own guard: an exception in one is told once and stops no other.

    pluggy's own caller would end at the first exception.
    """

    registry: Registry
    listener: Listener
    told: set[str] = field(default_factory=set)

    def call(self, hook: str, **arguments: Any) -> None:
        for implementation in getattr(self.registry.manager.hook, hook).get_hookimpls():
            plugin = implementation.plugin_name
            try:
                implementation.function(*(arguments[name] for name in implementation.argnames))
            except Exception as error:
                if plugin not in self.told:
                    self.told.add(plugin)
                    self.listener.note(f"plugin {plugin!r}: {hook} raised {type(error).__name__}: {error}")


def carry_out_study(
    study: Study,
    *,
    registry: Registry,
    results: Path,
    settings: Settings | None = None,
    listener: Listener | None = None,
    text: str | None = None,
) -> Summary:
    """Run what is missing of ``study`` into ``results/<name>``; ``text``: the study file as it was written.

    Raises HarnessError for what is wrong with the study or the folder, before any run starts. Ctrl-C ends the workers
    and leaves only whole records; the summary says so.
    """
    settings = settings or Settings()
    _check(settings)
    engine = registry.load("executor", settings.executor)()
    runner = Runner(registry)
    plan = make_plan(study, registry, runner.evaluators)
    folder = results / study.name
    listener = listener or Silent()
    found = read_folder(folder)
    known = read_samplings(results, [])
    # What random sampling may refuse is refused before anything is written.
    sampled = [_sampling(t, spec, found, known) for t, spec in zip(plan.tasks, plan.samplings, strict=True)]
    with Store.open(folder) as store:
        for problem in found.problems:
            listener.note(str(problem))
        _describe(store, found, plan, text)
        for s in sampled:
            if s.record is not None and s.record.id not in found.samplings:
                store.append(s.record)
                _share(results, s.record, listener)
        campaign = _Campaign(plan, store, found, runner, engine, settings, listener, _Hooks(registry, listener))
        summary = campaign.run(sampled)
        for s in sampled:
            try:
                finished = campaign.sampling_of(s) if s.record is None else None
            except StudyError as error:  # the runs stand; only RI has no denominator
                listener.note(str(error))
                continue
            if finished is not None:
                store.append(finished)
                _share(results, finished, listener)
        if not summary.interrupted and summary.already + summary.finished == summary.total:
            campaign.hooks.call("nas_harness_study_finished", study=study.name, folder=str(folder))
    return summary


def _check(settings: Settings) -> None:
    if settings.jobs is not None and settings.jobs < 1:
        raise HarnessError(f"--jobs {settings.jobs}: at least 1")
    for option, seconds in (("--run-timeout", settings.run_timeout), ("--final-timeout", settings.final_timeout)):
        if not 0 < seconds <= _LONGEST_RUN:
            raise HarnessError(f"{option} {seconds:g}: more than 0 seconds, at most {_LONGEST_RUN:g} (a year)")
    if settings.cluster is not None and settings.executor in ("serial", "process"):
        raise HarnessError(
            f"--cluster {settings.cluster} is not for the executor {settings.executor!r}; add --executor dask"
        )


# -- random sampling ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sampled:
    """Random sampling of a task: its record, or the final trainings that it takes."""

    t: OpenTask
    record: SamplingRecord | None
    trainings: tuple[TrainingSpec, ...] = ()


def _sampling(t: OpenTask, spec: Any, found: Folder, known: dict[str, SamplingRecord]) -> _Sampled:
    """Raises StudyError where a task's constraints leave nothing to draw."""
    record = found.samplings.get(spec.id) or known.get(spec.id)
    if record is not None:
        return _Sampled(t, record)
    truth = t.evaluator.truth(spec.final)
    if truth is not None:
        return _Sampled(t, exact_sampling(t, spec, truth))
    archs = draws_of(t, spec)
    if not t.trains:
        return _Sampled(t, drawn_sampling(t, spec, t.evaluator.final_scores(archs, final=spec.final).scores))
    return _Sampled(t, None, tuple(trainings_of(spec, archs)))


def _share(results: Path, record: SamplingRecord, listener: Listener) -> None:
    """Beside all studies; one line in one write, so that studies running at once do not mix theirs."""
    path = results / "samplings.jsonl"
    try:
        if record.id in read_samplings(results, []):
            return
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, msgspec.json.encode(record, order="deterministic") + b"\n")
        finally:
            os.close(descriptor)
    except OSError as error:
        listener.note(f"{path} cannot be written ({error.strerror}); other studies compute random sampling again")


# -- the campaign ---------------------------------------------------------------------------------------------------


@dataclass
class _Campaign:
    """The items of a plan that are missing, and what comes of them."""

    plan: Plan
    store: Store
    found: Folder
    runner: Runner
    engine: Executor
    settings: Settings
    listener: Listener
    hooks: _Hooks

    def __post_init__(self) -> None:
        self.outcome_specs = {o.id: o for of in self.plan.outcomes.values() for o in of}
        self.pairs = {
            pair: (cell.setting, cell.entry)
            for cell in self.plan.record.cells
            for pair in zip(cell.searches, cell.outcomes, strict=True)
        }
        if self.settings.retry_failed:
            for kept in (self.found.searches, self.found.outcomes, self.found.trainings):
                for identity in [i for i, r in kept.items() if r.status != "ok"]:
                    del kept[identity]

    def run(self, sampled: Sequence[_Sampled]) -> Summary:
        already = sum(self._over(*pair) for pair in self.pairs)
        interrupted = False
        try:
            self.listener.stage("run", len(self.pairs), already)
            if self.settings.keep_queries:
                self._tell_without_queries()
            self._execute(self._searches())
            self._finish_outcomes()
            draws = [spec for s in sampled for spec in s.trainings]
            trainings = self._trainings(draws)
            if trainings:
                self.listener.stage("final training", len(trainings), 0)
                self._execute(trainings)
                self._finish_outcomes()
        except KeyboardInterrupt:
            interrupted = True
        self.store.sync()
        over = sum(self._over(*pair) for pair in self.pairs)
        failed = [said for pair in self.pairs if (said := self._failure(*pair))]
        return Summary(
            self.plan.study.name,
            self.store.folder,
            len(self.pairs),
            already,
            over - already,
            failed,
            self.found.problems,
            interrupted,
        )

    def sampling_of(self, sampled: _Sampled) -> SamplingRecord | None:
        """Random sampling of a task that trains, once every draw is trained."""
        records = [self.found.trainings.get(spec.id) for spec in sampled.trainings]
        if any(r is None for r in records):
            return None
        spec = next(s for s, t in zip(self.plan.samplings, self.plan.tasks, strict=True) if t is sampled.t)
        scores = np.array([np.nan if r is None or r.score is None else r.score for r in records])
        return drawn_sampling(sampled.t, spec, scores)

    # -- what is missing --------------------------------------------------------------------------------------------

    def _over(self, search: str, outcome: str) -> bool:
        found = self.found.searches.get(search)
        return found is not None and (found.status != "ok" or outcome in self.found.outcomes)

    def _searches(self) -> list[Item]:
        """Searches that are missing, and outcomes of old searches whose final scores are recorded.

        A learned order is gone with its search: where it is still to be measured, the search is repeated.
        """
        items: list[Item] = []
        for identity, spec in self.plan.searches.items():
            recorded = tuple(o for o in self.plan.outcomes[identity] if o.final_seed is None)
            missing = tuple(o for o in recorded if o.id not in self.found.outcomes)
            record = self.found.searches.get(identity)
            title = self.plan.titles[identity]
            if record is None:
                items.append(SearchItem(spec=spec, outcomes=recorded, title=title))
            elif record.status == "ok" and any(o.ktau_sample and record.ordered for o in missing):
                items.append(SearchItem(spec=spec, outcomes=missing, title=title))
            elif record.status == "ok":
                items += [OutcomeItem(spec=o, search=record, title=title) for o in missing]
        return items

    def _trainings(self, draws: Sequence[TrainingSpec]) -> list[Item]:
        """Final trainings that are missing: of random sampling's draws, then of what the searches returned."""
        wanted = {spec.id: TrainingItem(spec=spec, title=f"random sampling on {spec.task}") for spec in draws}
        for search, spec in self._trained():
            for arch in self._archs(search, spec):
                training = self._training(spec, arch)
                title = f"{self.plan.titles[search.id]}: final training"
                wanted.setdefault(training.id, TrainingItem(spec=training, title=title))
        return [item for identity, item in wanted.items() if identity not in self.found.trainings]

    def _trained(self) -> Iterator[tuple[SearchRecord, OutcomeSpec]]:
        """Finished searches whose answers are finally trained and have no outcome yet."""
        for identity, specs in self.plan.outcomes.items():
            search = self.found.searches.get(identity)
            if search is not None and search.status == "ok":
                for spec in specs:
                    if spec.final_seed is not None and spec.id not in self.found.outcomes:
                        yield search, spec

    @staticmethod
    def _archs(search: SearchRecord, spec: OutcomeSpec) -> list[Any]:
        return candidates(spec, search) + ([i.arch for i in search.incumbents] if spec.incumbents else [])

    @staticmethod
    def _training(spec: OutcomeSpec, arch: Any) -> TrainingSpec:
        assert spec.final_seed is not None
        return TrainingSpec(
            task=spec.task, final=spec.final, final_seed=spec.final_seed, arch=arch, data_digest=spec.data_digest
        )

    # -- what comes of it -------------------------------------------------------------------------------------------

    def _execute(self, items: Sequence[Item]) -> None:
        if not items:
            return
        settings = self.settings
        work = Work(
            self.runner.registry.only,
            settings.keep_queries,
            settings.run_timeout,
            settings.final_timeout,
            settings.cluster,
        )

        def started(item: Item) -> None:
            self.listener.started(item.title)
            self.hooks.call("nas_harness_run_started", run=msgspec.to_builtins(item))

        stream = self.engine.execute(items, work, jobs=settings.jobs or default_jobs(), started=started)
        with closing(stream) as outcomes:  # type: ignore[type-var]
            for outcome in outcomes:
                self._keep(outcome)

    def _keep(self, outcome: Done | Lost) -> None:
        item = outcome.item
        if isinstance(outcome, Done):
            product = outcome.product
            if product.queries is not None:
                _write(_queries_file(self.store.folder, item.id), product.queries)
            self._store(product.search, self.found.searches)
            for record in product.outcomes:
                self._store(record, self.found.outcomes)
            self._store(product.training, self.found.trainings)
        else:
            self._store_lost(item, outcome)
        if isinstance(item, TrainingItem):
            training = self.found.trainings[item.id]
            said = training.error or ("no score" if training.score is None else f"{training.score:.2f}")
            self.listener.finished(item.title, said, training.status != "ok")
            return
        search = item.id if isinstance(item, SearchItem) else item.spec.search
        for spec in self.plan.outcomes[search]:
            self._tell(search, spec.id)

    def _store_lost(self, item: Item, lost: Lost) -> None:
        status: Any = "timeout" if lost.reason == "timeout" else "failed"
        if isinstance(item, SearchItem):
            self._store(lost_search(item.spec, status, lost.error), self.found.searches)
        elif isinstance(item, TrainingItem):
            training = TrainingRecord(id=item.id, spec=item.spec, status=status, error=lost.error)
            self._store(training, self.found.trainings)
        else:
            raise RecordError(f"{item.title}: its final score cannot be read: {lost.error}")

    def _store(self, record: Any, kept: dict[str, Any]) -> None:
        """Once: the same item may have been carried out twice."""
        if record is not None and record.id not in kept:
            kept[record.id] = record
            self.store.append(record)

    def _finish_outcomes(self) -> None:
        """Outcomes whose final trainings are all there."""
        for search, spec in list(self._trained()):
            records = {a: self.found.trainings.get(self._training(spec, a).id) for a in self._archs(search, spec)}
            if any(r is None for r in records.values()):
                continue

            def scores_of(archs: Sequence[Any], known: Any = records) -> Any:
                return np.array([np.nan if (s := known[a].score) is None else s for a in archs], dtype=np.float64)

            evaluator = self.runner.evaluators(spec.task)
            record = outcome_of(spec, search, evaluator, self.runner.rows(spec, search.spec), scores_of)
            if record.status != "ok":
                why = next((r.error for r in records.values() if r is not None and r.error), None)
                record = msgspec.structs.replace(record, error=f"the final training failed: {why}")
            self._store(record, self.found.outcomes)
            self._tell(search.id, spec.id)

    def _tell(self, search: str, outcome: str) -> None:
        """Listener and plugins hear of a run once it is over."""
        pair = (search, outcome)
        if not self._over(search, outcome) or pair not in self.pairs:
            return
        setting, entry = self.pairs[pair]
        record = self.plan.record
        found = self.found.searches[search]
        run = Run(record.entries[entry], record.settings[setting].setting, found, self.found.outcomes.get(outcome))
        self.listener.finished(self.plan.titles[search], said_of(run), run.failed)
        self.hooks.call("nas_harness_run_finished", run=run)

    def _tell_without_queries(self) -> None:
        """Queries are kept while a search goes on: those of one that is over cannot be had but by running it anew."""
        over = [i for i in self.plan.searches if i in self.found.searches]
        without = sum(not _queries_file(self.store.folder, identity).is_file() for identity in over)
        if without:
            self.listener.note(
                f"--keep-queries: {without} of the searches that are already there were made without it and are not "
                "repeated; another name or results folder repeats them, with the same outcome"
            )

    def _failure(self, search: str, outcome: str) -> str | None:
        for record in (self.found.searches.get(search), self.found.outcomes.get(outcome)):
            if record is not None and record.status != "ok":
                return f"{self.plan.titles[search]}: {record.status}: {record.error}"
        return None


def said_of(run: Run) -> str:
    """What came of a run, in a few words."""
    if run.failed:
        return f"{run.status}: {run.error}"
    queries = "" if run.paid is None else f" after {run.paid.queries} {'query' if run.paid.queries == 1 else 'queries'}"
    return f"{run.score:.2f}{queries}"


# -- the folder -----------------------------------------------------------------------------------------------------


def _queries_file(folder: Path, identity: str) -> Path:
    return folder / "queries" / f"{identity}.npz"


def _describe(store: Store, found: Folder, plan: Plan, text: str | None) -> None:
    """The study as it is run, beside its records; a plan that is already the latest is not written again."""
    folder = store.folder
    _write(folder / "study.toml", (text if text is not None else study_toml(plan.study)).encode())
    environment = msgspec.json.encode(describe_environment(), order="deterministic")
    _write(folder / "environment.json", msgspec.json.format(environment, indent=1) + b"\n")
    heads = found.heads
    if [head.content for head in heads] != [plan.record.content]:
        record: PlanRecord = msgspec.structs.replace(plan.record, replaces=[head.id for head in heads])
        store.append(record)
        found.plans.append(record)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all. Raises RecordError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}; choose another with --results") from error


def study_toml(study: Study) -> str:
    """The study as a TOML file, for studies that were given on the command line."""
    import tomli_w

    builtins = msgspec.to_builtins(study)
    return tomli_w.dumps(_without_none(builtins))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(v) for v in value]
    return value
