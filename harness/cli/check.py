"""``nas-harness check``: conformance of what is called by a name: strategy, space, protocol or task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.settings import TextOrJson, open_registry, print_json
from harness.errors import UnknownName

if TYPE_CHECKING:
    from harness.registry import Registry
    from harness.testing.conformance import Report

app = typer.Typer(add_completion=False, rich_markup_mode=None)

KINDS = ("strategy", "space", "protocol")
_NAME = "A strategy, a space, a protocol, or a task; or a class as MODULE:CLASS, installed or not."


@app.command()
def check(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help=_NAME, metavar="NAME")],
    kind: Annotated[str, typer.Option("--kind", help=f"Only as {', '.join(KINDS[:-1])} or {KINDS[-1]}.")] = "",
    form: Annotated[TextOrJson, typer.Option("--format", help="How to print.")] = TextOrJson.text,
) -> None:
    """Run the conformance checks: how many there are, apply, passed, failed, and were skipped with why.

    \b
    Examples:
      nas-harness check regularized-evolution
      nas-harness check nasbench-graph --kind space
      nas-harness check my_package.search:MyStrategy

    Exit status: 0 it conforms; 1 a check failed or none ran.
    """
    if kind and kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    reports = _reports(open_registry(ctx), name, kind)
    if form is TextOrJson.json:
        print_json([_plain(report) for report in reports])
    else:
        for report in reports:
            typer.echo(str(report))
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


def _reports(registry: Registry, name: str, kind: str) -> list[Report]:
    from harness.testing.conformance import check_named, check_protocol, check_space, check_strategy

    if kind == "strategy":
        return [check_strategy(registry.load("strategy", name), registry=registry)]
    if kind == "space":
        return [check_space(registry.load("space", name))]
    if kind == "protocol":
        return [check_protocol(registry.load("protocol", name))]
    return check_named(name, registry=registry)


def _plain(report: Report) -> dict[str, Any]:
    return {
        "kind": report.kind,
        "name": report.name,
        "ok": report.ok,
        "checks": len(report.results),
        "ran": len(report.ran),
        "failed": len(report.failed),
        "skipped": len(report.skipped),
        "seconds": report.seconds,
        "results": [{"check": r.check, "status": r.status, "why": r.why} for r in report.results],
    }
