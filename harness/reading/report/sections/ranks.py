"""Average ranks over the settings of a study, with intervals, and which entries no test tells apart."""

from __future__ import annotations

import msgspec

from harness.reading import numbers
from harness.reading.blocks import SHARED, Blocks, OverSettings, blocks_of
from harness.reading.report.section import Section, Source, table_each
from harness.reading.report.table import Column, Row, Table, name_column
from harness.records.specs import Role
from harness.statistics.across_tasks import FEWEST_TASKS, friedman, rank_intervals, task_ranks, tie_groups


class EntryRanks(msgspec.Struct, frozen=True, kw_only=True):
    """mean_rank: the mean over settings of the rank of the mean final score, 1 the best; the interval is that of the
    expected rank in a setting like these, null where the entry has one rank on all. groups: letters; entries that share
    a letter are not told apart.
    """

    label: str
    role: Role
    mean_rank: float
    rank_low: float | None
    rank_high: float | None
    groups: str
    ranks: list[float]


class Ranks(OverSettings, frozen=True, kw_only=True):
    """The strict entries and the reference over the settings of one budget, best first.

    friedman_statistic, friedman_p: of the test that all rank alike; null below 5 settings, and where settings share
    their searches. left_out: entries that some settings lack.
    """

    friedman_statistic: float | None
    friedman_p: float | None
    left_out: list[str]
    entries: list[EntryRanks]


def ranks_of(source: Source) -> list[Ranks]:
    """The ranks of each budget that has two entries and two settings."""
    found = blocks_of(source.study, source.choice.tasks, source.choice.entries)
    return [ranks_over(b) for b in found if len(b.settings) > 1 and len(b.competitors) > 1]


def ranks_over(blocks: Blocks) -> Ranks:
    """The ranks of two or more competitors on one or more settings."""
    ranks = task_ranks([c.scores for c in blocks.competitors])
    shared, means = blocks.shared, ranks.mean(axis=0)
    overall = None if shared else friedman(ranks)
    intervals = (None if shared else rank_intervals(ranks, rng=blocks.rng("ranks"))) or [None] * len(means)
    groups = [list(range(len(means)))] if shared else tie_groups(ranks)
    letters = [""] * len(blocks.competitors)
    for letter, group in zip("abcdefghijklmnopqrstuvwxyz", groups, strict=False):
        for place in group:
            letters[place] += letter
    entries = [
        EntryRanks(
            label=c.name,
            role=c.role,
            mean_rank=float(means[k]),
            rank_low=interval.low if interval else None,
            rank_high=interval.high if interval else None,
            groups=letters[k],
            ranks=ranks[:, k].tolist(),
        )
        for k, (c, interval) in enumerate(zip(blocks.competitors, intervals, strict=True))
    ]
    return Ranks(
        **blocks.about,
        friedman_statistic=overall.statistic if overall else None,
        friedman_p=overall.p if overall else None,
        left_out=list(blocks.missing),
        entries=sorted(entries, key=lambda e: e.mean_rank),
    )


def _table(ranks: Ranks) -> Table:
    columns = (name_column("entry"), Column("mean rank"), Column("95 %"), Column("not told apart", right=False))
    rows = tuple(
        Row((e.label, numbers.number(e.mean_rank), numbers.interval(e.rank_low, e.rank_high), e.groups), e.role)
        for e in ranks.entries
    )
    test = f"Friedman's test that all rank alike: p {numbers.p_value(ranks.friedman_p)}"
    if ranks.shared_searches:
        test = SHARED
    elif len(ranks.titles) < FEWEST_TASKS:
        test = f"fewer than {FEWEST_TASKS} settings: no interval, no test"
    return Table(
        f"average ranks {ranks.where}",
        columns,
        rows,
        notes=(test,),
        legend="ranks of mean final scores, 1 the best, failed runs at the worst score known; entries that share a "
        "letter are not told apart (Nemenyi)",
        footnotes=(f"not of every setting, and left out: {', '.join(ranks.left_out)}",) if ranks.left_out else (),
    )


SECTION = Section("ranks", ranks_of, table_each(_table), "average ranks need two entries on two settings of one budget")
