"""What a class says of itself in its module's source. It is read without an import, even of the packages around it."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any


@dataclass(frozen=True, slots=True)
class Said:
    """The name of a class (empty where it is no plain string), and its summary."""

    name: str = ""
    summary: str = ""


def find_module(name: str) -> ModuleSpec | None:
    """The place of a module, found without importing its packages; None where it is not on the path."""
    package = name.rpartition(".")[0]
    try:
        if not package:
            return importlib.util.find_spec(name)
        parent = find_module(package)
        return PathFinder.find_spec(name, parent.submodule_search_locations) if parent is not None else None
    except (ImportError, ValueError):  # ValueError: not the name of a module, or the module was made without a spec
        return None


def present(module: str) -> bool:
    """Whether a module can be imported, as far as that is known without an import."""
    return module in sys.modules or find_module(module) is not None


def read(load: str) -> Said:
    """What stands in the source of the class at ``module:attribute``; nothing where no such class is found there."""
    module, _, attribute = load.partition(":")
    spec = find_module(module)
    source = getattr(spec.loader, "get_source", lambda _: None)(module) if spec is not None else None
    if source is None:
        return Said()
    try:
        tree = _tree(source)
    except SyntaxError:  # importing it says where
        return Said()
    body: list[ast.stmt] = tree.body
    found: ast.ClassDef | None = None
    for part in attribute.split("."):
        found = next((n for n in reversed(body) if isinstance(n, ast.ClassDef) and n.name == part), None)
        if found is None:
            return Said()
        body = found.body
    return Said(_text(body, "name", tree.body), summary_line(ast.get_docstring(found) or "") if found else "")


@lru_cache(maxsize=4)
def _tree(source: str) -> ast.Module:
    """Cached: several classes of one module are mostly read one after the other."""
    return ast.parse(source)


def _text(body: list[ast.stmt], name: str, module: list[ast.stmt]) -> str:
    """The plain string that ``name`` is set to in the class, directly or by a constant of the module."""
    for node in reversed(body):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(t, ast.Name) and t.id == name for t in targets):
            value: Any = node.value  # type: ignore[attr-defined]
            if isinstance(value, ast.Name) and body is not module:
                return _text(module, value.id, module)
            return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
    return ""


def documentation(target: Any) -> str:
    """The class's docstring, or that of a base in the same module. A base of the harness does not describe it."""
    if not isinstance(target, type):
        return inspect.getdoc(target) or ""
    owner = next((c for c in target.__mro__ if c.__dict__.get("__doc__")), object)
    if owner is not target and owner.__module__.partition(".")[0] in ("harness", "builtins"):
        return ""
    return inspect.cleandoc(str(owner.__doc__))


def summary_line(text: str) -> str:
    """The summary in a docstring: its first line, without the full stop."""
    return text.partition("\n")[0].removesuffix(".")
