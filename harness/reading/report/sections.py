"""The sections of a report and the formats that each can be had in. A new section is a `Section` in `SECTIONS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.errors import HarnessError, UnknownName
from harness.reading.analysis import Results, read_results
from harness.reading.report.study import StudyReport, report_of
from harness.registry import Registry, default_registry

if TYPE_CHECKING:
    from rich.console import Console

    from harness.reading.analysis.correlation import TaskCorrelation
    from harness.reading.analysis.orders import Order
    from harness.reading.analysis.provided import MetricSummary

DEFAULT = ("table", "compliance")
FORMATS = ("text", "json", "markdown", "csv")


@dataclass(frozen=True)
class Choice:
    """What of a report is wanted.

    wide: every column. tasks, rows (labels): these alone, of every section. at, unit, against (a label): of curves.
    merged: more studies' folders, which KTau alone sets beside the first.
    """

    sections: tuple[str, ...] = ()
    form: str = "text"
    wide: bool = False
    tasks: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    at: tuple[float, ...] | None = None
    unit: str = "queries"
    against: str | None = None
    merged: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Source:
    """What a section is made from. merged: the other studies; registry: made when a section needs the tasks' data."""

    results: Results
    choice: Choice
    merged: tuple[Results, ...] = ()
    registry: Callable[[], Registry] = default_registry

    @cached_property
    def report(self) -> StudyReport:
        return report_of(self.results, tasks=self.choice.tasks, rows=self.choice.rows)


@dataclass(frozen=True)
class Section:
    """One part of a report. data: its keys of the JSON object; markdown, csv: where it has them."""

    data: Callable[[Source], dict[str, Any]]
    text: Callable[[Source, Console], None]
    markdown: Callable[[Source], str] | None = None
    csv: Callable[[Source], str] | None = None


def write_report(
    folder: Path, choice: Choice, console: Console, registry: Callable[[], Registry] = default_registry
) -> None:
    """Print the chosen sections of the study in ``folder``; JSON without a section is the one object of a report.

    Raises RecordError where the folder holds no study, UnknownName and HarnessError for a choice that does not exist.
    """
    check_choice(choice)
    source = Source(read_results(folder), choice, tuple(read_results(f) for f in choice.merged), registry)
    sections = [SECTIONS[name] for name in choice.sections or DEFAULT]
    if choice.form == "json":
        console.file.write(_json(source, sections) + "\n")  # as it is: Rich is slow on megabytes
        return
    for position, section in enumerate(sections):
        if position:
            console.print()
        if choice.form == "text":
            section.text(source, console)
        else:
            written = section.markdown if choice.form == "markdown" else section.csv
            assert written is not None
            console.file.write(written(source).rstrip("\n") + "\n")


def check_choice(choice: Choice) -> None:
    """Raises UnknownName or HarnessError."""
    if choice.form not in FORMATS:
        raise UnknownName("format", choice.form, FORMATS)
    if choice.form == "csv" and len(choice.sections) != 1:
        raise HarnessError("--format csv takes exactly one --section, such as curves")
    for name in choice.sections or DEFAULT:
        if name not in SECTIONS:
            raise UnknownName("section", name, SECTIONS)
        if choice.form in ("markdown", "csv") and getattr(SECTIONS[name], choice.form) is None:
            raise HarnessError(f"section {name!r} has no format {choice.form!r}")
    if choice.merged and set(choice.sections) != {"ktau"}:
        raise HarnessError("several studies are merged by --section ktau alone; name one folder for the other sections")
    of_curves = {
        "--against": choice.against is not None, "--at": choice.at is not None, "--cost": choice.unit != "queries"
    }  # fmt: skip
    for option, given in of_curves.items():
        if given and "curves" not in choice.sections:
            raise HarnessError(f"{option} belongs to --section curves")


def _json(source: Source, sections: list[Section]) -> str:
    value: Any = source.report
    if source.choice.sections:
        value = {"study": source.results.study}
        for section in sections:
            value |= section.data(source)
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _tables_text(source: Source, console: Console) -> None:
    from harness.reading.report.terminal import print_tables

    print_tables(source.report, console, wide=source.choice.wide)


def _tables_markdown(source: Source) -> str:
    from harness.reading.report.markdown import tables

    return tables(source.report, wide=source.choice.wide)


def _compliance_text(source: Source, console: Console) -> None:
    from harness.reading.report.terminal import print_compliance

    print_compliance(source.report.compliance, console)


def _compliance_markdown(source: Source) -> str:
    from harness.reading.report.markdown import compliance

    return compliance(source.report.compliance)


def _curves(source: Source) -> Any:
    from harness.reading.analysis.curves import curves_of

    c = source.choice
    return curves_of(source.results, tasks=c.tasks, rows=c.rows, at=c.at, unit=c.unit)


def _differences(source: Source, against: str) -> Any:
    from harness.reading.analysis.differences import differences_of

    c = source.choice
    return differences_of(source.results, against, tasks=c.tasks, rows=c.rows, at=c.at, unit=c.unit)


def _curves_data(source: Source) -> dict[str, Any]:
    against = source.choice.against
    return {"curves": _curves(source)} if against is None else {"differences": _differences(source, against)}


def _curves_text(source: Source, console: Console) -> None:
    from harness.reading.report.curves import print_curves
    from harness.reading.report.differences import print_differences

    if source.choice.against is None:
        print_curves(_curves(source), console)
    else:
        print_differences(_differences(source, source.choice.against), console)


def _curves_csv(source: Source) -> str:
    from harness.reading.report.curves import curves_csv
    from harness.reading.report.differences import differences_csv

    against = source.choice.against
    return curves_csv(_curves(source)) if against is None else differences_csv(_differences(source, against))


def _orders(source: Source) -> list[Order]:
    from harness.reading.analysis.orders import orders_of

    return orders_of((source.results, *source.merged), tasks=source.choice.tasks, rows=source.choice.rows)


def _ktau_data(source: Source) -> dict[str, Any]:
    merged = {"merged": [study.study for study in source.merged]} if source.merged else {}
    return {**merged, "ktau": _orders(source)}


def _ktau_text(source: Source, console: Console) -> None:
    from harness.reading.report.ktau import print_ktau, print_ktau_by_labels

    (print_ktau_by_labels if source.merged else print_ktau)(_orders(source), console)


def _ktau_markdown(source: Source) -> str:
    from harness.reading.report.ktau import ktau_markdown

    return ktau_markdown(_orders(source))


def _ktau_csv(source: Source) -> str:
    from harness.reading.report.ktau import ktau_csv

    return ktau_csv(_orders(source))


def _correlation(source: Source) -> list[TaskCorrelation]:
    from harness.reading.analysis.correlation import correlations_of
    from harness.running.plan import Evaluators

    return correlations_of(source.results, Evaluators(source.registry()), tasks=source.choice.tasks)


def _correlation_text(source: Source, console: Console) -> None:
    from harness.reading.report.correlation import print_correlation

    print_correlation(_correlation(source), console)


def _correlation_markdown(source: Source) -> str:
    from harness.reading.report.correlation import correlation_markdown

    return correlation_markdown(_correlation(source))


def _correlation_csv(source: Source) -> str:
    from harness.reading.report.correlation import correlation_csv

    return correlation_csv(_correlation(source))


def _metrics(source: Source) -> list[MetricSummary]:
    from harness.reading.analysis.provided import metrics_of

    registry = source.registry()
    items = [registry.find("metric", name) for name in registry.names("metric")]
    return metrics_of(source.results, items, tasks=source.choice.tasks, rows=source.choice.rows)


def _metrics_text(source: Source, console: Console) -> None:
    from harness.reading.report.provided import print_metrics

    print_metrics(_metrics(source), console)


def _metrics_markdown(source: Source) -> str:
    from harness.reading.report.provided import metrics_markdown

    return metrics_markdown(_metrics(source))


def _metrics_csv(source: Source) -> str:
    from harness.reading.report.provided import metrics_csv

    return metrics_csv(_metrics(source))


SECTIONS: dict[str, Section] = {
    "table": Section(lambda s: {"tasks": s.report.tasks}, _tables_text, markdown=_tables_markdown),
    "compliance": Section(
        lambda s: {"compliance": s.report.compliance}, _compliance_text, markdown=_compliance_markdown
    ),
    "curves": Section(_curves_data, _curves_text, csv=_curves_csv),
    "ktau": Section(_ktau_data, _ktau_text, markdown=_ktau_markdown, csv=_ktau_csv),
    "correlation": Section(
        lambda s: {"correlation": _correlation(s)},
        _correlation_text,
        markdown=_correlation_markdown,
        csv=_correlation_csv,
    ),
    "metrics": Section(lambda s: {"metrics": _metrics(s)}, _metrics_text, markdown=_metrics_markdown, csv=_metrics_csv),
}
"""Every section by name, in the order of the help."""
