"""The sections of a report. A new section is a module beside this one, and a line in `SECTIONS`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError, UnknownName
from harness.reading.report.formats import as_csv, as_html, as_json, latex, markdown
from harness.reading.report.layout import print_table
from harness.reading.report.section import Choice, Section, Source
from harness.reading.report.sections import (
    compliance,
    correlation,
    curves,
    headline,
    improvement,
    ktau,
    ladder,
    metrics,
    profiles,
    ranks,
    spread,
)
from harness.reading.report.table import Table
from harness.reading.study import check_names, read_study
from harness.registry import Registry, default_registry

if TYPE_CHECKING:
    from rich.console import Console

SECTIONS: dict[str, Section] = {
    "table": headline.SECTION,
    "compliance": compliance.SECTION,
    "ranks": ranks.SECTION,
    "improvement": improvement.SECTION,
    "profiles": profiles.SECTION,
    "curves": curves.SECTION,
    "ktau": ktau.SECTION,
    "correlation": correlation.SECTION,
    "spread": spread.SECTION,
    "ladder": ladder.SECTION,
    "metrics": metrics.SECTION,
}
"""Every section by name, in the order of the help."""
DEFAULT = ("table", "compliance")
_SET: dict[str, Callable[[Table], str]] = {
    "markdown": markdown, "latex": latex, "html": as_html
}  # fmt: skip
FORMATS = ("text", "json", "csv", *_SET)


def write_report(
    folder: Path, choice: Choice, console: Console, registry: Callable[[], Registry] = default_registry
) -> None:
    """Print the chosen sections of the study in ``folder``.

    Raises RecordError where the folder holds no study, UnknownName and HarnessError for a choice that does not exist.
    """
    check_choice(choice)
    study, *others = (read_study(f) for f in (folder, *choice.others))
    check_names((study, *others), choice.tasks, choice.entries)
    source = Source(study, choice, tuple(others), registry)
    sections = [SECTIONS[name] for name in choice.sections or DEFAULT]
    if choice.form in ("json", "csv"):
        console.file.write(_data(source, sections))  # as it is: Rich is slow on megabytes
        return
    tables = [table for section in sections for table in section.tables(source)]
    for position, table in enumerate(tables):
        if choice.form != "text":
            console.file.write("\n" * bool(position) + _SET[choice.form](table))
            continue
        if position:
            console.print()
        print_table(table, console, all_columns=choice.wide)


def _data(source: Source, sections: list[Section]) -> str:
    data = [section.data(source) for section in sections]
    if source.choice.form == "csv":
        return as_csv([item for found in data for items in found.values() for item in items])
    whole = {"study": source.study.study}
    return as_json(
        whole | {key: items for found in data for key, items in found.items()} | {"problems": source.study.problems}
    )


def check_choice(choice: Choice) -> None:
    """Raises UnknownName or HarnessError."""
    if choice.form not in FORMATS:
        raise UnknownName("format", choice.form, FORMATS)
    if choice.form == "csv" and len(choice.sections) != 1:
        raise HarnessError("--format csv takes exactly one --section, such as curves")
    for name in choice.sections:
        if name not in SECTIONS:
            raise UnknownName("section", name, SECTIONS)
    if choice.others and set(choice.sections) != {"ktau"}:
        raise HarnessError("several studies are set beside each other by --section ktau alone; name one folder")
    of_curves = {
        "--against": choice.against is not None, "--at": choice.at is not None, "--cost": choice.unit is not None
    }  # fmt: skip
    for option, given in of_curves.items():
        if given and "curves" not in choice.sections:
            raise HarnessError(f"{option} belongs to --section curves")
