"""``nas-harness data``: make tables from official benchmark files, and show what is known of both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.settings import TextOrJson, open_console, open_registry, print_json

if TYPE_CHECKING:
    from harness.data.tables import Progress
    from harness.protocol.datasets import Known

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A data set: nas-harness data list.", metavar="BENCHMARK")]
Format = Annotated[TextOrJson, typer.Option("--format", help="How to print.")]


@app.callback()
def data(
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Where tables live; else NAS_HARNESS_DATA, else the user's folder."),
    ] = None,
) -> None:
    """Turn official benchmark files into fast, checksummed tables.

    \b
    Examples:
      nas-harness data list
      nas-harness data import nasbench101 nasbench_only108.tfrecord
      nas-harness data verify nasbench101

    A study reads the tables from NAS_HARNESS_DATA, or from the user's data folder.
    """
    if data_dir is not None:
        os.environ["NAS_HARNESS_DATA"] = str(data_dir)


@app.command("list")
def list_(ctx: typer.Context, form: Format = TextOrJson.text) -> None:
    """List every data set that a protocol knows: what it is, size, licence, source, and whether it is here.

    here: yes, no, or which of its tasks; "at first use" where it comes with an installed package; "differs" where a
    published number differs from the table's (nas-harness data info); "damaged" where the table cannot be read
    (nas-harness data verify).
    """
    from harness.data.tables import data_dir
    from harness.protocol.datasets import describe_dataset, known_datasets
    from harness.reading.report.layout import print_listing, size

    known = known_datasets(open_registry(ctx).protocols())
    if form is TextOrJson.json:
        print_json([describe_dataset(k) for k in known])
        return
    rows = [(k.data.name, _here(k), size(k.data.size), k.data.licence, k.data.summary) for k in known]
    console = open_console()
    print_listing(console, ("data set", "here", "size", "licence", "what it is"), rows, right=("size",))
    for k in known:
        console.print(f"source of {k.data.name}: {k.data.source}", soft_wrap=True)
    console.print(f"data folder: {data_dir()}", soft_wrap=True)


def _here(known: Known) -> str:
    """In a word, whether a data set is here; where only a part is here, the names in its tasks."""
    from harness.errors import DataError
    from harness.protocol.datasets import known_answers

    if not known.data.present():
        return "at first use" if known.tasks_here() else "no"
    try:
        if not all(a.holds for a in known_answers(known.data)):
            return "differs"
    except DataError:
        return "damaged"
    tasks = known.tasks_here()
    if not tasks or len(tasks) == len(known.data.tasks):
        return "yes"
    return ", ".join(task.partition("/")[2] for task in tasks)


@app.command("import")
def import_(
    ctx: typer.Context,
    benchmark: Name,
    path: Annotated[Path, typer.Argument(help="The official file or folder, or a derived table.", metavar="PATH")],
) -> None:
    """Turn an official file into a table, and compare it with what has been published of the benchmark.

    The new table replaces an earlier one once it is whole.

    \b
    Example:
      nas-harness data import nasbench201 NAS-Bench-201-v1_1-096897.pth

    Exit status: 0 imported, and all agree; 1 imported, but a published number differs; 2 refused, nothing changed.
    """
    from harness.protocol.datasets import find_dataset, import_dataset

    registry = open_registry(ctx)
    known = find_dataset(registry.protocols(), benchmark)
    with _shown() as progress:
        folder = import_dataset(known.data, path, progress)
    _tell_import(find_dataset(registry.protocols(), benchmark), folder)


def _tell_import(known: Known, folder: Path) -> None:
    """Say where the table is, what can be run on it, and whether its numbers are the published; exit with 1 if not."""
    from harness.protocol.datasets import known_answers

    name = known.data.name
    typer.echo(f"{name}: imported into {folder}")
    typer.echo(f"tasks here: {', '.join(known.tasks_here())}")
    answers = known_answers(known.data)
    if not answers:
        return
    differing = [a for a in answers if not a.holds]
    if not differing:
        typer.echo(f"known answers: {len(answers)} of {len(answers)} agree")
        return
    typer.echo(
        f"{typer.style('warning:', fg='yellow', bold=True)} {name}: {len(differing)} of {len(answers)} known answers "
        f"differ. Either the file is not the published one, or its columns have wrong names:",
        err=True,
    )
    for a in differing:
        typer.echo(f"  {_answer_line(a.what, a.published, a.found, a.holds)}", err=True)
    typer.echo(f"The table is in place; remove it with: nas-harness data rm {name}", err=True)
    raise typer.Exit(1)


def _answer_line(what: str, published: float, found: float, agrees: bool) -> str:
    return f"{'agrees' if agrees else 'DIFFERS'}: {what}: published {published:.8g}, found {found:.8g}"


@app.command()
def fetch(
    ctx: typer.Context,
    benchmark: Name,
    file: Annotated[str | None, typer.Option("--file", help="Which of its files; the first by default.")] = None,
    only: Annotated[bool, typer.Option("--no-import", help="Download only.")] = False,
) -> None:
    """Download an official file, resumed and checked, import it, and compare it with what has been published.

    \b
    Example:
      nas-harness data fetch nasbench101 --file nasbench_only108.tfrecord

    Exit status: as import.
    """
    from harness.protocol.datasets import fetch_dataset, find_dataset, import_dataset

    registry = open_registry(ctx)
    known = find_dataset(registry.protocols(), benchmark)
    folder = None
    with _shown() as progress:
        path, digest = fetch_dataset(known.data, file, progress)
        typer.echo(f"{path}: SHA-256 {digest}")
        if not only and known.data.make is not None:
            folder = import_dataset(known.data, path, progress)
    if folder is not None:
        _tell_import(find_dataset(registry.protocols(), benchmark), folder)


@app.command()
def verify(ctx: typer.Context, benchmark: Name) -> None:
    """Compare a table with its checksums, and with what has been published of the benchmark.

    \b
    Example:
      nas-harness data verify nasbench201

    Exit status: 0 all agree; 1 a published number differs; 2 the table is damaged or missing.
    """
    from harness.protocol.datasets import find_dataset, verify_dataset

    folders, answers = verify_dataset(find_dataset(open_registry(ctx).protocols(), benchmark).data)
    for folder in folders:
        typer.echo(f"{folder}: every column agrees with its SHA-256")
    for a in answers:
        typer.echo(_answer_line(a.what, a.published, a.found, a.holds))
    if not all(a.holds for a in answers):
        raise typer.Exit(1)


@app.command()
def info(ctx: typer.Context, benchmark: Name, form: Format = TextOrJson.text) -> None:
    """Show what is known of a data set and of its tables here.

    \b
    Example:
      nas-harness data info nasbench201
    """
    from harness.protocol.datasets import describe_dataset, find_dataset

    found = describe_dataset(find_dataset(open_registry(ctx).protocols(), benchmark))
    if form is TextOrJson.json:
        print_json(found)
        return
    from harness.reading.report.layout import nested, size

    tables, files = found.pop("tables"), found.pop("files")
    found["size"] = None if found["size"] is None else size(found["size"])
    if found["tasks_here"] == found["tasks"]:
        del found["tasks_here"]
    for name, value in found.items():
        if value not in (None, "", []):
            typer.echo("\n".join(nested(name.replace("_", " "), value)))
    for f in files:
        typer.echo(f"official file: {f['name']}  {f['url']}  SHA-256 {f['sha256'] or 'not published'}")
    for table in tables:
        typer.echo("")
        typer.echo("\n".join(_table_lines(table)))


def _table_lines(table: dict[str, Any]) -> list[str]:
    from harness.reading.report.layout import nested, size

    facts, answers = table.pop("facts"), table.pop("known_answers")
    shown = {**table, "rows": f"{table['rows']:,}", "size": size(table["bytes"])} | facts
    del shown["bytes"]
    lines = [f"table: {shown.pop('folder')}"]
    for name, value in shown.items():
        lines += nested(name.replace("_", " "), value, 2)
    if not answers:
        return [*lines, "  known answers: none"]
    lines.append(f"  known answers: {sum(a['agrees'] for a in answers)} of {len(answers)} agree")
    return lines + [f"    {_answer_line(**a)}" for a in answers]


@app.command()
def rm(
    ctx: typer.Context,
    benchmark: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a data set's tables. Official files, yours or downloaded, stay.

    \b
    Example:
      nas-harness data rm nasbench201 --yes
    """
    from harness.data.tables import data_dir
    from harness.protocol.datasets import find_dataset, remove_dataset

    known = find_dataset(open_registry(ctx).protocols(), benchmark)
    if not yes:
        typer.confirm(
            f"Remove the tables of {benchmark} from {data_dir()} ({', '.join(known.data.folders)})?", abort=True
        )
    for folder in remove_dataset(known.data):
        typer.echo(f"removed {folder}")


@app.command()
def trainings(ctx: typer.Context, form: Format = TextOrJson.text) -> None:
    """List the trainings that are kept here, so that no study trains them again: kind, number, size, last use.

    \b
    Example:
      nas-harness data trainings
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from harness.reading.report.layout import print_listing, size

    found = [{"protocol": n, **asdict(s)} for n, p in open_registry(ctx).protocols().items() for s in p.stock()]
    if form is TextOrJson.json:
        print_json(found)
        return
    if not found:
        typer.echo("no trainings are kept here")
        return
    rows = [
        [s["protocol"], s["kind"], f"{s['trainings']:,}", size(s["bytes"]),
         datetime.fromtimestamp(s["used"], UTC).strftime("%Y-%m-%d %H:%M")]
        for s in found
    ]  # fmt: skip
    print_listing(open_console(), ["protocol", "kind", "trainings", "size", "last used (UTC)"], rows)
    typer.echo(f"together: {size(sum(s['bytes'] for s in found))}")


@app.command()
def prune(
    ctx: typer.Context,
    most: Annotated[str, typer.Option("--most", help="Keep at most so much, such as 500MB; 0B keeps nothing.")],
) -> None:
    """Remove kept trainings, the longest unused first. Those that go on keep their checkpoint.

    \b
    Example:
      nas-harness data prune --most 500MB
    """
    from harness.cli.study_options import parse_memory
    from harness.errors import counted
    from harness.reading.report.layout import size

    most_bytes = parse_memory(most, "--most")
    pruned = [p.prune(most_bytes) for p in open_registry(ctx).protocols().values()]
    removed, freed = sum(files for files, _ in pruned), sum(of for _, of in pruned)
    typer.echo(f"removed {counted(removed, 'file')}, {size(freed)}")


@contextmanager
def _shown() -> Iterator[Progress]:
    """A progress bar on a terminal, elsewhere a line for each tenth; on standard error."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        told: dict[str, int] = {}

        def line(what: str, share: float) -> None:
            tenth = int(share * 10)
            if told.get(what) != tenth:
                told[what] = tenth
                typer.echo(f"{what}: {10 * tenth} %", err=True)

        yield line
        return
    with Progress(console=console, transient=True) as bars:
        task = bars.add_task("", total=1.0)
        yield lambda what, share: bars.update(task, description=what, completed=share)
