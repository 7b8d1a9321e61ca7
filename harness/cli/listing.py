"""``nas-harness list``: what is installed, by whom, and whether it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.settings import TextOrJson, open_console, open_registry, own_output, print_json
from harness.errors import PluginError, UnknownName

if TYPE_CHECKING:
    from harness.registry import Item, Registry

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
    found = [
        {
            "kind": item.kind,
            "name": item.name,
            "distribution": item.distribution,
            "version": item.version,
            **_item_status(item),
            "summary": item.summary,
        }
        for item in sorted(registry.items.values(), key=lambda i: (list(KINDS.values()).index(i.kind), i.name))
        if not what or item.kind == KINDS[what]
    ]
    return found + _broken(registry)


def _plugins(registry: Registry) -> list[dict[str, Any]]:
    provided: dict[tuple[str, str, str], list[str]] = {}
    for item in registry.items.values():
        provided.setdefault((item.plugin, item.distribution, item.version), []).append(f"{item.kind} {item.name}")
    found = [
        {
            "kind": "plugin",
            "name": plugin,
            "distribution": distribution,
            "version": version,
            **_status("ok"),
            "summary": ", ".join(sorted(names)),
        }
        for (plugin, distribution, version), names in sorted(provided.items())
    ]
    return found + _broken(registry)


def _broken(registry: Registry) -> list[dict[str, Any]]:
    return [
        {
            "kind": "plugin",
            "name": b.plugin,
            "distribution": b.distribution,
            "version": b.version,
            "status": "broken",
            "why": b.error,
            "summary": "",
        }
        for b in registry.broken
    ]


def _tasks(registry: Registry) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in registry.names("protocol"):
        item = registry.find("protocol", name)
        if item.status != "ok":
            continue
        try:
            protocol = registry.protocol(name)
        except PluginError as error:
            found.append(
                {
                    "kind": "protocol",
                    "name": name,
                    "distribution": item.distribution,
                    "version": item.version,
                    "status": "broken",
                    "why": str(error),
                    "summary": "",
                }
            )
            continue
        for task in protocol.tasks():
            found.append(
                {
                    "kind": "task",
                    "name": task.name,
                    "protocol": name,
                    "distribution": item.distribution,
                    "version": item.version,
                    "finals": list(task.finals),
                    "recorded": task.recorded,
                    "searchable": task.searchable,
                    **_status(protocol.missing(task) or "ok"),
                    "summary": task.summary,
                }
            )
    return found


def _item_status(item: Item) -> dict[str, str]:
    return {"status": "broken", "why": item.status} if item.status == item.broken else _status(item.status)


def _status(text: str) -> dict[str, str]:
    """``ok``, or ``missing`` with what is missing and the command that brings it."""
    return {"status": "ok", "why": ""} if text == "ok" else {"status": "missing", "why": text}


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
