"""The pages of runs: one for each entry on a board, with every run's record, curve and the commands that show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from harness.reading import numbers
from harness.reading.matched import cost_of
from harness.reading.report.layout import plain
from harness.reading.site.boards import Board, Line
from harness.reading.site.names import file_name
from harness.reading.site.svg import Plot, around
from harness.records.lines import Incumbent
from harness.records.runs import Run


@dataclass(frozen=True)
class RunPage:
    """The runs of one line of a board, by search seed."""

    board: Board
    line: Line

    @property
    def page(self) -> str:
        return run_page(self.board, self.line)

    @property
    def runs(self) -> tuple[Run, ...]:
        return self.line.runs.runs

    @property
    def records(self) -> str:
        """The whole records, a line each: every search, then its outcome."""
        lines = [record for run in self.runs for record in (run.search, run.outcome) if record is not None]
        return "".join(msgspec.json.encode(line, order="deterministic").decode() + "\n" for line in lines)

    def curve(self, run: Run) -> Plot | None:
        """Final and validation score of its incumbent over what it had paid; None where it found nothing."""
        unit = self.board.setting.budget.unit
        points = [(cost, i, final) for i, final in run.incumbents if (cost := _cost(i, unit)) is not None]
        if not points:
            return None
        end = max(cost_of(run.paid, unit) or 0.0 if run.paid else 0.0, points[-1][0])
        xs = [cost for cost, _, _ in points] + [end]
        final_scores = [final for _, _, final in points]
        valids: list[float | None] = [i.valid for _, i, _ in points]
        late = [v for values in (final_scores, valids) for v in values[len(values) // 2 :]]
        plot = Plot(
            f"Incumbent of seed {run.seed}",
            (xs[0], end),
            around(late),
            x_label=f"{unit} paid (log)",
            y_label="score of the incumbent",
            log=True,
        )
        plot.steps(xs, [*valids, valids[-1]], -1, "validation score")
        plot.steps(xs, [*final_scores, final_scores[-1]], 0, "final score")
        return plot

    @staticmethod
    def fields(run: Run) -> list[tuple[str, str]]:
        """Its record in words: what is not there is left out."""
        return [(name, plain(value)) for name, value in _fields(run) if value not in (None, "", {}, [])]


def run_page(board: Board, line: Line) -> str:
    """File name of the page of a line's runs."""
    return file_name(board.title, board.mode, line.runs.entry.role, line.name)


def _cost(incumbent: Incumbent, unit: Any) -> float | None:
    cost = cost_of(incumbent, unit)
    return cost if cost is not None and cost > 0 else None


def _fields(run: Run) -> Iterator[tuple[str, Any]]:
    search, outcome, paid = run.search, run.outcome, run.paid
    yield "status", run.status
    yield "error", run.error
    yield "search", search.id
    yield "outcome", outcome.id if outcome else None
    yield "final score", run.score
    yield "validation score of what is reported", run.valid
    yield "reported", outcome.reported if outcome else None
    yield "rank", outcome.rank if outcome else None
    yield "regret", outcome.regret if outcome else None
    if paid is not None:
        yield "paid", f"{numbers.count(paid.queries)} queries"
        yield "epochs paid", paid.epochs
        yield "training seconds paid", paid.seconds
    yield "calls of the oracle", search.asked.total
    yield "ended by", search.ended_by
    if run.ktau is not None:
        yield f"KTau on {run.ktau.n}", run.ktau.test
    yield "seeds", f"study {search.spec.study_seed}, search {search.spec.search_seed}"
    yield "seconds", search.timing.get("search_seconds")
    yield "SHA-256 of its paid queries", search.queries_sha256
    yield "code", {k: v for k, v in search.spec.code.items() if v}
    yield "notes", search.notes
