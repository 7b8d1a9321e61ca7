"""What a section of a report is: data, and the tables that show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from harness.reading.compliance import Finding, check_compliance, entry_scope
from harness.reading.entries import summarise
from harness.reading.report.table import Table
from harness.reading.study import EntryRuns, SettingRuns, StudyRuns
from harness.reading.summary import SettingSummary
from harness.registry import Registry, default_registry
from harness.running.plan import Evaluators

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True)
class Choice:
    """Which part of a report to show.

    wide: every column. tasks, entries (labels): only these, in every section. at, unit (None: the budget's), against (a
    label): for curves. others: folders of more studies; only KTau shows them beside the first. plot: a file for the
    figure of the section, in place of the report. detect: differences of power.
    """

    sections: tuple[str, ...] = ()
    form: str = "text"
    wide: bool = False
    tasks: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    at: tuple[float, ...] | None = None
    unit: str | None = None
    against: str | None = None
    others: tuple[Path, ...] = ()
    plot: Path | None = None
    detect: tuple[float, ...] = ()


@dataclass(frozen=True)
class Source:
    """The study that a section is made from. registry: called when a section needs the tasks' data."""

    study: StudyRuns
    choice: Choice = Choice()
    others: tuple[StudyRuns, ...] = ()
    registry: Callable[[], Registry] = default_registry

    @cached_property
    def open_task(self) -> Evaluators:
        """Opens a task once. Raises UnknownName, PluginError, DataMissing, DataError."""
        return Evaluators(self.registry())

    def shown(self) -> Iterator[tuple[SettingRuns, list[EntryRuns]]]:
        """The chosen settings, each with the chosen entries and references."""
        for setting in self.study.settings:
            if not self.choice.tasks or setting.setting.task in self.choice.tasks:
                chosen = self.choice.entries
                yield setting, [e for e in setting.everyone if not chosen or e.entry.label in chosen]

    def tasks(self, *, with_search: bool = False) -> list[SettingRuns]:
        """The first of those chosen settings that differ only in budget, constraints or (without) in search task."""
        distinct: dict[object, SettingRuns] = {}
        for runs, _ in self.shown():
            s = runs.setting
            distinct.setdefault((s.task, s.law, s.final, s.final_seed, with_search and s.search_task), runs)
        return list(distinct.values())

    @cached_property
    def settings(self) -> list[SettingSummary]:
        """The chosen settings with the chosen entries, as they are in the whole study: p-values of all entries."""
        chosen = self.choice.entries
        return [
            msgspec.structs.replace(s, entries=[e for e in s.entries if not chosen or e.label in chosen])
            for s in summarise(self.study)
            if not self.choice.tasks or s.setting.task in self.choice.tasks
        ]

    @cached_property
    def findings(self) -> list[Finding]:
        """What the rules say of the study, and of the chosen settings and entries."""
        scopes = {"study"}
        for setting, entries in self.shown():
            scopes.add(setting.title)
            for entry in entries:
                scopes |= {entry.entry.strategy, entry_scope(setting, entry)}
        return [f for f in check_compliance(self.study, self.open_task) if f.scope in scopes]


def in_setting(setting: SettingRuns, entry: EntryRuns) -> dict[str, Any]:
    """The fields of `InSetting`."""
    of = entry.entry
    return {"title": setting.title, "setting": setting.setting, "label": of.label, "mode": of.mode}


def banded(name: str, *values: Any) -> dict[str, Any]:
    """A value and the ends of its interval as the fields ``name``, ``name_low`` and ``name_high``."""
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


@dataclass(frozen=True)
class Section(Generic[T]):
    """content: what it says, which stands under ``key`` in the JSON object. shown: the same as tables, for people.

    Both are of a `Source`, or of the `IngestedSource` of results from elsewhere. none: what is said where there is no
    table.
    """

    key: str
    content: Callable[[Any], Sequence[T]]
    shown: Callable[[Sequence[T], Any], Iterable[Table]]
    none: str = ""

    def tables(self, source: Any) -> list[Table]:
        found = list(self.shown(self.content(source), source))
        return [Table(self.none)] if self.none and not found else found


def table_each(table: Callable[[T], Table]) -> Callable[[Sequence[T], Any], Iterable[Table]]:
    """Shows each part of a section's content as a table."""
    return lambda found, _: map(table, found)


def table_by(
    key: Callable[[T], object], table: Callable[[Sequence[T]], Table]
) -> Callable[[Sequence[T], Any], Iterable[Table]]:
    """Shows neighbours that share a key in one table."""
    return lambda found, _: (table(list(group)) for _, group in groupby(found, key=key))
