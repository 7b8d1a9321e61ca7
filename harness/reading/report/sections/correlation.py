"""How well early and repeated trainings order architectures: a property of the task, not of a strategy.

Yang, Esperança and Carlucci (ICLR 2020) on what a task records: Kendall's tau (tau-b) between validation after e
epochs and the final score (Figure 5; in place of Figure 9's depths), and between two trainings of one architecture
(Figure 8), each with its changes and rank shifts. On a task that trains: between the final score and the same training
after e epochs (Figure 5), where its protocol judges each epoch and this machine has the trainings. This section and
`spread` need the tasks' data, not only records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations, pairwise
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.errors import DataMissing, PluginError, UnknownName
from harness.protocol import Evaluator, Fidelity, Validator
from harness.reading import numbers
from harness.reading.agreement import SMOOTHED_OVER, Spread, best, moving_average, pairing
from harness.reading.along import spread_over
from harness.reading.report.section import Section, Source, table_each
from harness.reading.report.table import Cells, Column, Table, laid_out, name_column
from harness.reading.study import SettingRuns
from harness.records.identity import stream
from harness.records.specs import Setting
from harness.running.feasible import row_of
from harness.running.ranking import sampled
from harness.spaces import Architecture

SAMPLE = 1000
_SHOWN = 12


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """One tau-b. Null where it does not exist (fewer than two rows, a constant side).

    kind: ``epochs``, a final training after so many epochs against its own end; ``fidelity``, validation at the
    fidelity against the final score; ``repeats``, repeat i against repeat j at the fidelity, both of ``column``:
    validation, and test where the task offers it. n: rows of the sample that have both scores. ktau_best, best_n: on
    those of the n that are among the best tenth of the sample's final scores. ktau_smoothed: with the mean score of the
    last 20 epochs, where each epoch is there. changes, shifts: of the two scores, and of their ranks among the n rows
    (`Pairing`); changes are null where the two units differ.
    """

    kind: Literal["epochs", "fidelity", "repeats"]
    column: str
    fidelity: str
    epochs: int | None
    repeats: tuple[int, int] | None
    n: int
    ktau: float | None
    best_n: int
    ktau_best: float | None
    ktau_smoothed: float | None = None
    changes: Spread | None = None
    shifts: Spread | None = None


class TaskCorrelation(msgspec.Struct, frozen=True, kw_only=True):
    """Every agreement of a task on one sample. missing: why there is none, else null; note: a warning, else null.

    Of several settings that differ only in budget or constraints, ``setting`` is the first.
    """

    title: str
    setting: Setting
    split: str | None
    sample: int = 0
    missing: str | None = None
    note: str | None = None
    agreements: list[Agreement] = []


def correlations_of(source: Source, open_task: Callable[[str], Evaluator]) -> list[TaskCorrelation]:
    """The agreements of each chosen task, opened by ``open_task``. Settings that differ only in budget or constraints
    are one task.

    Raises DataError for broken data.
    """
    return [_of_task(runs, open_task, source) for runs in source.tasks(with_search=True)]


def _of_task(runs: SettingRuns, open_task: Callable[[str], Evaluator], source: Source) -> TaskCorrelation:
    s, outcomes = runs.setting, [r.outcome for r in runs.runs if r.outcome is not None]
    found = partial(TaskCorrelation, title=s.title, setting=s, split=outcomes[0].split if outcomes else None)
    try:
        evaluator, search = open_task(s.task), open_task(s.search_task)
    except (DataMissing, PluginError, UnknownName) as error:
        return found(missing=str(error))
    if not evaluator.task.recorded:
        return _of_curves(found, s, evaluator, source)
    if not search.task.recorded:
        return found(missing="its validation scores are trained, not recorded")
    rng = stream(runs.study_seed, "correlation", s.task)
    validator = search.validator()
    archs = [arch for arch in sampled(evaluator, s.law, s.final, rng, SAMPLE) if row_of(validator, arch) >= 0]
    digests = {o.spec.data_digest for o in outcomes}
    note = None if evaluator.data_digest in digests else "the data here are not those of the records"
    whole = msgspec.structs.replace(s, constraints=()).title  # they do not restrict the sample
    agreements = list(_agreements(evaluator, search, s.final, archs))
    return found(title=whole, sample=len(archs), note=note, agreements=agreements)


def _of_curves(
    found: Callable[..., TaskCorrelation], s: Setting, evaluator: Evaluator, source: Source
) -> TaskCorrelation:
    """Of the final trainings of the study: those of random sampling and of what searches returned."""
    of = (s.task, s.final, s.final_seed)
    archs = [t.arch for t in source.study.trainings if (t.task, t.final, t.final_seed) == of]
    curves = evaluator.learning_curves(archs, final=s.final, seed=s.final_seed) if archs else None
    if curves is None:
        return found(missing="its trainings keep no score of every epoch")
    curves = evaluator.score.sign * curves
    if np.isnan(curves).all():
        return found(missing="none of its trainings is in the store of trainings here")
    tenth, smooth = best(curves[-1]), moving_average(curves)
    lines = [
        _agreement("epochs", "final", Fidelity(f"{e + 1} epochs", e + 1), curves[e], curves[-1], tenth, smooth[e])
        for e in range(len(curves) - 1)
    ]
    return found(sample=len(archs), agreements=lines)


def _agreements(evaluator: Evaluator, search: Evaluator, final: str, archs: list[Architecture]) -> Iterator[Agreement]:
    """Of recorded scores: each fidelity with the final score, then each pair of repeats."""

    def scores_of(validator: Validator, fidelity: Fidelity, repeat: int | None) -> NDArray[np.float64]:
        scores = validator.validate(archs, fidelity=fidelity, repeat=repeat).valid
        return validator.score.sign * scores

    final_scores = evaluator.score.sign * evaluator.final_scores(archs, final=final).scores
    tenth = best(final_scores)
    one_unit = search.score == evaluator.score
    validator = search.validator()
    fidelities = validator.fidelities
    curve = np.array([scores_of(validator, f, None) for f in fidelities])
    smooth = moving_average(curve) if _is_curve(fidelities) else None
    for e, fidelity in enumerate(fidelities):
        smoothed = None if smooth is None else smooth[e]
        found = _agreement("fidelity", "validation", fidelity, curve[e], final_scores, tenth, smoothed)
        yield found if one_unit else msgspec.structs.replace(found, changes=None)
    for column in search.columns:
        validator = search.validator(column)
        for fidelity in validator.fidelities:
            scores = {r: scores_of(validator, fidelity, r) for r in validator.repeats}
            recorded = {r: s for r, s in scores.items() if not np.isnan(s).all()}
            for i, j in combinations(recorded, 2):
                yield _agreement("repeats", column, fidelity, recorded[i], recorded[j], tenth, repeats=(i, j))


def _is_curve(fidelities: Sequence[Fidelity]) -> bool:
    """Whether the fidelities are all the epochs of one training."""
    epochs = [f.epochs for f in fidelities]
    steps = {b - a for a, b in pairwise(epochs) if a is not None and b is not None}
    return None not in epochs and steps == {1} and all(f.resumable for f in fidelities)


def _agreement(
    kind: Literal["epochs", "fidelity", "repeats"],
    column: str,
    fidelity: Fidelity,
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    tenth: NDArray[np.bool_],
    smooth: NDArray[np.float64] | None = None,
    repeats: tuple[int, int] | None = None,
) -> Agreement:
    """Of two columns of scores in one unit."""
    everywhere, at_best = pairing(ours, theirs), pairing(ours[tenth], theirs[tenth])
    return Agreement(
        kind=kind,
        column=column,
        fidelity=fidelity.name,
        epochs=fidelity.epochs,
        repeats=repeats,
        n=everywhere.n,
        ktau=everywhere.ktau,
        best_n=at_best.n,
        ktau_best=at_best.ktau,
        ktau_smoothed=None if smooth is None else pairing(smooth, theirs).ktau,
        changes=everywhere.changes,
        shifts=everywhere.shifts,
    )


_CELLS: tuple[Cells[Agreement], ...] = (
    (Column("rows"), lambda a: str(a.n)),
    (Column("tau-b"), lambda a: numbers.number(a.ktau, 3)),
    (Column("of best tenth", dropped=1), lambda a: f"{numbers.number(a.ktau_best, 3)} (n {a.best_n})"),
    (Column("rank shift", dropped=3), lambda a: numbers.mean_and_largest(a.shifts, 0)),
    (Column("change", dropped=2), lambda a: numbers.mean_and_largest(a.changes, 2)),
)
_SMOOTHED: Cells[Agreement] = (
    Column(f"{SMOOTHED_OVER}-epoch mean", dropped=4),
    lambda a: numbers.number(a.ktau_smoothed, 3),
)


def _table(task: TaskCorrelation) -> Table:
    """Of more than twelve fidelities, twelve spread evenly (JSON and CSV have all)."""
    if task.missing:
        return Table(task.title, footnotes=(f"no correlation: {task.missing}",))
    trained = all(a.kind == "epochs" for a in task.agreements)
    what = "final trainings of the study" if trained else f"rows by law {task.setting.law}"
    about = f"{task.sample} {what}, final {task.setting.final} ({task.split})"
    smoothed = any(a.ktau_smoothed is not None for a in task.agreements)
    final = f"final ({task.split})"
    names: tuple[Cells[Agreement], ...] = (
        (name_column("scores"), _scores),
        (name_column("against"), lambda a: f"repeat {a.repeats[1]}" if a.repeats else final),
    )
    shown = []
    for kind in ("epochs", "fidelity", "repeats"):
        of_kind = [a for a in task.agreements if a.kind == kind]
        shown += [of_kind[k] for k in spread_over(len(of_kind), _SHOWN)]
    return Table(
        task.title,
        *laid_out(shown, (*names, *_CELLS, *[_SMOOTHED] * smoothed)),
        notes=(f"{about}; note: {task.note}" if task.note else about,),
        legend="rank shift, change of the score between the two: mean (largest)",
        whole="--format json or csv has them",
    )


def _scores(a: Agreement) -> str:
    return f"{a.column}, {a.fidelity}" + (f", repeat {a.repeats[0]}" if a.repeats else "")


SECTION = Section("correlation", lambda source: correlations_of(source, source.open_task), table_each(_table))
