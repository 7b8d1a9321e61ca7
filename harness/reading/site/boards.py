"""Boards: what may be compared. A board is a setting on one version of its data, and a mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, count
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import RecordError
from harness.reading.compliance import Finding, entry_scope
from harness.reading.report.section import Source
from harness.reading.report.sections.curves import Curve, curves_of
from harness.reading.site.elsewhere import holds_something
from harness.reading.site.names import file_name
from harness.reading.study import EntryRuns, SettingRuns, StudyRuns, read_study, titles_of
from harness.reading.summary import EntrySummary, SettingSummary
from harness.records.lines import OutcomeRecord, SamplingRecord, SearchRecord
from harness.records.specs import STRICT, Setting
from harness.records.store import OUTCOMES, SEARCHES, contradict
from harness.registry import Registry, default_registry
from harness.running.environment import what_differs
from harness.search.budget import Budget

RANKED_STUDY_SEED = 0
_Key = tuple[Setting, str]
_Scored = tuple[str, float | None]
_Record = SearchRecord | OutcomeRecord | SamplingRecord


@dataclass(frozen=True)
class Submission:
    """One study as it was handed in; its tests are corrected within it. name: its folder's, with a number where another
    one is called so.
    """

    name: str
    source: Source

    @property
    def study(self) -> StudyRuns:
        return self.source.study

    @cached_property
    def failing(self) -> dict[str, list[Finding]]:
        """The rules that fail, by scope."""
        found: dict[str, list[Finding]] = {}
        for finding in self.source.findings:
            if finding.ok is False:
                found.setdefault(finding.scope, []).append(finding)
        return found


@dataclass(frozen=True)
class Line:
    """An entry or a reference on a board. failing: the rules that fail for it, its strategy, setting or study; of a
    reference, for its setting.

    usual_seeds: whether it has search seeds 0, 1, 2, ... under study seed 0, as everything that is ranked.
    """

    submission: Submission
    name: str
    runs: EntryRuns
    summary: EntrySummary
    curve: Curve
    failing: tuple[Finding, ...]
    usual_seeds: bool

    @property
    def compliant(self) -> bool:
        return not self.failing

    @property
    def ranked(self) -> bool:
        return self.compliant and self.usual_seeds

    @property
    def is_reference(self) -> bool:
        return self.runs.entry.role == "reference"

    @property
    def renamed(self) -> EntryRuns:
        """Its runs under the name that no other line of the board has."""
        return replace(self.runs, entry=msgspec.structs.replace(self.runs.entry, label=self.name))


@dataclass(frozen=True)
class Board:
    """about, summary: the setting as the first submission has it. data: digest of the data.

    lines: entries, those that are ranked first, by mean final score, best first.
    """

    title: str
    mode: str
    data: str
    about: SettingRuns
    summary: SettingSummary
    lines: tuple[Line, ...]
    references: tuple[Line, ...]

    @property
    def setting(self) -> Setting:
        return self.about.setting

    @property
    def benchmark(self) -> str:
        """What the task's name says before its first slash."""
        return self.setting.task.partition("/")[0]

    @property
    def everyone(self) -> tuple[Line, ...]:
        """Those that are ranked and the references by mean final score, best first; then the others likewise."""
        return tuple(sorted((*self.lines, *self.references), key=lambda line: _order(line, self.summary)))

    @property
    def page(self) -> str:
        """File name of the setting's page, which boards of other modes share."""
        return file_name(self.title)


def submissions_of(
    folders: Sequence[Path], registry: Callable[[], Registry] = default_registry
) -> tuple[Submission, ...]:
    """The study of each folder, or of each folder in it where it holds studies.

    Raises RecordError where a folder holds no study, or where two of them contradict each other.
    """
    found: list[Submission] = []
    for folder in dict.fromkeys(path for given in folders for path in _studies(given)):
        name, taken = folder.resolve().name, {s.name for s in found}
        free = next(n for n in chain([name], (f"{name} {k}" for k in count(2))) if n not in taken)
        found.append(Submission(free, Source(read_study(folder), registry=registry)))
    if not folders:
        raise RecordError("no results folder was given")
    _check_agreement(found)
    return tuple(found)


def _check_agreement(submissions: Sequence[Submission]) -> None:
    """Raises RecordError where two submissions have different records of one id and no other machine explains it."""
    first: dict[str, tuple[_Record, dict[str, Any] | None, Path]] = {}
    for submission in submissions:
        folder = submission.study.folder
        for record, made_on in _records(submission.study):
            known, known_on, holder = first.setdefault(record.id, (record, made_on, folder))
            if holder is folder or not contradict(known, record):
                continue
            if known_on is None or made_on is None or not what_differs(known_on, made_on):
                raise RecordError(
                    f"{holder} and {folder} both hold {record.id} and say different things: one was edited, or the "
                    "code is not deterministic; leave the wrong one out (nas-harness results verify finds it)"
                )


def _records(study: StudyRuns) -> Iterator[tuple[_Record, dict[str, Any] | None]]:
    """Every record behind the boards and where it was made; None where all machines make it alike, from a table."""
    for setting in study.settings:
        recorded = setting.about.recorded
        if setting.sampling is not None and recorded:
            yield setting.sampling, None
        for entry in setting.everyone:
            for run in entry.runs:
                made_on = None if recorded and entry.entry.role == "reference" else run.search.environment
                yield run.search, made_on
                if run.outcome is not None:
                    yield run.outcome, made_on


def _studies(folder: Path) -> list[Path]:
    if folder.is_dir() and not (folder / SEARCHES).is_file():
        inside = sorted(p for p in folder.iterdir() if any((p / name).exists() for name in (SEARCHES, OUTCOMES)))
        return inside or ([] if holds_something(folder) else [folder])
    return [folder]


def boards_of(submissions: Sequence[Submission]) -> tuple[Board, ...]:
    """Every board, strict ones first within each setting. An entry that two submissions hold alike stands once."""
    found: dict[_Key, list[tuple[SettingRuns, SettingSummary, list[Line]]]] = {}
    for submission in submissions:
        curves = iter(curves_of(submission.source))
        for setting, summary in zip(submission.study.settings, submission.source.settings, strict=True):
            lines = [_line(submission, setting, summary, entry, next(curves)) for entry in setting.everyone]
            found.setdefault((setting.setting, _data(setting)), []).append((setting, summary, lines))
    names = _names([(s.setting.budget, line) for parts in found.values() for s, _, lines in parts for line in lines])
    titles = titles_of([(setting, f"data {data[:8]}") for setting, data in found])
    return tuple(
        board
        for (key, parts), title in zip(found.items(), titles, strict=True)
        for board in _boards(title, key[1], parts, names)
    )


def _boards(
    title: str,
    data: str,
    parts: list[tuple[SettingRuns, SettingSummary, list[Line]]],
    names: dict[int, str],
) -> Iterator[Board]:
    about, summary, _ = parts[0]
    once: dict[object, Line] = {}
    for _, _, lines in parts:
        for line in lines:
            # Each submission has its own reference of one name; the first stands for it.
            entry = line.runs.entry
            known = entry.label if line.is_reference else _scored(line)
            once.setdefault((entry.mode, line.is_reference, known), replace(line, name=names[id(line)]))
    for mode in sorted({line.runs.entry.mode for line in once.values()}, key=lambda m: (m != STRICT, m)):
        of_mode = [line for line in once.values() if line.runs.entry.mode == mode]
        entries = sorted((e for e in of_mode if not e.is_reference), key=lambda e: _order(e, summary))
        if entries:
            references = tuple(line for line in of_mode if line.is_reference)
            yield Board(title, mode, data, about, summary, tuple(entries), references)


def _order(line: Line, setting: SettingSummary) -> tuple[bool, bool, bool, float]:
    sign = 0.0 if setting.score is None else setting.score.sign
    mean = line.summary.final_mean
    aside = not (line.ranked or line.is_reference)
    return aside, aside and not line.usual_seeds, mean is None, -sign * (mean or 0.0)


def _line(
    submission: Submission, setting: SettingRuns, summary: SettingSummary, entry: EntryRuns, curve: Curve
) -> Line:
    is_reference = entry.entry.role == "reference"
    own = next(
        s
        for s in (summary.references if is_reference else summary.entries)
        if (s.label, s.mode, s.params) == (entry.entry.label, entry.entry.mode, entry.entry.params)
    )
    of_entry = () if is_reference else ("study", entry.entry.strategy, entry_scope(setting, entry))
    scopes = (setting.title, *of_entry)
    seeds = [r.seed for r in entry.runs]
    usual = seeds == list(range(len(seeds))) and {r.search.spec.study_seed for r in entry.runs} == {RANKED_STUDY_SEED}
    failing = tuple(f for scope in scopes for f in submission.failing.get(scope, ()))
    return Line(submission, entry.entry.label, entry, own, curve, failing, usual)


def _scored(line: Line) -> tuple[_Scored, ...]:
    """Its runs with their scores: where two machines found different ones, both are shown."""
    return tuple((r.search.id, r.score) for r in line.runs.runs)


def _names(lines: Sequence[tuple[Budget, Line]]) -> dict[int, str]:
    """The label of each, by id; with the submission where entries of several have that label, mode and budget and
    other runs: what no board and no ranking shows together needs no telling apart."""
    holders: dict[tuple[Budget, str, str], dict[str, set[_Scored]]] = {}
    for budget, line in lines:
        of = holders.setdefault((budget, line.runs.entry.label, line.runs.entry.mode), {})
        of.setdefault(line.submission.name, set()).update(_scored(line))
    found = {}
    for budget, line in lines:
        of = holders[budget, line.runs.entry.label, line.runs.entry.mode]
        alike = line.is_reference or all(ids == of[line.submission.name] for ids in of.values())
        found[id(line)] = line.name if alike else f"{line.name} · {line.submission.name}"
    return found


def _data(setting: SettingRuns) -> str:
    """Digests of the data of the task and of the search task."""
    if setting.sampling is not None:
        return f"{setting.sampling.spec.data_digest} {setting.sampling.spec.search_data_digest}"
    return next((f"{r.search.spec.data_digest}, random sampling unknown" for r in setting.runs), "unknown")
