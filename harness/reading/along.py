"""Scores of runs after each cost: the grids and matrices from which curves and their differences are made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from harness.errors import HarnessError, UnknownName
from harness.reading.matched import Floats, cost_of, steps_of
from harness.reading.study import EntryRuns, SettingRuns
from harness.search.budget import UNITS, Unit

MOST_POINTS = 500


def unit_named(name: str | None, setting: SettingRuns) -> Unit:
    """None: what the budget limits. Raises UnknownName."""
    if name is None:
        return setting.setting.budget.unit
    if name not in UNITS:
        raise UnknownName("cost", name, UNITS)
    return name


def grids_of(
    at: Sequence[float] | None, shown: Iterable[tuple[SettingRuns, list[EntryRuns]]], unit: str | None
) -> Iterator[tuple[SettingRuns, list[EntryRuns], Unit, Floats]]:
    """Each setting with entries that a cost asked for is within the budget of, with these costs, ascending; `at` None:
    with every cost at which a run improved or ended, thinned to 500.

    Raises UnknownName, HarnessError where the unit is not counted, and for a cost that is not positive or above every
    budget.
    """
    settings = [(setting, entries, unit_named(unit, setting)) for setting, entries in shown if entries]
    ends = [_end_of(setting, counted) for setting, _, counted in settings]
    for cost in at or ():
        if not 0 < cost < math.inf:
            raise HarnessError(f"--at {cost:g}: a cost is positive and finite")
        if settings and cost > max(ends):
            setting, _, counted = settings[ends.index(max(ends))]
            raise HarnessError(f"--at {cost:.10g}: the budget of {setting.title} ends at {max(ends):.10g} {counted}")
    for (setting, entries, counted), end in zip(settings, ends, strict=True):
        if at is None:
            yield setting, entries, counted, _thinned(costs_of(setting, setting.everyone, counted))
        elif within := sorted(cost for cost in at if cost <= end):
            yield setting, entries, counted, np.asarray(within, dtype=np.float64)


def _end_of(setting: SettingRuns, unit: Unit) -> float:
    """The most that a run may have paid: the query that crosses the limit is answered."""
    limit: float | None = getattr(setting.setting.budget, unit)
    if limit is None:
        return math.inf
    return max([limit, *(cost_of(r.paid, unit) or 0.0 for r in setting.runs if r.paid is not None)])


def costs_of(setting: SettingRuns, entries: Sequence[EntryRuns], unit: Unit) -> Floats:
    """Every cost at which a run improved or ended, ascending. Raises HarnessError where ``unit`` is not counted."""
    costs: set[float] = set()
    for entry in entries:
        for run in entry.runs:
            costs_of_run = [cost_of(i, unit) for i in run.search.incumbents]
            if run.paid is not None:
                costs_of_run.append(cost_of(run.paid, unit))
            for cost in costs_of_run:
                if cost is None:
                    raise HarnessError(f"the records of {setting.setting.task} do not count {unit}")
                costs.add(cost)
    return np.array(sorted(costs))


def _thinned(grid: Floats) -> Floats:
    """At most 500 of the costs, the first and the last among them."""
    if len(grid) <= MOST_POINTS:
        return grid
    # Spaced evenly in the logarithm of their position: early changes lie close together.
    chosen: Floats = grid[np.unique(np.geomspace(1, len(grid), MOST_POINTS).round().astype(int)) - 1]
    return chosen


def scores_along(setting: SettingRuns, entry: EntryRuns, grid: Floats, unit: Unit) -> tuple[Floats, Floats]:
    """Final and validation score of each run's incumbent, float64 [runs, points]; NaN where there is none.

    A run that ended early keeps what it had; a failed one stands at random sampling's mean throughout. Validation is
    NaN throughout where the incumbents were chosen on test scores.
    """
    sampling = setting.sampling
    final_scores, valids = np.full((2, len(entry.runs), len(grid)), np.nan)
    for i, run in enumerate(entry.runs):
        if not run.failed:
            final_scores[i], valids[i] = steps_of(run, unit).at(grid)
        elif sampling is not None:
            final_scores[i] = sampling.mean
            valids[i] = np.nan if sampling.valid_mean is None else sampling.valid_mean
    if entry.entry.scoring.oracle == "test":
        valids[:] = np.nan
    return final_scores, valids


def nullable(values: Floats) -> list[float | None]:
    """None for NaN."""
    return [None if math.isnan(v) else v for v in values.tolist()]


def spread_over(points: int, most: int = 6) -> list[int]:
    """Up to ``most`` positions of a grid, evenly spaced, the first and the last among them."""
    found: list[int] = np.linspace(0, points - 1, min(points, most)).round().astype(int).tolist()
    return found
