"""From a search that is over to its outcome: the final score of what it returned, recorded or trained.

Recorded final scores are read here, in the coordinator's process, and in no process that has carried out a search.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from harness.errors import UnknownArchitecture, as_plugin_error
from harness.protocol import Floats, Truth
from harness.records.identity import stream
from harness.records.lines import OutcomeRecord, RankQuality, SearchRecord, TrainingRecord
from harness.records.specs import OutcomeSpec, SearchSpec
from harness.running.environment import describe_environment
from harness.running.feasible import FeasibleRows
from harness.running.finals import candidates, scores_in, training_of, trainings_of
from harness.running.plan import Evaluators
from harness.running.ranking import Draw, Learned, drawn_rows, enough, rank_quality
from harness.search.budget import Budget
from harness.spaces import Architecture


def _valid_regret(valid: float | None, rows: FeasibleRows | None) -> float | None:
    if valid is None or rows is None or rows.best_valid is None:
        return None
    return rows.search.score.regret(valid, rows.best_valid)


def failed(record: OutcomeRecord, error: str, **known: object) -> OutcomeRecord:
    """The outcome of a run that got no final score."""
    return msgspec.structs.replace(record, status="failed", error=error, score=None, **known)


class Scorer:
    """Scores searches that are over."""

    def __init__(self, evaluators: Evaluators) -> None:
        self.evaluators = evaluators
        self._rows: dict[tuple[object, ...], FeasibleRows | None] = {}
        self._orders: dict[Draw, tuple[Truth, npt.NDArray[np.int64]] | None] = {}

    def readable(self, search: SearchRecord) -> bool:
        """Whether a record can be scored. A process whose code was tampered with may send anything."""
        valid = self.evaluators(search.spec.search_task).space.is_valid
        if search.status == "ok" and (not search.returned or len(search.valid) != len(search.returned)):
            return False
        return all(map(valid, search.returned)) and all(valid(i.arch) for i in search.incumbents)

    def outcome(
        self,
        spec: OutcomeSpec,
        search: SearchRecord,
        trained: Mapping[str, TrainingRecord],
        learned: Sequence[Learned] = (),
    ) -> OutcomeRecord | None:
        """Of a search; None until its final trainings are all among ``trained``. learned: what its order says.

        Raises PluginError where a final score cannot be read.
        """
        started = time.perf_counter()
        trainings = trainings_of(search, spec)
        if any(training.id not in trained for training in trainings):
            return None

        def recorded(archs: Sequence[Architecture]) -> Floats:
            return self.evaluators(spec.task).final_scores(archs, final=spec.final).scores

        def scores_of(archs: Sequence[Architecture]) -> Floats:
            if trainings:
                return scores_in(trained, [training_of(spec, arch) for arch in archs])
            return of_each(recorded, archs)

        with as_plugin_error(f"the final score on {spec.task!r} cannot be read"):
            found = self._scored(spec, search, scores_of)
        if found.status != "ok" and trainings:
            why = next((trained[t.id].error for t in trainings if trained[t.id].error), None)
            found = msgspec.structs.replace(found, error=f"the final training failed: {why}")
        said = next((one for one in learned if one.outcome == spec.id), None)
        if said is not None and said.error is None:
            try:
                found = msgspec.structs.replace(found, ktau=self._quality(spec, search.spec, said))
            except (ValueError, IndexError) as error:  # a process whose code was tampered with may send anything
                said = msgspec.structs.replace(said, error=str(error))
        if said is not None and said.error is not None:
            found = failed(found, f"the learned order: {said.error}")
        timing = {"seconds": time.perf_counter() - started}
        return msgspec.structs.replace(found, timing=timing, environment=describe_environment())

    def _scored(self, spec: OutcomeSpec, search: SearchRecord, scores_of: Callable[..., Floats]) -> OutcomeRecord:
        """The answer of a search with its final score; scores_of: of architectures, NaN where there is none.

        Where several candidates are scored, the best final score is reported, as ``report`` asks for.
        """
        evaluator, rows = self.evaluators(spec.task), self.rows(spec, search.spec)
        archs = candidates(spec, search)
        # A look-up costs nothing, so all returned architectures are scored; only candidates are trained.
        every = scores_of(search.returned if spec.final_seed is None else archs)
        scores = every[: len(archs)]
        incumbents: list[float | None] = []
        if spec.incumbents:
            found = scores_of([i.arch for i in search.incumbents])
            incumbents = [None if np.isnan(x) else float(x) for x in found]
        plain = OutcomeRecord(
            id=spec.id,
            spec=spec,
            split=evaluator.final_split,
            incumbents=incumbents,
            scores=[None if np.isnan(x) else float(x) for x in every] if spec.final_seed is None else [],
            provenance={"task": evaluator.provenance(), "data_digest": evaluator.data_digest},
        )
        if np.isnan(scores).all():
            return failed(
                plain, "the task has no final score of it", arch=archs[0], reported=evaluator.space.describe(archs[0])
            )
        best = int(np.nanargmax(evaluator.score.sign * scores))
        score, valid = float(scores[best]), search.valid[best]
        return msgspec.structs.replace(
            plain,
            score=score,
            arch=archs[best],
            reported=evaluator.space.describe(archs[best]),
            valid=valid,
            valid_regret=_valid_regret(valid, rows),
            rank=None if rows is None or rows.best_final is None else rows.rank(score),
            regret=None if rows is None or rows.best_final is None else evaluator.score.regret(score, rows.best_final),
        )

    def _quality(self, spec: OutcomeSpec, search: SearchSpec, said: Learned) -> RankQuality | None:
        order = self._order(Draw.of(spec, search))
        if order is None:
            return None
        return rank_quality(said, *order, self.evaluators(spec.task).score.sign)

    def rows(self, outcome: OutcomeSpec, spec: SearchSpec) -> FeasibleRows | None:
        """The feasible rows of a task, kept for the next run; None where they are not known."""
        key = (outcome.task, outcome.final, spec.search_task, spec.constraints)
        if key not in self._rows:
            evaluator = self.evaluators(outcome.task)
            truth = evaluator.truth(outcome.final)
            search = self.evaluators(spec.search_task)
            self._rows[key] = None if truth is None else FeasibleRows(evaluator, search, truth, spec.constraints)
        return self._rows[key]

    # -- what learned orders are measured on ------------------------------------------------------------------------

    def drawn(self, scored: Iterable[tuple[OutcomeSpec, SearchSpec]]) -> dict[Draw, list[Architecture]]:
        """What these orders are asked for, in the order drawn: enough for all that their searches may pay."""
        most: dict[Draw, float] = {}
        for outcome, search in scored:
            if outcome.ktau_sample is not None:
                draw = Draw.of(outcome, search)
                most[draw] = max(most.get(draw, 0.0), outcome.ktau_sample + self._most_paid(search))
        found = {}
        for draw, n in most.items():
            if (order := self._order(draw)) is not None:
                found[draw] = enough(self.evaluators(draw.task).space, *order, n)
        return found

    def _order(self, draw: Draw) -> tuple[Truth, npt.NDArray[np.int64]] | None:
        """The rows in the order drawn; None where they are not known."""
        if draw not in self._orders:
            truth = self.evaluators(draw.task).truth(draw.final)
            rng = stream(draw.study_seed, "ktau", draw.task)
            self._orders[draw] = None if truth is None else (truth, drawn_rows(rng, truth, draw.law))
        return self._orders[draw]

    def _most_paid(self, search: SearchSpec) -> float:
        """Queries that the search may pay for at most."""
        budget: Budget = search.budget
        if budget.queries is not None:
            return budget.queries
        epochs = [f.epochs for f in self.evaluators(search.search_task).validator().fidelities]
        if budget.epochs is not None and all(epochs):
            return 1 + budget.epochs / min(e for e in epochs if e is not None)
        return math.inf


def of_each(
    ask: Callable[[Sequence[Architecture]], npt.NDArray[np.float64]], archs: Sequence[Architecture]
) -> npt.NDArray[np.float64]:
    """What ``ask`` answers for each, float64 [n]; NaN for what a partial table lacks."""
    try:
        return ask(archs)
    except UnknownArchitecture:
        if len(archs) == 1:
            return np.array([math.nan])
        return np.concatenate([of_each(ask, [arch]) for arch in archs])
