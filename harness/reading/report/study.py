"""The report of a study as one object: what ``nas-harness report --format json`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.reading.analysis import Results, TaskSummary, read_results, summarise_task
from harness.reading.analysis.results import check_names
from harness.reading.compliance import Finding, check_compliance, row_scope


class StudyReport(msgspec.Struct, frozen=True, kw_only=True):
    """A study: its tasks' tables, every rule's finding, and what of the folder could not be used."""

    study: str
    tasks: list[TaskSummary]
    compliance: list[Finding]
    problems: list[str]


def report_of(results: Results, *, tasks: Sequence[str] = (), rows: Sequence[str] = ()) -> StudyReport:
    """tasks, rows: names and labels to keep (default all); what is said of those is what the whole study says.

    Raises UnknownName for a task or a label that the study does not have.
    """
    check_names(results, tasks, rows)
    left_out = _left_out(results, tasks, rows)
    shown = [t for t in results.tasks if not tasks or t.task in tasks]
    return StudyReport(
        study=results.study,
        tasks=[_of_rows(summarise_task(task), rows) for task in shown],
        compliance=[f for f in check_compliance(results) if f.scope not in left_out],
        problems=list(results.problems),
    )


def _of_rows(task: TaskSummary, rows: Sequence[str]) -> TaskSummary:
    if not rows:
        return task
    kept = [r for r in task.rows if r.label in rows]
    return msgspec.structs.replace(task, rows=kept)


def _left_out(results: Results, tasks: Sequence[str], rows: Sequence[str]) -> set[str]:
    """Scopes of findings on other tasks, rows and strategies than those of these tasks and rows."""
    others = {task.title for task in results.tasks if tasks and task.task not in tasks}
    strategies, kept = set(), set()
    for task in results.tasks:
        for row in task.rows:
            strategies.add(row.strategy)
            if task.title in others or (rows and row.label not in rows):
                others.add(row_scope(task, row))
            else:
                kept.add(row.strategy)
    return others | (strategies - kept)


def read_report(folder: Path) -> StudyReport:
    """Raises RecordError where the folder holds no study."""
    return report_of(read_results(folder))
