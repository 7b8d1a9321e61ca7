"""The description of one installed thing: as plain values, and printed."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from harness.errors import DataMissing, UnknownName
from harness.hookspecs import KINDS, Kind
from harness.reading.report.formats import fields_of
from harness.reading.report.layout import nested, plain, print_listing
from harness.registry.items import uninstalled
from harness.registry.source import documentation
from harness.running.plan import Evaluators

if TYPE_CHECKING:
    from rich.console import Console

    from harness.registry import Item, Registry

_ALWAYS = ("name", "default")
_LINE = 100
_BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def describe_name(registry: Registry, name: str, kind: str | None = None) -> dict[str, Any]:
    """The description of the thing called ``name``, of any kind where ``kind`` is None; or of the class at
    ``module:attribute``, installed or not.

    Raises UnknownName with the nearest names of all kinds, PluginError where it does not load.
    """
    kinds = (*KINDS, "task")
    if kind is not None and kind not in kinds:
        raise UnknownName("kind", kind, kinds)
    if kind == "task":
        return _task(registry, name)
    if ":" in name and "/" not in name:  # a task of images:NAME has both
        return _item(registry, uninstalled(name))
    if kind is not None:
        return _item(registry, registry.find(typing.cast(Kind, kind), name))
    for k in KINDS:
        if (k, name) in registry.items:
            return _item(registry, registry.items[k, name])
    try:
        return _task(registry, name)
    except UnknownName as error:
        if error.kind != "task":  # a part of a task's name
            raise
        raise UnknownName(
            "name", name, {*error.known, *(n for _, n in registry.items)}, hint="nas-harness list"
        ) from None


def _item(registry: Registry, item: Item) -> dict[str, Any]:
    found = fields_of(item, "kind", "name", "distribution", "version", "status", "summary")
    if item.status != "ok":
        return found
    target = item.load()
    if item.kind == "strategy":
        return found | _strategy(target)
    if item.kind == "space":
        return found | _space(target())
    found["documentation"] = documentation(target)
    if item.kind == "protocol":
        protocol = registry.protocol(item.name) if item.plugin else target()
        found["tasks"] = [
            {"name": t.name, "status": protocol.missing(t) or "ok", "summary": t.summary} for t in protocol.tasks()
        ]
    return found


def _strategy(cls: Any) -> dict[str, Any]:
    return {
        "documentation": documentation(cls),
        "paper": cls.paper or None,
        "needs": sorted(cls.needs),
        "parameters": parameters(cls.Params),
        "modes": {name: msgspec.to_builtins(mode) for name, mode in cls.modes.items()},
        "ablations": {name: dict(changes) for name, changes in cls.ablations.items()},
    }


def parameters(params: type[msgspec.Struct]) -> list[dict[str, Any]]:
    """Name, type, default, bounds and meaning of each field of a strategy's parameters, in their order."""
    hints = typing.get_type_hints(params, include_extras=True)
    found = []
    for field in msgspec.structs.fields(params):
        metas = _metas(hints[field.name])
        default = field.default
        if default is msgspec.NODEFAULT:
            default = None if field.required else field.default_factory()
        bounds = [
            f"{sign} {value}" for m in metas for key, sign in _BOUNDS.items() if (value := getattr(m, key)) is not None
        ]
        found.append(
            {
                "name": field.name,
                "type": _type_text(hints[field.name]),
                "required": field.required,
                "default": msgspec.to_builtins(default),
                "bounds": ", ".join(bounds),
                "meaning": " ".join(m.description for m in metas if m.description),
            }
        )
    return found


def _metas(hint: Any) -> list[msgspec.Meta]:
    """Every `msgspec.Meta` in an annotation, the outermost first."""
    own = [m for m in getattr(hint, "__metadata__", ()) if isinstance(m, msgspec.Meta)]
    return own + [m for arg in typing.get_args(hint) if not isinstance(arg, msgspec.Meta) for m in _metas(arg)]


def _type_text(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _type_text(args[0])
    if origin is typing.Literal:
        return " | ".join(repr(a) for a in args)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(_type_text(a) for a in args)
    if hint is type(None):
        return "none"
    if origin is not None:
        inside = ", ".join("..." if a is Ellipsis else _type_text(a) for a in args)
        return f"{getattr(origin, '__name__', origin)}[{inside}]"
    return getattr(hint, "__name__", str(hint))


def _space(space: Any) -> dict[str, Any]:
    return {
        "documentation": documentation(type(space)),
        "size": space.size,
        "choices": [{"name": c.name, "options": [str(o) for o in c.options]} for c in space.choices],
        "law": getattr(space, "default_law", None),
        "laws": list(space.laws),
        "scripts": sorted(space.scripts),
    }


def _task(registry: Registry, name: str) -> dict[str, Any]:
    task = registry.task(name)
    item = registry.find("protocol", task.protocol)
    found: dict[str, Any] = {
        "kind": "task",
        "name": task.name,
        **fields_of(item, "distribution", "version"),
        "status": "ok",
        **fields_of(task, "summary", "protocol", "finals", "recorded", "searchable"),
    }
    try:
        evaluator = Evaluators(registry)(name)
    except DataMissing as missing:
        return found | {"status": str(missing)}
    found |= {
        "space": evaluator.space.name,
        "law": evaluator.law,
        "laws": list(evaluator.space.laws),
        "score": msgspec.to_builtins(evaluator.score),
        "split": evaluator.final_split,
        "columns": list(evaluator.columns),
        "data_digest": evaluator.data_digest,
        "provenance": evaluator.provenance(),
    }
    if task.searchable:
        validator = evaluator.validator()
        found |= {
            "fidelities": [msgspec.to_builtins(f) for f in validator.fidelities],
            "rows": validator.rows,
            "repeats": list(validator.repeats),
            "records_seconds": validator.records_seconds,
        }
    truth = evaluator.truth(task.finals[0])
    if truth is not None:
        mean, std = truth.mean_std(evaluator.law)
        found["random_sampling"] = {"law": evaluator.law, "mean": mean, "std": std}
    if measured := evaluator.measured():
        found["measured"] = measured
    return found


def print_description(description: Mapping[str, Any], console: Console) -> None:
    """Head line, documentation, the fields of one line; then each longer field under a title of its own."""
    d = dict(description)
    by = f"{d.pop('distribution')} {d.pop('version')}".strip() or "not installed"
    head = f"{d.pop('kind')} {d.pop('name')}  ({by})"
    console.print(head, style="bold")
    text = d.pop("documentation", "") or d["summary"]
    d.pop("summary")
    for paragraph in text.split("\n\n"):
        console.print(" ".join(paragraph.split()))
    if d.get("status") == "ok":
        del d["status"]
    lines = {key: f"{key.replace('_', ' ')}: {plain(value)}" for key, value in d.items() if not _is_part(value)}
    for line in lines.values():
        console.print(line, soft_wrap=True)
    for key in (k for k in d if k not in lines):
        console.print(f"\n{key.replace('_', ' ')}", style="bold")
        _print_part(d[key], console)


def _is_part(value: Any) -> bool:
    """Whether it is a table, or a mapping that is too long for a line."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], dict)
    if not isinstance(value, dict):
        return False
    return len(plain(value)) > _LINE or (bool(value) and all(isinstance(v, dict) for v in value.values()))


def _print_part(value: Any, console: Console) -> None:
    if isinstance(value, list):
        _print_table(value, console)
    elif all(isinstance(v, dict) for v in value.values()):
        _print_table([{"name": name, **_flat(v)} for name, v in value.items()], console)
    else:
        for name, v in value.items():
            console.print("\n".join(nested(name, v, 2)), soft_wrap=True)


def _flat(changes: Mapping[str, Any]) -> dict[str, Any]:
    """A mode in several columns; an ablation, whose keys differ, in one column."""
    if "oracle" in changes:
        return dict(changes)
    return {"changes": ", ".join(f"{k} = {v}" for k, v in changes.items())}


def _print_table(lines: list[dict[str, Any]], console: Console) -> None:
    columns = [c for c in lines[0] if c in _ALWAYS or any(line.get(c) not in ("", None, False) for line in lines)]
    rows = [
        ["required" if c == "default" and line.get("required") else plain(line.get(c)) for c in columns]
        for line in lines
    ]
    print_listing(console, columns, rows, header_style="dim", whole=1)
