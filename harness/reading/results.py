"""A study's results in a notebook."""

from __future__ import annotations

from pathlib import Path

from harness.reading.study import StudyRuns as Results
from harness.reading.study import read_study


def read_results(folder: Path | str) -> Results:
    """The study in a folder, or in several folders that were joined file by file.

    Raises RecordError where the folder holds no study, no whole record, or records that contradict each other.
    """
    return read_study(folder)


__all__ = ["Results", "read_results"]
