"""How well early and repeated trainings order architectures: the task's own agreement, whatever the strategy.

Yang, Esperança and Carlucci (ICLR 2020) on what a task records: Kendall's tau (tau-b) between validation after e
epochs and the final score (Figure 5; in place of Figure 9's depths), and between two trainings of one architecture
(Figure 8), with the changes and rank shifts behind it; and the spread of random architectures (Figure 4). The only part
of an analysis that takes the tasks' data and not records alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.errors import DataMissing, PluginError, UnknownName
from harness.protocol import Evaluator, Fidelity, Validator
from harness.reading.analysis.agreement import SMOOTHED_OVER, Spread, best, moving_average, pairing, spread
from harness.reading.analysis.results import Results, TaskRuns, check_names
from harness.records.identity import stream
from harness.running.ranking import drawn_rows
from harness.spaces import Architecture
from harness.spaces.base import under_law

__all__ = ["SMOOTHED_OVER", "TOP", "Agreement", "TaskCorrelation", "TaskSpread", "correlations_of", "spreads_of"]

SAMPLE = 1000
TOP = 32
DRAWS = 214
"""Random architectures that Yang et al. train for Figure 4."""


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """One tau-b. Null where it does not exist (fewer than two rows, a constant side).

    kind: ``fidelity``, validation at it against the final score; ``repeats``, repeat i against repeat j at the
    fidelity, both of ``column``: validation, and test where the task offers it. n: rows of the sample that have both
    scores; ktau_top, top_n: on those of them among the sample's 32 best final scores. ktau_smoothed: with the mean
    validation of the last 20 epochs, where each is a fidelity. ktau_tenth, tenth_n: as ktau_top, on the best tenth of
    the sample's final scores. changes, shifts: of the two scores and of their ranks among the n rows (`Pairing`);
    changes are null where the two are scores of different units.
    """

    kind: Literal["fidelity", "repeats"]
    column: str
    fidelity: str
    epochs: int | None
    repeats: tuple[int, int] | None
    n: int
    ktau: float | None
    top_n: int
    ktau_top: float | None
    ktau_smoothed: float | None = None
    tenth_n: int = 0
    ktau_tenth: float | None = None
    changes: Spread | None = None
    shifts: Spread | None = None


class TaskCorrelation(msgspec.Struct, frozen=True, kw_only=True):
    """Every agreement of a task on one sample. missing: why there is none; note: what to know of it; else null."""

    task: str
    search_task: str
    law: str
    final: str
    split: str
    sample: int
    missing: str | None = None
    note: str | None = None
    agreements: list[Agreement] = []


class TaskSpread(msgspec.Struct, frozen=True, kw_only=True):
    """Final scores of random architectures of a task, by its law. missing: why there are none, else null.

    mean, std: of all rows by the law, exact where recorded, else null; std is the population's.
    """

    task: str
    law: str
    final: str
    split: str
    missing: str | None = None
    drawn: Spread | None = None
    mean: float | None = None
    std: float | None = None


def correlations_of(
    results: Results, open_task: Callable[[str], Evaluator], *, tasks: Sequence[str] = (), sample: int = SAMPLE
) -> list[TaskCorrelation]:
    """Of each task of the study, opened by ``open_task``; what differs in budget or constraints alone is one task.

    Raises UnknownName for one of ``tasks`` that the study does not have, DataError for broken data.
    """
    check_names(results, tasks, ())
    distinct: dict[tuple[str, ...], TaskRuns] = {}
    for t in results.tasks:
        distinct.setdefault((t.task, t.search_task, t.law, t.final), t)
    return [_of_task(t, open_task, sample) for t in distinct.values() if not tasks or t.task in tasks]


def spreads_of(
    results: Results, open_task: Callable[[str], Evaluator], *, tasks: Sequence[str] = (), draws: int = DRAWS
) -> list[TaskSpread]:
    """Of each task of the study: ``draws`` random architectures, distinct rows. Raises as `correlations_of` does."""
    check_names(results, tasks, ())
    distinct: dict[tuple[str, ...], TaskRuns] = {}
    for t in results.tasks:
        distinct.setdefault((t.task, t.law, t.final), t)
    return [_spread(t, open_task, draws) for t in distinct.values() if not tasks or t.task in tasks]


def _spread(task: TaskRuns, open_task: Callable[[str], Evaluator], draws: int) -> TaskSpread:
    found = TaskSpread(task=task.task, law=task.law, final=task.final, split=task.split)
    try:
        evaluator = open_task(task.task)
    except (DataMissing, PluginError, UnknownName) as error:
        return msgspec.structs.replace(found, missing=str(error))
    if not evaluator.task.recorded:
        return msgspec.structs.replace(found, missing="its scores are trained, not recorded")
    archs = _sample(evaluator, task, draws, "spread")
    truth = evaluator.truth(task.final)
    mean, std = (None, None) if truth is None else truth.mean_std(task.law)
    drawn = spread(evaluator.final(archs, final=task.final).scores)
    return msgspec.structs.replace(found, drawn=drawn, mean=mean, std=std)


def _of_task(task: TaskRuns, open_task: Callable[[str], Evaluator], sample: int) -> TaskCorrelation:
    found = TaskCorrelation(
        task=task.task, search_task=task.search_task, law=task.law, final=task.final, split=task.split, sample=0
    )
    try:
        evaluator, search = open_task(task.task), open_task(task.search_task)
    except (DataMissing, PluginError, UnknownName) as error:
        return msgspec.structs.replace(found, missing=str(error))
    if not (evaluator.task.recorded and search.task.recorded):
        return msgspec.structs.replace(found, missing="its scores are trained, not recorded")
    archs = _sample(evaluator, task, sample, "correlation")
    digests = {r.provenance.get("data_digest", "") for r in task.records}
    differs = "the data here are not those that the records were made from"
    return msgspec.structs.replace(
        found,
        sample=len(archs),
        note=None if evaluator.data_digest in digests else differs,
        agreements=list(_Sample(evaluator, search, task.final, archs).agreements()),
    )


def _sample(evaluator: Evaluator, task: TaskRuns, n: int, purpose: str) -> list[Architecture]:
    """Distinct rows by the task's law: of the table where there is one, else as the space draws them."""
    rng = stream(next(iter(task.records)).seeds.study, purpose, task.task)
    truth = evaluator.truth(task.final)
    if truth is not None:
        return [truth.architectures[int(r)] for r in drawn_rows(rng, truth, task.law)[:n]]
    drawn = under_law(evaluator.space, task.law).sample(rng, n)
    _, first = np.unique(evaluator.validator().identity(drawn), return_index=True)
    return [drawn[i] for i in np.sort(first)]


@dataclass(frozen=True)
class _Sample:
    evaluator: Evaluator
    search: Evaluator
    final: str
    archs: list[Architecture]

    def agreements(self) -> Iterator[Agreement]:
        finals = self.evaluator.final(self.archs, final=self.final).scores
        # Both signs turned, so that more is better on either side.
        finals = finals if self.evaluator.score.higher_is_better else -finals
        top = np.zeros(len(finals), dtype=np.bool_)
        top[np.argsort(-finals, kind="stable")[:TOP]] = True  # NaN sorts last
        tenth = best(finals)
        one_unit = self.search.score == self.evaluator.score
        validator = self.search.validator()
        fidelities = validator.fidelities
        curve = np.array([self._scores(validator, f, None) for f in fidelities])
        smooth = moving_average(curve) if _is_curve(fidelities) else None
        for e, fidelity in enumerate(fidelities):
            both = _Pair("fidelity", "validation", fidelity, None)
            smoothed = None if smooth is None else smooth[e]
            yield both.agreement(curve[e], finals, top, tenth, smoothed, one_unit=one_unit)
        for column in self.search.columns:
            validator = self.search.validator(column)
            for fidelity in validator.fidelities:
                scores = {r: self._scores(validator, fidelity, r) for r in validator.repeats}
                recorded = {r: s for r, s in scores.items() if not np.isnan(s).all()}
                for i, j in combinations(recorded, 2):
                    yield _Pair("repeats", column, fidelity, (i, j)).agreement(recorded[i], recorded[j], top, tenth)

    def _scores(self, validator: Validator, fidelity: Fidelity, repeat: int | None) -> NDArray[np.float64]:
        scores = validator.validate(self.archs, fidelity=fidelity, repeat=repeat).valid
        return scores if validator.score.higher_is_better else -scores


def _is_curve(fidelities: Sequence[Fidelity]) -> bool:
    """Whether they are the epochs of one training, each of them."""
    epochs = [f.epochs for f in fidelities]
    steps = {b - a for a, b in pairwise(epochs) if a is not None and b is not None}
    return None not in epochs and steps == {1} and all(f.resumable for f in fidelities)


@dataclass(frozen=True)
class _Pair:
    """What two columns of scores are."""

    kind: Literal["fidelity", "repeats"]
    column: str
    fidelity: Fidelity
    repeats: tuple[int, int] | None

    def agreement(
        self,
        ours: NDArray[np.float64],
        theirs: NDArray[np.float64],
        top: NDArray[np.bool_],
        tenth: NDArray[np.bool_],
        smooth: NDArray[np.float64] | None = None,
        *,
        one_unit: bool = True,
    ) -> Agreement:
        everywhere, at_top, in_tenth = (pairing(ours[rows], theirs[rows]) for rows in (np.ones_like(top), top, tenth))
        return Agreement(
            kind=self.kind,
            column=self.column,
            fidelity=self.fidelity.name,
            epochs=self.fidelity.epochs,
            repeats=self.repeats,
            n=everywhere.n,
            ktau=everywhere.ktau,
            top_n=at_top.n,
            ktau_top=at_top.ktau,
            ktau_smoothed=None if smooth is None else pairing(smooth, theirs).ktau,
            tenth_n=in_tenth.n,
            ktau_tenth=in_tenth.ktau,
            changes=everywhere.changes if one_unit else None,
            shifts=everywhere.shifts,
        )
