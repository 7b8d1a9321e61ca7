"""Random sampling: the average architecture of the space, under the same protocol. The denominator of RI."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from harness.errors import StudyError
from harness.protocol import Truth, Validator
from harness.records.identity import digest, stream
from harness.records.store import Baseline
from harness.running.plan import OpenTask
from harness.search.constraints import Constraint
from harness.spaces import Architecture
from harness.spaces.base import under_law

STORED_DRAWS = 1000
_TAU_SAMPLE = 20_000
_MOST_BLOCKS = 100
Floats = npt.NDArray[np.float64]


def baseline_id(t: OpenTask, seeds: int) -> str:
    """Of (task, law, protocol, final, data digest); the number of trainings too where they are trained."""
    live = None if t.task.recorded or t.evaluator.sampling_draws else max(8, seeds)
    return digest(
        "random sampling",
        t.task.name,
        t.search_name,
        t.law,
        t.final,
        t.evaluator.data_digest,
        t.search.data_digest,
        t.constraints,
        live,
    )


def prepare_sampling(t: OpenTask, seeds: int, final_seed: int) -> Callable[[], Baseline]:
    """Everything of random sampling that can refuse the task's constraints; the call does the rest.

    Exact where the task is recorded; else from 10,000 draws (surrogates) or max(8, seeds) trainings (live), which are
    scored by the call alone. Raises StudyError where too few architectures satisfy the constraints.
    """
    truth = t.evaluator.truth(t.final)
    if truth is not None:
        baseline = _exact(t, truth, seeds)
        return lambda: baseline
    return partial(_drawn, t, _draw(t, t.evaluator.sampling_draws or max(8, seeds)), seeds, final_seed)


def _exact(t: OpenTask, truth: Truth, seeds: int) -> Baseline:
    weights = truth.weights[t.law]
    p = np.ones(len(truth.final)) if weights is None else weights.astype(np.float64).copy()
    p[np.isnan(truth.final)] = 0.0
    if t.constraints:
        p[~_feasible(t, [truth.architectures[i] for i in range(len(truth.final))])] = 0.0
    if p.sum() <= 0:
        raise StudyError(f"no architecture of {t.task.name!r} satisfies {', '.join(t.constraints)}")
    p /= p.sum()
    known = np.flatnonzero(p > 0)
    values, p = truth.final[known], p[known]
    mean = float(p @ values)
    rng = stream(0, "random sampling", t.task.name, t.law)
    draws = values[rng.choice(len(known), size=STORED_DRAWS, p=p)]
    valid = _search_validity(t, truth)
    sign = 1.0 if t.evaluator.score.higher_is_better else -1.0
    ceiling = best_valid = valid_mean = tau = None
    if valid is not None:
        seen = valid[known]
        usable = ~np.isnan(seen)
        search_sign = 1.0 if t.search.score.higher_is_better else -1.0
        if usable.any():
            top = int(np.nanargmax(search_sign * seen))
            ceiling, best_valid = float(values[top]), float(seen[top])
            valid_mean = float(np.average(seen[usable], weights=p[usable]))
            tau = _tau(search_sign * seen[usable], sign * values[usable])
    return _baseline(
        t,
        seeds,
        mean=mean,
        std=float(np.sqrt(p @ (values - mean) ** 2)),
        exact=True,
        n=len(known),
        draws=draws.tolist(),
        ceiling=ceiling,
        best=float(sign * (sign * values).max()),
        best_valid=best_valid,
        valid_mean=valid_mean,
        ktau_valid=tau,
    )


def _search_validity(t: OpenTask, truth: Truth) -> Floats | None:
    """Validation scores of the search task, per row of the task."""
    if t.search is t.evaluator:
        return truth.valid
    found = t.search.truth(t.search.task.finals[0])
    if found is None or found.valid is None:
        return None
    archs = [truth.architectures[i] for i in range(len(truth.final))]
    return found.valid[t.search.validator().identity(archs)]


def _feasible(t: OpenTask, archs: Sequence[Architecture]) -> npt.NDArray[np.bool_]:
    """Which satisfy the task's constraints, bool [n]. Raises StudyError for a quantity that it does not record."""
    feasible = np.ones(len(archs), dtype=np.bool_)
    validator: Validator = t.search.validator()
    values = dict(validator.costs(archs))
    for c in (Constraint.parse(text) for text in t.constraints):
        if c.quantity not in values:
            values.update(validator.validate(archs, fidelity=validator.fidelities[-1]).measured)
        if c.quantity not in values:
            known = ", ".join(sorted(values)) or "none"
            raise StudyError(f"constraint {c}: {t.search_name!r} does not record {c.quantity!r}; it has: {known}")
        feasible &= c.hold(values[c.quantity])
    return feasible


def _draw(t: OpenTask, n: int) -> list[Architecture]:
    """n feasible architectures by the task's law. Raises StudyError where 100 blocks of n hold fewer."""
    space, rng = under_law(t.evaluator.space, t.law), stream(0, "random sampling", t.task.name, t.law)
    if not t.constraints:
        return space.sample(rng, n)
    found: list[Architecture] = []
    for _ in range(_MOST_BLOCKS):
        block = space.sample(rng, n)
        found += [arch for arch, ok in zip(block, _feasible(t, block).tolist(), strict=True) if ok]
        if len(found) >= n:
            return found[:n]
    raise StudyError(
        f"of {_MOST_BLOCKS * n:,} architectures drawn for {t.task.name!r} only {len(found)} satisfy "
        f"{', '.join(t.constraints)}; random sampling needs {n:,}"
    )


def _drawn(t: OpenTask, archs: Sequence[Architecture], seeds: int, final_seed: int) -> Baseline:
    scores = t.evaluator.final_scores(
        archs, final=t.final, seed=None if t.evaluator.sampling_draws else final_seed
    ).scores
    scores = scores[~np.isnan(scores)]
    if len(scores) < 2:
        raise StudyError(f"random sampling on {t.task.name!r} gave fewer than two scores")
    sign = 1.0 if t.evaluator.score.higher_is_better else -1.0
    return _baseline(
        t,
        seeds,
        mean=float(scores.mean()),
        std=float(scores.std(ddof=1)),
        exact=False,
        n=len(scores),
        draws=scores[:STORED_DRAWS].tolist(),
        best=float(sign * (sign * scores).max()),
    )


def _tau(a: Floats, b: Floats) -> float | None:
    from harness.statistics.metrics import ktau

    if len(a) > _TAU_SAMPLE:
        chosen = stream(0, "tau of validation and final").choice(len(a), size=_TAU_SAMPLE, replace=False)
        a, b = a[chosen], b[chosen]
    return ktau(a, b)


def _baseline(t: OpenTask, seeds: int, *, mean: float, **values: object) -> Baseline:
    score = t.evaluator.score
    if math.isnan(mean):
        raise StudyError(f"random sampling on {t.task.name!r} has no mean")
    return Baseline(
        id=baseline_id(t, seeds),
        task=t.task.name,
        search_task=t.search_name,
        law=t.law,
        final=t.final,
        split=t.evaluator.final_split,
        data_digest=t.evaluator.data_digest,
        score={
            "name": score.name,
            "unit": score.unit,
            "higher_is_better": score.higher_is_better,
            "ratio_scale": score.ratio_scale,
        },
        mean=mean,
        constraints=list(t.constraints),
        provenance=t.evaluator.provenance(),
        **values,  # type: ignore[arg-type]
    )
