"""Discovery of plugins by entry point: each in its own guard, so that a broken one does not stop the others."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points, version
from typing import TYPE_CHECKING, Any, Literal, overload

import pluggy

from harness import hookspecs
from harness.errors import PluginError, UnknownName, as_plugin_error
from harness.hookspecs import HOOK_OF, KINDS, PROJECT, Kind
from harness.registry.items import Item, find_item

if TYPE_CHECKING:
    from harness import Executor, Networks, Run, SearchSpace, Strategy, Task, TrainingProtocol

GROUP = "nas_harness"
ENVIRONMENT = "NAS_HARNESS_PLUGINS"
"""When set: the exact entry-point names to load, comma-separated; empty loads none."""
DISTRIBUTION = "nas-harness"
CORE = "core"
_CORE = "harness.running.plugin"
"""What the harness itself provides. It is registered first, whatever ``only`` says: every study needs it."""
_ENTRY_POINT = "write the module that holds its hooks, such as my_plugin.plugin"


@dataclass(frozen=True, slots=True)
class Broken:
    """A plugin that could not be registered, or a part of one, and why."""

    plugin: str
    distribution: str
    version: str
    error: str

    @property
    def title(self) -> str:
        """How it is called in messages."""
        return f"plugin {self.plugin!r}" + (f" of {self.distribution} {self.version}" if self.distribution else "")


@dataclass
class Registry:
    """Everything installed plugins provide.

    only: the entry-point names to load; None: those in ``NAS_HARNESS_PLUGINS``, or all. strict: a broken plugin raises.
    """

    only: frozenset[str] | None = None
    strict: bool = False
    items: dict[tuple[Kind, str], Item] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    manager: pluggy.PluginManager = field(init=False)
    _distributions: dict[str, str] = field(init=False, default_factory=dict)
    _protocols: dict[str, TrainingProtocol] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.manager = pluggy.PluginManager(PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.register(importlib.import_module(_CORE), CORE, DISTRIBUTION, version(DISTRIBUTION))
        if self.only is None and ENVIRONMENT in os.environ:
            self.only = frozenset(x.strip() for x in os.environ[ENVIRONMENT].split(",") if x.strip())
        points = _entry_points()
        for point in points:
            if self.only is None or point.name in self.only:
                self._load_entry_point(point)
        for absent in sorted((self.only or frozenset()) - {p.name for p in points}):
            known = ", ".join(sorted({p.name for p in points})) or "none"
            self.broken.append(
                Broken(absent, "", "", f"{ENVIRONMENT} names it, but no installed package provides it; known: {known}")
            )
        if self.strict and self.broken:
            raise PluginError(f"{self.broken[0].title} is broken: {self.broken[0].error}")

    # -- registration -----------------------------------------------------------------------------------------------

    def _load_entry_point(self, point: EntryPoint) -> None:
        assert point.dist is not None
        name, version = point.dist.name, point.dist.version
        try:
            if point.pattern.match(point.value) is None:
                raise PluginError(f"its entry point {point.value!r} names no module: {_ENTRY_POINT}")
            self.register(point.load(), point.name, name, version)
        except (Exception, SystemExit) as error:
            text = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
            self.broken.append(Broken(point.name, name, version, text))

    def register(self, module: Any, plugin: str, distribution: str = "", version: str = "") -> None:
        """Register one plugin. Raises PluginError where the module is no plugin; nothing of it is then registered.

        A part that cannot be used, and a name that another plugin has, are listed as broken; the other parts are kept.
        """
        _check_hooks(module)
        if self.manager.has_plugin(plugin):
            other = self._distributions.get(plugin, "another distribution")
            raise PluginError(f"both {other} and {distribution} call a plugin {plugin!r}; uninstall one")
        found = [(kind, provided) for kind, hook in HOOK_OF.items() for provided in _provided(module, hook)]
        self.manager.register(module, name=plugin)
        self._distributions[plugin] = distribution
        for kind, provided in found:
            try:
                item = find_item(kind, provided, plugin, distribution, version)
                twin = self.items.setdefault((kind, item.name), item)
                if twin is not item:
                    raise PluginError(
                        f"{kind} {item.name!r} belongs to {twin.distribution or twin.plugin}; the one of "
                        f"{distribution or plugin} is left out: give it another name"
                    )
            except PluginError as error:
                self.broken.append(Broken(plugin, distribution, version, str(error)))

    # -- looking up -------------------------------------------------------------------------------------------------

    def names(self, kind: Kind) -> list[str]:
        """Sorted names of everything of this kind, usable or not."""
        return sorted(name for k, name in self.items if k == kind)

    def find(self, kind: Kind, name: str) -> Item:
        """Raises UnknownName, offering the nearest known names."""
        item = self.items.get((kind, name))
        if item is None:
            hint = f"nas-harness list {HOOK_OF[kind].removeprefix('nas_harness_')}"
            if kind == "strategy" and ":" in name:
                hint = "a study runs installed strategies alone: nas-harness new strategy makes a plugin of yours"
            raise UnknownName(kind, name, self.names(kind), hint=hint)
        return item

    @overload
    def load(self, kind: Literal["strategy"], name: str) -> type[Strategy]: ...
    @overload
    def load(self, kind: Literal["protocol"], name: str) -> type[TrainingProtocol]: ...
    @overload
    def load(self, kind: Literal["executor"], name: str) -> type[Executor]: ...
    @overload
    def load(self, kind: Literal["space"], name: str) -> Callable[[], SearchSpace]: ...
    @overload
    def load(self, kind: Literal["metric"], name: str) -> Callable[[Run], float | None]: ...
    @overload
    def load(self, kind: Literal["network"], name: str) -> type[Networks]: ...
    @overload
    def load(self, kind: Kind, name: str) -> Any: ...

    def load(self, kind: Kind, name: str) -> Any:
        """The class or function of that name. Raises UnknownName or PluginError."""
        return self.find(kind, name).load()

    def protocol(self, name: str) -> TrainingProtocol:
        """The protocol instance of that name; each registry makes it once. Raises UnknownName, PluginError."""
        if name not in self._protocols:
            cls = self.load("protocol", name)
            with as_plugin_error(f"protocol {name!r} cannot be made"):
                self._protocols[name] = cls()
        return self._protocols[name]

    def protocols(self) -> dict[str, TrainingProtocol]:
        """Every protocol whose libraries are installed, by name. Raises PluginError for one that does not load."""
        return {n: self.protocol(n) for n in self.names("protocol") if self.find("protocol", n).status == "ok"}

    def tasks(self) -> dict[str, Task]:
        """Every task of every protocol that loads, by name; ``nas-harness list tasks`` says which do not."""
        found: dict[str, Task] = {}
        for name in self.names("protocol"):
            with suppress(Exception):  # a broken protocol does not hide the tasks of the others
                found.update({t.name: t for t in self.protocol(name).tasks()})
        return found

    def task(self, name: str) -> Task:
        """The task of that name. Raises UnknownName with the nearest ones, PluginError."""
        prefix = name.partition("/")[0]
        if ("protocol", prefix) in self.items:
            protocol = self.protocol(prefix)
            with as_plugin_error(f"protocol {prefix!r} lists no tasks"):
                found = protocol.task(name)
            if found is not None:
                return found
        known = self.tasks()
        if name in known:
            return known[name]
        raise UnknownName("task", name, known, hint="nas-harness list tasks")


def _check_hooks(module: Any) -> None:
    """Raises PluginError where there is no hook, or one that is misspelt, is not marked, or takes other arguments."""
    mark, hooks = f"{PROJECT}_impl", {n: f for n, f in vars(hookspecs).items() if n.startswith(f"{PROJECT}_")}
    for name, function in getattr(module, "__dict__", {}).items():
        marked = inspect.isroutine(function) and hasattr(function, mark)
        if not marked and not (name.startswith(f"{PROJECT}_") and callable(function)):
            continue
        if not marked:
            raise PluginError(f"{name} is not marked as a hook: write @hookimpl above it")
        if name not in hooks:
            if getattr(function, "__name__", "") in hooks:  # another plugin's hook, imported under a name of its own
                continue
            raise PluginError(f"unknown hook {name!r} (hooks: {', '.join(hooks)})")
        takes, given = list(inspect.signature(hooks[name]).parameters), list(inspect.signature(function).parameters)
        if not set(given) <= set(takes):
            raise PluginError(f"{name}({', '.join(given)}): write {name}({', '.join(takes)})")
    if not any(hasattr(getattr(module, name, None), mark) for name in hooks):
        what = "class" if isinstance(module, type) else type(module).__name__
        raise PluginError(f"provides nothing: its entry point names a {what} without hooks; {_ENTRY_POINT}")


def _provided(module: Any, hook: str) -> Iterable[Any]:
    function: Callable[[], Any] | None = getattr(module, hook, None)
    if function is None:
        return ()
    try:
        found = function()
        if not isinstance(found, Iterable):
            raise PluginError(f'{hook} gives {found!r}: return a list, such as [Provides("module:attribute")]')
        return tuple(found)
    except TypeError as error:
        if "Provides.__init__" not in str(error):
            raise
        raise PluginError(
            f'{hook}: {error}: write Provides("module:attribute", requires=..., install=...); a class says its name '
            "and its summary itself"
        ) from error


def _entry_points() -> list[EntryPoint]:
    """Entry points of the group; of a distribution that is found twice, those that come first on sys.path.

    The harness's own come first, so that no other plugin takes a name of theirs; the others follow by name.
    """

    def place(point: EntryPoint) -> tuple[bool, str, str]:
        name = point.dist.name.lower() if point.dist is not None else ""
        return name != DISTRIBUTION, name, point.name

    return sorted(entry_points(group=GROUP), key=place)


@lru_cache(maxsize=1)
def default_registry() -> Registry:
    """The registry of everything installed; each process makes it once."""
    return Registry()


__all__ = ["CORE", "ENVIRONMENT", "GROUP", "KINDS", "Broken", "Item", "Registry", "default_registry"]
