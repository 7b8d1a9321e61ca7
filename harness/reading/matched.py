"""Matched random search, read at the cost of each run; every run as a step function of what it had paid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.reading.study import EntryRuns
from harness.records.lines import Incumbent, Paid
from harness.records.runs import Run
from harness.search.budget import Budget, Unit
from harness.statistics.verdicts import cost_of_reference_run

Floats = NDArray[np.float64]
_T = TypeVar("_T")


def all_of(values: Iterable[_T | None]) -> list[_T] | None:
    """The values, or None where one of them does not exist."""
    found = list(values)
    known = [v for v in found if v is not None]
    return known if len(known) == len(found) else None


def cost_of(paid: Paid | Incumbent, unit: Unit) -> float | None:
    value: float | None = getattr(paid, unit)
    return value


class Steps(NamedTuple):
    """Final and validation score of a run's incumbent from each cost on, float64 [n]; NaN where it is not known."""

    costs: Floats
    final_scores: Floats
    valids: Floats

    def at(self, costs: Floats) -> tuple[Floats, Floats]:
        """Final and validation score at each of ``costs``, float64 [m]; NaN before the first incumbent."""
        place = np.searchsorted(self.costs, costs, side="right")
        final_scores, valids = np.append(np.nan, self.final_scores), np.append(np.nan, self.valids)
        return final_scores[place], valids[place]


def steps_of(run: Run, unit: Unit) -> Steps:
    """What a run had found after each cost.

    Where the run reports its last incumbent, that incumbent has the run's final score. All validation scores are NaN
    where incumbents were chosen on test scores, and all costs are NaN where the task does not count ``unit``.
    """
    points = [(cost_of(i, unit), final, i.valid) for i, final in run.incumbents]
    costs, final_scores, valids = np.array(points, dtype=np.float64).reshape(-1, 3).T  # None becomes NaN
    last = run.search.incumbents[-1] if points else None
    if last is not None and np.isnan(final_scores[-1]) and run.outcome is not None and last.arch == run.outcome.arch:
        final_scores[-1] = np.nan if run.score is None else run.score
    if run.entry.scoring.oracle == "test":
        valids[:] = np.nan
    return Steps(costs, final_scores, valids)


class Answer(NamedTuple):
    """What a run reports. ``score`` None: nothing that has a final score. ``valid`` None: likewise, or not known."""

    score: float | None
    valid: float | None


NOTHING = Answer(None, None)


def answers_of(entry: EntryRuns) -> list[Answer]:
    """What each of its runs reports after the whole budget."""
    return [Answer(run.score, run.valid) for run in entry.runs]


def beside(reference: EntryRuns, entry: EntryRuns, budget: Budget) -> list[Answer] | None:
    """What each run of matched random search would have reported at the cost of the entry's run that it is set against.

    Run j stands against the entry's run ``j mod n``. A run that failed, or spent all of the budget, is set against
    the whole of it: the one was free to spend it, and the query that crosses a limit counts on both sides. None
    where one of the answers is not known: the task does not count the unit, the incumbents have no final scores, or
    the mode reports the best of several by final score, and which that would have been is not in the record.
    """
    unit = budget.unit
    paid = [np.inf if r.failed or r.paid is None else cost_of(r.paid, unit) for r in entry.runs]
    if any(cost is None for cost in paid):
        return None
    limit: float = getattr(budget, unit)
    costs = cost_of_reference_run(np.array(paid, dtype=np.float64), len(reference.runs), limit=limit)
    return all_of(read_off(run, cost, unit) for run, cost in zip(reference.runs, costs.tolist(), strict=True))


def read_off(run: Run, cost: float, unit: Unit) -> Answer | None:
    """What ``run`` would report after ``cost``; None where that is not known.

    At its full cost it is the run's outcome; before that, its incumbent, or nothing where it had none with a final
    score.
    """
    total = None if run.paid is None else cost_of(run.paid, unit)
    if cost == np.inf or (total is not None and cost >= total):
        return Answer(run.score, run.valid)
    if total is None or run.entry.scoring.report == "best_of_returned":
        return None
    steps = steps_of(run, unit)
    place = int(np.searchsorted(steps.costs, cost, side="right")) - 1
    if place < 0:
        return NOTHING
    final, valid = float(steps.final_scores[place]), float(steps.valids[place])
    if np.isnan(final):  # of incumbents that were scored, one whose final training failed, or that a table lacks
        return NOTHING if run.outcome is not None and run.outcome.incumbents else None
    return Answer(final, None if np.isnan(valid) else valid)
