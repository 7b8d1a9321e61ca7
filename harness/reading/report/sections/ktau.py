"""Learned orders: Kendall's tau of each entry over its seeds, in all variants or by the number of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import fmean

from harness.reading import numbers
from harness.reading.report.section import Section, Source, banded, in_setting
from harness.reading.report.table import Cells, Column, Row, Table, laid_out, name_column
from harness.reading.study import EntryRuns, SettingRuns
from harness.reading.summary import InSetting
from harness.records.lines import RankQuality
from harness.statistics.inference import t_interval

_KINDS = {
    "ktau": "tau-b against final scores, unseen keys",
    "ktau_rows": "tau-b against final scores, unseen rows",
    "ktau_valid": "tau-b against validation scores, unseen keys",
}
_SPREAD = "± half the width of the 95 % t interval of the mean over runs"


class Order(InSetting, frozen=True, kw_only=True):
    """An entry that learns an order, on architectures it never queried: means over the n runs that left one.

    paid: mean number of queries that a run paid, for the labels it learned from and for verification. failed: runs that
    left no order. ktau: tau-b against final scores on unseen keys; ktau_rows: on all unseen rows, twins of paid ones
    among them (null where each key has one row); ktau_valid: against validation scores, unseen keys; ktau_eq13,
    ktau_ctnas: the variants of ReNAS and CTNAS. Each ``_low``, ``_high``: Student's 95 % interval of the mean, null for
    one run. ktau_n, ktau_rows_n: the fewest architectures of a run. ktau_of_validation: tau-b of the task's own
    validation and final scores: an order that copies validation scores would reach it.
    """

    study: str
    paid: float | None
    n: int
    failed: int
    ktau: float | None
    ktau_low: float | None
    ktau_high: float | None
    ktau_rows: float | None
    ktau_rows_low: float | None
    ktau_rows_high: float | None
    ktau_valid: float | None
    ktau_valid_low: float | None
    ktau_valid_high: float | None
    ktau_eq13: float | None
    ktau_ctnas: float | None
    ktau_n: int
    ktau_rows_n: int | None
    ktau_of_validation: float | None


def orders_of(source: Source) -> list[Order]:
    """Every chosen entry of every study that learns an order."""
    return [
        _order(study.study, setting, entry, taus)
        for study in (source.study, *source.others)
        for setting, entries in replace(source, study=study).shown()
        for entry in entries
        if (taus := [r.ktau for r in entry.runs if r.ktau is not None])
    ]


def _order(study: str, setting: SettingRuns, entry: EntryRuns, taus: Sequence[RankQuality]) -> Order:
    paid = [r.paid.queries for r in entry.runs if r.paid is not None]
    return Order(
        study=study,
        **in_setting(setting, entry),
        paid=fmean(paid) if paid else None,
        n=len(taus),
        failed=len(entry.runs) - len(taus),
        **banded("ktau", *_mean(taus, lambda t: t.test)),
        **banded("ktau_rows", *_mean(taus, lambda t: t.test_rows)),
        **banded("ktau_valid", *_mean(taus, lambda t: t.valid)),
        ktau_eq13=_mean(taus, lambda t: t.eq13)[0],
        ktau_ctnas=_mean(taus, lambda t: t.ctnas)[0],
        ktau_n=min(t.n for t in taus),
        ktau_rows_n=min((t.n_rows for t in taus if t.n_rows is not None), default=None),
        ktau_of_validation=setting.sampling.ktau_valid if setting.sampling else None,
    )


def _mean(
    taus: Sequence[RankQuality], of: Callable[[RankQuality], float | None]
) -> tuple[float | None, float | None, float | None]:
    """Mean and interval of the values that exist."""
    values = [v for v in map(of, taus) if v is not None]
    if not values:
        return None, None, None
    interval = t_interval(values)
    return fmean(values), *(interval or (None, None))


_VARIANTS: tuple[Cells[Order], ...] = (
    (name_column("entry"), lambda o: o.name),
    (Column("paid"), lambda o: numbers.count(o.paid)),
    (Column("tau-b"), lambda o: numbers.number(o.ktau, 3)),
    (Column("95 %"), lambda o: numbers.interval(o.ktau_low, o.ktau_high, 3)),
    (Column("rows", dropped=1), lambda o: numbers.number(o.ktau_rows, 3)),
    (Column("valid", dropped=2), lambda o: numbers.number(o.ktau_valid, 3)),
    (Column("Eq. 13", dropped=3), lambda o: numbers.number(o.ktau_eq13, 3)),
    (Column("CTNAS", dropped=4), lambda o: numbers.number(o.ktau_ctnas, 3)),
    (Column("of validation", dropped=5), lambda o: numbers.number(o.ktau_of_validation, 3)),
    (Column("n"), lambda o: numbers.runs(o.n + o.failed, o.failed)),
)


def _tables(orders: Sequence[Order], source: Source) -> list[Table]:
    """All variants of each entry; by number of labels where there are several studies, or several budgets in one."""
    grouped = _by_task(orders)
    if source.others or any(len({o.setting.budget for o in members}) > 1 for members in grouped):
        return [table for members in grouped for table in _by_labels(members)]
    return [
        Table(members[0].title, *laid_out(members, _VARIANTS), whole="--format json or csv has them")
        for members in grouped
    ]


SECTION = Section("ktau", orders_of, _tables, "no entry learns an order")


def _by_labels(orders: Sequence[Order]) -> Iterator[Table]:
    """Entries by number of labels, for each kind of tau that exists here."""
    paid = sorted({_labels(o) for o in orders})
    names = _names(orders)
    counts = sorted({o.n for o in orders})
    one = f", n = {counts[0]}" if len(counts) == 1 else ""
    own = orders[0].ktau_of_validation
    for kind, what in _KINDS.items():
        if all(getattr(o, kind) is None for o in orders):
            continue
        cells: dict[str, dict[float, str]] = {}
        for o, name in zip(orders, names, strict=True):
            cell = numbers.mean_and_half(getattr(o, kind), getattr(o, f"{kind}_high"), 3)
            cells.setdefault(name, {})[_labels(o)] = cell if one else f"{cell} (n {o.n})"
        rows = [Row((name, *(of.get(p, numbers.NONE) for p in paid))) for name, of in cells.items()]
        if kind == "ktau" and own is not None:
            rows.append(Row(("validation scores themselves", *[numbers.number(own, 3)] * len(paid)), "reference"))
        yield Table(
            f"{orders[0].setting.title}: {what}{one}",
            (name_column("paid queries"), *(Column(numbers.count(p)) for p in paid)),
            tuple(rows),
            legend=_SPREAD,
        )


def _by_task(orders: Sequence[Order]) -> list[list[Order]]:
    """Orders that differ only in study and budget are one group."""
    tasks: dict[tuple[object, ...], list[Order]] = {}
    for o in orders:
        s = o.setting
        tasks.setdefault((s.task, s.search_task, s.law, s.final, s.final_seed, s.constraints), []).append(o)
    return list(tasks.values())


def _labels(order: Order) -> float:
    """The header of an order's column."""
    return round(order.paid or 0.0, 1)


def _names(orders: Sequence[Order]) -> list[str]:
    """The name of each order's line, with its study where two of one name would share a cell."""
    seen = Counter((o.name, _labels(o)) for o in orders)
    twice = {name for (name, _), times in seen.items() if times > 1}
    return [f"{o.name}, {o.study}" if o.name in twice else o.name for o in orders]
