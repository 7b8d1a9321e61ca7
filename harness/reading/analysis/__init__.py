"""From a study's records to what is said about it."""

from __future__ import annotations

from harness.reading.analysis.results import Results, Runs, TaskRuns, read_results
from harness.reading.analysis.rows import summarise_task
from harness.reading.analysis.summary import ReferenceSummary, RowSummary, Sampling, Score, TaskSummary

__all__ = [
    "ReferenceSummary",
    "Results",
    "RowSummary",
    "Runs",
    "Sampling",
    "Score",
    "TaskRuns",
    "TaskSummary",
    "read_results",
    "summarise_task",
]
