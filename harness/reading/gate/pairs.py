"""Two folders of one study side by side: what a gate compares, and why it cannot."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from harness.errors import EarlierRecords, GateError, RecordError
from harness.reading import numbers
from harness.reading.study import EntryRuns, SettingRuns, StudyRuns, study_of
from harness.records.lines import PlanRecord, SamplingRecord
from harness.records.runs import Run
from harness.records.specs import Entry, Setting
from harness.records.store import Folder, read_folder
from harness.running.environment import what_differs
from harness.strategy import Scoring


class Cell(NamedTuple):
    """What stands on both sides: a setting, and the entry of this title that is scored so."""

    setting: Setting
    entry: str
    scoring: Scoring

    def __str__(self) -> str:
        return f"{self.entry} on {self.setting.title}"


@dataclass(frozen=True)
class Pair:
    """One entry in one setting, on both sides: run k of each has the same seeds. sampling: the candidate's.

    every_reference: the reference's runs over all its seeds.
    """

    title: str
    setting: Setting
    entry: Entry
    sampling: SamplingRecord | None
    candidate: tuple[Run, ...]
    reference: tuple[Run, ...]
    every_reference: tuple[Run, ...]

    @property
    def unchanged(self) -> bool:
        """Whether every run asked the same queries and gave the same answer."""
        return all(_same(*runs) for runs in zip(self.candidate, self.reference, strict=True))


Side = tuple[Folder, StudyRuns]


def read_side(path: Path, *, whole: bool = False) -> Side:
    """One side of a gate. Raises RecordError where a planned run is missing, GateError where another version wrote it;
    where it is to be ``whole``, that and a RecordError for a single line that cannot be used.
    """
    try:
        folder = read_folder(path)
    except EarlierRecords as error:
        raise GateError("schema", str(error)) from None
    for problem in folder.problems:
        if problem.other_schema and (whole or not folder.plans):
            raise GateError("schema", f"{problem}; a gate needs records of this version: make them anew")
        if whole:
            raise RecordError(f"{problem}; a gate needs every record of its reference: restore it")
    study = study_of(folder)
    if study.missing:
        told = "restore it" if whole else "run the study first"
        raise RecordError(f"{path}: {study.missing} of {study.planned} runs are missing; {told}")
    return folder, study


def pair_up(candidate: Side, reference: Side) -> list[Pair]:
    """Every entry in every setting of both sides, over the seeds that they share.

    Raises GateError, for what is to be mended first before anything else: a search that is not deterministic.
    """
    check_deterministic(candidate[0], reference[0])
    ours, theirs = cells_of(candidate[1]), cells_of(reference[1])
    check_cells(ours, theirs, reference[0].path)
    return [_pair(cell, setting, entry, theirs[cell][1]) for cell, (setting, entry) in ours.items()]


def check_deterministic(candidate: Folder, reference: Folder) -> None:
    """Raises GateError where one search went two ways: its id digests all that decides it, the code included."""
    shared = [(ours, reference.searches[i]) for i, ours in candidate.searches.items() if i in reference.searches]
    known = [(ours, theirs) for ours, theirs in shared if ours.paid is not None and theirs.paid is not None]
    other = [(a, b) for a, b in known if (a.queries_sha256, a.returned) != (b.queries_sha256, b.returned)]
    if not other:
        return
    ours, theirs = other[0]
    spec = ours.spec
    differs = what_differs(theirs.environment, ours.environment)
    elsewhere = (
        f", or goes otherwise elsewhere ({differs}): write the reference anew here (--update)" if differs else ""
    )
    raise GateError(
        "determinism",
        f"{spec.strategy} on {spec.search_task}, seed {spec.search_seed}: the same search ({ours.id[:12]}) went "
        f"another way than in {reference.path}, and so did {len(other) - 1} more; mend that first: the strategy is not "
        f"deterministic (nas-harness check {spec.strategy}){elsewhere}",
    )


def check_cells(ours: Collection[Cell], theirs: Collection[Cell], reference: Path) -> None:
    """Raises GateError where one side has a budget, a setting or an entry that the other lacks."""
    here, there = [c for c in ours if c not in theirs], [c for c in theirs if c not in ours]
    lacks = [numbers.listed([str(c) for c in cells]) for cells in (here, there)]
    for cell in here:
        for other in there:
            if cell == other._replace(setting=msgspec.structs.replace(other.setting, budget=cell.setting.budget)):
                budgets = numbers.budget(cell.setting.budget), numbers.budget(other.setting.budget)
                raise GateError(
                    "budget",
                    f"{cell.setting.title}: the study has the budget {budgets[0]}, {reference} has {budgets[1]}; "
                    "a gate compares at one budget: restore it, or write the reference anew (--update)",
                )
    if here or there:
        only = [f"{reference} lacks {lacks[0]}"] * bool(here) + [f"the study lacks {lacks[1]}"] * bool(there)
        raise GateError("missing", f"{'; '.join(only)}; restore it, or write the reference anew (--update)")


def planned_cells(plan: PlanRecord) -> list[Cell]:
    """The same of a study that has not run yet."""
    pairs = [(plan.settings[c.setting].setting, plan.entries[c.entry]) for c in plan.cells]
    return [Cell(setting, e.title, e.scoring) for setting, e in pairs if e.role == "entry"]


def study_seeds(study: StudyRuns) -> set[int]:
    """Those that the runs of entries were made with."""
    return {r.search.spec.study_seed for _, entry in cells_of(study).values() for r in entry.runs}


def cells_of(study: StudyRuns) -> dict[Cell, tuple[SettingRuns, EntryRuns]]:
    return {Cell(s.setting, e.entry.title, e.entry.scoring): (s, e) for s in study.settings for e in s.entries}


def _pair(cell: Cell, setting: SettingRuns, ours: EntryRuns, theirs: EntryRuns) -> Pair:
    ids, others = _data(ours), _data(theirs)
    if ids != others:
        raise GateError(
            "data",
            f"{cell}: the data has another digest here ({_digests(ids)}) than in the reference ({_digests(others)}); "
            "a gate compares on the same data: restore it, or write the reference anew (--update)",
        )
    candidate, reference = _by_seed(ours), _by_seed(theirs)
    common = sorted(candidate.keys() & reference.keys())
    if not common:
        raise GateError(
            "seeds",
            f"{cell}: no common seed, with {_seeds(candidate)} here and {_seeds(reference)} in the reference; give the "
            "study the seed and the seeds of the reference, or write the reference anew (--update)",
        )
    return Pair(
        setting.title,
        cell.setting,
        ours.entry,
        setting.sampling,
        tuple(candidate[seed] for seed in common),
        tuple(reference[seed] for seed in common),
        theirs.runs,
    )


def _same(ours: Run, theirs: Run) -> bool:
    a, b = ours.search, theirs.search
    return (
        (a.paid is not None and b.paid is not None)
        and (a.queries_sha256, a.returned, a.status) == (b.queries_sha256, b.returned, b.status)
        and (ours.score, ours.valid, ours.ktau) == (theirs.score, theirs.valid, theirs.ktau)
    )


def _data(entry: EntryRuns) -> set[str]:
    """Digests of the data searched on and scored by."""
    scored = {r.outcome.spec.data_digest for r in entry.runs if r.outcome is not None}
    return {r.search.spec.data_digest for r in entry.runs} | scored


def _digests(found: Iterable[str]) -> str:
    return " and ".join(sorted(d[:12] for d in found))


def _by_seed(entry: EntryRuns) -> dict[tuple[int, int], Run]:
    return {(r.search.spec.study_seed, r.seed): r for r in entry.runs}


def _seeds(runs: Iterable[tuple[int, int]]) -> str:
    """``0 to 7 of study seed 1``."""
    found: dict[int, list[int]] = {}
    for study_seed, seed in runs:
        found.setdefault(study_seed, []).append(seed)
    return " and ".join(f"{min(s)} to {max(s)} of study seed {study}" for study, s in sorted(found.items()))
