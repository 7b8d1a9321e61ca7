"""What a block of a report is called: the task, and what tells it from another entry of the same task."""

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


def title_of(entry: OfTask) -> str:
    searched = "" if entry.search_task == entry.task else f" searched on {entry.search_task}"
    return entry.task + searched + "".join(f", {c}" for c in entry.constraints)
