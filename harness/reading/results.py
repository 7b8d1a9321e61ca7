"""A study's results in a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.reading.study import StudyRuns, read_study


@dataclass(frozen=True)
class Results(StudyRuns):
    """One study, read back."""


def read_results(folder: Path | str) -> Results:
    """The study in a folder, or in several folders that were joined file by file.

    Raises RecordError where the folder holds no study, no whole record, or records that contradict each other.
    """
    return Results(**vars(read_study(folder)))
