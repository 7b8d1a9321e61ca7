"""Normalised scores over the settings of a study, and performance profiles: the share of runs above each level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from harness.reading import numbers
from harness.reading.along import nullable
from harness.reading.blocks import SHARED, Blocks, OverSettings, blocks_of
from harness.reading.matched import all_of
from harness.reading.report.section import Section, Source, banded, table_by
from harness.reading.report.table import Column, Row, Table, name_column
from harness.reading.study import SettingRuns
from harness.records.specs import Role
from harness.statistics.across_tasks import mean_over_tasks_interval, normalised, performance_profile

LEVELS = np.arange(101) / 100
_SHOWN = (0, 50, 80, 90, 95, 99)


class Profile(OverSettings, frozen=True, kw_only=True):
    """A strict entry, or the reference, over the settings of one budget.

    mean: of its normalised scores over runs, then over settings; 0 is random sampling's mean, 1 the best row, or the
    best draw where rows are not known. mean_low, mean_high: its 95 % interval over runs, null for one run and where no
    setting's runs spread. share: [levels], the share of runs whose normalised score is above ``tau``, with a pointwise
    95 % band, null for one run. Interval and band are null where settings share their searches.
    """

    POINTS: ClassVar[tuple[str, ...]] = ("tau", "share", "share_low", "share_high")

    label: str
    role: Role
    mean: float
    mean_low: float | None
    mean_high: float | None
    tau: list[float]
    share: list[float | None]
    share_low: list[float | None]
    share_high: list[float | None]


def profiles_of(source: Source) -> list[Profile]:
    """The profile of each strict entry and reference that every setting of its budget has, if each has a scale."""
    found = blocks_of(source.study, source.choice.tasks, source.choice.entries)
    return [profile for blocks in found for profile in profiles_over(blocks)]


def profiles_over(blocks: Blocks) -> Iterator[Profile]:
    """The profile of each competitor; nothing where a setting has no scale from random sampling to a best score."""
    scales = all_of(_scale(s) for s in blocks.settings)
    if scales is None:
        return
    shared = blocks.shared
    for c in blocks.competitors:
        scores = [
            normalised(of, sampling_mean=base, best=best) for of, (base, best) in zip(c.scores, scales, strict=True)
        ]
        mean = float(np.mean([s.mean() for s in scores]))
        found = performance_profile(scores, LEVELS)
        low, high = (np.full_like(LEVELS, np.nan),) * 2 if shared else (found.low, found.high)
        yield Profile(
            **blocks.about,
            label=c.name,
            role=c.role,
            **banded("mean", mean, *((not shared and mean_over_tasks_interval(scores)) or (None, None))),
            tau=LEVELS.tolist(),
            **banded("share", *map(nullable, (found.share, low, high))),
        )


def _scale(setting: SettingRuns) -> tuple[float, float] | None:
    """Random sampling's mean, and the best row or draw where it is better; higher is better in both."""
    s = setting.sampling
    if s is None or s.best is None or s.score.sign * s.best <= s.score.sign * s.mean:
        return None
    return s.score.sign * s.mean, s.score.sign * s.best


def _table(profiles: Sequence[Profile]) -> Table:
    first = profiles[0]
    rows = [
        Row(
            (
                p.label,
                numbers.number(p.mean, 3),
                numbers.interval(p.mean_low, p.mean_high, 3),
                *(numbers.number(p.share[k]) for k in _SHOWN),
            ),
            p.role,
        )
        for p in sorted(profiles, key=lambda p: -p.mean)
    ]
    return Table(
        f"normalised scores {first.where}",
        (
            name_column("entry"),
            Column("mean"),
            Column("95 %", dropped=2),
            *(Column(f"> {LEVELS[k]:g}", dropped=1) for k in _SHOWN),
        ),
        tuple(rows),
        notes=(SHARED,) * first.shared_searches,
        legend="0 is random sampling's mean, 1 the best row, or its best draw where rows are not known; then the share "
        "of runs above each level, the mean over settings",
    )


SECTION = Section(
    "profiles",
    profiles_of,
    table_by(lambda profile: (profile.budget, profile.titles), _table),
    "normalised scores take, in every setting, a best row or draw above random sampling",
)
