"""``nas-harness results``: join, show and verify the records of studies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.settings import TextOrJson, open_registry, print_json
from harness.errors import HarnessError, RecordError, counted, visible

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def results() -> None:
    """Join the results of several machines, show records, verify a folder, or add results from elsewhere.

    \b
    Examples:
      nas-harness results merge laptop/first cluster/first --output both/first
      nas-harness results show results/first 3f2a
      nas-harness results verify results/first
      nas-harness results ingest published.csv --study published
    """


@app.command()
def ingest(
    file: Annotated[Path, typer.Argument(help="A CSV file, a final score a row.", metavar="FILE")],
    study: Annotated[str, typer.Option("--study", help="The name of the folder that the results go to.")],
    results: Annotated[Path, typer.Option("--results", help="Where studies are kept.")] = Path("results"),
) -> None:
    """Add results that were not made here, so that they get the same statistics.

    Columns: task, strategy, role (search, or sampling: a random architecture of the space that was searched), seed,
    test_accuracy in percent, empty for a run that is missing; and, where known, valid_accuracy, queries, epochs,
    seconds, train_seed, epoch, arch, source. Of several epochs of a run the last counts; of several final trainings,
    their mean. Nothing is filled in.

    \b
    Example:
      nas-harness results ingest published.csv --study published
      nas-harness report results/published

    Exit status: 0 added; 2 something in the file is wrong, and nothing was added.
    """
    from harness.records.ingesting import ingest as add
    from harness.running.study import NAME

    if not NAME.fullmatch(study):
        raise HarnessError(f"--study {study!r}: use letters, digits, '.', '_' and '-' (it names a folder)")
    folder = results / study
    found = add(file, folder)
    typer.echo(f"{folder}: {counted(len(found.ingested), 'result')} from elsewhere; nas-harness report {folder}")


@app.command()
def verify(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The folder of a study.", metavar="FOLDER")],
    sample: Annotated[
        int, typer.Option("--sample", min=0, help="How many searches of strategies are carried out again.")
    ] = 5,
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
    from harness.running.settings import Settings

    wrong = 0
    for said in check(folder, registry=open_registry(ctx), sample=sample, seed=seed, settings=Settings(jobs=jobs)):
        wrong += 1
        typer.echo(visible(said), err=True)
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
    more = f", {counted(len(found.ingested), 'result')} from elsewhere" if found.ingested else ""
    searches = counted(len(found.searches), "search", "searches")
    typer.echo(f"{output}: {searches}, {counted(len(found.plans), 'plan')}{more}")


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
    every: dict[str, Any] = {**found.searches, **found.outcomes, **found.trainings, **found.samplings, **found.ingested}
    records = [record for i, record in every.items() if i.startswith(identity)]
    if not records:
        raise RecordError(f"{folder} has no record whose id begins with {identity!r}")
    if len(records) > 1:
        ids = ", ".join(r.id for r in records[:5]) + (", ..." if len(records) > 5 else "")
        raise RecordError(f"{len(records)} ids begin with {identity!r}: {ids}; give more of the id")
    return records + [o for o in found.outcomes.values() if o.spec.search == records[0].id]
