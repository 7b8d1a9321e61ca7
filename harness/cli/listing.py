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
    found = [
        _line(
            item.kind,
            item.name,
            item,
            _status(item.status, "broken" if item.status == item.broken else "missing"),
            item.summary,
        )
        for item in sorted(registry.items.values(), key=lambda i: (list(KINDS.values()).index(i.kind), i.name))
        if not what or item.kind == KINDS[what]
    ]
    return found + _broken(registry)


def _plugins(registry: Registry) -> list[dict[str, Any]]:
    provided: dict[tuple[str, str, str], list[Item]] = {}
    for item in registry.items.values():
        provided.setdefault((item.plugin, item.distribution, item.version), []).append(item)
    found = [
        _line("plugin", plugin, items[0], _status("ok"), ", ".join(sorted(f"{i.kind} {i.name}" for i in items)))
        for (plugin, _, _), items in sorted(provided.items(), key=lambda pair: pair[0])
    ]
    return found + _broken(registry)


def _broken(registry: Registry) -> list[dict[str, Any]]:
    return [_line("plugin", b.plugin, b, _status(b.error, "broken"), "") for b in registry.broken]


def _line(kind: str, name: str, by: Item | Broken, status: dict[str, str], summary: str) -> dict[str, Any]:
    by_whom = {"distribution": by.distribution, "version": by.version}
    return {"kind": kind, "name": name, **by_whom, **status, "summary": summary}


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
            found.append(_line("protocol", name, item, _status(why, "broken"), ""))
    return found


def _tasks_of(protocol: TrainingProtocol, item: Item) -> list[dict[str, Any]]:
    return [
        {
            "kind": "task",
            "name": task.name,
            "protocol": item.name,
            "distribution": item.distribution,
            "version": item.version,
            "finals": list(task.finals),
            "recorded": task.recorded,
            "searchable": task.searchable,
            **_status(protocol.missing(task) or "ok"),
            "summary": task.summary,
        }
        for task in protocol.tasks()
    ]


def _status(text: str, otherwise: str = "missing") -> dict[str, str]:
    """``ok``; else ``missing`` with what is missing and the command that brings it, or ``broken`` with why."""
    return {"status": "ok", "why": ""} if text == "ok" else {"status": otherwise, "why": text}


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
