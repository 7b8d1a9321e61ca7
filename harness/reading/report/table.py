"""The table of a task: its head lines and its rows, as text cells that a terminal, Markdown or a page can set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harness.errors import counted
from harness.reading.analysis import ReferenceSummary, RowSummary, TaskSummary
from harness.reading.report import numbers
from harness.reading.report.titles import name_of

Kind = Literal["strict", "other", "reference"]


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table. kind: a strict row, a row of another mode, or a reference that is not ranked."""

    kind: Kind
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskTable:
    """title and notes: what the numbers are. columns: header and whether it is set flush right."""

    title: str
    notes: tuple[str, ...]
    columns: tuple[tuple[str, bool], ...]
    lines: tuple[Line, ...]
    footnotes: tuple[str, ...]


def _nothing(_: object) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its cell for a row, and where it has one for matched random search and for random sampling."""

    header: str
    right: bool
    of_row: Callable[[RowSummary], str]
    of_reference: Callable[[ReferenceSummary], str] = _nothing
    of_sampling: Callable[[TaskSummary], str] = _nothing


def task_table(task: TaskSummary, *, wide: bool = False) -> TaskTable:
    """Rows ordered by final mean, the references at their place among the strict ones; other modes in a block below."""
    columns = _columns(task, wide)
    return TaskTable(
        title=_title(task),
        notes=_notes(task),
        columns=tuple((c.header, c.right) for c in columns),
        lines=_lines(task, columns),
        footnotes=_footnotes(task),
    )


def _title(task: TaskSummary) -> str:
    searched = "" if task.search_task == task.task else f", searched on {task.search_task}"
    return task.task + searched + "".join(f", {c}" for c in task.constraints)


def _notes(task: TaskSummary) -> tuple[str, ...]:
    score, sampling = task.score, task.random_sampling
    places = numbers.decimals(score.unit)
    what = f"{score.split} {score.name or 'score'}" + (f" in {score.unit}" if score.unit else "")
    if score.higher_is_better is False:
        what += ", lower is better"
    about = f"{what}, final {score.final}; law {task.law}; budget {numbers.budget(task.budget)}"
    if sampling.mean is None:
        base = "random sampling unknown"
    else:
        how = "all" if sampling.exact else "from"
        unit = "rows" if sampling.exact else "draws"
        base = (
            f"random sampling {numbers.number(sampling.mean, places)} ± {numbers.number(sampling.std, places)} "
            f"({how} {sampling.n} {unit})"
        )
    known = [("ceiling", task.ceiling), ("best", task.best)]
    limits = [f"{name} {numbers.number(value, places)}" for name, value in known if value is not None]
    if task.ktau_valid is not None:
        limits.append(f"KTau of validation and final {numbers.number(task.ktau_valid)}")
    return (about, "; ".join([base, *limits]))


def _columns(task: TaskSummary, wide: bool) -> list[_Column]:
    found = _score_columns(task, wide)
    if task.score.ratio_scale is not False:
        large = any(r.ri is not None and abs(r.ri) >= 10 for r in task.rows)
        places = 1 if large and not wide else 2
        found.append(_Column("RI %", True, lambda r: numbers.number(r.ri, places, signed=True)))
        found.append(_Column("95 % of RI", False, lambda r: numbers.interval(r.ri_low, r.ri_high, places, signed=True)))
        if wide:
            found.append(_Column("RI paper", True, lambda r: numbers.number(r.ri_paper, places, signed=True)))
    found.append(_Column("vs sampling", False, lambda r: numbers.verdict(r.verdict_vs_sampling, r.p_vs_sampling)))
    found.append(_Column("vs search", False, lambda r: numbers.verdict(r.verdict_vs_search, r.p_vs_search)))
    if wide:
        found.append(_Column("raw p", False, _raw))
    if wide or any(r.ktau is not None for r in task.rows):
        found.append(_Column("KTau", True, lambda r: numbers.number(r.ktau)))
    return found + _cost_columns(task, wide)


def _score_columns(task: TaskSummary, wide: bool) -> list[_Column]:
    places = numbers.decimals(task.score.unit)

    def score(value: float | None) -> str:
        return numbers.number(value, places)

    def spread(of: RowSummary | ReferenceSummary) -> str:
        return score(of.final_mean) if of.final_std is None else f"{score(of.final_mean)}±{score(of.final_std)}"

    def sampled(t: TaskSummary) -> str:
        return f"{score(t.random_sampling.mean)}±{score(t.random_sampling.std)}"

    def ends(of: RowSummary | ReferenceSummary) -> str:
        return numbers.interval(of.final_low, of.final_high, places)

    found = [
        _Column("strategy", False, name_of, lambda r: r.strategy, lambda t: "random sampling"),
        _Column("final±std", True, spread, spread, sampled),
    ]
    if wide:
        found += [
            _Column("95 %", True, ends, ends),
            _Column("best", True, lambda r: score(r.final_best), of_sampling=lambda t: score(t.best)),
            _Column("search", True, lambda r: score(r.search_mean)),
            _Column("valid", True, lambda r: score(r.valid_mean), lambda r: score(r.valid_mean)),
            _Column("v.regret", True, lambda r: score(r.valid_regret_mean)),
            _Column("rank", True, lambda r: numbers.count(r.rank_mean)),
        ]
    return found


def _cost_columns(task: TaskSummary, wide: bool) -> list[_Column]:
    def paid(of: RowSummary | ReferenceSummary) -> str:
        return numbers.count(of.paid_queries_mean)

    def runs(of: RowSummary | ReferenceSummary) -> str:
        return numbers.runs(of.n, of.failed)

    found = [_Column("paid", True, paid, paid)]
    if wide:
        found += [
            _Column("asked", True, lambda r: numbers.count(r.total_queries_mean)),
            _Column("keys", True, lambda r: numbers.count(r.distinct_keys_mean)),
            _Column("wall", True, lambda r: numbers.seconds(r.wall_seconds_mean)),
        ]
    if any(r.paid_epochs_mean for r in task.rows) and (wide or "epochs" in task.budget):
        found.append(_Column("epochs", True, lambda r: numbers.count(r.paid_epochs_mean)))
    if any(r.search_seconds_mean is not None for r in task.rows):
        found.append(_Column("cost", True, lambda r: numbers.seconds(r.search_seconds_mean)))
    found.append(_Column("n", True, runs, runs))
    return found


def _raw(row: RowSummary) -> str:
    return f"{numbers.p_value(row.p_vs_sampling_raw)} {numbers.p_value(row.p_vs_search_raw)}"


def _lines(task: TaskSummary, columns: list[_Column]) -> tuple[Line, ...]:
    sign = -1.0 if task.score.higher_is_better is False else 1.0
    placed: list[tuple[float, Line]] = []
    strict = [r for r in task.rows if r.mode == "strict"]
    for row in strict:
        place = float("-inf") if row.final_mean is None else sign * row.final_mean
        placed.append((place, Line("strict", tuple(c.of_row(row) for c in columns))))
    for reference in task.references:
        if reference.mode == "strict" and reference.final_mean is not None:
            placed.append((sign * reference.final_mean, _line_of(reference, columns)))
    if task.random_sampling.mean is not None:
        sampling = Line("reference", tuple(c.of_sampling(task) for c in columns))
        placed.append((sign * task.random_sampling.mean, sampling))
    lines = [line for _, line in sorted(placed, key=lambda pair: -pair[0])]
    for mode in dict.fromkeys(r.mode for r in task.rows if r.mode != "strict"):
        lines += [Line("other", tuple(c.of_row(r) for c in columns)) for r in task.rows if r.mode == mode]
        for reference in task.references:
            if reference.mode == mode:
                name, *cells = _line_of(reference, columns).cells
                lines.append(Line("reference", (f"{name} ({mode})", *cells)))
    return tuple(lines)


def _line_of(reference: ReferenceSummary, columns: list[_Column]) -> Line:
    return Line("reference", tuple(c.of_reference(reference) for c in columns))


def _footnotes(task: TaskSummary) -> tuple[str, ...]:
    notes = []
    for mode in dict.fromkeys(r.mode for r in task.rows if r.mode != "strict"):
        notes.append(f"({mode}): not a strict row; never ranked with or tested against strict rows")
    for row in task.rows:
        if row.tuning_queries:
            spent = "query was" if row.tuning_queries == 1 else "queries were"
            notes.append(f"{name_of(row)}: {row.tuning_queries:,} more {spent} spent on tuning its parameters")
        if row.failed:
            named = "; ".join(row.failed_runs[:3]) + ("; ..." if row.failed > 3 else "")
            failed = f"{row.failed} of {counted(row.n, 'run')} failed, each scores random sampling's mean"
            notes.append(f"{name_of(row)}: {failed}: {named}")
    return tuple(notes)
