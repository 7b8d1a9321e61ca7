"""A study's folder, read back: runs grouped into settings and entries, each setting with random sampling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from harness.errors import RecordError, UnknownName, counted, shortened
from harness.protocol import Score
from harness.reading import numbers
from harness.records.lines import PlannedSetting, PlanRecord, SamplingRecord
from harness.records.runs import Run
from harness.records.specs import Entry, Setting, TrainingSpec
from harness.records.store import FILES, SEARCHES, Folder, read_folder


@dataclass(frozen=True)
class EntryRuns:
    """The runs of one entry in one setting, by search seed."""

    entry: Entry
    runs: tuple[Run, ...]

    @property
    def failed(self) -> tuple[Run, ...]:
        """Runs without a final score: failed, timed out, or nothing feasible found."""
        return tuple(r for r in self.runs if r.failed)

    @property
    def failures(self) -> list[str]:
        """Why runs failed, each reason once: ``seeds 0, 3: failed: ValueError: no``. Records have all of a long one."""
        seeds: dict[str, list[str]] = {}
        for run in self.failed:
            why = f"{run.status}: {shortened(run.error or 'no final score')}"
            seeds.setdefault(why, []).append(str(run.seed))
        return [f"seed{'s'[: len(of) - 1]} {numbers.listed(of, 20)}: {why}" for why, of in seeds.items()]

    @property
    def counted(self) -> tuple[Run, ...]:
        """Runs whose cost is known."""
        return tuple(r for r in self.runs if r.paid is not None)


@dataclass(frozen=True)
class SettingRuns:
    """Everything in one setting. about: what the task said of itself when the study was planned.

    title: a name that no other setting of the study has. study_seed: of its runs and its random sampling.
    """

    about: PlannedSetting
    title: str
    study_seed: int
    entries: tuple[EntryRuns, ...]
    references: tuple[EntryRuns, ...]
    sampling: SamplingRecord | None

    @property
    def setting(self) -> Setting:
        return self.about.setting

    @property
    def score(self) -> Score | None:
        """What the final scores are; None where random sampling is not in the folder."""
        return None if self.sampling is None else self.sampling.score

    @property
    def everyone(self) -> tuple[EntryRuns, ...]:
        return (*self.entries, *self.references)

    @property
    def runs(self) -> Iterator[Run]:
        return (run for of in self.everyone for run in of.runs)

    @cached_property
    def worst(self) -> float | None:
        """The worst final score known here, oriented so that higher is better."""
        s = self.sampling
        return None if s is None else _worst(s.score, [*(r.score for r in self.runs), *s.draws, s.worst])

    @cached_property
    def worst_valid(self) -> float | None:
        """The same of validation scores."""
        s = self.sampling
        return None if s is None else _worst(s.search_score, [*(r.valid for r in self.runs), s.worst_valid])

    def references_of(self, entry: Entry) -> list[EntryRuns]:
        """Every matched random search that is scored as the entry is, the one under the task's own law first."""
        return [r for r in self.references if r.entry.scoring == entry.scoring]

    def reference_of(self, entry: Entry) -> EntryRuns | None:
        """The first of them, which tables show."""
        return next(iter(self.references_of(entry)), None)


def _worst(score: Score, scores: Iterable[float | None]) -> float | None:
    return min((score.sign * value for value in scores if value is not None), default=None)


@dataclass(frozen=True)
class StudyRuns:
    """One study. planned, missing: how many runs it has, and how many of them are not in the folder.

    declared: the ablations that each strategy declares. problems: lines that cannot be used, and what was left out,
    each a sentence. given_up: study seeds of replaced plans that none of the shown plans has. seeds_before: other
    numbers of search seeds, of replaced plans that share a search with the shown ones. trainings: final ones of
    the folder.
    """

    study: str
    folder: Path
    settings: tuple[SettingRuns, ...]
    seeds: int
    planned: int = 0
    missing: int = 0
    given_up: tuple[int, ...] = ()
    seeds_before: tuple[int, ...] = ()
    declared: dict[str, tuple[str, ...]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    trainings: tuple[TrainingSpec, ...] = ()

    @property
    def every_run(self) -> Iterator[Run]:
        return (run for setting in self.settings for run in setting.runs)


def check_names(studies: Sequence[StudyRuns], tasks: Sequence[str], entries: Sequence[str]) -> None:
    """Raises UnknownName for a task or a label that none of the studies has."""
    settings = [setting for study in studies for setting in study.settings]
    labels = {e.entry.label for s in settings for e in s.everyone}
    check_known("task", tasks, {s.setting.task for s in settings})
    check_known("entry", entries, labels)


def check_known(kind: str, given: Sequence[str], known: set[str]) -> None:
    """Raises UnknownName for what is not known."""
    for name in given:
        if name not in known:
            raise UnknownName(kind, name, known)


def read_study(folder: Path | str) -> StudyRuns:
    """The study in a folder, or in several folders that were joined file by file.

    Raises RecordError where the folder holds no study, no whole record, or records that contradict each other.
    """
    path = Path(folder)
    if path.is_dir() and not (path / SEARCHES).is_file():
        inside = sorted(p.name for p in path.iterdir() if (p / SEARCHES).is_file())
        if inside:
            raise RecordError(f"{path} holds studies, not one study; name one of: {', '.join(inside)}")
    return study_of(read_folder(path))


def study_of(folder: Folder) -> StudyRuns:
    """The study of the folder's latest plans. Raises RecordError where there is none."""
    plans = folder.heads
    if not plans:
        if folder.ingested:
            raise RecordError(
                f"{folder.path} holds results from elsewhere, of which nothing can be run again: nas-harness "
                "report and leaderboard show them"
            )
        if folder.searches:
            plans_file = folder.path / FILES[PlanRecord]
            why = next((f" ({p})" for p in folder.problems if p.file == str(plans_file)), "")
            lacks = f"plan in {plans_file.name}{why}" if plans_file.exists() else plans_file.name
            raise RecordError(f"{folder.path} holds records but no {lacks}; run its study again there")
        if folder.path.is_file():
            raise RecordError(f"{folder.path} is a file; name the study's folder, such as results/{folder.path.stem}")
        raise RecordError(f"{folder.path} holds no study; is it the folder of one? (nas-harness run)")
    told = [str(p) for p in folder.problems]
    groups = _grouped(plans, told)
    # Two versions of the data, or two study seeds where random sampling is trained, differ in random sampling alone.
    titles = titles_of([(about.setting, f"random sampling {about.sampling[:8]}") for about, *_ in groups])
    settings = tuple(_setting_runs(title, *group, folder) for group, title in zip(groups, titles, strict=True))
    pairs = {pair for *_, entries in groups for _, ids in entries for pair in ids}
    if not any(s.everyone for s in settings):
        raise RecordError(f"{folder.path} holds no finished run of the study; run it first (nas-harness run)")
    searches = {search for search, _ in pairs}
    left = len(folder.searches) - len(searches & set(folder.searches))
    if left:
        told.append(f"{counted(left, 'record does', 'records do')} not belong to the study as it last ran; left out")
    related = [p for p in folder.plans if any(not searches.isdisjoint(cell.searches) for cell in p.cells)]
    return StudyRuns(
        study=" and ".join(dict.fromkeys(plan.study for plan in plans)),
        folder=folder.path,
        settings=settings,
        seeds=max(plan.seeds for plan in plans),
        planned=len(pairs),
        missing=sum(not _whole(search, outcome, folder) for search, outcome in pairs),
        given_up=tuple(sorted({plan.seed for plan in folder.plans} - {plan.seed for plan in plans})),
        seeds_before=tuple(sorted({plan.seeds for plan in related} - {plan.seeds for plan in plans})),
        declared={name: tuple(found) for plan in plans for name, found in plan.declared.items()},
        problems=told,
        trainings=tuple(training.spec for training in folder.trainings.values()),
    )


_Ids = list[tuple[str, str]]
_Entries = list[tuple[Entry, _Ids]]


def _grouped(plans: Iterable[PlanRecord], told: list[str]) -> list[tuple[PlannedSetting, int, _Entries]]:
    """The settings of all plans, each with its study seed and its entries with their ids; what two plans share is
    joined: the id of its random sampling goes by the study seed too.

    Of two different entries with one label and mode in one setting the later one is kept; ``told`` gets a note.
    """
    found: dict[str, tuple[PlannedSetting, int, dict[tuple[str, str, str], tuple[Entry, _Ids]]]] = {}
    for plan in plans:
        for cell in plan.cells:
            about, entry = plan.settings[cell.setting], plan.entries[cell.entry]
            *_, entries = found.setdefault(str((about.setting, about.sampling)), (about, plan.seed, {}))
            name = (entry.role, entry.label, str((entry.mode, entry.scoring)))
            ids = list(zip(cell.searches, cell.outcomes, strict=True))
            earlier = entries.get(name)
            if earlier is not None and (earlier[0].strategy, earlier[0].params) == (entry.strategy, entry.params):
                ids = list(dict.fromkeys([*earlier[1], *ids]))
            elif earlier is not None:
                told.append(
                    f"two different entries are called {entry.title!r} on {about.setting.title}; the later one is "
                    "shown: give one of them a label of its own, and run its study again"
                )
            entries[name] = (entry, ids)
    return [(about, seed, list(entries.values())) for about, seed, entries in found.values()]


def titles_of(settings: Sequence[tuple[Setting, str]]) -> list[str]:
    """The title of each setting; with law, final and budget where settings of one title differ in them, and with the
    words beside it where they are alike in all of that.
    """
    titles = []
    for setting, _ in settings:
        alike = [s for s, _ in settings if s.title == setting.title]
        more = [
            text
            for differs, text in (
                (len({s.law for s in alike}) > 1, f"law {setting.law}"),
                (len({(s.final, s.final_seed) for s in alike}) > 1, _final(setting)),
                (len({s.budget for s in alike}) > 1, numbers.budget(setting.budget)),
            )
            if differs
        ]
        titles.append(", ".join([setting.title, *more]))
    return [
        title if titles.count(title) == 1 else f"{title}, {apart}"
        for title, (_, apart) in zip(titles, settings, strict=True)
    ]


def _final(setting: Setting) -> str:
    return f"final {setting.final}" + ("" if setting.final_seed is None else f" with seed {setting.final_seed}")


def _setting_runs(title: str, about: PlannedSetting, seed: int, entries: _Entries, folder: Folder) -> SettingRuns:
    found = [EntryRuns(entry, _runs(entry, about.setting, ids, folder)) for entry, ids in entries]
    there = [e for e in found if e.runs]
    return SettingRuns(
        about,
        title,
        seed,
        tuple(e for e in there if e.entry.role == "entry"),
        tuple(e for e in there if e.entry.role == "reference"),
        folder.samplings.get(about.sampling),
    )


def _runs(entry: Entry, setting: Setting, ids: _Ids, folder: Folder) -> tuple[Run, ...]:
    runs = [
        Run(entry, setting, folder.searches[search], folder.outcomes.get(outcome), folder.replays.get(search))
        for search, outcome in ids
        if _whole(search, outcome, folder)
    ]
    return tuple(sorted(runs, key=lambda r: r.seed))


def _whole(search: str, outcome: str, folder: Folder) -> bool:
    """Whether a run is over: its search is there, and the outcome too where there is something to score."""
    found = folder.searches.get(search)
    return found is not None and (found.status != "ok" or outcome in folder.outcomes)
