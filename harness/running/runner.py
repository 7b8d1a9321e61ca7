"""One work item, from start to record: a search under the oracle, or a final training, and no recorded final score."""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from harness.errors import StillAsking
from harness.protocol import Evaluator, RunContext
from harness.records.identity import stream
from harness.records.lines import (
    Asked,
    Incumbent,
    Paid,
    SearchRecord,
    Status,
    TrainingRecord,
)
from harness.records.specs import KEPT, SearchSpec, TrainingSpec
from harness.registry import Registry
from harness.running.environment import DEVICE, describe_environment, single_thread
from harness.running.feasible import feasible
from harness.running.items import Part, Product, SearchPart, TrainingPart
from harness.running.plan import Evaluators
from harness.running.ranking import Draw, Learned, learned
from harness.running.scoring import of_each
from harness.running.seal import Seal
from harness.running.search import Searched, carry_out, told
from harness.running.study import MATCHED
from harness.search.budget import Budget
from harness.search.oracle import Oracle
from harness.spaces import Architecture
from harness.spaces.base import under_law
from harness.strategy import Ranker


class Runner:
    """Carries out items in this process; keeps opened tasks between them."""

    seals: Mapping[bool, Seal] | None = None
    """For a recorded task, and for one that trains; closed when a search has all it needs, before its strategy runs."""

    def __init__(
        self,
        registry: Registry,
        *,
        oracle: type[Oracle] = Oracle,
        drawn: Mapping[Draw, Sequence[Architecture]] = {},
        keep_queries: bool = False,
    ) -> None:
        """``oracle``: the class of what strategies are given. drawn: what learned orders are asked for."""
        self.registry, self._oracle_type, self._keep_queries = registry, oracle, keep_queries
        self.evaluators, self.drawn = Evaluators(registry), drawn

    def carry_out(self, part: Part) -> Product:
        """The result of a part. A strategy that raises gives a failed record; an error in the study itself raises."""
        if isinstance(part, TrainingPart):
            return Product(training=self._train(part.spec))
        return self._search(part)

    # -- a search ---------------------------------------------------------------------------------------------------

    def _search(self, part: SearchPart) -> Product:
        spec = part.spec
        search = self.evaluators(spec.search_task)
        with self._oracle(search, spec) as oracle, single_thread():
            if self.seals is not None and spec.strategy != MATCHED:
                package = self.registry.load("strategy", spec.strategy).__module__.partition(".")[0]
                self.seals[search.task.recorded].close(package)
            found = self._searched(spec, oracle)
            record = _record(spec, search, oracle, found)
            ranker = found.strategy.ranker
            return Product(
                search=record,
                learned=self._learned(part, ranker, oracle) if record.status == "ok" and ranker is not None else (),
                queries=queries_npz(oracle) if self._keep_queries else None,
            )

    def _searched(self, spec: SearchSpec, oracle: Oracle) -> Searched:
        cls = self.registry.load("strategy", spec.strategy)
        params = msgspec.convert(spec.params, cls.Params)
        rng = stream(spec.study_seed, spec.search_task, spec.strategy, spec.search_seed)
        return carry_out(lambda: cls(params), oracle, rng, max(spec.top, KEPT))

    def search(self, spec: SearchSpec) -> Searched:
        """The search itself, with what it raised; nothing is scored or recorded."""
        with self._oracle(self.evaluators(spec.search_task), spec) as oracle, single_thread():
            return self._searched(spec, oracle)

    @contextmanager
    def _oracle(self, search: Evaluator, spec: SearchSpec) -> Iterator[Oracle]:
        """The oracle of one search. When the search is over, its validator is closed and its scratch folder removed."""
        with ExitStack() as stack:
            scratch = None if search.task.recorded else Path(stack.enter_context(TemporaryDirectory(prefix="nas-")))
            context = RunContext(seed=spec.search_seed, scratch=scratch, device=os.environ.get(DEVICE, "cpu"))
            validator = search.validator(spec.oracle, context)
            stack.callback(validator.close)
            space = under_law(search.space, spec.law)
            yield self._oracle_type(validator, spec.budget, constraints=spec.constraints, space=space)

    def _learned(self, part: SearchPart, ranker: Ranker, oracle: Oracle) -> tuple[Learned, ...]:
        found: list[Learned] = []
        paid = [e.arch for e in oracle.ledger]
        validator = self.evaluators(part.spec.search_task).validator()
        for outcome in part.outcomes:
            drawn = self.drawn.get(Draw.of(outcome, part.spec))
            if drawn is not None and outcome.ktau_sample is not None:
                try:
                    found.append(learned(ranker, drawn, outcome, validator, paid))
                except (Exception, StillAsking) as error:  # the plugin's learned order raised: its own run fails
                    found.append(Learned(outcome=outcome.id, error=told(error)))
        return tuple(found)

    def warm(self, spec: SearchSpec) -> None:
        """Search at random once, where that trains nothing: copies of this process find done what a search needs."""
        if self.evaluators(spec.search_task).task.recorded and spec.oracle == "validation":
            reference = msgspec.structs.replace(
                spec, strategy=MATCHED, params={"returned": 1}, top=1, budget=Budget(queries=1)
            )
            self._search(SearchPart(spec=reference, outcomes=(), title="to be ready"))

    # -- a final training -------------------------------------------------------------------------------------------

    def _train(self, spec: TrainingSpec) -> TrainingRecord:
        started = time.perf_counter()
        evaluator = self.evaluators(spec.task)
        score, error = math.nan, None
        with single_thread():
            try:
                score = float(evaluator.final_scores([spec.arch], final=spec.final, seed=spec.final_seed).scores[0])
            except Exception as raised:  # the protocol's training raised: the item fails, not the study
                error = told(raised)
        known = math.isfinite(score)
        return TrainingRecord(
            id=spec.id,
            spec=spec,
            status="ok" if known else "failed",
            error=None if known else error or "the training diverged",
            score=score if known else None,
            timing={"seconds": time.perf_counter() - started},
            environment=describe_environment(),
        )


def _record(spec: SearchSpec, search: Evaluator, oracle: Oracle, found: Searched) -> SearchRecord:
    strategy = found.strategy
    status: Status = found.status
    error, frames = found.error, found.frames
    returned = [arch for arch in found.returned if feasible_answer(search, oracle, arch)][: max(spec.top, KEPT)]
    if status == "ok" and not returned:
        status, error = "infeasible", "no returned architecture satisfies the constraints"
    paid = oracle.paid
    counts_epochs = all(f.epochs is not None for f in oracle.fidelities)
    counts_seconds = oracle.records_seconds
    ledger = oracle.ledger
    return SearchRecord(
        id=spec.id,
        spec=spec,
        status=status,
        error=error,
        frames=list(frames),
        paid=Paid(paid.queries, paid.epochs if counts_epochs else None, paid.seconds if counts_seconds else None),
        asked=Asked(**oracle.asked, keys=oracle.space.distinct([e.arch for e in ledger])),
        ended_by=found.ended_by,
        returned=returned,
        valid=_valid(search, oracle, spec, returned),
        incumbents=[
            Incumbent(
                i.place + 1,
                ledger[i.place].epochs if counts_epochs else None,
                ledger[i.place].seconds if counts_seconds else None,
                oracle.score.sign * i.score,
                i.arch,
            )
            for i in oracle.incumbents
        ],
        ordered=strategy.ranker is not None,
        queries_sha256=ledger.digest(),
        notes=found.notes,
        provenance={
            "search_task": search.provenance(),
            "data_digest": search.data_digest,
            "code": spec.code,
            **({"paper": str(strategy.paper)} if strategy.paper else {}),
        },
        timing={
            "search_seconds": found.seconds,
            "cpu_seconds": found.cpu_seconds,
            "phases": found.phases,
        },
        environment=describe_environment(),
    )


def feasible_answer(search: Evaluator, oracle: Oracle, arch: Architecture) -> bool:
    """By what the task records at full fidelity, else by what the search has measured. Unknown is not feasible.

    What a search measures at a lower fidelity or of a single repeat may keep a constraint that the architecture breaks.
    """
    if not oracle.constraints:
        return True
    if not search.task.recorded:
        return bool(oracle.feasible(arch))
    return bool(feasible(search, [arch], oracle.constraints)[0])


def _valid(search: Evaluator, oracle: Oracle, spec: SearchSpec, archs: list[Architecture]) -> list[float | None]:
    """Validation scores at full fidelity: from the table; on a task that trains, what the search has paid for."""
    if search.task.recorded and archs:
        validator = search.validator()
        full = validator.fidelities[-1]
        found = of_each(lambda some: validator.validate(some, fidelity=full).valid, archs).tolist()
    else:
        highest = len(oracle.fidelities) - 1
        paid = {e.arch: e.score for e in oracle.ledger if e.level == highest and e.repeat is None}
        searched = spec.oracle == "validation"
        found = [oracle.score.sign * paid[a] if searched and a in paid else math.nan for a in archs]
    return [None if math.isnan(value) else value for value in found]


def queries_npz(oracle: Oracle) -> bytes:
    """Every paid query as .npz: archs, fidelity, repeat (-1: all), score (higher is better), epochs, seconds."""
    ledger = oracle.ledger
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        archs=oracle.space.as_array([e.arch for e in ledger]),
        fidelity=np.array([e.level for e in ledger], dtype=np.int64),
        repeat=np.array([-1 if e.repeat is None else e.repeat for e in ledger], dtype=np.int64),
        score=np.array([e.score for e in ledger]),
        epochs=np.array([e.epochs for e in ledger]),
        seconds=np.array([e.seconds for e in ledger]),
    )
    return buffer.getvalue()


def failed(part: Part, reason: str, error: str) -> Product:
    """Of a part that left no record, since it hung, or ended its own process. What its search paid is not known.

    reason: the kind of its `Outcome`.
    """
    status: Status = "timeout" if reason == "timeout" else "failed"
    if isinstance(part, TrainingPart):
        return Product(training=TrainingRecord(id=part.id, spec=part.spec, status=status, error=error))
    search = SearchRecord(
        id=part.id,
        spec=part.spec,
        status=status,
        error=error,
        paid=None,
        ended_by=reason,
        provenance={"data_digest": part.spec.data_digest, "code": part.spec.code},
        environment=describe_environment(),
    )
    return Product(search=search)
