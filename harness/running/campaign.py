"""A study, carried out: what is missing is run, every record is stored by this one coordinator."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec

from harness.errors import HarnessError, RecordError
from harness.records.store import (
    BASELINES,
    RUNS,
    Baseline,
    Problem,
    Record,
    Status,
    Store,
    read_baselines,
    read_records,
)
from harness.registry import Registry
from harness.running.environment import describe_environment
from harness.running.execution import Done, Lost, Work, default_jobs
from harness.running.plan import Evaluators, OpenTask, Plan, RunSpec, make_plan
from harness.running.runner import failed_record
from harness.running.sampling import baseline_id, prepare_sampling
from harness.running.study import Study

PLAN = "plan.json"
"""The ids of the study as it was last run: what a report is made of, in a folder that may hold older runs too."""


_LONGEST_RUN = 366 * 86400.0


class Listener(Protocol):
    """What is told how a study goes on. Every method is called in the coordinator."""

    def planned(self, total: int, already_done: int) -> None: ...
    def started(self, run: RunSpec) -> None: ...
    def finished(self, record: Record) -> None: ...
    def note(self, message: str) -> None: ...


class Silent:
    """A listener that does nothing."""

    def planned(self, total: int, already_done: int) -> None:
        return

    def started(self, run: RunSpec) -> None:
        return

    def finished(self, record: Record) -> None:
        return

    def note(self, message: str) -> None:
        return


@dataclass(frozen=True)
class Summary:
    """What came of it. failed: records of runs that failed, timed out or found nothing feasible, old ones too."""

    study: str
    folder: Path
    total: int
    already: int
    finished: int
    failed: list[Record]
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


def run_study(
    study: Study,
    *,
    registry: Registry,
    results: Path,
    executor: str = "process",
    cluster: str | None = None,
    jobs: int | None = None,
    run_timeout: float = 3600.0,
    keep_queries: bool = False,
    retry_failed: bool = False,
    listener: Listener | None = None,
    text: str | None = None,
) -> Summary:
    """Run what is missing of ``study`` into ``results/<name>``; ``text``: the study file as it was written.

    retry_failed: runs that failed before count as missing; their first records stay in the file.
    Raises HarnessError for what is wrong with the study or the folder, before any run starts. Ctrl-C ends the workers
    and leaves only whole records; the summary says so.
    """
    listener = listener or Silent()
    if jobs is not None and jobs < 1:
        raise HarnessError(f"--jobs {jobs}: at least 1")
    if not 0 < run_timeout <= _LONGEST_RUN:
        raise HarnessError(f"--run-timeout {run_timeout:g}: more than 0 seconds, at most {_LONGEST_RUN:g} (a year)")
    if cluster is not None and executor in ("serial", "process"):
        raise HarnessError(f"--cluster {cluster} is not for the executor {executor!r}; add --executor dask")
    engine = registry.load("executor", executor)()
    evaluators = Evaluators(registry)
    plan = make_plan(study, registry, evaluators)
    folder = results / study.name
    broken: list[Problem] = []
    sampling = _sampling(plan, folder, results, broken)
    with Store.open(folder) as store:
        known, problems = read_records(folder) if (folder / RUNS).is_file() else ([], [])
        problems += broken
        for problem in problems:
            listener.note(str(problem))
        wanted = {spec.id for spec in plan.runs}
        records = {r.id: r for r in known if r.id in wanted and (r.status == "ok" or not retry_failed)}
        missing = [spec for spec in plan.runs if spec.id not in records]
        _baselines(sampling, store, results / BASELINES, listener)
        _describe(folder, plan, text)
        already = len(records)
        listener.planned(len(plan.runs), already)
        if keep_queries:
            _tell_without_queries(folder, records, listener)
        hooks = _Hooks(registry, listener)

        def started(spec: RunSpec) -> None:
            listener.started(spec)
            hooks.call("nas_harness_run_started", run=msgspec.to_builtins(spec))

        interrupted = False
        work = Work(registry.only, keep_queries, run_timeout, cluster)
        outcomes: Iterator[Done | Lost] = engine.execute(missing, work, jobs=jobs or default_jobs(), started=started)
        try:
            with closing(outcomes) as stream:  # type: ignore[type-var]
                for outcome in stream:
                    record = _keep(outcome, store, evaluators, records)
                    listener.finished(record)
                    hooks.call("nas_harness_run_finished", record=record)
        except KeyboardInterrupt:
            interrupted = True
        store.sync()
        if not interrupted and len(records) == len(plan.runs):
            hooks.call("nas_harness_study_finished", study=study.name, folder=str(folder))
    failed = [r for r in records.values() if r.status != "ok"]
    return Summary(study.name, folder, len(plan.runs), already, len(records) - already, failed, problems, interrupted)


def _keep(outcome: Done | Lost, store: Store, evaluators: Evaluators, records: dict[str, Record]) -> Record:
    spec = outcome.spec
    if isinstance(outcome, Done):
        record = outcome.record
        if outcome.queries is not None:
            _write(_queries_file(store.folder, spec.id), outcome.queries)
    else:
        status: Status = "timeout" if outcome.reason == "timeout" else "failed"
        record = failed_record(spec, status, outcome.error, evaluators(spec.task))
    if record.id not in records:
        records[record.id] = record
        store.append(record)
    return record


def _tell_without_queries(folder: Path, records: dict[str, Record], listener: Listener) -> None:
    """Queries are kept while a run goes on: those of one that is over cannot be had but by running it anew."""
    without = sum(not _queries_file(folder, identity).is_file() for identity in records)
    if without:
        listener.note(
            f"--keep-queries: {without} of the runs that are already there were made without it and are not run again; "
            "another name or results folder runs them anew, with the same outcome"
        )


def _queries_file(folder: Path, identity: str) -> Path:
    return folder / "queries" / f"{identity}.npz"


def _describe(folder: Path, plan: Plan, text: str | None) -> None:
    _write(folder / "study.toml", (text if text is not None else study_toml(plan.study)).encode())
    _write(folder / "environment.json", _json(describe_environment()))
    ids = [spec.id for spec in plan.runs]
    rows = [{"label": r.label, "strategy": r.strategy, "mode": r.mode, "ablation": r.ablation} for r in plan.rows]
    described = {
        "study": plan.study.name,
        "seeds": plan.study.seeds,
        "rows": rows,
        "ablations_declared": plan.declared,
        "ids": ids,
    }
    _write(folder / PLAN, _json(described))


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=1) + b"\n"


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all. Raises RecordError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}; choose another with --results") from error


_Sampling = list[tuple[OpenTask, Baseline | Callable[[], Baseline]]]


def _sampling(plan: Plan, folder: Path, results: Path, problems: list[Problem]) -> _Sampling:
    """Random sampling of each task whose own the folder lacks: another study's, or what computes it.

    problems: takes the lines of the folder's own file that are none. Writes nothing. Raises StudyError where a task's
    constraints leave nothing to draw.
    """
    here, elsewhere = read_baselines(folder / BASELINES, problems), read_baselines(results / BASELINES)
    wanted = {baseline_id(t, plan.study.seeds): t for t in plan.tasks}
    return [
        (t, elsewhere.get(identity) or prepare_sampling(t, plan.study.seeds, plan.study.final_seed))
        for identity, t in wanted.items()
        if identity not in here
    ]


def _baselines(sampling: _Sampling, store: Store, shared: Path, listener: Listener) -> None:
    """Store random sampling of each task; what had to be computed is shared with all studies."""
    for t, known in sampling:
        found = known
        if not isinstance(found, Baseline):
            if not t.task.recorded:
                listener.note(f"random sampling on {t.task.name}: drawing and scoring")
            found = found()
            _share(shared, found)
        store.append(found)


def _share(path: Path, baseline: Baseline) -> None:
    """Beside all studies; one line in one write, so that studies running at once do not mix theirs."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, msgspec.json.encode(baseline, order="deterministic") + b"\n")
        finally:
            os.close(descriptor)
    except OSError as error:
        warnings.warn(f"{path} cannot be written ({error.strerror}); other studies compute it again", stacklevel=2)


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
