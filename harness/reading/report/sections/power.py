"""How many seeds a strategy needs on each setting, from what is known of its spread there: of random search's runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

import msgspec
import numpy as np

from harness.reading import numbers
from harness.reading.report.section import Section, Source
from harness.reading.report.table import Cells, Column, Table, laid_out
from harness.records.identity import stream
from harness.records.specs import STRICT
from harness.search.budget import Budget
from harness.statistics.inference import ALPHA, FEWEST_RUNS
from harness.statistics.power import seeds_needed

DETECT = (0.5, 1.0, 2.0)
MOST = 200
_WANTED = 0.8
_STUDIES = 100


class Power(msgspec.Struct, frozen=True, kw_only=True):
    """Seeds with which a difference is found in four studies of five.

    detect: percent of random sampling's mean, or the score's unit where that is no ratio; difference: the same in the
    score's unit. vs_search: a mean that much above matched random search's, of its best law where there are several;
    vs_sampling: an RI of it. Null above 200 seeds, and where too few runs are known. The level is that of the first of
    ``hypotheses`` of this study, .05 over their number. spread: standard deviation of the ``n`` runs of that reference.
    """

    title: str
    budget: Budget
    detect: float
    difference: float
    spread: float
    n: int
    hypotheses: int
    vs_search: int | None
    vs_sampling: int | None


def power_of(source: Source) -> list[Power]:
    """Of each chosen setting that has enough runs of strict random search."""
    strict = sum(e.entry.mode == STRICT for s in source.study.settings for e in s.entries)
    found: list[Power] = []
    for setting, _ in source.shown():
        own = next((e.entry for e in setting.entries if e.entry.mode == STRICT), None)
        of_laws = setting.references_of(own) if own else []
        known = [[r.score for r in reference.runs if r.score is not None] for reference in of_laws]
        if setting.sampling is None or min(map(len, known), default=0) < FEWEST_RUNS:
            continue
        score, sampling = setting.sampling.score, setting.sampling
        references, draws = [score.sign * np.array(scores) for scores in known], score.sign * np.array(sampling.draws)
        runs = max(references, key=lambda scores: float(scores.mean()))
        if np.ptp(runs) == 0:
            continue
        hypotheses = max(2 * strict, 1)
        for detect in source.choice.detect or DETECT:
            difference = detect / 100 * abs(sampling.mean) if score.ratio_scale else detect
            rng = stream(setting.study_seed, f"power {detect:.10g}", setting.title)
            seeds = partial(
                seeds_needed, rng=rng, wanted=_WANTED, alpha=ALPHA / hypotheses, most=MOST, studies=_STUDIES
            )
            vs_search = seeds(references, difference, reference_seeds=len(runs))
            vs_sampling = None
            if len(draws) >= FEWEST_RUNS:
                vs_sampling = seeds([draws], difference, reference_seeds=len(draws), spread=runs)
            found.append(
                Power(
                    title=setting.title,
                    budget=setting.setting.budget,
                    detect=detect,
                    difference=difference,
                    spread=float(np.std(runs, ddof=1)),
                    n=len(runs),
                    hypotheses=hypotheses,
                    vs_search=vs_search,
                    vs_sampling=vs_sampling,
                )
            )
    return found


def _tables(found: Sequence[Power], _: Source) -> Iterator[Table]:
    for _, of in groupby(found, key=lambda p: p.title):
        yield _table(list(of))
    if found:
        legend = (
            "seeds with which a strategy that spreads as random search does is called better in four studies of five: "
            "its mean is that many percent of random sampling's mean (or units, where the score is no ratio) above "
            "matched random search's, of its best law where there are several, or above random sampling's (its RI). As "
            f"the first of {found[0].hypotheses} hypotheses, which this study has; {_STUDIES} simulated studies, so "
            "known to about a fifth"
        )
        yield Table("", legend=legend)


SECTION = Section(
    "power",
    power_of,
    _tables,
    "power takes five runs of matched random search that differ, and random sampling",
)
_CELLS: tuple[Cells[Power], ...] = (
    (Column("detect"), lambda p: f"{p.detect:g}"),
    (Column("difference"), lambda p: numbers.number(p.difference, 3)),
    (Column("vs search"), lambda p: _seeds(p.vs_search)),
    (Column("vs sampling"), lambda p: _seeds(p.vs_sampling)),
)


def _table(found: Sequence[Power]) -> Table:
    first = found[0]
    spread = f"random search: standard deviation {numbers.number(first.spread)} over {first.n} runs"
    return Table(
        f"{first.title}: seeds needed",
        *laid_out(found, _CELLS),
        notes=(f"{spread} of {numbers.budget(first.budget)}",),
    )


def _seeds(n: int | None) -> str:
    return f"> {MOST}" if n is None else str(n)
