"""One thing that a plugin provides. It is found without an import, and loaded and checked when it is asked for."""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass
from typing import Any

from harness.errors import PluginError
from harness.hookspecs import HOOK_OF, Kind, Provides
from harness.registry.source import documentation, present, read, summary_line

_BASE_OF: dict[Kind, tuple[str, str]] = {
    "strategy": ("harness.strategy", "Strategy"),
    "protocol": ("harness.protocol", "TrainingProtocol"),
    "space": ("harness.spaces", "SearchSpace"),
    "executor": ("harness.running.execution", "Executor"),
    "network": ("harness.spaces", "Networks"),
}
"""What a class of each kind is a subclass of."""
_CALLED: tuple[Kind, ...] = ("space", "metric")
"""Kinds of which a plugin may also provide functions."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a plugin provides, and who provides it."""

    kind: Kind
    name: str
    summary: str
    provides: Provides
    plugin: str
    distribution: str
    version: str
    target: Any = None
    """The class itself where the plugin gave one instead of `Provides`."""

    @property
    def title(self) -> str:
        """How it is called in messages."""
        return f"{self.kind} {self.name!r}" + (f" of {self.distribution} {self.version}" if self.distribution else "")

    @property
    def status(self) -> str:
        """``ok``, or what is missing and the command that installs it, or what is `broken`."""
        return absent(self.provides) or self.broken or "ok"

    @property
    def broken(self) -> str:
        """Why it cannot load, as far as that is known without an import; else empty."""
        return "" if self.target is not None else misplaced(self.provides.load)

    def load(self) -> Any:
        """Import it. Raises PluginError where a library is missing, the import fails, or it is not of its kind."""
        if self.status != "ok":
            raise PluginError(f"{self.title}: {self.status}")
        try:
            found = self.target if self.target is not None else import_target(self.provides.load)
            check_kind(self.kind, found, self.provides.load)
        except PluginError as error:
            raise PluginError(f"{self.title}: {error}") from error
        own = getattr(found, "name", None)
        if isinstance(own, str) and own != self.name:
            raise PluginError(f"{self.title}: {self.provides.load!r} calls itself {own!r}; let both names be one")
        return found


def find_item(kind: Kind, provided: Any, plugin: str, distribution: str, version: str) -> Item:
    """What a hook gave, with its name and summary. Raises PluginError where it is of the wrong type.

    Name and summary are read from the source of its class. The class is imported only where the source does not say
    its name.
    """
    if not isinstance(provided, (Provides, type)):
        raise PluginError(f'{HOOK_OF[kind]} gave {provided!r}: write Provides("module:attribute"), or the class itself')
    if isinstance(provided, type):
        where = f"{provided.__module__}:{provided.__qualname__}"
        name, summary = _own_name(kind, provided, where), summary_line(documentation(provided))
        return Item(kind, name, summary, Provides(where), plugin, distribution, version, provided)
    name, summary = provided.name, provided.summary
    if not (name and summary):
        said = read(provided.load)
        name, summary = name or said.name, summary or said.summary
    if not name:
        if why := misplaced(provided.load) or absent(provided):
            raise PluginError(f"{kind}: {why}")
        found = import_target(provided.load)
        name, summary = _own_name(kind, found, provided.load), summary or summary_line(documentation(found))
    return Item(kind, name, summary, provided, plugin, distribution, version)


def uninstalled(load: str) -> Item:
    """The class of a known kind at ``module:attribute``, installed or not. The working folder is searched first.

    Raises PluginError.
    """
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    if why := misplaced(load):
        raise PluginError(why)
    found = import_target(load)
    for kind, (module, name) in _BASE_OF.items():
        if isinstance(found, type) and issubclass(found, getattr(importlib.import_module(module), name)):
            return find_item(kind, found, "", "", "")
    raise PluginError(f"{load!r} is none of {', '.join(f'harness.{name}' for _, name in _BASE_OF.values())}")


def _own_name(kind: Kind, found: Any, where: str) -> str:
    name = getattr(found, "name", None)
    if isinstance(name, str) and name:
        return name
    if isinstance(found, type):
        raise PluginError(f'{kind} {where!r} has no name: write name = "..." in the class')
    raise PluginError(f'{kind} {where!r} is no class: give its name, Provides({where!r}, name="...", summary="...")')


def absent(provides: Provides) -> str:
    """Which of the required libraries are missing, and the command that installs them; else empty."""
    lacking = [m for m in provides.requires if not present(m)]
    if not lacking:
        return ""
    return f"needs {', '.join(lacking)}" + (f": {provides.install}" if provides.install else "")


def misplaced(load: str) -> str:
    """Why ``module:attribute`` cannot load, as far as that is known without an import; else empty."""
    module, colon, attribute = load.partition(":")
    if not (module and colon and attribute):
        return f"{load!r} is not module:attribute"
    if not present(module):
        return f"{load!r} does not load: there is no module {module!r}"
    return ""


def import_target(load: str) -> Any:
    """What stands at ``module:attribute``. Raises PluginError that says what went wrong."""
    module, _, attribute = load.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except PluginError as error:
        raise PluginError(f"{load!r} is refused: {error}") from error
    except Exception as error:
        raise PluginError(f"{load!r} does not load: {type(error).__name__}: {error}") from error
    return found


def check_kind(kind: Kind, found: Any, load: str) -> None:
    """Raises PluginError where what was loaded is not what its kind asks for."""
    if kind in _CALLED:
        if not callable(found):
            raise PluginError(f"{load!r} is not callable")
    else:
        module, base = _BASE_OF[kind]
        if not (isinstance(found, type) and issubclass(found, getattr(importlib.import_module(module), base))):
            raise PluginError(f"{load!r} is not a subclass of harness.{base}")
    lacking = sorted(getattr(found, "__abstractmethods__", ()))
    if lacking:
        raise PluginError(f"{load!r} does not define {', '.join(lacking)}")
