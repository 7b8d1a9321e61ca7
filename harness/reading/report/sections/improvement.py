"""How likely a run of an entry beats a run of matched random search, over the settings of a study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.reading import numbers
from harness.reading.blocks import SHARED, Blocks, OverSettings, blocks_of
from harness.reading.report.section import Section, Source, banded, table_by
from harness.reading.report.table import Column, Row, Table, name_column
from harness.statistics.across_tasks import probability_of_improvement


class Improvement(OverSettings, frozen=True, kw_only=True):
    """probability: P(better) + P(equal) / 2, the mean over the settings, ``against`` at the whole budget. Without an
    interval where settings share their searches.
    """

    label: str
    against: str
    probability: float
    probability_low: float | None
    probability_high: float | None


def improvements_of(source: Source) -> list[Improvement]:
    """The improvement of each strict entry that every setting of its budget has, where each has its reference."""
    found = blocks_of(source.study, source.choice.tasks, source.choice.entries)
    return [improvement for blocks in found for improvement in improvements_over(blocks)]


def improvements_over(blocks: Blocks) -> Iterator[Improvement]:
    """The improvement of each competitor except the reference; nothing where there is no reference."""
    reference = next((c for c in blocks.competitors if c.role == "reference"), None)
    if reference is None:
        return
    for c in blocks.competitors:
        if c.role == "entry":
            found = probability_of_improvement(c.scores, reference.scores)
            yield Improvement(
                **blocks.about,
                label=c.name,
                against=reference.name,
                **banded("probability", found.probability, *((not blocks.shared and found.interval) or (None, None))),
            )


def _table(found: Sequence[Improvement]) -> Table:
    rows = [
        Row((i.label, numbers.number(i.probability), numbers.interval(i.probability_low, i.probability_high)))
        for i in sorted(found, key=lambda i: -i.probability)
    ]
    return Table(
        f"probability of improvement on {found[0].against} {found[0].where}",
        (name_column("entry"), Column("P(better)"), Column("95 %")),
        tuple(rows),
        notes=(SHARED,) * found[0].shared_searches,
        legend="that a run of the entry ends better than a run of the reference, equal ones half, the mean over "
        "settings; with its 95 % interval over runs; .5 is no difference",
    )


SECTION = Section(
    "improvement",
    improvements_of,
    table_by(lambda found: (found.budget, found.titles), _table),
    "no entry stands beside matched random search in every setting",
)
