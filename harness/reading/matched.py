"""Matched random search, read off at what each run itself paid; every run as a step function of what it had paid."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.reading.study import EntryRuns
from harness.records.lines import Incumbent, Paid
from harness.records.runs import Run
from harness.search.budget import Unit

Floats = NDArray[np.float64]


def cost_of(paid: Paid | Incumbent, unit: Unit) -> float | None:
    value: float | None = getattr(paid, unit)
    return value


class Steps(NamedTuple):
    """Final and validation score of a run's incumbent from each cost on, float64 [n]; NaN where it is not known."""

    costs: Floats
    finals: Floats
    valids: Floats

    def at(self, costs: Floats) -> tuple[Floats, Floats]:
        """Final and validation score at each of ``costs``, float64 [m]; NaN before the first incumbent."""
        place = np.searchsorted(self.costs, costs, side="right")
        finals, valids = np.append(np.nan, self.finals), np.append(np.nan, self.valids)
        return finals[place], valids[place]


def steps_of(run: Run, unit: Unit) -> Steps:
    """What a run had found after each cost.

    The last incumbent has the final score of the run where it is what the run reports. Validation scores are NaN
    throughout where incumbents were chosen on test scores, and everything is where the task does not count ``unit``.
    """
    points = [(cost_of(i, unit), final, i.valid) for i, final in run.incumbents]
    costs, finals, valids = np.array(points, dtype=np.float64).reshape(-1, 3).T  # None becomes NaN
    last = run.search.incumbents[-1] if points else None
    if last is not None and np.isnan(finals[-1]) and run.outcome is not None and last.arch == run.outcome.arch:
        finals[-1] = np.nan if run.score is None else run.score
    if run.entry.scoring.oracle == "test":
        valids[:] = np.nan
    return Steps(costs, finals, valids)


def read_off(reference: Run, cost: float, unit: Unit) -> tuple[float | None, float | None]:
    """Final and validation score of what ``reference`` would report after ``cost``; None where it is not known.

    At its full cost that is its own outcome. Before, it is its incumbent, save where the mode reports the best of
    several by final score: which that would have been is not in the record.
    """
    total = None if reference.paid is None else cost_of(reference.paid, unit)
    if total is not None and cost >= total:
        return reference.score, reference.valid
    if reference.entry.scoring.report == "best_of_returned":
        return None, None
    final, valid = (float(x[0]) for x in steps_of(reference, unit).at(np.array([cost])))
    return None if np.isnan(final) else final, None if np.isnan(valid) else valid


def matched_scores(
    entry: EntryRuns, reference: EntryRuns | None, unit: Unit
) -> tuple[list[float] | None, list[float] | None]:
    """Final and validation scores of matched random search, one for each run of ``entry`` that has the same seed.

    A failed run is matched at the whole budget: what it paid is not known, and it was free to spend all of it. None
    where one of them does not exist.
    """
    if reference is None:
        return None, None
    by_seed = {r.seed: r for r in reference.runs}
    finals: list[float | None] = []
    valids: list[float | None] = []
    for run in entry.runs:
        cost = cost_of(run.paid, unit) if run.paid is not None and not run.failed else float("inf")
        partner = by_seed.get(run.seed)
        final, valid = read_off(partner, cost, unit) if partner is not None and cost is not None else (None, None)
        finals.append(final)
        valids.append(valid)
    return _whole(finals), _whole(valids)


def _whole(values: list[float | None]) -> list[float] | None:
    known = [v for v in values if v is not None]
    return known if len(known) == len(values) else None
