"""``nas-harness results``: join, show and verify the records of studies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.settings import TextOrJson, open_registry, print_json
from harness.errors import RecordError, counted

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def results() -> None:
    """Join the results of several machines, show the records of one run, or verify a folder.

    \b
    Examples:
      nas-harness results merge laptop/first cluster/first --output both/first
      nas-harness results show results/first 3f2a
      nas-harness results verify results/first
    """


@app.command()
def verify(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The folder of a study.", metavar="FOLDER")],
    sample: Annotated[int, typer.Option("--sample", help="How many searches of strategies are carried out again.")] = 5,
    seed: Annotated[int, typer.Option("--seed", help="Draws the sample.")] = 0,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="Worker processes; default: one a core.")] = None,
) -> None:
    """Check that a folder agrees with its code and its data, and name what does not.

    Ids are checked against specifications, and final scores against the tables that are here. Random sampling is
    computed again. Every search of matched random search is carried out again, and a sample of the others.

    \b
    Example:
      nas-harness results verify results/first --sample 20

    Exit status: 0 all agrees; 1 something differs; 2 bad input.
    """
    from harness.reading.verify import verify as check
    from harness.running.campaign import Settings

    wrong = 0
    for said in check(folder, registry=open_registry(ctx), sample=sample, seed=seed, settings=Settings(jobs=jobs)):
        wrong += 1
        typer.echo(said, err=True)
    if wrong:
        raise typer.Exit(1)
    typer.echo(f"{folder}: all agrees")


@app.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(help="Folders of studies, two or more.", metavar="FOLDER...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The new folder.")],
) -> None:
    """Join folders of one study from several machines into a new one, each record once.

    Where two records of one id say different things, nothing is written, and both lines are named.

    \b
    Example:
      nas-harness results merge laptop/first cluster/first --output both/first
    """
    from harness.records.merging import merge_folders

    found = merge_folders(folders, output)
    typer.echo(f"{output}: {counted(len(found.searches), 'search', 'searches')}, {counted(len(found.plans), 'plan')}")


@app.command()
def show(
    folder: Annotated[Path, typer.Argument(help="The folder of a study.", metavar="FOLDER")],
    identity: Annotated[str, typer.Argument(help="The id of a record, or how it begins.", metavar="ID")],
    form: Annotated[TextOrJson, typer.Option("--format", help="How to print.")] = TextOrJson.text,
) -> None:
    """Show one record with those that belong to it: a search and the outcomes that score its answer.

    \b
    Example:
      nas-harness results show results/first 3f2a --format json
    """
    import msgspec

    from harness.reading.report.layout import nested

    found = [msgspec.to_builtins(record) for record in _records(folder, identity)]
    if form is TextOrJson.json:
        print_json(found)
        return
    for position, record in enumerate(found):
        if position:
            typer.echo()
        for name, value in record.items():
            for line in nested(name, value):
                typer.echo(line)


def _records(folder: Path, identity: str) -> list[Any]:
    from harness.records.store import read_folder

    found = read_folder(folder)
    kinds: tuple[dict[str, Any], ...] = (found.searches, found.outcomes, found.trainings, found.samplings)
    records = [record for kind in kinds for i, record in kind.items() if i.startswith(identity)]
    if not records:
        raise RecordError(f"{folder} has no record whose id begins with {identity!r}")
    if len(records) > 1:
        ids = ", ".join(r.id for r in records[:5]) + (", ..." if len(records) > 5 else "")
        raise RecordError(f"{len(records)} ids begin with {identity!r}: {ids}; give more of the id")
    return records + [o for o in found.outcomes.values() if o.spec.search == records[0].id]
