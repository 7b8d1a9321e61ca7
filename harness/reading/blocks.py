"""The settings of a study as blocks, over which entries are compared. A block is a setting, never a seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from harness.reading import numbers
from harness.reading.matched import Floats
from harness.reading.samples import EntrySamples
from harness.reading.study import EntryRuns, SettingRuns, StudyRuns
from harness.records.identity import stream
from harness.records.specs import STRICT, Role
from harness.search.budget import Budget
from harness.strategy import Scoring


class OverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every structure about the settings of one budget. shared_searches: see `Blocks.shared`."""

    budget: Budget
    titles: list[str]
    shared_searches: bool

    @property
    def where(self) -> str:
        """The end of a table's title."""
        where = self.titles[0] if len(self.titles) == 1 else f"{len(self.titles)} settings"
        return f"over {where}, {numbers.budget(self.budget)}"


@dataclass(frozen=True)
class Competitor:
    """An entry of the blocks' mode, or a reference that is scored as these are.

    scores: for each block one score a run, higher is better; failed runs stand at the worst score known.
    """

    name: str
    role: Role
    scores: tuple[Floats, ...]


@dataclass(frozen=True)
class Blocks:
    """The settings of one budget and study seed. missing: entries that some of them lack, which are left out."""

    budget: Budget
    settings: tuple[SettingRuns, ...]
    competitors: tuple[Competitor, ...]
    missing: tuple[str, ...]
    seed: int

    @property
    def titles(self) -> list[str]:
        return [s.title for s in self.settings]

    @cached_property
    def shared(self) -> bool:
        """Whether two settings score the same searches, as rungs of a ladder do. What a search found by luck counts
        several times then, and no test or interval that takes the settings for independent holds.
        """
        ids = [{run.search.id for run in setting.runs} for setting in self.settings]
        return sum(map(len, ids)) > len(set().union(*ids))

    @property
    def about(self) -> dict[str, Any]:
        """The fields of `OverSettings`."""
        return {"budget": self.budget, "titles": self.titles, "shared_searches": self.shared}

    def rng(self, purpose: str) -> np.random.Generator:
        return stream(self.seed, purpose, *self.titles)


SHARED = "settings share their searches, whose luck counts several times: no interval, no test"


def blocks_of(
    study: StudyRuns, tasks: tuple[str, ...] = (), entries: tuple[str, ...] = (), *, mode: str = STRICT
) -> list[Blocks]:
    """The settings whose scores have a direction, by budget, with the entries of one mode. Another study seed makes
    other blocks: it is no other task.

    tasks, entries: names and labels to keep (default all).
    """
    found: dict[tuple[Budget, int], list[SettingRuns]] = {}
    for setting in study.settings:
        if setting.score is not None and (not tasks or setting.setting.task in tasks):
            found.setdefault((setting.setting.budget, setting.study_seed), []).append(setting)
    return [_blocks(budget, seed, settings, entries, mode) for (budget, seed), settings in found.items()]


def _blocks(budget: Budget, seed: int, settings: list[SettingRuns], entries: tuple[str, ...], mode: str) -> Blocks:
    everywhere: dict[tuple[str, Role], list[Floats]] = {}
    for setting in settings:
        own = [runs for runs in setting.entries if runs.entry.mode == mode]
        scorings = {runs.entry.scoring for runs in own}
        # A reference is called after one mode of several that are scored alike, in joined folders after each of them.
        # The first one counts, as in `SettingRuns.reference_of`.
        beside: dict[tuple[str, Scoring], EntryRuns] = {}
        for r in setting.references:
            if r.entry.scoring in scorings:
                beside.setdefault((r.entry.label, r.entry.scoring), r)
        chosen = [runs for runs in own if not entries or runs.entry.label in entries]
        for runs in (*chosen, *beside.values()):
            of = EntrySamples(runs, setting)
            everywhere.setdefault((runs.entry.label, runs.entry.role), []).append(of.oriented(of.scores))
    return Blocks(
        budget,
        tuple(settings),
        tuple(
            Competitor(label, role, tuple(scores))
            for (label, role), scores in everywhere.items()
            if len(scores) == len(settings)
        ),
        tuple(label for (label, _), scores in everywhere.items() if len(scores) < len(settings)),
        seed,
    )
