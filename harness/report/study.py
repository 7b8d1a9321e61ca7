"""The report of a study as one object: what ``nas-harness report --format json`` prints."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.analysis import Results, TaskSummary, read_results, summarise_task
from harness.compliance import Finding, check_compliance


class StudyReport(msgspec.Struct, frozen=True, kw_only=True):
    """A study: its tasks' tables, every rule's finding, and what of the folder could not be used."""

    study: str
    tasks: list[TaskSummary]
    compliance: list[Finding]
    problems: list[str]


def report_of(results: Results) -> StudyReport:
    return StudyReport(
        study=results.study,
        tasks=[summarise_task(task) for task in results.tasks],
        compliance=check_compliance(results),
        problems=list(results.problems),
    )


def read_report(folder: Path) -> StudyReport:
    """Raises RecordError where the folder holds no study."""
    return report_of(read_results(folder))
