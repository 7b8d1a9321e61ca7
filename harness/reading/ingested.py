"""Results from elsewhere: the statistics of a study, of the runs and the random architectures that are given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np

from harness.errors import RecordError, counted
from harness.reading.compliance.entries import ENTRY_RULES
from harness.reading.compliance.finding import Finding, Ruling
from harness.reading.compliance.settings import SETTING_RULES
from harness.reading.compliance.whole import STUDY_RULES
from harness.reading.entries import against
from harness.reading.summary import Against
from harness.records.lines import IngestedRecord
from harness.records.store import INGESTED, SEARCHES, read_folder
from harness.running.study import FEWEST_SEEDS
from harness.statistics.inference import holm, ri_interval_estimated, std, t_interval
from harness.statistics.metrics import relative_improvement
from harness.statistics.verdicts import Comparison, compare

UNDER_COVERAGE = (
    "the interval of RI takes the uncertainty of the sampled mean in (Fieller); where random architectures are skewed "
    "it covers less than it says: 67 % with 8 runs and 8 architectures, 74 % with 20 and 20, on NAS-Bench-201 CIFAR-10"
)


class IngestedSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy on a task, in percent. n, sampling_n: runs and random architectures that have a score.

    missing: those that the file names without a score, and seeds that it skips. ri_paper: RI against the mean of the
    sampling rows; ri_low, ri_high: its 95 % interval (Fieller). vs_sampling: corrected over all lines of the folder.
    """

    origin: str = "ingested"
    task: str
    strategy: str
    n: int
    missing: list[str]
    final_mean: float | None
    final_std: float | None
    final_best: float | None
    final_low: float | None
    final_high: float | None
    sampling_n: int
    sampling_mean: float | None
    sampling_std: float | None
    ri_paper: float | None
    ri_low: float | None
    ri_high: float | None
    vs_sampling: Against
    sources: list[str]


@dataclass(frozen=True)
class _Group:
    """The rows of one strategy on one task. scores, drawn: one a seed, in the order of the seeds."""

    task: str
    strategy: str
    records: tuple[IngestedRecord, ...]

    def by_seed(self, role: str) -> dict[int, float | None]:
        """The score of each seed: of its last epoch, the mean over final trainings; None where one of them has none."""
        last: dict[tuple[int, int | None], IngestedRecord] = {}
        for r in sorted(
            (r for r in self.records if r.spec.role == role), key=lambda r: (r.spec.seed, r.spec.epoch or 0)
        ):
            last[r.spec.seed, r.spec.train_seed] = r
        of_seed: dict[int, list[float | None]] = {}
        for (seed, _), r in last.items():
            of_seed.setdefault(seed, []).append(r.score)
        return {
            seed: None if None in scores else float(np.mean([s for s in scores if s is not None]))
            for seed, scores in sorted(of_seed.items())
        }

    def scores(self, role: str) -> list[float]:
        return [score for score in self.by_seed(role).values() if score is not None]

    @property
    def missing(self) -> list[str]:
        """Runs without a score, and seeds up to the highest that no row names."""
        found = []
        for role in ("search", "sampling"):
            seeds = self.by_seed(role)
            numbered = min(seeds, default=2) <= 1  # seeds such as 777 and 888 are names, and skip nothing
            last = max(seeds) if numbered else 0
            skipped = last - sum(seed > 0 for seed in seeds) if numbered else 0
            first = islice((seed for seed in range(1, last + 1) if seed not in seeds), 20)
            found += [f"{role} seed {seed}: no score" for seed, score in seeds.items() if score is None]
            found += [f"{role} seed {seed}: no row" for seed in first]
            found += [f"{skipped - 20} more seeds of {role}: no row"] if skipped > 20 else []
        return found


@dataclass(frozen=True)
class IngestedStudy:
    """A folder of results from elsewhere. problems: lines that cannot be used."""

    study: str
    folder: Path
    groups: tuple[_Group, ...]
    problems: tuple[str, ...]

    @property
    def tasks(self) -> list[str]:
        return list(dict.fromkeys(g.task for g in self.groups))

    @cached_property
    def summaries(self) -> list[IngestedSummary]:
        """Of each task in the order given, by mean final score, best first."""
        compared = [_compared(g) for g in self.groups]
        corrected = holm([None if c is None else c.p for c in compared])
        lines = [_summary(g, c, p) for g, c, p in zip(self.groups, compared, corrected, strict=True)]
        order = {task: k for k, task in enumerate(self.tasks)}
        return sorted(lines, key=lambda s: (order[s.task], s.final_mean is None, -(s.final_mean or 0.0)))

    @property
    def findings(self) -> list[Finding]:
        """Every rule: those that rows can show are checked, the others do not apply."""
        return list(_findings(self))


def is_ingested(folder: Path) -> bool:
    """Whether a folder holds results from elsewhere."""
    return (folder / INGESTED).is_file() and not (folder / SEARCHES).is_file()


def read_ingested(folder: Path) -> IngestedStudy:
    """Raises RecordError where the folder holds no result from elsewhere, or records that contradict each other."""
    found = read_folder(folder)
    rows: dict[tuple[str, str], list[IngestedRecord]] = {}
    for record in found.ingested.values():
        rows.setdefault((record.spec.task, record.spec.strategy), []).append(record)
    groups = tuple(_Group(task, strategy, tuple(records)) for (task, strategy), records in rows.items())
    searched = tuple(g for g in groups if g.by_seed("search"))
    if not searched:
        raise RecordError(f"{folder} holds no row of role search")
    alone = [g for g in groups if g not in searched]
    told = [str(p) for p in found.problems]
    told += [f"{g.strategy} on {g.task} has rows of role sampling alone; left out" for g in alone]
    return IngestedStudy(folder.resolve().name, folder, searched, tuple(told))


def _compared(group: _Group) -> Comparison | None:
    """None where a run is missing too: what it would have scored is not known, and a strategy would gain by failing."""
    drawn, scores = group.scores("sampling"), group.scores("search")
    return compare(scores, {"random sampling": drawn}) if drawn and scores and not group.missing else None


def _summary(group: _Group, compared: Comparison | None, p: float | None) -> IngestedSummary:
    scores, drawn = group.scores("search"), group.scores("sampling")
    ends = t_interval(scores) if scores else None
    mean = float(np.mean(drawn)) if drawn else None
    ri_ends = ri_interval_estimated(scores, drawn) if scores and drawn else None
    return IngestedSummary(
        task=group.task,
        strategy=group.strategy,
        n=len(scores),
        missing=group.missing,
        final_mean=float(np.mean(scores)) if scores else None,
        final_std=std(scores) if scores else None,
        final_best=max(scores, default=None),
        final_low=ends.low if ends else None,
        final_high=ends.high if ends else None,
        sampling_n=len(drawn),
        sampling_mean=mean,
        sampling_std=std(drawn) if drawn else None,
        ri_paper=relative_improvement(scores, mean) if scores and mean else None,
        ri_low=ri_ends.low if ri_ends else None,
        ri_high=ri_ends.high if ri_ends else None,
        vs_sampling=against(compared, None, p),
        sources=sorted({r.source for r in group.records if r.source}),
    )


def _findings(study: IngestedStudy) -> Iterator[Finding]:
    tasks = study.tasks
    told = f"{counted(len(tasks), 'task')}: {', '.join(tasks[:5])}"
    yield Finding("several-data-sets", len(tasks) > 1, told, "study")
    for group in study.groups:
        scope = f"{group.task}: {group.strategy}"
        for rule, ruling in _rulings(group).items():
            yield Finding(rule, *ruling, scope)
    shown = {"several-data-sets", *_rulings(study.groups[0])}
    for rule in (*STUDY_RULES, *SETTING_RULES, "scores-as-in-the-table", *ENTRY_RULES, "ablations"):
        if rule not in shown:
            yield Finding(rule, None, "the result is from elsewhere, and its rows do not show it", "study")


def _rulings(group: _Group) -> dict[str, Ruling]:
    seeds = list(group.by_seed("search"))
    first = min(seeds, default=0)
    in_order = seeds == list(range(first, first + len(seeds))) and first in (0, 1)
    searched = [r for r in group.records if r.spec.role == "search"]
    counted = [r for r in searched if (r.queries, r.epochs, r.seconds) != (None, None, None)]
    missing, runs, drawn = group.missing, len(group.scores("search")), len(group.scores("sampling"))
    return {
        "complete": (not missing, f"missing: {', '.join(missing[:5])}" if missing else "every row has a score"),
        "random-sampling": (drawn > 1, f"{drawn} random architectures of its space"),
        "search-seeds": (runs >= FEWEST_SEEDS, f"{runs} search seeds, {FEWEST_SEEDS} are the fewest"),
        "seeds-in-order": (in_order, f"seeds {', '.join(map(str, seeds[:20]))}"),
        "spread": (runs > 1, f"{runs} runs"),
        "search-cost": (len(counted) == len(searched), f"{len(counted)} of {len(searched)} rows say what a run cost"),
    }
