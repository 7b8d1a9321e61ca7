"""What is printed and exported of a study: tables, compliance, curves; for terminals, JSON, Markdown, CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def print_report(folder: Path, console: Console) -> None:
    """Tables and compliance of the study in ``folder``. Raises RecordError."""
    from harness.reading.report.study import read_report
    from harness.reading.report.terminal import print_compliance, print_tables

    report = read_report(folder)
    print_tables(report, console)
    console.print()
    print_compliance(report.compliance, console)


__all__ = ["print_report"]
