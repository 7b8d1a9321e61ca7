"""The headline table of each setting: a line for each entry, with random sampling and matched random search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
_LEFT = ("95 % of RI", "vs sampling", "vs search", "p in setting", "raw p", "P(better)", "ended by")
_OF_REFERENCES = ("entry", "final±std", "95 %", "valid", "paid", "n", "ended by")
"""Columns in which a reference has a cell."""
_Cells = Mapping[str, Callable[[EntrySummary], str]]


def _tables(settings: Sequence[SettingSummary], source: Source) -> list[Table]:
    tables = [_table(setting, source.choice.wide) for setting in settings]
    problems = tuple(f"note: {problem}" for problem in source.study.problems)
    return [Table(f"study {source.study.study}"), *tables, Table("", legend=_LEGEND, footnotes=problems)]


SECTION = Section("settings", lambda source: source.settings, _tables)


def _table(setting: SettingSummary, wide: bool) -> Table:
    """Entries ordered by mean final score, the references at their place among them; other modes in a block below."""
    cells = _cells(setting, wide)
    return Table(
        setting.title,
        tuple(_column(header) for header in cells),
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


def _column(header: str) -> Column:
    if header == "entry":
        return name_column(header)
    return Column(header, header not in _LEFT, _DROPPED.index(header) + 1 if header in _DROPPED else 0)


def _cells(setting: SettingSummary, wide: bool) -> _Cells:
    """The cell of an entry in each column."""
    places = numbers.decimals(setting.score.unit if setting.score else None)
    large = any(e.ri is not None and abs(e.ri) >= 10 for e in setting.entries)
    ri_places = 1 if large and not wide else 2
    ratio = setting.score is None or setting.score.ratio_scale
    ordered = any(e.ktau is not None for e in setting.entries)
    epochs = any(e.paid_epochs_mean for e in setting.entries) and (wide or setting.setting.budget.epochs is not None)
    timed = any(e.search_seconds_mean is not None for e in setting.entries)

    def score(value: float | None) -> str:
        return numbers.number(value, places)

    def ri(value: float | None) -> str:
        return numbers.number(value, ri_places, signed=True)

    def paid(of: EntrySummary) -> str:
        more = f" + {of.tuning_queries:,} tuning" if of.tuning_queries else ""
        return numbers.count(of.paid_queries_mean) + more

    columns: list[tuple[bool, str, Callable[[EntrySummary], str]]] = [
        (True, "entry", lambda e: e.name),
        (True, "final±std", lambda e: numbers.plus_minus(e.final_mean, e.final_std, places)),
        (wide, "95 %", lambda e: numbers.interval(e.final_low, e.final_high, places)),
        (wide, "best", lambda e: score(e.final_best)),
        (wide, "search", lambda e: score(e.search_mean)),
        (wide, "whole", lambda e: score(e.search_whole_mean)),
        (wide, "valid", lambda e: score(e.valid_mean)),
        (wide, "v.regret", lambda e: score(e.valid_regret_mean)),
        (wide, "rank", lambda e: numbers.count(e.rank_mean)),
        (ratio, "RI %", lambda e: ri(e.ri)),
        (ratio, "95 % of RI", lambda e: numbers.ri_interval(e, ri_places)),
        (ratio and wide, "RI paper", lambda e: ri(e.ri_paper)),
        (True, "vs sampling", lambda e: _verdict(e.vs_sampling)),
        (True, "vs search", lambda e: _verdict(e.vs_search)),
        (wide, "p in setting", lambda e: _both(e, lambda against: numbers.p_value(against.p_setting))),
        (wide, "raw p", lambda e: _both(e, lambda against: numbers.p_value(against.p))),
        (wide, "P(better)", lambda e: _both(e, lambda against: numbers.number(against.superiority))),
        (wide or ordered, "KTau", lambda e: numbers.number(e.ktau)),
        (True, "paid", paid),
        (wide, "asked", lambda e: numbers.count(e.total_queries_mean)),
        (wide, "keys", lambda e: numbers.count(e.distinct_keys_mean)),
        (wide, "wall", lambda e: numbers.seconds(e.wall_seconds_mean)),
        (epochs, "epochs", lambda e: numbers.count(e.paid_epochs_mean)),
        (timed, "cost", lambda e: numbers.seconds(e.search_seconds_mean)),
        (True, "n", lambda e: numbers.runs(e.n, e.failed)),
        (wide, "ended by", lambda e: ", ".join(f"{runs} {why}" for why, runs in e.ended_by.items())),
    ]
    return {header: cell for shown, header, cell in columns if shown}


def _rows(setting: SettingSummary, cells: _Cells) -> list[Row]:
    def row(of: EntrySummary, kind: Kind) -> Row:
        return Row(tuple(c(of) if kind != "reference" or h in _OF_REFERENCES else "" for h, c in cells.items()), kind)

    if not setting.entries:
        return []
    sign, sampling = 0.0 if setting.score is None else setting.score.sign, setting.random_sampling
    placed = [(e.final_mean, row(e, "entry")) for e in setting.entries if e.mode == STRICT]
    placed += [(r.final_mean, row(r, "reference")) for r in setting.references if r.mode == STRICT]
    if sampling.mean is not None:
        places = numbers.decimals(setting.score.unit if setting.score else None)
        said = {
            "entry": "random sampling",
            "final±std": numbers.plus_minus(sampling.mean, sampling.std, places),
            "best": numbers.number(setting.best, places),
        }
        placed.append((sampling.mean, Row(tuple(said.get(header, "") for header in cells), "reference")))
    placed.sort(key=lambda pair: (pair[0] is None, -sign * (pair[0] or 0.0)))
    rows = [of for _, of in placed]
    others = dict.fromkeys(e.mode for e in setting.entries if e.mode != STRICT)
    if others:
        rows.append(Row(("not strict:", *[""] * (len(cells) - 1)), "heading"))
    for mode in others:
        rows += [row(e, "other") for e in setting.entries if e.mode == mode]
        rows += [row(r, "reference") for r in setting.references if r.mode == mode]
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


def _verdict(against: Against | None) -> str:
    return numbers.NONE if against is None else numbers.verdict(against.verdict, against.p_study)


def _both(entry: EntrySummary, of: Callable[[Against], str]) -> str:
    """Against random sampling, and against matched random search."""
    return " ".join(of(a) for a in (entry.vs_sampling, entry.vs_search) if a is not None)
