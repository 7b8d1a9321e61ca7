"""The sections of results from elsewhere: their table and the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from harness.errors import HarnessError
from harness.reading import numbers
from harness.reading.ingested import UNDER_COVERAGE, IngestedStudy, IngestedSummary
from harness.reading.report.section import Choice
from harness.reading.report.sections.compliance import compliance_table
from harness.reading.report.table import Column, Row, Table, name_column
from harness.reading.study import check_known

_COLUMNS = (
    name_column("entry"),
    Column("final±std"),
    Column("RI %"),
    Column("95 % of RI", dropped=1),
    Column("vs sampling", right=False),
    Column("sampling", dropped=2),
    Column("n"),
)
SECTIONS = ("table", "compliance")


def data_and_tables(
    study: IngestedStudy, choice: Choice
) -> tuple[Mapping[str, Sequence[msgspec.Struct]], Sequence[Table]]:
    """Of the chosen sections. Raises HarnessError for a section, task or entry that these results do not have."""
    chosen = choice.sections or SECTIONS
    for name in chosen:
        if name not in SECTIONS:
            raise HarnessError(f"results from elsewhere have no section {name}: {' and '.join(SECTIONS)} alone")
    check_known("task", choice.tasks, {s.task for s in study.summaries})
    check_known("entry", choice.entries, {s.strategy for s in study.summaries})
    lines = [
        s
        for s in study.summaries
        if (not choice.tasks or s.task in choice.tasks) and (not choice.entries or s.strategy in choice.entries)
    ]
    data: dict[str, Sequence[msgspec.Struct]] = {}
    tables: list[Table] = []
    if "table" in chosen:
        data["ingested"] = lines
        tables += [_table(task, [s for s in lines if s.task == task]) for task in dict.fromkeys(s.task for s in lines)]
    if "compliance" in chosen:
        data["compliance"] = study.findings
        tables.append(compliance_table(study.findings))
    return data, tables


def _table(task: str, lines: Sequence[IngestedSummary]) -> Table:
    rows = []
    for s in lines:
        tested = s.vs_sampling
        verdict = "-" if tested.p_study is None else f"{tested.verdict} {numbers.p_value(tested.p_study)}"
        cells = (
            s.strategy,
            numbers.plus_minus(s.final_mean, s.final_std),
            numbers.number(s.ri_paper, signed=True),
            numbers.interval(s.ri_low, s.ri_high, signed=True),
            verdict.replace(" to be better", ""),
            f"{numbers.plus_minus(s.sampling_mean, s.sampling_std)}, n {s.sampling_n}" if s.sampling_n else "-",
            str(s.n),
        )
        rows.append(Row(cells))
    missing = tuple(f"missing, and not filled in: {s.strategy}: {', '.join(s.missing)}" for s in lines if s.missing)
    return Table(
        f"{task}, results from elsewhere (origin: ingested)",
        _COLUMNS,
        tuple(rows),
        notes=("test accuracy in %",),
        legend="RI against the random architectures given for the strategy's own space, as Yang et al. compute it; "
        f"{UNDER_COVERAGE}; vs sampling: p after Holm over all lines of the folder",
        footnotes=missing,
    )
