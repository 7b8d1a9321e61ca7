"""Whether an entry is better than its references: one p-value over all of them, corrected over a whole study.

Pure functions on arrays; `docs/statistics.md` defines each and says how often each errs. Scores are final scores, one a
run, oriented by the caller so that higher is better (`sign * score`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.statistics.inference import ALPHA, Verdict, brunner_munzel, holm, mann_whitney
from harness.statistics.metrics import finite_vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Against(NamedTuple):
    """One reference in a `Comparison`: its two-sided p, P(entry > reference) + P(equal) / 2, and the means' difference.

    `p` is the larger of Mann-Whitney's and Brunner and Munzel's. `n`: runs of the entry; `m`: runs of the reference.
    `p` and `superiority` are None below 5 runs on a side.
    """

    p: float | None
    superiority: float | None
    difference: float
    n: int
    m: int


class Comparison(NamedTuple):
    """An entry against several references at once; see `compare`."""

    p: float | None
    difference: float
    superiority: float | None
    weakest: str
    against: Mapping[str, Against]


def cost_of_reference_run(costs: ArrayLike, runs: int, *, limit: float | None = None) -> NDArray[np.float64]:
    """At which cost each of `runs` reference runs is read off: run j at the cost of the entry's run `j mod n`.

    `costs`: [n], what each run of the entry paid, in one unit, in the order of its search seeds; infinity where that is
    not known. `limit`: the budget in that unit. A run that paid `limit` or more is set against the whole reference run
    (infinity), so that the query which crosses the limit counts on both sides. Returns float64 [runs]. Each cost is
    used equally often where n divides `runs`; else the first ones are used once more. Raises ValueError for NaN, for a
    negative cost and for no cost at all.
    """
    paid = np.array(costs, dtype=np.float64)
    if paid.ndim != 1 or paid.size == 0 or np.isnan(paid).any() or (paid < 0).any():
        raise ValueError(f"costs must be a non-empty vector of costs from 0 up, not {paid.tolist()}")
    if limit is not None:
        paid[paid >= limit] = np.inf
    return np.resize(paid, runs)


def worst_case(scores: Sequence[float | None], *known: ArrayLike) -> NDArray[np.float64]:
    """Scores with each failed run (None) at the worst final score known, float64 [n].

    Oriented so that higher is better. `known`: all scores known on the task, of the feasible rows of the table (or of
    random sampling's draws), of the reference's runs and of the other entries' runs; NaN is no score. A failed run gets
    the worst of all these and of `scores`, so that a run never gains by failing.
    Raises ValueError where nothing at all is known.
    """
    values = np.array([np.nan if s is None else s for s in scores], dtype=np.float64)
    everything = np.concatenate([values, *(np.asarray(k, dtype=np.float64).ravel() for k in known)])
    if np.isnan(everything).all():
        raise ValueError("no run has a score and nothing else is known: there is no worst case")
    return finite_vector(np.where(np.isnan(values), np.nanmin(everything), values), "scores")


def compare(scores: ArrayLike, references: Mapping[str, ArrayLike]) -> Comparison:
    """An entry's scores [n] against each reference [m], and against all of them at once.

    Oriented so that higher is better. The question is whether the entry is better than *every* reference (or worse than
    every one), an intersection-union test (Berger 1982). Each part is tested at the full level, and `p` is the largest
    of the two-sided p-values; 1 where the parts disagree about the direction, None where one part has no p-value. No
    correction for the number of references is needed, and more references can only make p larger. `difference` and
    `superiority` are those closest to "no difference", or 0 and 1/2 where the parts disagree. `weakest`: the reference
    with the largest p. Raises ValueError without a reference and for scores that are not finite.
    """
    if not references:
        raise ValueError("nothing to compare with")
    ours = finite_vector(scores, "scores")
    against = {name: _against(ours, finite_vector(theirs, name)) for name, theirs in references.items()}
    weakest = max(against, key=lambda name: 2.0 if against[name].p is None else against[name].p or 0.0)
    parts = list(against.values())
    sides = {float(np.sign(part.difference)) for part in parts}
    known = [part.superiority for part in parts if part.superiority is not None]
    sides |= {float(np.sign(s - 0.5)) for s in known}
    agree = len(sides) == 1 and 0.0 not in sides
    if len(known) < len(parts):
        return Comparison(None, _nearest([part.difference for part in parts], agree), None, weakest, against)
    return Comparison(
        max(part.p or 0.0 for part in parts) if agree else 1.0,
        _nearest([part.difference for part in parts], agree),
        0.5 + _nearest([s - 0.5 for s in known], agree),
        weakest,
        against,
    )


def headline(tasks: Sequence[Sequence[float | None]]) -> list[list[float | None]]:
    """Study-wide p-values: Holm's step-down over all hypotheses of all tasks at once, in the shape given.

    `tasks`: for each task the p-values of its strict entries, against random sampling and against matched random search
    (`Comparison.p`). None is no hypothesis. With verdicts at .05 on these, the chance that the headline of a study says
    anything false is at most 5 %, however many entries, tasks and questions it has.
    """
    adjusted = iter(holm([p for task in tasks for p in task]))
    return [[next(adjusted) for _ in task] for task in tasks]


def verdict_on(comparison: Comparison, adjusted_p: float | None) -> Verdict:
    """What may be said: "better" only where the p after correction is below .05, and both the means and the direction
    that the test saw agree; "worse" likewise. So a significant difference of ranks never supports the opposite
    difference of means. All else is "not shown to be better", a missing p-value too.
    """
    superiority = 0.5 if comparison.superiority is None else comparison.superiority
    significant = adjusted_p is not None and adjusted_p < ALPHA
    if significant and comparison.difference > 0 and superiority > 0.5:
        return "better"
    if significant and comparison.difference < 0 and superiority < 0.5:
        return "worse"
    return "not shown to be better"


def _against(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Against:
    test, apart = mann_whitney(ours, theirs), brunner_munzel(ours, theirs)
    difference = float(ours.mean() - theirs.mean())
    if test is None or apart is None:
        return Against(None, None, difference, ours.size, theirs.size)
    return Against(max(test.p, apart), test.superiority, difference, ours.size, theirs.size)


def _nearest(distances: Sequence[float], agree: bool) -> float:
    return min(distances, key=abs) if agree else 0.0
