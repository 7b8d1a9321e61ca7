"""One run, start to record: search under the oracle, then, once it has returned, the final score."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from harness.errors import BudgetExhausted, UnknownArchitecture
from harness.protocol import Evaluator, Truth
from harness.records.identity import stream
from harness.records.store import Asked, Incumbent, Outcome, Paid, Record, Seeds, Status
from harness.registry import Registry
from harness.running.environment import describe_environment, single_thread
from harness.running.plan import Evaluators, RunSpec
from harness.running.ranking import rank_quality
from harness.running.reference import best_first
from harness.search.constraints import Constraint
from harness.search.oracle import Oracle
from harness.spaces import Architecture
from harness.spaces.base import under_law
from harness.strategy import Strategy

_MOST_RETURNED = 100


@dataclass(frozen=True, slots=True)
class _Search:
    """What is left of a search: never a final score."""

    returned: list[Architecture]
    status: Status
    error: str | None
    ended_by: str
    seconds: float


class Runner:
    """Executes runs in this process; keeps opened tasks between them."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.evaluators = Evaluators(registry)

    def run(self, spec: RunSpec) -> tuple[Record, Oracle]:
        """The record of one run. A strategy that raises gives a failed record; what is wrong with the study raises."""
        started = time.perf_counter()
        evaluator, search_evaluator = self.evaluators(spec.task), self.evaluators(spec.search_task)
        column = "validation" if spec.mode_settings["oracle"] == "validation" else "test"
        space = under_law(search_evaluator.space, spec.law)
        oracle = Oracle(
            search_evaluator.validator(column),
            spec.budget,
            constraints=[Constraint.parse(c) for c in spec.constraints],
            space=space,
        )
        cls = self.registry.load("strategy", spec.strategy)
        params = msgspec.convert(spec.params, cls.Params)
        rng = stream(spec.study_seed, spec.task, spec.strategy, spec.search_seed)
        with single_thread():
            strategy, found = _search(lambda: cls(params), oracle, rng, spec.mode_settings["top"])
            record = _Finish(spec, evaluator, search_evaluator, oracle, strategy, found).record(started)
        return record, oracle


class _Unmade(Strategy):
    """Stands for a strategy whose constructor raised: it learned nothing and says nothing."""

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        return []


def _search(
    make: Callable[[], Strategy], oracle: Oracle, rng: np.random.Generator, top: int
) -> tuple[Strategy, _Search]:
    """Make the strategy and let it search; whatever it raises is the run's failure, not the study's.

    A search that runs into the end of its budget returns its ``top`` best validated architectures.
    """
    status: Status = "ok"
    error: str | None = None
    returned: list[Architecture] = []
    strategy: Strategy = _Unmade()
    started = time.perf_counter()
    try:
        strategy = make()
        answer = strategy.search(oracle, rng)
        seconds = time.perf_counter() - started
        returned, error = _checked(answer, oracle)
    except BudgetExhausted:
        seconds = time.perf_counter() - started
        returned = best_first(oracle, top)
    except (Exception, SystemExit) as raised:
        seconds = time.perf_counter() - started
        error = _where(raised)
    if error is not None:
        status = "failed"
    elif not returned:
        status = "infeasible" if oracle.constraints else "failed"
        error = "no feasible architecture was found" if oracle.constraints else "every training failed"
    ended_by = oracle.ended_by or ("error" if status == "failed" else "strategy")
    return strategy, _Search(returned, status, error, ended_by, seconds)


def _checked(answer: Any, oracle: Oracle) -> tuple[list[Architecture], str | None]:
    """The returned architectures, or why they cannot be reported.

    None at all are no error where the constraints left the search nothing to return.
    """
    if isinstance(answer, str) or not isinstance(answer, Sequence):
        return [], f"search returned {type(answer).__name__}, not a sequence of architectures"
    if not len(answer):
        nothing_feasible = oracle.constraints and not oracle.incumbents
        return [], None if nothing_feasible else "search returned no architecture"
    returned: list[Architecture] = []
    for arch in list(answer)[:_MOST_RETURNED]:
        if not oracle.space.is_valid(arch):
            return [], f"search returned {arch!r}, which is not an architecture of {oracle.space.name}"
        returned.append(tuple(int(a) for a in arch))
    return returned, None


def _where(error: BaseException) -> str:
    """The error in one line with the innermost place it was raised at."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


class RunTimeout(BaseException):
    """A run that took longer than its time limit. No Exception, so that no strategy catches it unawares."""


@dataclass
class _Finish:
    """From a finished search to its record. Final scores are read here, once, and nowhere else."""

    spec: RunSpec
    evaluator: Evaluator
    search_evaluator: Evaluator
    oracle: Oracle
    strategy: Strategy
    found: _Search

    def __post_init__(self) -> None:
        self.truth: Truth | None = self.evaluator.truth(self.spec.final)
        self.status, self.error = self.found.status, self.found.error
        self.sign = 1.0 if self.oracle.score.higher_is_better else -1.0

    def record(self, started: float) -> Record:
        spec, oracle, strategy = self.spec, self.oracle, self.strategy
        outcome, reported = Outcome(None, self.evaluator.final_split, spec.final), None
        with self._guarded("the final score"):
            outcome, reported = self._outcome()
        ktau = None
        with self._guarded("the ranker"):
            ktau = rank_quality(spec, self.evaluator, self.truth, strategy.ranker, oracle)
        queries, epochs, seconds = oracle.paid
        counts_epochs = all(f.epochs is not None for f in oracle.fidelities)
        counts_seconds = oracle.records_seconds
        incumbents: list[Incumbent] = []
        with self._guarded("the final scores of the incumbents"):
            incumbents = self._incumbents(counts_epochs, counts_seconds)
        asked = oracle.asked
        return Record(
            **_specified(spec),
            status=self.status,
            error=self.error,
            paid=Paid(queries, epochs if counts_epochs else None, seconds if counts_seconds else None),
            asked=Asked(**asked, keys=len(set(oracle.space.keys([e.arch for e in oracle.ledger])))),
            ended_by=self.found.ended_by,
            returned=self.found.returned,
            reported=None if reported is None else self.evaluator.space.describe(reported),
            final=outcome,
            ktau=ktau,
            incumbents=incumbents,
            queries_sha256=oracle.digest(),
            notes=_plain(strategy.notes),
            provenance=self._provenance(),
            timing={
                "search_seconds": self.found.seconds,
                "run_seconds": time.perf_counter() - started,
                "phases": {k: round(v, 6) for k, v in strategy.seconds.items()},
            },
            environment=describe_environment(),
        )

    @contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        """A plugin's failure after its search makes the run failed, and says where."""
        try:
            yield
        except Exception as error:
            self.status, self.error = "failed", f"{what}: {_where(error)}"

    def _outcome(self) -> tuple[Outcome, Architecture | None]:
        spec = self.spec
        nothing = Outcome(None, self.evaluator.final_split, spec.final)
        if self.status != "ok":
            return nothing, None
        candidates = [a for a in self.found.returned if self._feasible(a)]
        if not candidates:
            self.status, self.error = "infeasible", "no returned architecture satisfies the constraints"
            return nothing, None
        top = spec.mode_settings["top"] if spec.mode_settings["report"] == "best_of_returned" else 1
        scores = self.evaluator.final_scores(candidates[:top], final=spec.final, seed=spec.final_seed).scores
        if np.isnan(scores).all():
            self.status, self.error = "failed", "the final training failed"
            return nothing, candidates[0]
        best = int(np.nanargmax(self.sign * scores))
        reported, score = candidates[best], float(scores[best])
        valid, valid_regret = self._validity(reported)
        rank = regret = None
        if self.truth is not None:
            known = self.truth.final[~np.isnan(self.truth.final)]
            rank = 1 + int((self.sign * known > self.sign * score).sum())
            regret = max(float((self.sign * known).max() - self.sign * score), 0.0)
        return Outcome(score, self.evaluator.final_split, spec.final, valid, rank, regret, valid_regret), reported

    def _feasible(self, arch: Architecture) -> bool:
        if not self.oracle.constraints:
            return True
        validator = self.search_evaluator.validator()
        values = {k: float(v[0]) for k, v in validator.costs([arch]).items()}
        if any(c.quantity not in values for c in self.oracle.constraints):
            measured = validator.validate([arch], fidelity=validator.fidelities[-1]).measured
            values.update({k: float(v[0]) for k, v in measured.items()})
        return all(c.holds(values[c.quantity]) for c in self.oracle.constraints)

    def _validity(self, arch: Architecture) -> tuple[float | None, float | None]:
        """The reported architecture's validation score on the search task, and its distance to the best row's."""
        validator = self.search_evaluator.validator()
        if not self.search_evaluator.task.recorded:
            full = len(self.oracle.fidelities) - 1
            paid = [e.score for e in self.oracle.ledger if e.arch == arch and e.fidelity == full and e.repeat is None]
            value = self.sign * paid[-1] if paid and self.spec.mode_settings["oracle"] == "validation" else math.nan
        else:
            value = float(validator.validate([arch], fidelity=validator.fidelities[-1]).valid[0])
        truth = self.search_evaluator.truth(self.search_evaluator.task.finals[0])
        if math.isnan(value):
            return None, None
        if truth is None or truth.valid is None:
            return value, None
        best = float(np.nanmax(self.sign * truth.valid))
        return value, max(best - self.sign * value, 0.0)

    def _incumbents(self, counts_epochs: bool, counts_seconds: bool) -> list[Incumbent]:
        ledger, positions = self.oracle.ledger, self.oracle.incumbents
        archs = [ledger[i].arch for i in positions]
        finals: list[float | None] = [None] * len(archs)
        if self.evaluator.task.recorded:
            finals = [self._recorded_final(arch) for arch in archs]
        return [
            Incumbent(
                i + 1,
                ledger[i].epochs if counts_epochs else None,
                ledger[i].seconds if counts_seconds else None,
                self.sign * ledger[i].score,
                final,
            )
            for i, final in zip(positions, finals, strict=True)
        ]

    def _recorded_final(self, arch: Architecture) -> float | None:
        """None where the final score is missing: in a table, or as the search task alone knows the architecture."""
        try:
            value = float(self.evaluator.final_scores([arch], final=self.spec.final).scores[0])
        except UnknownArchitecture:
            return None
        return None if math.isnan(value) else value

    def _provenance(self) -> dict[str, Any]:
        found = {"task": self.evaluator.provenance(), "data_digest": self.evaluator.data_digest, "code": self.spec.code}
        if self.search_evaluator is not self.evaluator:
            found["search_task"] = self.search_evaluator.provenance()
            found["search_data_digest"] = self.search_evaluator.data_digest
        plain: dict[str, Any] = _plain(found)
        return plain


def _plain(value: Any) -> Any:
    """JSON values only; numpy scalars become plain ones."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _specified(spec: RunSpec) -> dict[str, Any]:
    """What a record takes over from the specification of its run."""
    return {
        "id": spec.id,
        "study": spec.study,
        "task": spec.task,
        "search_task": spec.search_task,
        "strategy": spec.strategy,
        "label": spec.label,
        "role": spec.role,
        "mode": spec.mode,
        "mode_settings": spec.mode_settings,
        "params": spec.params,
        "seeds": Seeds(spec.study_seed, spec.search_seed, spec.final_seed),
        "budget": spec.budget,
        "law": spec.law,
        "constraints": list(spec.constraints),
        "tuning_queries": spec.tuning_queries,
        "ablation": spec.ablation,
    }


def failed_record(spec: RunSpec, status: Status, error: str, evaluator: Evaluator) -> Record:
    """The record of a run that left none: killed, hung, or lost with its worker. What it paid is not known."""
    return Record(
        **_specified(spec),
        status=status,
        error=error,
        paid=Paid(0),
        asked=Asked(0, 0, 0),
        ended_by=status,
        final=Outcome(None, evaluator.final_split, spec.final),
        queries_sha256="",
        provenance=_plain({"task": evaluator.provenance(), "data_digest": evaluator.data_digest, "code": spec.code}),
        environment=describe_environment(),
    )
