"""``nas-harness list``: what is installed, by whom, and whether it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.settings import TextOrJson, open_console, open_registry, own_output, print_json
from harness.errors import HarnessError, UnknownName

if TYPE_CHECKING:
    from harness.protocol import TrainingProtocol
    from harness.registry import Broken, Item, Registry

app = typer.Typer(add_completion=False, rich_markup_mode=None)

KINDS = {
    "strategies": "strategy",
    "protocols": "protocol",
    "spaces": "space",
    "executors": "executor",
    "metrics": "metric",
    "networks": "network",
}
WHAT = (*KINDS, "tasks", "plugins")


@app.command()
def list_installed(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(help=f"One of {', '.join(WHAT)}; default: all but tasks.")] = "",
    form: Annotated[TextOrJson, typer.Option("--format", help="How to print.")] = TextOrJson.text,
) -> None:
    """List what is installed: kind, name, distribution, version, status and, where broken, why.

    \b
    Examples:
      nas-harness list
      nas-harness list tasks
      nas-harness list strategies --format json
    """
    if what and what not in WHAT:
        raise UnknownName("kind", what, WHAT)
    with own_output():
        registry = open_registry(ctx)
        tasks, plugins = what == "tasks", what == "plugins"
        lines = _tasks(registry) if tasks else _plugins(registry) if plugins else _items(registry, what)
    if form is TextOrJson.json:
        print_json(lines)
        return
    _print(lines, what)


def _items(registry: Registry, what: str) -> list[dict[str, Any]]:
    order = list(KINDS.values())
    items = sorted(registry.items.values(), key=lambda i: (order.index(i.kind), i.name))
    found = [_of_item(item) for item in items if not what or item.kind == KINDS[what]]
    return found + _broken(registry)


def _of_item(item: Item) -> dict[str, Any]:
    why = "" if item.status == "ok" else item.status
    return _line(item.kind, item.name, item, item.summary, why, "broken" if why == item.broken else "missing")


def _plugins(registry: Registry) -> list[dict[str, Any]]:
    provided: dict[tuple[str, str, str], list[Item]] = {}
    for item in registry.items.values():
        provided.setdefault((item.plugin, item.distribution, item.version), []).append(item)
    found = [
        _line("plugin", plugin, items[0], ", ".join(sorted(f"{i.kind} {i.name}" for i in items)))
        for (plugin, _, _), items in sorted(provided.items(), key=lambda pair: pair[0])
    ]
    return found + _broken(registry)


def _broken(registry: Registry) -> list[dict[str, Any]]:
    return [_line("plugin", b.plugin, b, "", b.error, "broken") for b in registry.broken]


def _line(
    kind: str, name: str, by: Item | Broken, summary: str, why: str = "", otherwise: str = "missing", **more: Any
) -> dict[str, Any]:
    """Status: ``ok``, or ``missing`` with the command that brings it, or ``broken``; why: what is missing or wrong."""
    return {
        "kind": kind, "name": name, "distribution": by.distribution, "version": by.version, **more,
        "status": otherwise if why else "ok", "why": why, "summary": summary,
    }  # fmt: skip


def _tasks(registry: Registry) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in registry.names("protocol"):
        item = registry.find("protocol", name)
        if item.status != "ok":
            continue
        try:
            found += _tasks_of(registry.protocol(name), item)
        except Exception as error:  # a broken protocol does not hide the tasks of the others
            why = str(error) if isinstance(error, HarnessError) else f"lists no tasks: {type(error).__name__}: {error}"
            found.append(_line("protocol", name, item, "", why, "broken"))
    return found


def _tasks_of(protocol: TrainingProtocol, item: Item) -> list[dict[str, Any]]:
    return [
        _line(
            "task", task.name, item, task.summary, protocol.missing(task) or "",
            protocol=item.name, finals=task.finals, recorded=task.recorded, searchable=task.searchable,
        )
        for task in protocol.tasks()
    ]  # fmt: skip


def _print(lines: list[dict[str, Any]], what: str) -> None:
    if not lines:
        typer.echo(f"no {what or 'plugins'} installed")
        return
    from harness.reading.report.layout import print_listing

    console = open_console()
    header = [c for c in ("kind", "name", "distribution", "version", "status", "summary") if not (what and c == "kind")]
    styles = {"missing": "yellow", "broken": "red"}
    rows = [[str(line[c]) for c in header] for line in lines]
    print_listing(console, header, rows, styles=[styles.get(line["status"]) for line in lines])
    for line in lines:
        if line["why"]:
            console.print(f"{line['kind']} {line['name']}: {line['why']}", style=styles[line["status"]], soft_wrap=True)
