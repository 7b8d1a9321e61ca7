"""Anytime curves: the mean score of an entry over what had been paid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import ClassVar, Literal

import numpy as np

from harness.reading import numbers
from harness.reading.along import grids_of, nullable, scores_along, spread_over
from harness.reading.matched import Floats
from harness.reading.report.section import Section, Source, banded, in_setting
from harness.reading.report.table import Column, Row, Table, name_column
from harness.reading.study import EntryRuns, SettingRuns
from harness.reading.summary import InSetting
from harness.records.specs import Role
from harness.search.budget import Unit
from harness.statistics.inference import student_t

_SPREAD = "± half the width of the 95 % t interval of the mean"
_DROPPED = (0, 4, 2, 5, 1, 3)
"""For six costs, the order in which a narrow terminal leaves them out: the highest first, the last cost never."""


class Curve(InSetting, frozen=True, kw_only=True):
    """An entry's mean score over what had been paid, with the pointwise 95 % t interval of the mean.

    cost: [points] in ``unit``. score: final score. Each list has a value a point; it is null where not every run had
    found something, where it is not known, and (intervals) for one run. A run that ended early keeps what it had; a
    failed run stands at random sampling's mean throughout. searched_on: the column that chose the incumbents; ``valid``
    is null where that is test.
    """

    POINTS: ClassVar[tuple[str, ...]] = (
        "cost", "score", "score_low", "score_high", "valid", "valid_low", "valid_high",
    )  # fmt: skip

    strategy: str
    role: Role
    searched_on: Literal["validation", "test"]
    n: int
    failed: int
    unit: Unit
    cost: list[float]
    score: list[float | None]
    score_low: list[float | None]
    score_high: list[float | None]
    valid: list[float | None]
    valid_low: list[float | None]
    valid_high: list[float | None]


def curves_of(source: Source) -> list[Curve]:
    """A curve for each entry and each reference. Those of a setting share one grid of costs.

    Raises UnknownName, HarnessError where the records do not count the unit and for a cost above the budget.
    """
    found: list[Curve] = []
    for setting, entries, unit, grid in grids_of(source.choice.at, source.shown(), source.choice.unit):
        found += [_curve(setting, entry, grid, unit) for entry in entries]
    return found


def _curve(setting: SettingRuns, entry: EntryRuns, grid: Floats, unit: Unit) -> Curve:
    final_scores, valids = scores_along(setting, entry, grid, unit)
    return Curve(
        **in_setting(setting, entry),
        strategy=entry.entry.strategy,
        role=entry.entry.role,
        searched_on=entry.entry.scoring.oracle,
        n=len(entry.runs),
        failed=len(entry.failed),
        unit=unit,
        cost=grid.tolist(),
        **banded("score", *_means(final_scores)),
        **banded("valid", *_means(valids)),
    )


def _means(matrix: Floats) -> Iterator[list[float | None]]:
    """Mean of each point and the ends of its interval, `statistics.t_interval` of each column; None for NaN."""
    n, mean = len(matrix), matrix.mean(axis=0)
    half = student_t(n - 1) * matrix.std(axis=0, ddof=1) / math.sqrt(n) if n > 1 else np.nan
    return map(nullable, (mean, mean - half, mean + half))


def _tables(found: Sequence[Curve], _: Source) -> list[Table]:
    """For each setting a table of each entry's mean final score at up to six costs; below it one of validation scores,
    where these differ.
    """
    tables = []
    for _, of_setting in groupby(found, key=lambda curve: curve.title):
        curves = list(of_setting)
        tables.append(_table(curves, "final"))
        if any(c.valid != c.score and any(v is not None for v in c.valid) for c in curves):
            tables.append(_table(curves, "validation"))
    return tables


SECTION = Section("curves", curves_of, _tables)


def _table(curves: Sequence[Curve], what: Literal["final", "validation"]) -> Table:
    first = curves[0]
    points = len(first.cost)
    places = spread_over(points)
    dropped = _DROPPED if len(places) == len(_DROPPED) else range(len(places))
    costs = [
        Column(numbers.count(first.cost[place]), dropped=0 if place == places[-1] else 1 + rank)
        for place, rank in zip(places, dropped, strict=True)
    ]
    rows = [
        Row((c.name, *(numbers.mean_and_half(mean[k], high[k]) for k in places)), c.role)
        for c in curves
        for mean, high in [(c.score, c.score_high) if what == "final" else (c.valid, c.valid_high)]
    ]
    legend = _SPREAD
    if len(places) < points:
        legend += f"; {len(places)} of {points} costs, --at chooses others, --format csv has all"
    return Table(
        f"{first.title}: mean {what} score after {first.unit} paid",
        (name_column("entry"), *costs),
        tuple(rows),
        legend=legend,
        whole="--format csv has them",
    )
