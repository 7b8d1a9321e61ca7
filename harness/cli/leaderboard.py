"""``nas-harness leaderboard``: a static site of one or many results folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.settings import open_registry
from harness.errors import HarnessError

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def leaderboard(
    ctx: typer.Context,
    folders: Annotated[
        list[Path],
        typer.Argument(help="Folders of studies, or folders that hold some, such as results.", metavar="RESULTS..."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The site's folder; an earlier site is replaced.")],
) -> None:
    """Build a static site: an overview, a page a setting and a page a strategy. It opens from disk, without a server.

    \b
    Examples:
      nas-harness leaderboard results/quickstart --output site
      nas-harness leaderboard results/reference a-friends-results --output site
    """
    from importlib.util import find_spec

    if find_spec("jinja2") is None:
        raise HarnessError("a leaderboard needs jinja2, which is not installed: pip install 'nas-harness[site]'")
    from harness.reading.site.write import write_site

    told = write_site(folders, output, lambda: open_registry(ctx))
    typer.echo(f"{output / 'index.html'}: {told}")
