"""``nas-harness new``: a distribution with a plugin that works, its tests and its gate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.settings import open_registry
from harness.errors import HarnessError

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def new(
    ctx: typer.Context,
    kind: Annotated[str, typer.Argument(help="strategy, protocol, space or metric.", metavar="KIND")],
    name: Annotated[str, typer.Argument(help="Small letters, digits and dashes, such as my-search.", metavar="NAME")],
    folder: Annotated[Path, typer.Option("--in", help="Where its folder is made; default here.")] = Path(),
) -> None:
    """Make a plugin: package, entry point, tests with conformance and a gate, README and workflow, in the folder NAME.

    \b
    Examples:
      nas-harness new strategy my-search
      nas-harness new protocol my-benchmark --in ~/plugins
    """
    from importlib.util import find_spec

    if find_spec("jinja2") is None:
        raise HarnessError("a new plugin needs jinja2, which is not installed: pip install 'nas-harness[new]'")
    from harness.testing.kit import make_plugin

    for path in make_plugin(kind, name, folder, registry=open_registry(ctx)):
        typer.echo(path)
    typer.echo(f'next: cd {folder / name} && pip install -e ".[test]" && pytest')
