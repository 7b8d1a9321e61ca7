"""The sections of results from elsewhere: their table and the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from harness.errors import HarnessError
from harness.reading import numbers
from harness.reading.ingested import UNDER_COVERAGE, IngestedStudy, IngestedSummary
from harness.reading.report.section import Choice
from harness.reading.report.sections.compliance import compliance_table
from harness.reading.report.table import Cells, Column, Table, laid_out, name_column
from harness.reading.study import check_known
from harness.reading.summary import Against

_CELLS: tuple[Cells[IngestedSummary], ...] = (
    (name_column("entry"), lambda s: s.strategy),
    (Column("final±std"), lambda s: numbers.plus_minus(s.final_mean, s.final_std)),
    (Column("RI %"), lambda s: numbers.number(s.ri_paper, signed=True)),
    (Column("95 % of RI", dropped=1), lambda s: numbers.interval(s.ri_low, s.ri_high, signed=True)),
    (Column("vs sampling", right=False), lambda s: _verdict(s.vs_sampling)),
    (Column("sampling", dropped=2), lambda s: _sampling(s)),
    (Column("n"), lambda s: str(s.n)),
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
    missing = tuple(f"missing, and not filled in: {s.strategy}: {', '.join(s.missing)}" for s in lines if s.missing)
    return Table(
        f"{task}, results from elsewhere (origin: ingested)",
        *laid_out(lines, _CELLS),
        notes=("test accuracy in %",),
        legend="RI against the random architectures given for the strategy's own space, as Yang et al. compute it; "
        f"{UNDER_COVERAGE}; vs sampling: p after Holm over all lines of the folder",
        footnotes=missing,
    )


def _verdict(tested: Against) -> str:
    told = "-" if tested.p_study is None else f"{tested.verdict} {numbers.p_value(tested.p_study)}"
    return told.replace(" to be better", "")


def _sampling(of: IngestedSummary) -> str:
    return f"{numbers.plus_minus(of.sampling_mean, of.sampling_std)}, n {of.sampling_n}" if of.sampling_n else "-"
