"""How far one anytime curve lies above another, and from which cost on it stays there: ``curves --against LABEL``."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from harness.errors import HarnessError
from harness.reading import numbers
from harness.reading.along import costs_of, grids_of, nullable, scores_along, spread_over
from harness.reading.matched import Floats
from harness.reading.report.section import Section, Source, banded, in_setting, table_each
from harness.reading.report.table import Column, Row, Table
from harness.reading.study import EntryRuns, SettingRuns, check_names
from harness.reading.summary import InSetting
from harness.records.specs import Role
from harness.search.budget import Unit
from harness.statistics.inference import welch_intervals


class Difference(InSetting, frozen=True, kw_only=True):
    """Mean score of an entry less that of ``against`` over what had been paid, with Welch's pointwise 95 % interval.

    Positive is better: where lower is better the sign is turned. cost: [points] in ``unit``. Each other list has a
    value a point; it is null where not every run of both had found something, where it is not known, and (intervals)
    for one run. ahead_from: the first cost from which ``score_low`` stays above 0, of all costs at which a run of
    either improved, not only of the points; null where there is none, and where incumbents have no final scores (tasks
    that train). ahead_from_valid: the same of ``valid_low``.
    """

    POINTS: ClassVar[tuple[str, ...]] = (
        "cost", "score", "score_low", "score_high", "valid", "valid_low", "valid_high",
    )  # fmt: skip

    against: str
    role: Role
    n: int
    n_against: int
    unit: Unit
    cost: list[float]
    score: list[float | None]
    score_low: list[float | None]
    score_high: list[float | None]
    valid: list[float | None]
    valid_low: list[float | None]
    valid_high: list[float | None]
    ahead_from: float | None
    ahead_from_valid: float | None


def differences_of(source: Source) -> list[Difference]:
    """Every other chosen entry less the one labelled ``against``, of each setting and mode that has it.

    Entries that are scored in different ways are not compared.

    Raises UnknownName, HarnessError where the records do not count the unit, for a cost above the budget, and where it
    is not known which way is up.
    """
    against = source.choice.against or ""
    check_names((source.study,), (), (against,))
    found: list[Difference] = []
    having = ((s, entries) for s, entries in source.shown() if any(e.entry.label == against for e in s.everyone))
    for setting, entries, unit, grid in grids_of(source.choice.at, having, source.choice.unit):
        found += [
            _difference(setting, entry, other, grid, unit)
            for other in setting.everyone
            for entry in entries
            if other.entry.label == against != entry.entry.label and entry.entry.scoring == other.entry.scoring
        ]
    return found


def _difference(setting: SettingRuns, entry: EntryRuns, other: EntryRuns, grid: Floats, unit: Unit) -> Difference:
    every = costs_of(setting, (entry, other), unit)
    score, valid = _less(setting, entry, other, grid, unit)
    all_score, all_valid = _less(setting, entry, other, every, unit)
    return Difference(
        **in_setting(setting, entry),
        against=other.entry.label,
        role=entry.entry.role,
        n=len(entry.runs),
        n_against=len(other.runs),
        unit=unit,
        cost=grid.tolist(),
        **banded("score", *map(nullable, score)),
        **banded("valid", *map(nullable, valid)),
        ahead_from=None if _partly_known(all_score, all_valid) else _stays_above(every, all_score[1]),
        ahead_from_valid=_stays_above(every, all_valid[1]),
    )


_Band = tuple[Floats, Floats, Floats]


def _less(setting: SettingRuns, entry: EntryRuns, other: EntryRuns, grid: Floats, unit: Unit) -> tuple[_Band, _Band]:
    if setting.sampling is None:
        raise HarnessError(f"{setting.title}: without its random sampling it is not known whether higher is better")
    signs = (setting.sampling.score.sign, setting.sampling.search_score.sign)
    ours, theirs = scores_along(setting, entry, grid, unit), scores_along(setting, other, grid, unit)
    score, valid = (welch_intervals(sign * a, sign * b) for sign, a, b in zip(signs, ours, theirs, strict=True))
    return score, valid


def _partly_known(score: _Band, valid: _Band) -> bool:
    """Whether incumbents had validation scores at a cost at which their final scores are not known."""
    return bool((np.isnan(score[0]) & ~np.isnan(valid[0])).any())


def _stays_above(grid: Floats, low: Floats) -> float | None:
    """The first cost from which ``low`` is above 0 to the end; NaN is not."""
    below = np.flatnonzero(~(low > 0))
    first = 0 if not len(below) else int(below[-1]) + 1
    return float(grid[first]) if first < len(grid) else None


def _table(d: Difference) -> Table:
    """Its interval at up to six costs, a line for each cost: of final scores and, beside them, of validation scores
    where these differ.
    """
    bands = [("final", d.score, d.score_low, d.score_high, d.ahead_from)]
    if d.valid != d.score and any(v is not None for v in d.valid):
        bands.append(("validation", d.valid, d.valid_low, d.valid_high, d.ahead_from_valid))
    ahead = ", ".join(
        f"{what} ahead {'nowhere to the end' if at is None else f'from {numbers.paid(at, d.unit)}'}"
        for what, values, _, _, at in bands
        if any(v is not None for v in values)
    )
    rows = []
    for k in spread_over(len(d.cost)):
        cells = [numbers.count(d.cost[k])]
        for _, mean, low, high, _ in bands:
            cells += [numbers.number(mean[k], signed=True), numbers.interval(low[k], high[k], signed=True)]
        rows.append(Row(tuple(cells)))
    return Table(
        f"{d.title}: {d.name} (n {d.n}) less {d.against} (n {d.n_against}), by {d.unit} paid",
        (Column(d.unit), *(Column(header) for what, *_ in bands for header in (what, "95 %"))),
        tuple(rows),
        notes=(ahead,) if ahead else (),
    )


SECTION = Section(
    "differences",
    differences_of,
    table_each(_table),
    "no other entry was searched and scored in the same way",
)
