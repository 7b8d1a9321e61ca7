"""The report of a study, printed and exported: sections, each made of tables, in several formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def print_report(folder: Path, console: Console) -> None:
    """Tables and compliance of the study in ``folder``. Raises RecordError."""
    from harness.reading.report.section import Choice
    from harness.reading.report.sections import write_report

    write_report(folder, Choice(), console)
