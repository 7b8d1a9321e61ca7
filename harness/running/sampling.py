"""Random sampling: the average architecture of the space, under the same protocol. The denominator of RI."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from harness.errors import StudyError, UnknownArchitecture
from harness.protocol import Floats, Truth
from harness.records.identity import stream
from harness.records.lines import SamplingRecord
from harness.records.specs import SamplingSpec, TrainingSpec
from harness.records.store import SAMPLINGS, Folder, read_samplings
from harness.running.feasible import FeasibleRows, feasible
from harness.running.finals import training_of
from harness.running.plan import OpenTask
from harness.spaces import Architecture
from harness.spaces.base import under_law
from harness.statistics.metrics import ktau

STORED_DRAWS = 1000
_MOST_BLOCKS = 100


def recorded_sampling(t: OpenTask) -> SamplingRecord:
    """Random sampling of a task whose final scores cost a look-up. Raises StudyError, also where it lacks a draw's."""
    truth = t.evaluator.truth(t.spec.final)
    if truth is not None:
        return _exact_sampling(t, truth)
    archs = draws_of(t)
    try:
        scores = t.evaluator.final_scores(archs, final=t.spec.final).scores
    except UnknownArchitecture as error:
        help = "restrict its space to the architectures that it has (harness.RestrictedSpace)"
        raise StudyError(f"random sampling on {t.spec.task!r}: {error}; {help}") from None
    return drawn_sampling(t, scores)


def _exact_sampling(t: OpenTask, truth: Truth) -> SamplingRecord:
    """Random sampling from every row of the task. Raises StudyError where no row satisfies the constraints."""
    spec = t.spec
    rows = FeasibleRows(t.evaluator, t.search, truth, spec.constraints)
    weights = truth.weights[spec.law]
    p = np.ones(len(rows.final)) if weights is None else weights[rows.mask].astype(np.float64)
    if p.sum() <= 0:
        raise StudyError(f"no architecture of {spec.task!r} satisfies {_and(spec)}")
    p /= p.sum()
    mean = float(p @ rows.final)
    rng = stream(spec.study_seed, "random sampling", spec.task, spec.law)
    draws = rows.final[rng.choice(len(rows.final), size=STORED_DRAWS, p=p)]
    score, search_score = t.evaluator.score, t.search.score
    seen = rows.valid
    known: dict[str, float | None] = {}
    if seen is not None and (usable := ~np.isnan(seen)).any():
        known = {
            "best_valid": rows.best_valid,
            "worst_valid": float(search_score.sign * np.nanmin(search_score.sign * seen)),
            "valid_mean": float(np.average(seen[usable], weights=p[usable])) if p[usable].sum() > 0 else None,
            "ktau_valid": ktau(search_score.sign * seen[usable], score.sign * rows.final[usable]),
        }
    best_validated, tied = rows.best_validated() or (None, None)
    return _record(
        t,
        rows.final[p > 0],
        mean=mean,
        std=float(np.sqrt(p @ (rows.final - mean) ** 2)),
        draws=draws.tolist(),
        best_validated=best_validated,
        tied=tied,
        **known,
    )


def drawn_sampling(t: OpenTask, scores: Floats) -> SamplingRecord:
    """Random sampling from final scores of `draws_of`, NaN where a training failed. Raises StudyError for fewer than
    two scores."""
    known = scores[~np.isnan(scores)]
    if len(known) < 2:
        raise StudyError(
            f"random sampling on {t.spec.task!r} has {len(known)} scores of {len(scores)} draws, but needs two or "
            "more: the trainings fail, see trainings.jsonl"
        )
    return _record(
        t,
        known,
        mean=float(known.mean()),
        std=float(known.std(ddof=1)),
        draws=known[:STORED_DRAWS].tolist(),
        failed=len(scores) - len(known),
    )


def draws_of(t: OpenTask) -> list[Architecture]:
    """The feasible architectures that random sampling draws by the task's law, the same each time.

    Tasks that train draw the same ones of a space, whatever they train with: their scores are compared in pairs. Raises
    StudyError where 100 blocks of that size hold too few.
    """
    spec = t.spec
    n = spec.draws or 0
    drawn_for = t.evaluator.space.name if t.trains else spec.task
    space, rng = under_law(t.evaluator.space, spec.law), stream(spec.study_seed, "random sampling", drawn_for, spec.law)
    if not spec.constraints:
        return space.sample(rng, n)
    found: list[Architecture] = []
    for _ in range(_MOST_BLOCKS):
        block = space.sample(rng, n)
        # One by one where a search trains: then no more is trained than it takes to find n.
        for asked in ([a] for a in block) if not t.search.task.recorded else (block,):
            found += [a for a, ok in zip(asked, feasible(t.search, asked, spec.constraints), strict=True) if ok]
            if len(found) >= n:
                return found[:n]
    raise StudyError(
        f"of {_MOST_BLOCKS * n:,} architectures drawn for {spec.task!r} only {len(found)} satisfy {_and(spec)}; "
        f"random sampling needs {n:,}"
    )


def _and(spec: SamplingSpec) -> str:
    return ", ".join(map(str, spec.constraints))


def _record(t: OpenTask, scores: Floats, *, mean: float, **values: object) -> SamplingRecord:
    score = t.evaluator.score
    return SamplingRecord(
        id=t.spec.id,
        spec=t.spec,
        split=t.evaluator.final_split,
        score=score,
        search_score=t.search.score,
        mean=mean,
        exact=t.spec.draws is None,
        n=len(scores),
        worst=float(score.sign * (score.sign * scores).min()),
        best=score.best(scores),
        provenance=t.evaluator.provenance(),
        **values,  # type: ignore[arg-type]
    )


@dataclass(frozen=True)
class Sampled:
    """Random sampling of a task: its record, or the final trainings that it needs."""

    t: OpenTask
    record: SamplingRecord | None
    trainings: tuple[TrainingSpec, ...] = ()


def sampled_of(t: OpenTask, found: Folder, known: dict[str, SamplingRecord], again: bool) -> Sampled:
    """From the study's own records, then from those of all studies, else anew.

    again: one whose draws failed in part is made anew. Raises StudyError where a task's constraints leave nothing to
    draw, and where its table lacks what the space draws.
    """
    own = found.samplings.get(t.spec.id)
    record = known.get(t.spec.id) if own is None or (again and own.failed) else own
    if record is None and (t.spec.draws is None or not t.trains):
        record = recorded_sampling(t)
    if record is not None:
        return Sampled(t, record)
    return Sampled(t, None, tuple(training_of(t.spec, arch) for arch in draws_of(t)))


def share(results: Path, record: SamplingRecord, note: Callable[[str], None]) -> None:
    """Write it into the folder of all studies: one line in one write, so that concurrent studies do not mix lines.

    One whose draws failed in part is this study's alone: a time limit may have decided which.
    """
    path = results / SAMPLINGS
    if record.failed:
        return
    try:
        if record.id in read_samplings(results):
            return
        with path.open("ab", buffering=0) as file:
            file.write(msgspec.json.encode(record, order="deterministic") + b"\n")
    except OSError as error:
        note(f"{path} cannot be written ({error.strerror}); other studies will compute random sampling again")
