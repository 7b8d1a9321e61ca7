"""``nas-harness data``: from official benchmark files to tables, and what is known of both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.settings import TextOrJson, open_console, open_registry, print_json

if TYPE_CHECKING:
    from harness.tables import Progress

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
    """List every data set that a protocol knows: what it is, size, licence, source, present or not."""
    from rich.table import Table as Grid

    from harness.datasets import describe_dataset, known_datasets
    from harness.tables import data_dir

    known = known_datasets(open_registry(ctx))
    if form is TextOrJson.json:
        print_json([describe_dataset(k) for k in known])
        return
    grid = Grid(box=None, pad_edge=False)
    for column in ("data set", "here", "size", "licence", "what it is, and its source"):
        grid.add_column(column, overflow="fold", justify="right" if column == "size" else "left")
    for k in known:
        here = "yes" if k.present() else "no"
        grid.add_row(k.data.name, here, _size(k.data.size), k.data.licence, f"{k.data.summary}\n{k.data.source}")
    console = open_console()
    console.print(grid)
    console.print(f"data folder: {data_dir()}", soft_wrap=True)


@app.command("import")
def import_(
    ctx: typer.Context,
    benchmark: Name,
    path: Annotated[Path, typer.Argument(help="The official file or folder, or a derived table.", metavar="PATH")],
) -> None:
    """Turn an official file into a table; one that is there already is replaced once the new one is whole.

    \b
    Example:
      nas-harness data import nasbench201 NAS-Bench-201-v1_1-096897.pth
    """
    from harness.datasets import find_dataset, import_dataset

    known = find_dataset(open_registry(ctx), benchmark)
    with _shown() as progress:
        folder = import_dataset(known.data, path, progress)
    typer.echo(f"{benchmark}: imported into {folder}")
    typer.echo(f"tasks: {', '.join(known.data.tasks)}")


@app.command()
def fetch(
    ctx: typer.Context,
    benchmark: Name,
    file: Annotated[str | None, typer.Option("--file", help="Which of its files; the first by default.")] = None,
    only: Annotated[bool, typer.Option("--no-import", help="Download only.")] = False,
) -> None:
    """Download an official file, resumed and checked, and import it.

    \b
    Example:
      nas-harness data fetch nasbench101 --file nasbench_only108.tfrecord
    """
    from harness.datasets import fetch_dataset, find_dataset, import_dataset

    known = find_dataset(open_registry(ctx), benchmark)
    with _shown() as progress:
        path, digest = fetch_dataset(known.data, file, progress)
        typer.echo(f"{path}: SHA-256 {digest}")
        if not only and known.data.make is not None:
            typer.echo(f"{benchmark}: imported into {import_dataset(known.data, path, progress)}")


@app.command()
def verify(ctx: typer.Context, benchmark: Name) -> None:
    """Compare a table with its checksums, and with what has been published of the benchmark.

    \b
    Example:
      nas-harness data verify nasbench201

    Exit status: 0 all agree; 1 a published number differs; 2 the table is damaged or missing.
    """
    from harness.datasets import find_dataset, verify_dataset

    folders, answers = verify_dataset(find_dataset(open_registry(ctx), benchmark).data)
    for folder in folders:
        typer.echo(f"{folder}: every column agrees with its SHA-256")
    for a in answers:
        verdict = "agrees" if a.holds else "DIFFERS"
        typer.echo(f"{verdict}: {a.what}: published {a.published:g}, found {a.found:.6g}")
    if not all(a.holds for a in answers):
        raise typer.Exit(1)


@app.command()
def info(ctx: typer.Context, benchmark: Name, form: Format = TextOrJson.text) -> None:
    """Say what is known of a data set and of its tables here.

    \b
    Example:
      nas-harness data info nasbench201
    """
    from harness.datasets import describe_dataset, find_dataset

    found = describe_dataset(find_dataset(open_registry(ctx), benchmark))
    if form is TextOrJson.json:
        print_json(found)
        return
    tables, files = found.pop("tables"), found.pop("files")
    for name, value in found.items():
        if value not in (None, "", []):
            typer.echo(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
    for f in files:
        typer.echo(f"official file: {f['name']}  {f['url']}  SHA-256 {f['sha256'] or 'not published'}")
    for table in tables:
        typer.echo("")
        facts = table.pop("facts")
        for name, value in {**table, **facts}.items():
            typer.echo(f"  {name}: {value}")


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
    from harness.datasets import find_dataset, remove_dataset
    from harness.tables import data_dir

    known = find_dataset(open_registry(ctx), benchmark)
    if not yes:
        typer.confirm(f"Remove the tables of {benchmark} from {data_dir()}?", abort=True)
    for folder in remove_dataset(known.data):
        typer.echo(f"removed {folder}")


def _size(size: int | None) -> str:
    if size is None:
        return "-"
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


@contextmanager
def _shown() -> Iterator[Progress]:
    """A progress bar on a terminal, a line a tenth elsewhere, on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

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
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, object] = {}

        def show(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=1.0)
            bars.update(tasks[what], completed=share)  # type: ignore[arg-type]

        yield show
