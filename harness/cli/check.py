"""``nas-harness check``: conformance of what is called by a name: strategy, space, protocol or task."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import completion
from harness.cli.settings import TextOrJson, open_registry, own_output, print_json, warn_of_broken
from harness.errors import UnknownName

if TYPE_CHECKING:
    from harness.testing.conformance import Report, Result

app = typer.Typer(add_completion=False, rich_markup_mode=None)

KINDS = ("strategy", "space", "protocol")
_NAME = "A strategy, a space, a protocol, or a task; or a class as MODULE:CLASS, installed or not."


@app.command()
def check(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help=_NAME, metavar="NAME", autocompletion=completion.things)],
    kind: Annotated[str, typer.Option("--kind", help=f"Only as {', '.join(KINDS[:-1])} or {KINDS[-1]}.")] = "",
    only: Annotated[
        list[str] | None, typer.Option("--only", help="The checks whose names begin so; may be repeated.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say what each check asks for, and show tracebacks.")
    ] = False,
    form: Annotated[TextOrJson, typer.Option("--format", help="How to print.")] = TextOrJson.text,
) -> None:
    """Run the conformance checks: how many there are, apply, passed, failed, were skipped or not run, with why.

    \b
    Examples:
      nas-harness check regularized-evolution
      nas-harness check nasbench-graph --kind space
      nas-harness check nasbench-graph/cora
      nas-harness check my_package.search:MyStrategy --only "the budget" --verbose

    Exit status: 0 it conforms; 1 a check failed, or one could not be run on anything; 2 bad input.
    """
    from harness.testing.conformance import check_named

    if kind and kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    registry = open_registry(ctx)
    warn_of_broken(registry)
    with own_output():
        heard = {"heard": _told} if sys.stderr.isatty() else {}
        reports = check_named(name, registry=registry, kind=kind, only=only or (), **heard)
    if form is TextOrJson.json:
        print_json([_plain(report) for report in reports])
    else:
        for report in reports:
            typer.echo(report.text(verbose=verbose))
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


def _told(result: Result) -> None:
    """Tells a terminal of a check as it ends."""
    typer.echo(f"{result.status:7} {result.seconds:5.1f} s  {result.check}", err=True)


def _plain(report: Report) -> dict[str, Any]:
    return {
        "kind": report.kind,
        "name": report.name,
        "ok": report.ok,
        "verdict": report.verdict,
        "checks": len(report.results),
        "ran": len(report.ran),
        "failed": len(report.failed),
        "skipped": len(report.skipped),
        "not_run": len(report.not_run),
        "seconds": report.seconds,
        "results": report.results,
    }
