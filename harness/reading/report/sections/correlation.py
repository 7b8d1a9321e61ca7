"""How well early and repeated trainings order architectures: the task's own agreement, whatever the strategy.

Yang, Esperança and Carlucci (ICLR 2020), Figures 5 and 8, on what a task records: Kendall's tau (tau-b) between
validation after e epochs and the final score, and between the validation scores of two trainings of one architecture.
The only section that takes the tasks' data and not records alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.errors import DataMissing, PluginError, UnknownName
from harness.protocol import Evaluator, Fidelity, Validator
from harness.reading import numbers
from harness.reading.along import spread_over
from harness.reading.report.section import Section, Source
from harness.reading.report.table import Column, Row, Table, name_column
from harness.reading.study import SettingRuns
from harness.records.identity import stream
from harness.records.specs import Setting
from harness.running.ranking import drawn_rows
from harness.spaces import Architecture
from harness.spaces.base import under_law
from harness.statistics.metrics import ktau

SAMPLE = 1000
TOP = 32
SMOOTHED_OVER = 20
"""Epochs of the moving average that Yang et al. smooth a learning curve with."""
_SHOWN = 12


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """One tau-b. Null where it does not exist (fewer than two rows, a constant side).

    kind: ``fidelity``, validation at it against the final score; ``repeats``, repeat i against repeat j at the
    fidelity, both of ``column``: validation, and test where the task offers it. n: rows of the sample that have both
    scores; ktau_top, top_n: on those of them among the sample's 32 best final scores. ktau_smoothed: with the mean
    validation of the last 20 epochs, where each is a fidelity.
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


class TaskCorrelation(msgspec.Struct, frozen=True, kw_only=True):
    """Every agreement of a task on one sample. missing: why there is none; note: what to know of it; else null.

    Of several settings that differ in budget or constraints alone, ``setting`` is the first.
    """

    title: str
    setting: Setting
    split: str | None
    sample: int
    missing: str | None = None
    note: str | None = None
    agreements: list[Agreement] = []


def correlations_of(source: Source, open_task: Callable[[str], Evaluator]) -> list[TaskCorrelation]:
    """Of each chosen task, opened by ``open_task``; what differs in budget or constraints alone is one task.

    Raises DataError for broken data.
    """
    distinct: dict[tuple[str, ...], SettingRuns] = {}
    for runs, _ in source.shown():
        s = runs.setting
        distinct.setdefault((s.task, s.search_task, s.law, s.final), runs)
    return [_of_task(runs, open_task) for runs in distinct.values()]


def _of_task(runs: SettingRuns, open_task: Callable[[str], Evaluator]) -> TaskCorrelation:
    first = next(runs.runs)
    outcomes = [r.outcome for r in runs.runs if r.outcome is not None]
    split = outcomes[0].split if outcomes else None
    found = TaskCorrelation(title=runs.setting.title, setting=runs.setting, split=split, sample=0)
    try:
        evaluator, search = open_task(runs.setting.task), open_task(runs.setting.search_task)
    except (DataMissing, PluginError, UnknownName) as error:
        return msgspec.structs.replace(found, missing=str(error))
    if not (evaluator.task.recorded and search.task.recorded):
        return msgspec.structs.replace(found, missing="its scores are trained, not recorded")
    archs = _sample(evaluator, runs.setting, first.search.spec.study_seed)
    differs = "the data here are not those that the records were made from"
    return msgspec.structs.replace(
        found,
        sample=len(archs),
        note=None if evaluator.data_digest in {o.spec.data_digest for o in outcomes} else differs,
        agreements=list(_Sample(evaluator, search, runs.setting.final, archs).agreements()),
    )


def _sample(evaluator: Evaluator, setting: Setting, seed: int) -> list[Architecture]:
    """Distinct rows by the task's law: of the table where there is one, else as the space draws them."""
    rng = stream(seed, "correlation", setting.task)
    truth = evaluator.truth(setting.final)
    if truth is not None:
        return [truth.architectures[int(r)] for r in drawn_rows(rng, truth, setting.law)[:SAMPLE]]
    drawn = under_law(evaluator.space, setting.law).sample(rng, SAMPLE)
    _, first = np.unique(evaluator.validator().identity(drawn), return_index=True)
    return [drawn[i] for i in np.sort(first)]


@dataclass(frozen=True)
class _Sample:
    evaluator: Evaluator
    search: Evaluator
    final: str
    archs: list[Architecture]

    def agreements(self) -> Iterator[Agreement]:
        finals = self.evaluator.final_scores(self.archs, final=self.final).scores
        finals = self.evaluator.score.sign * finals  # more is better on either side
        top = np.zeros(len(finals), dtype=np.bool_)
        top[np.argsort(-finals, kind="stable")[:TOP]] = True  # NaN sorts last
        validator = self.search.validator()
        fidelities = validator.fidelities
        curve = np.array([self._scores(validator, f, None) for f in fidelities])
        whole = _is_curve(fidelities)
        for e, fidelity in enumerate(fidelities):
            smooth = curve[max(e + 1 - SMOOTHED_OVER, 0) : e + 1].mean(axis=0) if whole else None
            both = _Pair("fidelity", "validation", fidelity, None)
            yield both.agreement(curve[e], finals, top, smooth)
        for column in self.search.columns:
            validator = self.search.validator(column)
            for fidelity in validator.fidelities:
                scores = {r: self._scores(validator, fidelity, r) for r in validator.repeats}
                recorded = {r: s for r, s in scores.items() if not np.isnan(s).all()}
                for i, j in combinations(recorded, 2):
                    yield _Pair("repeats", column, fidelity, (i, j)).agreement(recorded[i], recorded[j], top)

    def _scores(self, validator: Validator, fidelity: Fidelity, repeat: int | None) -> NDArray[np.float64]:
        scores = validator.validate(self.archs, fidelity=fidelity, repeat=repeat).valid
        return validator.score.sign * scores


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
        smooth: NDArray[np.float64] | None = None,
    ) -> Agreement:
        both = ~np.isnan(ours) & ~np.isnan(theirs)
        best = both & top
        return Agreement(
            kind=self.kind,
            column=self.column,
            fidelity=self.fidelity.name,
            epochs=self.fidelity.epochs,
            repeats=self.repeats,
            n=int(both.sum()),
            ktau=_tau(ours, theirs, both),
            top_n=int(best.sum()),
            ktau_top=_tau(ours, theirs, best),
            ktau_smoothed=None if smooth is None else _tau(smooth, theirs, both & ~np.isnan(smooth)),
        )


def _tau(a: NDArray[np.float64], b: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float | None:
    return ktau(a[chosen], b[chosen]) if chosen.sum() > 1 else None


def _data(source: Source) -> Mapping[str, Sequence[msgspec.Struct]]:
    return {"correlation": correlations_of(source, source.open_task)}


def _tables(source: Source) -> list[Table]:
    """A table a task; of more than twelve fidelities, twelve spread evenly (JSON and CSV have all)."""
    return [_table(task) for task in correlations_of(source, source.open_task)]


SECTION = Section(_data, _tables)


def _table(task: TaskCorrelation) -> Table:
    if task.missing:
        return Table(task.title, footnotes=(f"no correlation, since it needs the task's data: {task.missing}",))
    about = f"{task.sample} rows by law {task.setting.law}, final {task.setting.final} ({task.split})"
    smoothed = any(a.ktau_smoothed is not None for a in task.agreements)
    columns = [
        name_column("scores"), name_column("against"), Column("rows"), Column("tau-b"),
        Column(f"of best {TOP}", dropped=1), *[Column(f"{SMOOTHED_OVER}-epoch mean", dropped=2)] * smoothed,
    ]  # fmt: skip
    shown = [a for kind in ("fidelity", "repeats") for a in _spread([a for a in task.agreements if a.kind == kind])]
    return Table(
        task.title,
        tuple(columns),
        tuple(Row(_cells(a, task)[: len(columns)]) for a in shown),
        notes=(f"{about}; note: {task.note}" if task.note else about,),
        whole="--format json or csv has them",
    )


def _cells(a: Agreement, task: TaskCorrelation) -> tuple[str, ...]:
    if a.repeats is None:
        left, right = f"{a.column}, {a.fidelity}", f"final ({task.split})"
    else:
        left, right = f"{a.column}, {a.fidelity}, repeat {a.repeats[0]}", f"repeat {a.repeats[1]}"
    top = numbers.number(a.ktau_top, 3) + (f" (n {a.top_n})" if a.top_n < TOP else "")
    return left, right, str(a.n), numbers.number(a.ktau, 3), top, numbers.number(a.ktau_smoothed, 3)


def _spread(agreements: Sequence[Agreement]) -> list[Agreement]:
    return [agreements[k] for k in spread_over(len(agreements), _SHOWN)]
