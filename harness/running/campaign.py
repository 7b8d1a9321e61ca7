"""A study, carried out. The coordinator has what is missing run, and alone stores every record."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import StudyError, counted, shortened
from harness.records.lines import SamplingRecord
from harness.records.runs import Run
from harness.records.specs import TrainingSpec
from harness.records.store import Folder, Problem, Store, contradict, failures, read_folder, read_samplings
from harness.registry import Registry
from harness.running.execution import Done, Executor, Lost, Stopped, Work
from harness.running.finals import scores_in, trainings_of, waiting
from harness.running.folder import LOGS, describe, queries_file, write
from harness.running.interrupts import Interrupts
from harness.running.items import Item, Part, Product, SearchPart, TrainingPart
from harness.running.listening import Hooks, Listener, said_of
from harness.running.plan import Evaluators, Plan, make_plan
from harness.running.ranking import Learned
from harness.running.runner import failed
from harness.running.sampling import Sampled, drawn_sampling, sampled_of, share
from harness.running.scoring import Scorer
from harness.running.settings import Settings
from harness.running.study import MATCHED, Study
from harness.running.time_left import TimeLeft
from harness.running.worker import preparation_of

_MOST_LOSSES = 3
"""So often an item may be lost; the last time it is carried out alone."""
_BATCH = 25


@dataclass(frozen=True)
class Summary:
    """The result. failed: the runs that failed, timed out or found nothing feasible, old ones too, in words, and random
    sampling that lacks draws. waiting: searches that are kept and wait for their final trainings.

    stopped: why the machine or the cluster could not carry out the rest; None where it could.
    """

    study: str
    folder: Path
    total: int
    already: int
    finished: int
    failed: list[str]
    problems: list[Problem]
    interrupted: bool
    waiting: int
    stopped: str | None = None
    failed_id: str | None = None
    """Of the first search that failed itself."""


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

    Raises HarnessError for what is wrong with the study, the folder or the cluster, before any run starts. Ctrl-C and
    SIGTERM end the workers and leave only whole records; the summary says so.
    """
    settings, listener = settings or Settings(), listener or Listener()
    settings.check()
    with ExitStack() as stack:
        stack.enter_context(settings.environment())
        engine = registry.load("executor", settings.executor)()
        scorer = Scorer(Evaluators(registry))
        plan = make_plan(study, registry, scorer.evaluators)
        folder = results / study.name
        found = read_folder(folder)
        known = read_samplings(results)
        # Random sampling may refuse the study: this is found out before anything is written.
        sampled = [sampled_of(t, found, known, again=settings.retry_failed) for t in plan.tasks]
        draws = [spec for s in sampled for spec in s.trainings]
        campaign = _Campaign(plan, draws, found, scorer, engine, settings, listener, Hooks(registry, listener), folder)
        campaign.interrupts = stack.enter_context(Interrupts())
        if campaign.misses_something():
            stack.callback(engine.close)
            engine.open(campaign.work)
            if engine.note is not None:
                listener.note(engine.note)
        campaign.store = store = stack.enter_context(Store.open(folder))
        for problem in found.problems:
            listener.note(str(problem))
        describe(store, found, plan, text)
        for s in sampled:
            if s.record is not None and s.record is not found.samplings.get(s.record.id):
                store.append(s.record)
                share(results, s.record, listener.note)
        summary = campaign.run()
        for s in sampled if summary.stopped is None else ():
            try:
                finished = campaign.sampling_of(s) if s.record is None else None
            except StudyError as error:  # the runs are kept; only RI has no denominator
                listener.note(str(error))
                continue
            if finished is not None:
                store.append(finished)
                share(results, finished, listener.note)
            record = s.record or finished
            if record is not None and record.failed:
                drawn = f"{record.failed} of {record.spec.draws} draws failed"
                summary.failed.append(f"random sampling on {record.spec.task}: {drawn}")
        if not summary.interrupted and summary.already + summary.finished == summary.total:
            campaign.hooks.call("nas_harness_study_finished", study=study.name, folder=str(folder))
    return summary


# -- the campaign ---------------------------------------------------------------------------------------------------


@dataclass
class _Campaign:
    """The items of a plan that are missing, and their results. draws: the final trainings of random sampling."""

    plan: Plan
    draws: list[TrainingSpec]
    found: Folder
    scorer: Scorer
    engine: Executor
    settings: Settings
    listener: Listener
    hooks: Hooks
    folder: Path
    store: Store = field(init=False)
    interrupts: Interrupts = field(init=False)

    def __post_init__(self) -> None:
        plan = self.plan
        scored = [(o, plan.searches[identity]) for identity, of in plan.outcomes.items() for o in of]
        wanted = preparation_of(self.scorer, plan.searches.values(), scored, self.folder, self.settings)
        self.work = Work(wanted, self.settings, self.folder / LOGS)
        self.pairs = {
            pair: (cell.setting, cell.entry)
            for cell in plan.record.cells
            for pair in zip(cell.searches, cell.outcomes, strict=True)
        }
        if self.settings.retry_failed:
            for kept in (self.found.searches, self.found.outcomes, self.found.trainings):
                for identity in [i for i, r in kept.items() if failures(r)]:
                    del kept[identity]

    def misses_something(self) -> bool:
        """Whether there is anything to carry out."""
        return len(self._over()) < len(self.pairs) or bool(self._trainings())

    def run(self) -> Summary:
        before = self._over()
        interrupted, stopped = False, None
        try:
            self.listener.stage("run", len(self.pairs), len(before))
            if failed := sum(run.failed for run in before):
                self.listener.note(f"{failed} of them failed; nas-harness run --retry-failed runs them again")
            if self.settings.keep_queries:
                self._tell_without_queries()
            self._score_all()
            self._execute(self._batched(self._searches()))
            if trainings := self._trainings():
                self.listener.stage("final training", len(trainings), 0)
                self._execute([Item((training,)) for training in trainings])
                self.listener.stage("run", len(self.pairs), len(self._over()))
                self._score_all()
        except KeyboardInterrupt:
            interrupted = True
        except Stopped as error:
            stopped = str(error)
        self.store.sync()
        over = self._over()
        return Summary(
            self.plan.study.name,
            self.store.folder,
            len(self.pairs),
            len(before),
            len(over) - len(before),
            [f"{self.plan.titles[run.search.id]}: {said_of(run)}" for run in over if run.failed],
            self.found.problems,
            interrupted,
            len({search.id for search, _ in waiting(self.plan, self.found)}),
            stopped,
            next((run.search.id for run in over if run.search.status != "ok"), None),
        )

    def sampling_of(self, sampled: Sampled) -> SamplingRecord | None:
        """Random sampling of a task that trains; None until every draw is trained."""
        if any(spec.id not in self.found.trainings for spec in sampled.trainings):
            return None
        return drawn_sampling(sampled.t, scores_in(self.found.trainings, sampled.trainings))

    # -- what is missing --------------------------------------------------------------------------------------------

    def _run(self, search: str, outcome: str) -> Run | None:
        """None until it is over."""
        found, scored = self.found.searches.get(search), self.found.outcomes.get(outcome)
        if found is None or (found.status == "ok" and scored is None):
            return None
        setting, entry = self.pairs[search, outcome]
        return Run(self.plan.record.entries[entry], self.plan.record.settings[setting].setting, found, scored)

    def _over(self) -> list[Run]:
        """The runs that are over."""
        return [run for pair in self.pairs if (run := self._run(*pair)) is not None]

    def _searches(self) -> list[SearchPart]:
        """Searches that are missing, and those whose learned order is still to be measured: it is gone with them."""
        parts: list[SearchPart] = []
        for identity, spec in self.plan.searches.items():
            recorded = tuple(o for o in self.plan.outcomes[identity] if o.final_seed is None)
            missing = tuple(o for o in recorded if o.id not in self.found.outcomes)
            record = self.found.searches.get(identity)
            title = self.plan.titles[identity]
            if record is None:
                parts.append(SearchPart(spec=spec, outcomes=recorded, title=title))
            elif record.status == "ok" and any(o.ktau_sample and record.ordered for o in missing):
                parts.append(SearchPart(spec=spec, outcomes=missing, title=title))
        return parts

    def _score_all(self) -> None:
        """What can be scored of all searches that are over, but those that are still to be repeated."""
        to_come = {part.id for part in self._searches()}
        for identity in self.plan.outcomes:
            record = self.found.searches.get(identity)
            if record is not None and record.status == "ok" and identity not in to_come:
                self._score(identity)

    def _score(self, identity: str, learned: Sequence[Learned] = ()) -> None:
        """Each missing outcome of a search, but those whose final trainings are not all there yet."""
        for spec in self.plan.outcomes[identity]:
            if spec.id not in self.found.outcomes:
                search = self.found.searches[identity]
                record = self.scorer.outcome(spec, search, self.found.trainings, learned)
                if record is not None:
                    self._store(record, self.found.outcomes)
                    self._tell(identity, spec.id)

    def _batched(self, parts: list[SearchPart]) -> list[Item]:
        """The harness's own searches, where they train nothing, many to an item, and behind all others."""

        def is_own(part: SearchPart) -> bool:
            return part.spec.strategy == MATCHED and self.scorer.evaluators(part.spec.search_task).task.recorded

        own = list(filter(is_own, parts))
        batches = [Item(tuple(own[at : at + _BATCH])) for at in range(0, len(own), _BATCH)]
        return [*(Item((part,)) for part in parts if not is_own(part)), *batches]

    def _trainings(self) -> list[TrainingPart]:
        """Final trainings that are missing: of random sampling's draws, then of what the searches returned."""
        wanted = {spec.id: TrainingPart(spec=spec, title=f"random sampling on {spec.task}") for spec in self.draws}
        for search, spec in waiting(self.plan, self.found):
            for training in trainings_of(search, spec):
                title = f"{self.plan.titles[search.id]}: final training"
                wanted.setdefault(training.id, TrainingPart(spec=training, title=title))
        return [part for identity, part in wanted.items() if identity not in self.found.trainings]

    # -- what comes of it -------------------------------------------------------------------------------------------

    def _execute(self, items: Sequence[Item]) -> None:
        """Carry out the items, and lost ones again, the last time each alone. Raises Stopped where one is lost then."""
        for _ in range(_MOST_LOSSES - 1):
            if not (lost := self._attempt(items)):
                return
            items = [x.item for x in lost]
            last = f"{lost[-1].item.title}: {lost[-1].error}"
            self.listener.note(f"{counted(len(lost), 'item')} lost and carried out again; the last: {last}")
        for item in items:
            for x in self._attempt([item]):
                raise Stopped(f"{item.title} was lost {_MOST_LOSSES} times, the last time alone: {x.error}")

    def _attempt(self, items: Sequence[Item]) -> list[Lost]:
        """Carry out the items once; those that were lost."""
        lost: list[Lost] = []
        if not items:
            return lost

        time_left = TimeLeft(items)
        waits = {search.id for search, _ in waiting(self.plan, self.found)}

        def started(item: Item) -> None:
            time_left.started(item)
            self.listener.started(item.title)
            for part in item.parts:
                self.hooks.call("nas_harness_run_started", run=msgspec.to_builtins(part))

        stream = self.engine.execute(items, self.work, started=started)
        with closing(stream) as outcomes:  # type: ignore[type-var]
            for outcome in outcomes:
                item, products = outcome.item, outcome.products if isinstance(outcome, Done) else ()
                if products:
                    time_left.ended(item)
                searching = isinstance(item.parts[0], SearchPart)
                searches = [product.search for product in products if product.search is not None]
                queries = sum(search.paid.queries for search in searches if search.paid is not None)
                self.listener.ended(item.title, queries, time_left.seconds, len(waits) if searching else 0)
                if isinstance(outcome, Lost):
                    lost.append(outcome)
                with self.interrupts.held():
                    for part, product in zip(item.parts, products, strict=False):
                        self._keep(part, product)
                if searching:
                    waits |= {s.id for s, _ in waiting(self.plan, self.found, [part.id for part in item.parts])}
        return lost

    def _keep(self, part: Part, product: Product) -> None:
        if product.search is not None and not self.scorer.readable(product.search):
            product = failed(part, "garbled", "what it replied is not the record of this run")
        kept, again = self.found.searches.get(part.id), product.search
        if kept is not None and again is not None and (again.status != kept.status or contradict(kept, again)):
            self.listener.note(f"{part.title}: carried out again, it differs from its record; KTau is not measured")
            product = msgspec.structs.replace(product, search=kept, learned=())
        if product.queries is not None:
            write(queries_file(self.store.folder, part.id), product.queries)
        self._store(product.search, self.found.searches)
        self._store(product.training, self.found.trainings)
        if (training := product.training) is not None:
            score = "no score" if training.score is None else f"{training.score:.2f}"
            self.listener.finished(part.title, shortened(training.error or score), training.status != "ok")
        elif product.search is not None and product.search.status == "ok":
            self._score(part.id, product.learned)
        else:
            for spec in self.plan.outcomes[part.id]:
                self._tell(part.id, spec.id)

    def _store(self, record: Any, kept: dict[str, Any]) -> None:
        """Store a record once, for the same item may have been carried out twice."""
        if record is not None and record.id not in kept:
            kept[record.id] = self.found.sharing(record)
            self.store.append(record)

    def _tell(self, search: str, outcome: str) -> None:
        """Tell listener and plugins of a run when it is over."""
        if (run := self._run(search, outcome)) is not None:
            self.listener.finished(self.plan.titles[search], said_of(run), run.failed)
            self.hooks.call("nas_harness_run_finished", run=run)

    def _tell_without_queries(self) -> None:
        """Say which searches have no queries: queries are kept only while a search goes on."""
        over = [i for i in self.plan.searches if i in self.found.searches]
        without = sum(not queries_file(self.store.folder, identity).is_file() for identity in over)
        if without:
            self.listener.note(
                f"--keep-queries: {without} of the searches that are already there were made without it; they are not "
                "repeated. Another name or results folder repeats them, with the same outcome"
            )
