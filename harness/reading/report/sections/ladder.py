"""What the training protocol moves beside what the search moves: Yang, Esperança and Carlucci (ICLR 2020), Figure 3.

Settings that share their searches, and so differ in the final protocol alone, are the rungs of a ladder. Where rungs
differ in the number of cells, this is Figure 7, and the order of the same architectures on two rungs is Figure 9; where
they differ in the final seed, Figure 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from harness.reading import numbers
from harness.reading.agreement import Spread, pairing
from harness.reading.report.section import Section, Source, banded
from harness.reading.report.table import Cells, Column, Table, laid_out, name_column
from harness.reading.study import EntryRuns
from harness.reading.summary import SettingSummary
from harness.records.lines import SamplingRecord
from harness.records.specs import STRICT, Setting
from harness.statistics.inference import sample_with, t_interval, welch_intervals

Scores = Mapping[str, Sequence[float]]
"""Final scores, by entry."""


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One final protocol. mean, std (ddof 1), standard_error, best, n, failed: of random architectures under it.

    moves: their mean less that on the first rung, with a 95 % t interval; of the same architectures where ``paired``,
    which the draws of tasks that train are. ktau, shifts: tau-b of these architectures on the two rungs, and how far
    their ranks shift. search: the strict entry with the best mean final score here, search_moves: that mean less random
    sampling's, with Welch's 95 % interval; among ``entries``. A failed run of it is left out.
    """

    title: str
    setting: Setting
    unit: str
    mean: float
    std: float
    standard_error: float | None
    best: float | None
    n: int
    failed: int
    moves: float | None = None
    moves_low: float | None = None
    moves_high: float | None = None
    paired: bool = False
    ktau: float | None = None
    shifts: Spread | None = None
    search: str | None = None
    search_moves: float | None = None
    search_low: float | None = None
    search_high: float | None = None
    entries: int = 0


def ladders_of(source: Source) -> list[list[Rung]]:
    """Each ladder, its rungs in the study's order; settings that share their searches with no other are in none."""
    found: dict[str, list[tuple[SettingSummary, SamplingRecord, Scores]]] = {}
    for summary, (setting, entries) in zip(source.settings, source.shown(), strict=True):
        if setting.sampling is not None:
            s = setting.setting
            shared = str((s.search_task, s.law, s.budget, s.constraints, setting.study_seed))
            found.setdefault(shared, []).append((summary, setting.sampling, _scores(entries)))
    return [[_rung(*r, first=rungs[0][1]) for r in rungs] for rungs in found.values() if len(rungs) > 1]


def _scores(entries: Sequence[EntryRuns]) -> Scores:
    """Final scores of each strict entry's runs, where it has any."""
    strict = [e for e in entries if e.entry.role == "entry" and e.entry.mode == STRICT]
    known = {e.entry.label: [r.score for r in e.runs if r.score is not None] for e in strict}
    return {label: of for label, of in known.items() if of}


def _rung(summary: SettingSummary, sampling: SamplingRecord, scores: Scores, *, first: SamplingRecord) -> Rung:
    sign, more = sampling.score.sign, dict[str, Any]()
    if scores:
        label = max(scores, key=lambda name: sign * float(np.mean(scores[name])))
        moved, low, high = _apart(scores[label], sampling)
        more = {"search": label, "search_moves": moved, "search_low": low, "search_high": high, "entries": len(scores)}
    if sampling is not first:
        ends: Sequence[float | None] = [sampling.mean - first.mean] * 2
        if paired := _paired(sampling, first):
            ends = t_interval(np.subtract(sampling.draws, first.draws)) or (None, None)
            order = pairing(sign * np.array(sampling.draws), first.score.sign * np.array(first.draws))
            more |= {"ktau": order.ktau, "shifts": order.shifts}
        elif not (sampling.exact and first.exact):
            drawn = sample_with(sampling.mean, sampling.std, sampling.n)
            ends = _apart(drawn, first)[1:]
        more |= {"paired": paired, **banded("moves", sampling.mean - first.mean, *ends)}
    return Rung(
        title=summary.title,
        setting=summary.setting,
        unit=sampling.score.unit,
        mean=sampling.mean,
        std=sampling.std,
        standard_error=None if sampling.exact else sampling.std / sampling.n**0.5,
        best=sampling.best,
        n=sampling.n,
        failed=sampling.failed,
        **more,
    )


def _paired(sampling: SamplingRecord, first: SamplingRecord) -> bool:
    """Whether they are of the same architectures: tasks that train draw the same ones of a space, in one order."""
    one, two = ((s.law, s.constraints, s.study_seed, s.draws) for s in (sampling.spec, first.spec))
    trained = sampling.spec.final_seed is not None and first.spec.final_seed is not None
    return one == two and trained and not (sampling.failed or first.failed) and len(sampling.draws) == sampling.n


def _apart(scores: ArrayLike, sampling: SamplingRecord) -> tuple[float, float | None, float | None]:
    """Mean of ``scores`` less random sampling's, with an interval: of the scores alone where sampling is exact."""
    found = np.asarray(scores, dtype=np.float64)
    moved = float(found.mean()) - sampling.mean
    if sampling.exact:
        ends = t_interval(found - sampling.mean)
        return (moved, None, None) if ends is None else (moved, ends.low, ends.high)
    drawn = sample_with(sampling.mean, sampling.std, sampling.n)
    _, low, high = welch_intervals(found[:, None], drawn[:, None])
    return (moved, None, None) if np.isnan(low[0]) else (moved, float(low[0]), float(high[0]))


def _tables(found: Sequence[Rung], _: Source) -> list[Table]:
    starts = [k for k, rung in enumerate(found) if rung.moves is None]  # a first rung has none to move from
    return [_table(found[a:b]) for a, b in pairwise([*starts, len(found)])]


def _table(rungs: Sequence[Rung]) -> Table:
    paired = any(r.paired for r in rungs)
    order: tuple[Cells[Rung], ...] = (
        (Column("tau-b", dropped=5), lambda r: numbers.number(r.ktau)),
        (Column("rank shift", dropped=4), lambda r: numbers.mean_and_largest(r.shifts, 0)),
    )
    cells: tuple[Cells[Rung], ...] = (
        (name_column("final protocol"), lambda r: _name(r, rungs)),
        (Column("mean±std"), lambda r: numbers.plus_minus(r.mean, r.std, _places(r))),
        (Column("s.e.", dropped=1), lambda r: numbers.number(r.standard_error, _places(r))),
        (Column("best", dropped=2), lambda r: numbers.number(r.best, _places(r))),
        (Column("n"), lambda r: numbers.runs(r.n, r.failed)),
        (Column("protocol moves"), lambda r: _moved(r, r.moves, r.moves_low, r.moves_high)),
        *(order if paired else ()),
        (Column("search moves"), lambda r: _moved(r, r.search_moves, r.search_low, r.search_high)),
        (Column("entry", right=False, dropped=3), _entry),
    )
    of = rungs[0].setting
    return Table(
        f"ladder of final protocols, searched on {of.search_task}; law {of.law}; budget {numbers.budget(of.budget)}",
        *laid_out(rungs, cells),
        notes=(_said(rungs),),
        legend="mean±std (ddof 1), s.e. of the mean, best, n: of random architectures under each final protocol; "
        f"protocol moves: their mean less that under {rungs[0].setting.task}, with its 95 % t interval"
        + (", of the same architectures in pairs; tau-b, rank shift: mean (largest), of their order there" * paired)
        + "; search moves: mean final score of the best entry less random sampling, with Welch's 95 % interval",
    )


def _name(rung: Rung, rungs: Sequence[Rung]) -> str:
    """The task without the data set that all share; the whole title where another rung has the same task."""
    tasks = [r.setting.task for r in rungs]
    if tasks.count(rung.setting.task) > 1:
        return rung.title
    variant = rung.setting.task.partition("@")[2]
    return variant if variant and len({task.partition("@")[0] for task in tasks}) == 1 else rung.setting.task


def _places(rung: Rung) -> int:
    return numbers.decimals(rung.unit)


def _entry(rung: Rung) -> str:
    named = rung.search or numbers.NONE
    return named if rung.entries < 2 else f"{named} (of {rung.entries})"


def _moved(rung: Rung, value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return numbers.NONE
    places = _places(rung)
    return f"{numbers.number(value, places, signed=True)} {numbers.interval(low, high, places, signed=True)}"


def _said(rungs: Sequence[Rung]) -> str:
    """The largest movement of each kind, in a sentence."""
    unit = rungs[0].unit

    def moved(value: float) -> str:
        return f"{numbers.number(abs(value), numbers.decimals(unit))} {'points' if unit == '%' else unit}".rstrip()

    high, low = max(rungs, key=lambda r: r.mean), min(rungs, key=lambda r: r.mean)
    told = f"from {_name(low, rungs)} to {_name(high, rungs)} the mean moves by {moved(high.mean - low.mean)}"
    most = max(rungs, key=lambda r: abs(r.search_moves or 0.0))
    if most.search_moves is None:
        return told
    by = f"{moved(most.search_moves)} at most ({most.search} on {_name(most, rungs)})"
    return f"{told}; the best entry of a rung moves it by {by}"


SECTION = Section(
    "ladder",
    lambda source: [rung for rungs in ladders_of(source) for rung in rungs],
    _tables,
    "no two settings share their searches, so there is no ladder of final protocols",
)
