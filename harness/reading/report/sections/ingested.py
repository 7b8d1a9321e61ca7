"""The sections of results from elsewhere: their table and the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.reading import numbers
from harness.reading.ingested import UNDER_COVERAGE, IngestedStudy, IngestedSummary, read_ingested
from harness.reading.report.section import Choice, Section, table_by
from harness.reading.report.sections.compliance import SECTION as COMPLIANCE
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


@dataclass(frozen=True)
class IngestedSource:
    """What the sections are made from."""

    study: IngestedStudy
    choice: Choice

    @property
    def lines(self) -> list[IngestedSummary]:
        """The chosen ones."""
        tasks, entries = self.choice.tasks, self.choice.entries
        return [
            s for s in self.study.summaries if (not tasks or s.task in tasks) and (not entries or s.strategy in entries)
        ]


def source_of(folder: Path, choice: Choice) -> IngestedSource:
    """Raises HarnessError for a section, a task, an entry or a figure that the results do not have."""
    if choice.plot is not None:
        raise HarnessError("results from elsewhere have no --plot; nas-harness leaderboard shows them")
    study = read_ingested(folder)
    for name in choice.sections:
        if name not in SECTIONS:
            raise HarnessError(f"results from elsewhere have no section {name}: {' and '.join(SECTIONS)} alone")
    check_known("task", choice.tasks, {s.task for s in study.summaries})
    check_known("entry", choice.entries, {s.strategy for s in study.summaries})
    return IngestedSource(study, choice)


def _table(lines: Sequence[IngestedSummary]) -> Table:
    missing = tuple(f"missing, and not filled in: {s.strategy}: {', '.join(s.missing)}" for s in lines if s.missing)
    return Table(
        f"{lines[0].task}, results from elsewhere (origin: ingested)",
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


SECTIONS: dict[str, Section[Any]] = {
    "table": Section("ingested", lambda source: source.lines, table_by(lambda s: s.task, _table)),
    "compliance": Section("compliance", lambda source: source.study.findings, COMPLIANCE.shown),
}
