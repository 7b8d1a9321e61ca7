"""``nas-harness describe``: one thing in full; for a strategy its parameters with types, defaults and meaning."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli import completion
from harness.cli.settings import TextOrJson, open_console, open_registry, own_output, print_json, warn_of_broken

_NAME = "A strategy, task, protocol, space, executor or metric; or a class as MODULE:CLASS, installed or not."

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def describe(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help=_NAME, metavar="NAME", autocompletion=completion.things)],
    kind: Annotated[str, typer.Option("--kind", help="The kind, where several things share the name.")] = "",
    form: Annotated[TextOrJson, typer.Option("--format", help="How to print.")] = TextOrJson.text,
) -> None:
    """Describe a strategy with its parameters, modes and ablations, or a task, a protocol, a space.

    \b
    Examples:
      nas-harness describe regularized-evolution
      nas-harness describe nasbench-graph/cora
      nas-harness describe my_package.search:MyStrategy
    """
    from harness.reading.report.description import describe_name, print_description

    registry = open_registry(ctx)
    warn_of_broken(registry)
    with own_output():
        description = describe_name(registry, name, kind or None)
    if form is TextOrJson.json:
        print_json(description)
    else:
        print_description(description, open_console())
