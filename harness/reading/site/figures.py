"""The figures of the site, each with its data: of a board, of a ranking, of a strategy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from harness.reading import numbers
from harness.reading.along import spread_over
from harness.reading.report.formats import as_csv
from harness.reading.site.boards import Board, Line
from harness.reading.site.rankings import Ranking
from harness.reading.site.svg import Plot, around, path
from harness.reading.summary import EntrySummary
from harness.records.runs import Run

_BINS = 60
_POINTS = 160
"""Costs that a curve is drawn at; its data have them all."""
_LATE = 0.1
"""Share of the budget from which on curves are whole in their figure."""


@dataclass(frozen=True)
class Figure:
    """name: of its files. reading: how to read it. series: numbers of colours and names, below 0 a reference's."""

    name: str
    reading: str
    plot: Plot
    csv: str
    series: tuple[tuple[int, str], ...] = ()


class Interval(msgspec.Struct, frozen=True):
    """A point with its 95 % interval. mark: ``tied`` or ``tails`` where it covers less than it says."""

    entry: str
    quantity: str
    value: float | None
    low: float | None
    high: float | None
    mark: str | None = None


class Cost(msgspec.Struct, frozen=True):
    """What a run of an entry costs on average, beside its mean final score with its 95 % interval."""

    entry: str
    final_mean: float | None
    final_low: float | None
    final_high: float | None
    paid_queries: float | None
    paid_epochs: float | None
    paid_seconds: float | None
    wall_seconds: float | None


class Seed(msgspec.Struct, frozen=True):
    """One run: final and validation score of what it reports, tau-b of its learned order; null where it has none."""

    entry: str
    role: str
    seed: int
    status: str
    score: float | None
    valid: float | None
    ktau: float | None


def figures_of_board(board: Board) -> Iterator[Figure]:
    yield _intervals(board)
    yield _strips(board)
    if any(line.curve.cost for line in board.everyone):
        yield _curves(board)
    if cost := _costs(board):
        yield cost
    if any(run.valid is not None and run.score is not None for line in board.lines for run in line.runs.runs):
        yield _selection(board)
    if any(_tau(run) is not None for line in board.lines for run in line.runs.runs):
        yield _orders(board)


def numbered(board: Board) -> list[tuple[int, Line]]:
    """Each line with the number of its colour, by name and not by place; below 0 a reference."""
    places = {name: k for k, name in enumerate(sorted({line.name for line in board.lines}))}
    references = sorted({line.name for line in board.everyone if line.is_reference})
    places |= {name: -1 - k for k, name in enumerate(references)}
    return [(places[line.name], line) for line in board.everyone]


def interval_of(name: str, of: EntrySummary, ratio: bool) -> Interval:
    """RI, or the mean final score where the score is no ratio scale; an interval without width is left out."""
    value, low, high = (of.ri, of.ri_low, of.ri_high) if ratio else (of.final_mean, of.final_low, of.final_high)
    if low == high:
        low = high = None
    mark = None if of.interval == "covers" else of.interval
    return Interval(name, "ri" if ratio else "final_mean", value, low, high, mark)


def interval_figure(
    name: str, title: str, rows: Sequence[tuple[int, Interval]], *, ratio: bool, left: float = 190.0
) -> Figure:
    low, high = around([v for _, i in rows for v in (i.value, i.low, i.high)])
    if ratio and abs(low + high) < 4 * (high - low):  # else it would squeeze the intervals to points
        low, high = min(low, 0.0), max(high, 0.0)
    label = "relative improvement over random sampling, percent" if ratio else "mean final score"
    plot = Plot(title, (low, high), rows=[i.entry for _, i in rows], x_label=label, left=left)
    if ratio:
        plot.rule(plot.x, 0.0, "sampling", "random sampling")
    for place, (series, i) in enumerate(rows):
        y = plot.row(place)
        plot.span(plot.x, i.low, i.high, y, series, "marked" if i.mark else "")
        if i.value is not None:
            told = f"{i.entry}: {numbers.number(i.value, signed=ratio)} {numbers.interval(i.low, i.high, signed=ratio)}"
            plot.mark(plot.x.at(i.value), y, series, told, "hollow" if i.mark else "", 5)
    reading = (
        "A point is the mean over runs, the bar its 95 % interval. Hollow with a dashed bar: the interval covers less "
        "than it says (marked * or ** in the table). Solid line: random sampling, where it is near."
    )
    return Figure(name, reading, plot, as_csv([i for _, i in rows]))


def _intervals(board: Board) -> Figure:
    ratio = board.summary.score is not None and board.summary.score.ratio_scale
    rows = [(k, interval_of(line.name, line.summary, ratio)) for k, line in numbered(board)]
    return interval_figure("intervals", "Relative improvement" if ratio else "Mean final scores", rows, ratio=ratio)


def _seeds(board: Board) -> str:
    """Every run as CSV."""
    return as_csv(
        [
            Seed(line.name, line.runs.entry.role, run.seed, run.status, run.score, run.valid, _tau(run))
            for line in board.everyone
            for run in line.runs.runs
        ]
    )


def _tau(run: Run) -> float | None:
    return None if run.ktau is None else run.ktau.test


def _scatter(
    plot: Plot, lines: Sequence[tuple[int, Line]], of: Callable[[Run], float | None], told: Callable[[Run], str]
) -> None:
    """A point for each run that has a value, below one another as the lines are, the last in the last row."""
    for place, (series, line) in enumerate(lines, len(plot.rows) - len(lines)):
        for run in line.runs.runs:
            if (value := of(run)) is not None:
                # Spread by the seed, so that equal scores are seen to be several.
                y = plot.row(place) + (run.seed * 7 % 11 - 5) * 1.6
                plot.mark(plot.x.at(value), y, series, f"{line.name}, seed {run.seed}: {told(run)}", "seed", 3.2)


def _strips(board: Board) -> Figure:
    sampling, lines = board.about.sampling, numbered(board)
    scores = [r.score for _, line in lines for r in line.runs.runs if r.score is not None]
    draws = np.array([] if sampling is None else sampling.draws)
    middle = [float(q) for q in np.quantile(draws, [0.1, 0.9])] if len(draws) else []
    ends = [] if sampling is None else [sampling.mean, sampling.best_validated]
    low, high = around([*scores, *middle, *ends])
    names = ["random sampling", *(line.name for _, line in lines)]
    plot = Plot("Every run's final score", (low, high), rows=names, x_label=_score_label(board))
    if len(draws):
        shares, edges = np.histogram(draws, bins=_BINS, range=(low, high))
        plot.bars(edges.tolist(), shares.tolist(), plot.row(0) + 10, 20)
    if sampling is not None:
        plot.rule(plot.x, sampling.mean, "sampling", f"mean of random sampling {sampling.mean:.6g}")
        if sampling.best_validated is not None:
            plot.rule(plot.x, sampling.best_validated, "best", f"best validated {sampling.best_validated:.6g}")
    _scatter(plot, lines, lambda run: run.score, lambda run: f"{run.score:.6g}")
    outside = int(((draws < low) | (draws > high)).sum())
    reading = (
        f"A point is a run. Above: {len(draws):,} draws of random sampling"
        + (f", of which {outside:,} lie outside of the figure" if outside else "")
        + ". Solid line: random sampling's mean; dotted: the best validated. Failed runs have no point and are named."
    )
    return Figure("runs", reading, plot, _seeds(board))


def _curves(board: Board) -> Figure:
    lines = numbered(board)
    curves = [(k, line, line.curve) for k, line in lines if line.curve.cost]
    first = curves[0][2]
    sampling = board.about.sampling
    x = min(c.cost[0] for _, _, c in curves), max(c.cost[-1] for _, _, c in curves)
    late = [
        v
        for _, _, c in curves
        for cost, *values in zip(c.cost, c.score, c.score_low, c.score_high, strict=True)
        for v in values
        if cost >= _LATE * x[1]
    ]
    y = around([*late, None if sampling is None else sampling.best_validated])
    title = f"Mean final score of the incumbent over {first.unit} paid"
    plot = Plot(title, x, y, x_label=f"{first.unit} paid (log)", y_label=_score_label(board), log=True)
    if sampling is not None:
        plot.rule(plot.y, sampling.mean, "sampling", f"mean of random sampling {sampling.mean:.6g}")
        plot.rule(plot.y, sampling.best_validated, "best", "best validated")
    for series, line, c in sorted(curves, key=lambda item: item[0]):
        kept = spread_over(len(c.cost), _POINTS)
        xs = [c.cost[k] for k in kept]
        plot.band(xs, [c.score_low[k] for k in kept], [c.score_high[k] for k in kept], series)
        plot.steps(xs, [c.score[k] for k in kept], series, line.name)
    reading = (
        "Mean over runs, with the pointwise 95 % interval of the mean. Lines begin where every run found something; "
        "the last nine tenths of the budget are shown whole. Dashed grey: matched random search; dotted: best "
        "validated; solid: random sampling's mean, where it is near."
    )
    csv = as_csv([msgspec.structs.replace(c, label=line.name) for _, line, c in curves])
    return Figure("curves", reading, plot, csv, tuple((k, line.name) for k, line, _ in curves))


def _orders(board: Board) -> Figure:
    lines = [(k, line) for k, line in numbered(board) if any(_tau(r) is not None for r in line.runs.runs)]
    of_validation = board.summary.ktau_of_validation
    taus = [_tau(r) for _, line in lines for r in line.runs.runs]
    plot = Plot(
        "Learned against true order",
        around([*taus, of_validation, 0.0]),
        rows=[line.name for _, line in lines],
        x_label="KTau of the learned and the true order, on architectures never queried",
    )
    plot.rule(plot.x, 0.0, "sampling", "no order")
    plot.rule(plot.x, of_validation, "best", "KTau of validation and final scores")
    _scatter(plot, lines, _tau, lambda run: f"{run.ktau.test:.3f} on {run.ktau.n}" if run.ktau else "")
    reading = (
        "A point is a run that learned an order. Solid line: no order at all; dotted: what copying validation scores "
        "would reach. No point: the order was constant."
    )
    return Figure("ktau", reading, plot, _seeds(board))


def _selection(board: Board) -> Figure:
    lines = numbered(board)
    points = [
        (k, line, r.seed, r.valid, r.score)
        for k, line in lines
        for r in line.runs.runs
        if r.valid is not None and r.score is not None
    ]
    plot = Plot(
        "Validation against final score",
        around([p[3] for p in points]),
        around([p[4] for p in points]),
        x_label="validation score of the reported architecture",
        y_label=_score_label(board),
    )
    for series, line, seed, valid, score in sorted(points, key=lambda p: p[0]):
        told = f"{line.name}, seed {seed}: validation {valid:.6g}, final {score:.6g}"
        plot.mark(plot.x.at(valid), plot.y.at(score), series, told, "seed", 2.6 if series < 0 else 4.2)
    reading = (
        "A point is a run. Points further right were found by more search; where they are no higher, selection on "
        "validation scores has stopped to pay."
    )
    legend = tuple(dict.fromkeys((p[0], p[1].name) for p in points))
    return Figure("selection", reading, plot, _seeds(board), legend)


def _costs(board: Board) -> Figure | None:
    """Mean final scores over what the budget counts where entries paid differently, else over wall time."""
    lines = numbered(board)
    data = [_cost(line.name, line.summary) for _, line in lines]
    unit = board.setting.budget.unit
    paid = [v for c in data if (v := getattr(c, f"paid_{unit}")) is not None]
    differs = bool(paid) and max(paid) > 1.01 * min(paid)
    field, label = (f"paid_{unit}", f"{unit} paid, mean of the runs") if differs else (
        "wall_seconds", "seconds that a search took on the machine that ran it, mean of the runs")  # fmt: skip
    points = [
        (k, c, cost)
        for (k, _), c in zip(lines, data, strict=True)
        if c.final_mean is not None and (cost := getattr(c, field)) is not None and cost > 0
    ]
    if not points:
        return None
    costs = [cost for _, _, cost in points]
    plot = Plot(
        "Mean final score against cost",
        (min(costs) / 1.3, max(costs) * 1.3),
        around([v for _, c, _ in points for v in (c.final_mean, c.final_low, c.final_high)]),
        x_label=f"{label} (log)",
        y_label=_score_label(board),
        log=True,
    )
    for series, c, cost in points:
        plot.span(plot.y, c.final_low, c.final_high, plot.x.at(cost), series)
        told = f"{c.entry}: {numbers.number(c.final_mean)} for {cost:.4g}"
        plot.mark(plot.x.at(cost), plot.y.at(c.final_mean or 0.0), series, told, "", 5)
    reading = (
        "A point is the mean over runs, the bar its 95 % interval. Higher and further left is better. The CSV file has "
        "queries, epochs and seconds paid, and wall time, which differs between machines."
    )
    legend = tuple((k, c.entry) for k, c, _ in points)
    return Figure("cost", reading, plot, as_csv(data), legend)


def _cost(name: str, of: EntrySummary) -> Cost:
    final = of.final_mean, of.final_low, of.final_high
    return Cost(name, *final, of.paid_queries_mean, of.paid_epochs_mean, of.search_seconds_mean, of.wall_seconds_mean)


def _score_label(board: Board) -> str:
    score = board.summary.score
    return "final score" if score is None else f"final {numbers.score(score)}"


def ranking_figure(ranking: Ranking) -> Figure:
    rows = [(-1 if s.rank.role == "reference" else 0, s) for s in ranking.standings]
    ends = [v for _, s in rows for v in (s.rank.mean_rank, s.rank.rank_low, s.rank.rank_high)]
    groups = _groups(ranking)
    low, high = around([*ends, 1.0])
    high += (high - low) * 0.02 * len(groups)  # room for the bars on the right
    plot = Plot("Mean rank", (low, high), rows=[s.name for _, s in rows], x_label="mean rank, 1 is best")
    for place, (series, s) in enumerate(rows):
        plot.span(plot.x, s.rank.rank_low, s.rank.rank_high, plot.row(place), series)
        told = f"{s.name}: {s.rank.mean_rank:.2f} {numbers.interval(s.rank.rank_low, s.rank.rank_high)}"
        plot.mark(plot.x.at(s.rank.mean_rank), plot.row(place), series, told, "", 5)
    for k, group in enumerate(groups):
        # A bar beside the rows that no test tells apart.
        x = plot.x.end - 6 * k
        d = f"M{x:.1f} {plot.row(group[0]) - 8:.1f}V{plot.row(group[-1]) + 8:.1f}"
        plot.parts.append(path("tie", d, "not told apart"))
    data = [Interval(s.name, "mean_rank", s.rank.mean_rank, s.rank.rank_low, s.rank.rank_high) for _, s in rows]
    reading = (
        "A point is a mean rank over settings, the bar its 95 % bootstrap interval. An upright bar "
        "on the right joins entries that no test tells apart."
    )
    return Figure("ranks", reading, plot, as_csv(data))


def _groups(ranking: Ranking) -> list[list[int]]:
    """Places of the entries of each tie group, of two entries or more."""
    letters = sorted({letter for s in ranking.standings for letter in s.rank.groups})
    found = [[k for k, s in enumerate(ranking.standings) if letter in s.rank.groups] for letter in letters]
    return [group for group in found if len(group) > 1]
