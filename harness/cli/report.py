"""``nas-harness report``: a study's tables and compliance, or one of its sections, in several formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import completion
from harness.cli.settings import open_output, open_registry
from harness.errors import HarnessError

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def report(
    ctx: typer.Context,
    folders: Annotated[
        list[Path],
        typer.Argument(
            help="The study's folder, such as results/quickstart; several for KTau.",
            metavar="DIR...",
            autocompletion=completion.study_folders,
        ),
    ],
    section: Annotated[
        list[str] | None,
        typer.Option(
            "--section",
            help="table, compliance, ranks, improvement, profiles, curves, ktau, correlation, spread (both need the "
            "tasks' data), power, ladder or metrics (that plugins provide); may be repeated; default the first two.",
        ),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="text, json, csv, markdown, latex, or html with the figures.")
    ] = "text",
    wide: Annotated[bool, typer.Option("--wide", help="All columns, also p-values before correction.")] = False,
    task: Annotated[
        list[str] | None,
        typer.Option("--task", help="Only this task; may be repeated."),
    ] = None,
    entry: Annotated[
        list[str] | None, typer.Option("--entry", help="Only the entry with this label; may be repeated.")
    ] = None,
    at: Annotated[str | None, typer.Option("--at", help="Curves only at these costs, such as 100,500,1000.")] = None,
    unit: Annotated[
        str | None,
        typer.Option("--cost", help="Curves over queries, epochs or seconds; default the budget's."),
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", help="Curve of each entry less that of the entry with this label.")
    ] = None,
    detect: Annotated[
        str | None,
        typer.Option("--detect", help="Differences of --section power, in percent of random sampling's mean: 0.5,1."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            help="Draw --section table, curves or ktau to this .svg, .png or .pdf, as wide as a column of a paper.",
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
) -> None:
    """Print the tables of a study with random sampling, intervals, tests and the compliance list; or export them.

    \b
    Examples:
      nas-harness report results/quickstart
      nas-harness report results/quickstart --format json
      nas-harness report results/quickstart --section curves --format csv --output curves.csv
      nas-harness report results/quickstart --section curves --against matched-random-search --at 50,100
      nas-harness report results/labels-90 results/labels-423 --section ktau
      nas-harness report results/quickstart --section correlation
      nas-harness report results/quickstart --format html --output report.html
      nas-harness report results/quickstart --section curves --task nasbench-graph/cora --plot curves.pdf
    """
    from harness.reading.report.section import Choice
    from harness.reading.report.sections import write_report

    choice = Choice(
        sections=tuple(section or ()),
        form=form,
        wide=wide,
        tasks=tuple(task or ()),
        entries=tuple(entry or ()),
        at=_numbers(at, "--at", "costs"),
        unit=unit,
        against=against,
        others=tuple(folders[1:]),
        plot=plot,
        detect=_numbers(detect, "--detect", "differences") or (),
    )
    with open_output(output) as console:
        write_report(folders[0], choice, console, lambda: open_registry(ctx))


def _numbers(text: str | None, option: str, what: str) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise HarnessError(f"{option} {text!r}: {what} are numbers with commas between them, such as 1,2") from None
    if option == "--detect" and not all(0 < value < 1e9 for value in found):
        raise HarnessError(f"{option} {text!r}: {what} are positive")
    return found
