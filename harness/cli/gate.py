"""``nas-harness gate``: compare a study with reference records, or write them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import completion
from harness.cli.settings import open_console, open_output, open_registry, print_json, warn_of_broken
from harness.errors import HarnessError

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Form(StrEnum):
    """How a gate is printed."""

    text = "text"
    markdown = "markdown"
    json = "json"


@app.command()
def gate(
    ctx: typer.Context,
    study: Annotated[
        Path,
        typer.Argument(
            help="The study file, or the study's folder.", metavar="STUDY", autocompletion=completion.studies
        ),
    ],
    against: Annotated[Path, typer.Option("--against", help="The folder of reference records.")],
    until_decided: Annotated[
        int | None,
        typer.Option("--until-decided", min=1, help="While a line is undecided, run more seeds, up to this number."),
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Write the reference records anew.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why they are written anew; kept in them.")] = "",
    form: Annotated[Form, typer.Option("--format", help="How to print.")] = Form.text,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML to this file too.")] = None,
    results: Annotated[Path, typer.Option("--results", help="Where studies are kept.")] = Path("results"),
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="Worker processes; default: one a core.")] = None,
    executor: Annotated[str, typer.Option("--executor", help="process, serial, dask, or a plugin's.")] = "process",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Run what is missing of a study, and compare each entry with reference records over common seeds.

    \b
    Examples:
      nas-harness gate mine.toml --against reference/mine --update --reason "first version"
      nas-harness gate mine.toml --against reference/mine
      nas-harness gate mine.toml --against reference/mine --until-decided 80 --junit gate.xml
      nas-harness gate results/mine --against reference/mine --format markdown

    Exit status: 0 unchanged, better or not worse; 1 worse; 4 undecided; 10 to 17 not comparable (docs/gate.md); 2 other
    bad input; 3 the machine or the cluster could not carry out the rest; 130 interrupted.
    """
    if executor == "serial":
        from harness.running.environment import start_single_threaded

        start_single_threaded()
    from harness.reading.gate import steps
    from harness.running.progress import open_progress
    from harness.running.settings import Settings

    if reason and not update:
        raise HarnessError("--reason belongs to --update")
    if junit is not None and not junit.absolute().parent.is_dir():
        raise HarnessError(f"--junit {junit}: there is no folder {junit.parent}")
    registry = open_registry(ctx)
    warn_of_broken(registry)
    with open_progress(quiet) as listener:
        running = steps.Running(registry, results, Settings(executor=executor, jobs=jobs), listener)
        if update:
            size = steps.update(study, against, reason, running, seeds=until_decided)
            typer.echo(f"{against}: reference records written, {size / 1000:.0f} kB: {reason}")
            return
        found = steps.gate(study, against, running, until_decided=until_decided)
    from harness.reading.gate import show

    if form is Form.json:
        print_json(found)
    elif form is Form.markdown:
        from harness.reading.report.formats import markdown

        typer.echo(markdown(show.table(found)), nl=False)
    else:
        from harness.reading.report.layout import print_table

        print_table(show.table(found), open_console())
        typer.echo(show.said(found))
        if found.status:
            typer.echo(f"the run that lost most: {show.reproduce(found)}", err=True)
    if junit is not None:
        with open_output(junit) as console:
            console.file.write(show.junit(found))
    raise typer.Exit(found.status)
