"""The headline table of each setting: a line for each entry, with random sampling and matched random search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import counted
from harness.reading import numbers
from harness.reading.report.section import Section, Source
from harness.reading.report.table import Column, Kind, Row, Table, name_column
from harness.reading.summary import Against, EntrySummary, SettingSummary
from harness.records.specs import STRICT

_LEGEND = (
    "± standard deviation over runs (ddof 1), in the line of random sampling over rows or draws; RI = 100 (mean - "
    "random sampling) / random sampling, of the other sign where lower is better, with its 95 % interval; vs sampling, "
    "vs search: tests against random sampling, and against matched random search both at each run's own cost and at "
    "the whole budget; p after Holm over all entries of a mode, settings and both questions of the study; 'not shown' "
    "is not 'equal'."
)
_DROPPED = ("n", "vs search", "vs sampling", "95 % of RI", "KTau", "paid", "epochs", "cost")
"""Columns that a narrow terminal leaves out, the last first."""


def _tables(source: Source) -> list[Table]:
    tables = [_table(setting, source.choice.wide) for setting in source.settings]
    problems = tuple(f"note: {problem}" for problem in source.study.problems)
    return [Table(f"study {source.study.study}"), *tables, Table("", legend=_LEGEND, footnotes=problems)]


SECTION = Section(lambda source: {"settings": source.settings}, _tables)


@dataclass(frozen=True, slots=True)
class _Cells:
    """A column: its cell for an entry and, where they have one, for a reference and for random sampling."""

    header: str
    right: bool
    of_entry: Callable[[EntrySummary], str]
    of_reference: Callable[[EntrySummary], str] = lambda _: ""
    of_sampling: Callable[[SettingSummary], str] = lambda _: ""

    @property
    def column(self) -> Column:
        if self.header == "entry":
            return name_column(self.header)
        return Column(self.header, self.right, _DROPPED.index(self.header) + 1 if self.header in _DROPPED else 0)


def _table(setting: SettingSummary, wide: bool) -> Table:
    """Entries ordered by mean final score, the references at their place among them; other modes in a block below."""
    cells = _cells(setting, wide)
    return Table(
        setting.title,
        tuple(c.column for c in cells),
        tuple(_rows(setting, cells)),
        notes=_notes(setting),
        footnotes=_footnotes(setting) if setting.entries else ("no entry has a score yet",),
        whole="--wide or --format json has them",
    )


def _notes(setting: SettingSummary) -> tuple[str, ...]:
    score, s = setting.score, setting.setting
    what = f"{setting.split or ''} {numbers.score(score) if score else 'score'}".strip()
    about = f"{what}, final {s.final}; law {s.law}; budget {numbers.budget(s.budget)}"
    unknown = ["random sampling unknown"] if setting.random_sampling.mean is None else []
    return about, "; ".join([*unknown, *(f"{name} {value}" for name, value in numbers.facts(setting))])


def _cells(setting: SettingSummary, wide: bool) -> list[_Cells]:
    places = numbers.decimals(setting.score.unit if setting.score else None)
    large = any(e.ri is not None and abs(e.ri) >= 10 for e in setting.entries)
    ri_places = 1 if large and not wide else 2
    ratio = setting.score is None or setting.score.ratio_scale
    ordered = any(e.ktau is not None for e in setting.entries)
    epochs = any(e.paid_epochs_mean for e in setting.entries) and (wide or setting.setting.budget.epochs is not None)
    timed = any(e.search_seconds_mean is not None for e in setting.entries)

    def score(value: float | None) -> str:
        return numbers.number(value, places)

    def spread(of: EntrySummary) -> str:
        return numbers.plus_minus(of.final_mean, of.final_std, places)

    def sampled(s: SettingSummary) -> str:
        return f"{score(s.random_sampling.mean)}±{score(s.random_sampling.std)}"

    def ends(of: EntrySummary) -> str:
        return numbers.interval(of.final_low, of.final_high, places)

    def ri(value: float | None) -> str:
        return numbers.number(value, ri_places, signed=True)

    def paid(of: EntrySummary) -> str:
        more = f" + {of.tuning_queries:,} tuning" if of.tuning_queries else ""
        return numbers.count(of.paid_queries_mean) + more

    def runs(of: EntrySummary) -> str:
        return numbers.runs(of.n, of.failed)

    columns = [
        (True, _Cells("entry", False, lambda e: e.name, lambda e: e.name, lambda _: "random sampling")),
        (True, _Cells("final±std", True, spread, spread, sampled)),
        (wide, _Cells("95 %", True, ends, ends)),
        (wide, _Cells("best", True, lambda e: score(e.final_best), of_sampling=lambda s: score(s.best))),
        (wide, _Cells("search", True, lambda e: score(e.search_mean))),
        (wide, _Cells("whole", True, lambda e: score(e.search_whole_mean))),
        (wide, _Cells("valid", True, lambda e: score(e.valid_mean), lambda e: score(e.valid_mean))),
        (wide, _Cells("v.regret", True, lambda e: score(e.valid_regret_mean))),
        (wide, _Cells("rank", True, lambda e: numbers.count(e.rank_mean))),
        (ratio, _Cells("RI %", True, lambda e: ri(e.ri))),
        (ratio, _Cells("95 % of RI", False, lambda e: numbers.ri_interval(e, ri_places))),
        (ratio and wide, _Cells("RI paper", True, lambda e: ri(e.ri_paper))),
        (True, _Cells("vs sampling", False, lambda e: _verdict(e.vs_sampling))),
        (True, _Cells("vs search", False, lambda e: _verdict(e.vs_search))),
        (wide, _Cells("p in setting", False, lambda e: _both(e, lambda against: numbers.p_value(against.p_setting)))),
        (wide, _Cells("raw p", False, lambda e: _both(e, lambda against: numbers.p_value(against.p)))),
        (wide, _Cells("P(better)", False, lambda e: _both(e, lambda against: numbers.number(against.superiority)))),
        (wide or ordered, _Cells("KTau", True, lambda e: numbers.number(e.ktau))),
        (True, _Cells("paid", True, paid, paid)),
        (wide, _Cells("asked", True, lambda e: numbers.count(e.total_queries_mean))),
        (wide, _Cells("keys", True, lambda e: numbers.count(e.distinct_keys_mean))),
        (wide, _Cells("wall", True, lambda e: numbers.seconds(e.wall_seconds_mean))),
        (epochs, _Cells("epochs", True, lambda e: numbers.count(e.paid_epochs_mean))),
        (timed, _Cells("cost", True, lambda e: numbers.seconds(e.search_seconds_mean))),
        (True, _Cells("n", True, runs, runs)),
        (wide, _Cells("ended by", False, _ends, _ends)),
    ]
    return [cells for shown, cells in columns if shown]


def _rows(setting: SettingSummary, cells: list[_Cells]) -> list[Row]:
    def of_entry(entry: EntrySummary, kind: Kind) -> Row:
        return Row(tuple(c.of_entry(entry) for c in cells), kind)

    def of_reference(reference: EntrySummary) -> Row:
        return Row(tuple(c.of_reference(reference) for c in cells), "reference")

    if not setting.entries:
        return []
    sign = 0.0 if setting.score is None else setting.score.sign
    placed = [(e.final_mean, of_entry(e, "entry")) for e in setting.entries if e.mode == STRICT]
    placed += [(r.final_mean, of_reference(r)) for r in setting.references if r.mode == STRICT]
    if (mean := setting.random_sampling.mean) is not None:
        placed.append((mean, Row(tuple(c.of_sampling(setting) for c in cells), "reference")))
    placed.sort(key=lambda pair: (pair[0] is None, -sign * (pair[0] or 0.0)))
    rows = [row for _, row in placed]
    others = dict.fromkeys(e.mode for e in setting.entries if e.mode != STRICT)
    if others:
        rows.append(Row(("not strict:", *[""] * (len(cells) - 1)), "heading"))
    for mode in others:
        rows += [of_entry(e, "other") for e in setting.entries if e.mode == mode]
        rows += [of_reference(r) for r in setting.references if r.mode == mode]
    return rows


def _footnotes(setting: SettingSummary) -> tuple[str, ...]:
    notes = [
        f"({mode}): not strict; never ranked with or tested against strict entries"
        for mode in dict.fromkeys(e.mode for e in setting.entries if e.mode != STRICT)
    ]
    places = numbers.decimals(setting.score.unit if setting.score else None)
    for entry in (*setting.entries, *setting.references):
        if entry.failed:
            worst, mean = (numbers.number(v, places) for v in (setting.worst, entry.worst_case_mean))
            stand = (
                f" and score random sampling's mean; at {worst}, the worst score known, as verdicts have them, the "
                f"mean is {mean}"
                if setting.score is not None
                else ""
            )
            why = numbers.listed(entry.failed_runs, between="; ")
            notes.append(f"{entry.name}: {entry.failed} of {counted(entry.n, 'run')} failed{stand}: {why}")
        if ended := entry.ended_by.get("calls"):
            asked, paid = (numbers.count(v) for v in (entry.total_queries_mean, entry.paid_queries_mean))
            notes.append(
                f"warning: {entry.name}: {ended} of {counted(entry.n, 'run')} ended because it only repeated itself: "
                f"{asked} calls for {paid} paid queries, on average over its runs"
            )
    tied = [e for e in setting.entries if e.interval == "tied"]
    if tied:
        ends = [f"{e.name} {e.most_common_runs} of {e.n} at {numbers.number(e.most_common, places)}" for e in tied]
        notes.append(f"* many runs end at one value; the interval may cover less than it says: {', '.join(ends)}")
    if tails := [e.interval_coverage or 0.0 for e in setting.entries if e.interval == "tails"]:
        notes.append(
            f"** few runs do not show how the scores of random search spread here: a 95 % interval of as many of its "
            f"runs covers {100 * min(tails):.1f} %"
        )
    return tuple(notes)


def _ends(entry: EntrySummary) -> str:
    return ", ".join(f"{runs} {why}" for why, runs in entry.ended_by.items())


def _verdict(against: Against | None) -> str:
    return numbers.NONE if against is None else numbers.verdict(against.verdict, against.p_study)


def _both(entry: EntrySummary, of: Callable[[Against], str]) -> str:
    """Against random sampling, and against matched random search."""
    return " ".join(of(a) for a in (entry.vs_sampling, entry.vs_search) if a is not None)
