"""Rankings of entries over boards of one mode and one budget, by the measures of the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.reading.blocks import Blocks, blocks_of
from harness.reading.report.sections.improvement import Improvement, improvements_over
from harness.reading.report.sections.profiles import Profile, profiles_over
from harness.reading.report.sections.ranks import EntryRanks, Ranks, ranks_over
from harness.reading.site.boards import RANKED_STUDY_SEED, Board, Line
from harness.reading.study import SettingRuns, StudyRuns
from harness.reading.summary import Against
from harness.records.specs import STRICT
from harness.search.budget import Budget


@dataclass(frozen=True)
class Standing:
    """One competitor. lines: its line on each board. normalised: normalised scores, None without a scale."""

    rank: EntryRanks
    lines: tuple[Line, ...]
    improvement: Improvement | None
    normalised: Profile | None

    @property
    def name(self) -> str:
        return self.rank.label

    @property
    def compliant(self) -> bool:
        return all(line.compliant for line in self.lines)

    def verdicts(self, question: Literal["vs_sampling", "vs_search"]) -> Counter[str]:
        """How many boards have each verdict; those without a test have none."""
        answers: list[Against | None] = [getattr(line.summary, question) for line in self.lines]
        return Counter(a.verdict for a in answers if a is not None and a.p_study is not None)


@dataclass(frozen=True)
class Ranking:
    """everyone: whether entries that break a rule are ranked too. outside: entries that some board has and that are not
    ranked, each with why."""

    mode: str
    budget: Budget
    boards: tuple[Board, ...]
    everyone: bool
    ranks: Ranks
    standings: tuple[Standing, ...]
    outside: tuple[tuple[Line, str], ...]

    @property
    def benchmarks(self) -> list[str]:
        return sorted({b.benchmark for b in self.boards})


def rankings_of(boards: Sequence[Board]) -> list[Ranking]:
    """Over all boards of one mode and budget, over each benchmark's and over each submission's, each set once.

    The widest stand first. With and without entries that break a rule, where there are any. A ranking takes two
    boards and two competitors that have them all.
    """
    kept: dict[tuple[str, Budget], list[Board]] = {}
    for board in boards:
        if board.summary.score is not None:
            kept.setdefault((board.mode, board.setting.budget), []).append(board)
    found = [r for (mode, _), group in kept.items() for chosen in _sets(group) for r in _rankings(mode, chosen)]
    return sorted(found, key=lambda r: (r.mode != STRICT, r.mode, r.everyone, -len(r.standings) * len(r.boards)))


def _sets(boards: Sequence[Board]) -> Iterator[tuple[Board, ...]]:
    told: set[tuple[str, ...]] = set()
    benchmarks = dict.fromkeys(b.benchmark for b in boards)
    submissions = dict.fromkeys(line.submission.name for b in boards for line in b.lines)
    for chosen in (
        tuple(boards),
        *(tuple(b for b in boards if b.benchmark == name) for name in benchmarks),
        *(tuple(b for b in boards if any(line.submission.name == name for line in b.lines)) for name in submissions),
    ):
        titles = tuple(b.title for b in chosen)
        if titles not in told and len(chosen) > 1:
            told.add(titles)
            yield chosen


def _rankings(mode: str, boards: tuple[Board, ...]) -> Iterator[Ranking]:
    breaking = any(line.usual_seeds and not line.compliant for b in boards for line in b.lines)
    for everyone in (False, True) if breaking else (False,):
        names = {line.name for b in boards for line in b.lines if line.usual_seeds}
        if not everyone:
            # A rule that fails on one board keeps the entry out of the ranking, not only off that board.
            names -= {line.name for b in boards for line in b.lines if not line.compliant}
        pooled = StudyRuns("leaderboard", Path(), tuple(_pooled(b, names) for b in boards), seeds=0)
        if any(not s.everyone for s in pooled.settings):
            continue
        for blocks in blocks_of(pooled, mode=mode):
            if len(blocks.competitors) > 1:
                yield _ranking(mode, boards, everyone, blocks)


def _pooled(board: Board, names: set[str]) -> SettingRuns:
    return SettingRuns(
        board.about.about,
        board.title,
        RANKED_STUDY_SEED,
        tuple(line.renamed for line in board.lines if line.usual_seeds and line.name in names),
        tuple(line.renamed for line in board.references),
        board.about.sampling,
    )


def _ranking(mode: str, boards: tuple[Board, ...], everyone: bool, blocks: Blocks) -> Ranking:
    ranks = ranks_over(blocks)
    improvements = {i.label: i for i in improvements_over(blocks)}
    normalised = {(p.label, p.role): p for p in profiles_over(blocks)}
    lines: dict[tuple[str, str], list[Line]] = {}
    for board in boards:
        for line in board.everyone:
            lines.setdefault((line.name, line.runs.entry.role), []).append(line)
    standings = tuple(
        Standing(
            e,
            tuple(lines[e.label, e.role]),
            improvements.get(e.label) if e.role == "entry" else None,
            normalised.get((e.label, e.role)),
        )
        for e in ranks.entries
    )
    ranked = {e.label for e in ranks.entries if e.role == "entry"}
    outside = tuple(
        (of[0], _why(of, len(boards))) for (name, role), of in lines.items() if role == "entry" and name not in ranked
    )
    return Ranking(mode, blocks.budget, boards, everyone, ranks, standings, outside)


def _why(lines: Sequence[Line], boards: int) -> str:
    if any(not line.usual_seeds for line in lines):
        return "other seeds than 0, 1, 2, ... under study seed 0"
    if len(lines) < boards:
        return f"has {len(lines)} of {boards} settings"
    return "breaks " + ", ".join(dict.fromkeys(f.rule for line in lines for f in line.failing))
