"""``nas-harness debug``: one search of a study again, in this process, with every query and the traceback."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.settings import StudyFolder, open_registry
from harness.errors import shortened, visible

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def debug(
    ctx: typer.Context,
    folder: StudyFolder,
    identity: Annotated[
        str, typer.Argument(help="A search, by how its id begins; default: the first that failed.", metavar="[ID]")
    ] = "",
    pdb: Annotated[bool, typer.Option("--pdb", help="Open the debugger where the search raised.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not show queries.")] = False,
) -> None:
    """Carry out one search again in this process: every query is shown, and the traceback of what it raised.

    \b
    Examples:
      nas-harness debug results/mine
      nas-harness debug results/mine 3f2a --pdb

    Exit status: 0 the search ended well; 1 it failed; 2 bad input.
    """
    from harness.running.environment import start_single_threaded

    start_single_threaded()
    from harness.reading.debug import debug as again

    found = again(folder, identity, registry=open_registry(ctx), show=(lambda line: None) if quiet else typer.echo)
    if found.changed:
        typer.echo("note: the strategy's code is other than it was when the record was made", err=True)
    if found.now.error is None:
        typer.echo(f"it ended well ({found.now.ended_by}): {len(found.now.returned)} architectures returned")
        return
    typer.echo(visible(found.traceback), nl=False, err=True)
    typer.echo(f"{found.title}: {found.now.status}: {shortened(found.now.error)}", err=True)
    if pdb and found.now.raised is not None:
        import pdb as debugger

        debugger.post_mortem(found.now.raised.__traceback__)
    raise typer.Exit(1)
