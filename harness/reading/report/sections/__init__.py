"""The sections of a report. A new section is a module beside this one, and a line in `SECTIONS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, UnknownName
from harness.reading.ingested import is_ingested
from harness.reading.report.formats import as_csv, as_json, latex, markdown
from harness.reading.report.layout import print_table
from harness.reading.report.section import Choice, Section, Source
from harness.reading.report.sections import (
    compliance,
    correlation,
    curves,
    differences,
    headline,
    improvement,
    ingested,
    ktau,
    ladder,
    metrics,
    power,
    profiles,
    ranks,
    spread,
)
from harness.reading.report.table import Table
from harness.reading.study import check_names, read_study
from harness.registry import Registry, default_registry

if TYPE_CHECKING:
    from rich.console import Console

SECTIONS: dict[str, Section[Any]] = {
    "table": headline.SECTION,
    "compliance": compliance.SECTION,
    "ranks": ranks.SECTION,
    "improvement": improvement.SECTION,
    "profiles": profiles.SECTION,
    "curves": curves.SECTION,
    "ktau": ktau.SECTION,
    "correlation": correlation.SECTION,
    "spread": spread.SECTION,
    "power": power.SECTION,
    "ladder": ladder.SECTION,
    "metrics": metrics.SECTION,
}
"""Every section by name, in the order of the help."""
DEFAULT = ("table", "compliance")
_SET: dict[str, Callable[[Table], str]] = {"markdown": markdown, "latex": latex}
FORMATS = ("text", "json", "csv", "html", *_SET)


def write_report(
    folder: Path, choice: Choice, console: Console, registry: Callable[[], Registry] = default_registry
) -> None:
    """Print the chosen sections of the study in ``folder``.

    Raises RecordError where the folder holds no study, UnknownName and HarnessError for a choice that does not exist.
    """
    check_choice(choice)
    known: dict[str, Section[Any]] = SECTIONS
    source: Source | ingested.IngestedSource
    if is_ingested(folder):
        known, source = ingested.SECTIONS, ingested.source_of(folder, choice)
    else:
        study, *others = (read_study(f) for f in (folder, *choice.others))
        check_names((study, *others), choice.tasks, choice.entries)
        source = Source(study, choice, tuple(others), registry)
        if choice.plot is not None:
            from harness.reading.figure import write_plot  # it imports sections itself

            write_plot(source, choice.plot)
            console.print(str(choice.plot))
            return
        if choice.against is not None:
            known = SECTIONS | {"curves": differences.SECTION}
    _write([known[name] for name in choice.sections or DEFAULT], source, console)


def _write(sections: Sequence[Section[Any]], source: Source | ingested.IngestedSource, console: Console) -> None:
    """Data in the forms for programs, tables in those for people; the other is not made."""
    form, study = source.choice.form, source.study
    if form == "csv":
        console.file.write(as_csv([item for section in sections for item in section.content(source)]))
        return
    if form == "json":  # written as it is: Rich is slow on megabytes
        data = {section.key: section.content(source) for section in sections}
        console.file.write(as_json({"study": study.study, **data, "problems": study.problems}))
        return
    tables = [table for section in sections for table in section.tables(source)]
    if form == "html":
        try:
            from harness.reading.site import one_file
        except ImportError:
            raise HarnessError('--format html takes jinja2: pip install "nas-harness[site]"') from None
        console.file.write(one_file.page(study.study, tables, source if isinstance(source, Source) else None))
        return
    for position, table in enumerate(tables):
        if form != "text":
            console.file.write("\n" * bool(position) + _SET[form](table))
            continue
        if position:
            console.print()
        print_table(table, console, all_columns=source.choice.wide)


def check_choice(choice: Choice) -> None:
    """Raises UnknownName or HarnessError."""
    if choice.form not in FORMATS:
        raise UnknownName("format", choice.form, FORMATS)
    if choice.form == "csv" and len(choice.sections) != 1:
        raise HarnessError("--format csv takes exactly one --section, such as curves")
    for name in choice.sections:
        if name not in SECTIONS:
            raise UnknownName("section", name, SECTIONS)
    if choice.detect and "power" not in choice.sections:
        raise HarnessError("--detect belongs to --section power")
    if choice.others and set(choice.sections) != {"ktau"}:
        raise HarnessError("only --section ktau shows several studies beside each other; name one folder")
    for option, given in (("--against", choice.against), ("--at", choice.at), ("--cost", choice.unit)):
        if given is not None and "curves" not in choice.sections:
            raise HarnessError(f"{option} is for --section curves")
