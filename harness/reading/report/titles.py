"""What blocks and lines of a report are called: what tells them from others of the same task or label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class OfTask(Protocol):
    """What belongs to one entry of a task: a curve, an order."""

    @property
    def task(self) -> str: ...
    @property
    def search_task(self) -> str: ...
    @property
    def constraints(self) -> Sequence[str]: ...


class OfRow(Protocol):
    """What belongs to one row of a task: a curve, an order, a summary."""

    @property
    def label(self) -> str: ...
    @property
    def mode(self) -> str: ...


def name_of(row: OfRow) -> str:
    """The label, with the mode where it is not strict."""
    return row.label if row.mode == "strict" else f"{row.label} ({row.mode})"


def title_of(entry: OfTask) -> str:
    searched = "" if entry.search_task == entry.task else f" searched on {entry.search_task}"
    return entry.task + searched + "".join(f", {c}" for c in entry.constraints)
