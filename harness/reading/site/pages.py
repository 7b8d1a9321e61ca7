"""What each page of the site says: values and rows for the templates."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from harness.reading import numbers
from harness.reading.report.layout import plain
from harness.reading.site.boards import Board, Line, Submission
from harness.reading.site.figures import Figure, interval_figure, interval_of
from harness.reading.site.names import file_name
from harness.reading.summary import Against, SettingSummary
from harness.records.runs import Run


@dataclass(frozen=True)
class StrategyPage:
    """One strategy. lines: its entries, each with its board."""

    name: str
    lines: tuple[tuple[Board, Line], ...]

    @property
    def page(self) -> str:
        return file_name(self.name)

    @property
    def submissions(self) -> list[Submission]:
        return list({line.submission.name: line.submission for _, line in self.lines}.values())

    @property
    def entries(self) -> list[tuple[Line, dict[str, Any]]]:
        """Each entry once, with its parameters as they are written."""
        once = {(line.submission.name, line.name, line.runs.entry.mode): line for _, line in self.lines}
        return [(line, {k: plain(v) for k, v in line.summary.params.items()}) for line in once.values()]

    @property
    def versions(self) -> list[dict[str, str]]:
        """Every code that its runs are of."""
        found = {
            msgspec.json.encode(r.search.spec.code): r.search.spec.code for _, e in self.lines for r in e.runs.runs
        }
        return list(found.values())

    @property
    def papers(self) -> list[str]:
        """Where its code says that it is published."""
        found = (r.search.provenance.get("paper") for _, e in self.lines for r in e.runs.runs)
        return list(dict.fromkeys(str(paper) for paper in found if paper))

    @property
    def failures(self) -> Iterator[tuple[Board, Line, Run]]:
        return ((board, line, run) for board, line in self.lines for run in line.runs.failed)

    @property
    def figure(self) -> Figure | None:
        """RI of its entries on every board that has one."""
        names = sorted({line.name for _, line in self.lines})
        rows = [
            (names.index(line.name), msgspec.structs.replace(found, entry=f"{board.title}: {line.name}"))
            for board, line in self.lines
            if (found := interval_of(line.name, line.summary, True)).value is not None
        ]
        title = f"RI of {self.name} over tasks"
        return interval_figure("improvement", title, rows, ratio=True, left=300.0) if rows else None


def strategies_of(boards: Sequence[Board]) -> list[StrategyPage]:
    """A page for each strategy of an entry, by name."""
    found: dict[str, list[tuple[Board, Line]]] = {}
    for board in boards:
        for line in board.lines:
            found.setdefault(line.runs.entry.strategy, []).append((board, line))
    return [StrategyPage(name, tuple(lines)) for name, lines in sorted(found.items())]


def verdict(against: Against | None, other: str = "") -> str:
    """In words, such as ``not shown to be better than random search``."""
    if against is None or against.p_study is None:
        return f"not tested against {other}" if other else "not tested"
    return f"{against.verdict} than {other}" if other else against.verdict


def kind(against: Against | None) -> str:
    """The verdict as a class and as what a column is sorted by."""
    if against is None or against.p_study is None:
        return "untested"
    return {"better": "better", "worse": "worse"}.get(against.verdict, "open")


def about(board: Board) -> list[tuple[str, str]]:
    """What a board is: its parts in words."""
    s = board.setting
    return [
        ("task", s.task),
        ("searched on", s.search_task),
        ("mode", board.mode),
        ("budget", numbers.budget(s.budget)),
        ("law", s.law),
        ("constraints", ", ".join(map(str, s.constraints)) or "none"),
        ("final score", _score(board.summary)),
        *numbers.facts(board.summary),
    ]


def _score(summary: SettingSummary) -> str:
    score = summary.score
    if score is None:
        return "unknown"
    return f"{summary.split or ''} {numbers.score(score)}, {summary.setting.final}".strip()


def sentences(board: Board) -> list[tuple[str, list[str]]]:
    """Every verdict against random search in words, with the names that it is about; ranked entries only."""
    found: dict[str, list[str]] = {}
    for line in board.lines:
        if line.ranked:
            told = verdict(line.summary.vs_search, "random search")
            found.setdefault(f"{told[0].upper()}{told[1:]}", []).append(line.name)
    return list(found.items())


def provenance(board: Board) -> list[tuple[str, str]]:
    """Where the board's final scores come from, as the first outcome with a provenance says it."""
    for line in board.everyone:
        for run in line.runs.runs:
            if run.outcome is not None and run.outcome.provenance:
                return list(_flat("", run.outcome.provenance))
    return []


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name} {key}".strip(), inner)
    else:
        yield name, plain(value)


def run_command(command: str, submission: Submission, run: Run) -> str:
    """Of a run: ``results show`` shows its record, ``replay`` carries its search out again and compares the two."""
    return shlex.join(["nas-harness", *command.split(), submission.study.folder.resolve().name, run.search.id])


def again_command(submission: Submission) -> str:
    """What makes the runs of a submission again."""
    return shlex.join(
        ["nas-harness", "run", f"{submission.study.folder.resolve().name}/study.toml", "--results", "again"]
    )
