"""Discovery of plugins by entry point: each in its own guard, so that a broken one takes nothing down."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Any

import pluggy

from harness import hookspecs
from harness.errors import PluginError, UnknownName
from harness.hookspecs import HOOK_OF, KINDS, PROJECT, Kind, Provides

GROUP = "nas_harness"
_BASE_OF: dict[Kind, tuple[str, str]] = {
    "strategy": ("harness.strategy", "Strategy"),
    "protocol": ("harness.protocol", "TrainingProtocol"),
    "executor": ("harness.running.execution", "Executor"),
    "network": ("harness.spaces", "Networks"),
}
"""What a plugin's offer of a kind must be a subclass of; the others are called."""
ENVIRONMENT = "NAS_HARNESS_PLUGINS"
"""When set: the exact entry-point names to load, comma-separated; empty loads none."""

_DISTRIBUTION = "nas-harness"
_BUILT_IN = (
    Provides("process", "harness.running.execution:LocalProcesses", "Worker processes of this machine; the default"),
    Provides("serial", "harness.running.execution:Serial", "One run after the other, in this process"),
    Provides(
        "dask",
        "harness.running.dask:DaskCluster",
        "A Dask cluster: --cluster ADDRESS, or one of this machine's own",
        requires=("distributed",),
        install="pip install 'nas-harness[dask]'",
    ),
)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a plugin provides, and who provides it."""

    kind: Kind
    name: str
    provides: Provides
    plugin: str
    distribution: str
    version: str
    target: Any = None
    """The class itself where the plugin gave one instead of `Provides`."""

    @property
    def status(self) -> str:
        """``ok``, or what is missing and the command that installs it, or what is `broken`."""
        absent = [m for m in self.provides.requires if not _present(m)]
        if absent:
            return f"needs {', '.join(absent)}" + (f": {self.provides.install}" if self.provides.install else "")
        return self.broken or "ok"

    @property
    def broken(self) -> str:
        """Why it cannot load, as far as that is known without an import; else empty. A missing class is found late."""
        if self.target is not None:
            return ""
        module, colon, attribute = self.provides.load.partition(":")
        if not (module and colon and attribute):
            return f"does not load from {self.provides.load!r}, which is not module:attribute"
        if not _findable(module):
            return f"does not load from {self.provides.load!r}: there is no module {module!r}"
        return ""

    def load(self) -> Any:
        """Import it. Raises PluginError where a library is missing or the import fails."""
        if self.target is not None:
            return self._checked(self.target)
        if self.status != "ok":
            raise PluginError(f"{self.kind} {self.name!r} of {self.distribution} {self.version} {self.status}")
        module, _, attribute = self.provides.load.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except Exception as error:
            raise PluginError(
                f"{self.kind} {self.name!r} of {self.distribution} {self.version} does not load from "
                f"{self.provides.load!r}: {type(error).__name__}: {error}"
            ) from error
        return self._checked(found)

    def _checked(self, found: Any) -> Any:
        """What was loaded, if it is what its kind asks for; else PluginError."""
        wanted = _BASE_OF.get(self.kind)
        if wanted is None:
            right, what = callable(found), "something to call"
        else:
            base = getattr(importlib.import_module(wanted[0]), wanted[1])
            right, what = isinstance(found, type) and issubclass(found, base), f"a subclass of harness.{wanted[1]}"
        if not right:
            raise PluginError(
                f"{self.kind} {self.name!r} of {self.distribution} {self.version}: {self.provides.load!r} is not {what}"
            )
        own = getattr(found, "name", None)
        if isinstance(own, str) and own != self.name:
            raise PluginError(
                f"{self.kind} {self.name!r} of {self.distribution} {self.version}: {self.provides.load!r} calls itself "
                f"{own!r}; let both names be one"
            )
        return found


def built_in_executors() -> dict[str, Item]:
    """The executors that are the core's own, by name."""
    version = importlib.metadata.version(_DISTRIBUTION)
    return {p.name: Item("executor", p.name, p, "", _DISTRIBUTION, version) for p in _BUILT_IN}


@dataclass(frozen=True, slots=True)
class Broken:
    """A plugin that could not be registered, and why."""

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

    def __post_init__(self) -> None:
        self.manager = _new_manager()
        if self.only is None and ENVIRONMENT in os.environ:
            self.only = frozenset(x.strip() for x in os.environ[ENVIRONMENT].split(",") if x.strip())
        points = _entry_points()
        for point, dist in points:
            if self.only is None or point.name in self.only:
                self._load_entry_point(point, dist)
        for absent in sorted((self.only or frozenset()) - {p.name for p, _ in points}):
            known = ", ".join(sorted({p.name for p, _ in points})) or "none"
            self.broken.append(
                Broken(absent, "", "", f"{ENVIRONMENT} names it, nothing installed does; known: {known}")
            )
        if self.strict and self.broken:
            raise PluginError(f"{self.broken[0].title} is broken: {self.broken[0].error}")

    # -- registration -----------------------------------------------------------------------------------------------

    def _load_entry_point(self, point: EntryPoint, dist: Distribution) -> None:
        name, version = dist.metadata["Name"], dist.version
        try:
            self.register(point.load(), point.name, name, version)
        except (Exception, SystemExit) as error:
            text = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
            self.broken.append(Broken(point.name, name, version, text))

    def register(self, module: Any, plugin: str, distribution: str = "", version: str = "") -> None:
        """Register one plugin, all of it or nothing. Raises PluginError, naming what is wrong with it."""
        _check_hooks(module)
        if self.manager.has_plugin(plugin):
            other = self._distributions.get(plugin, "another distribution")
            raise PluginError(f"both {other} and {distribution} call a plugin {plugin!r}; uninstall one")
        found = [
            self._item(kind, provided, plugin, distribution, version)
            for kind, hook in HOOK_OF.items()
            for provided in _provided(module, hook)
        ]
        fresh: dict[tuple[Kind, str], Item] = {}
        for item in found:
            twin = self.items.get((item.kind, item.name)) or fresh.get((item.kind, item.name))
            if twin is not None:
                raise PluginError(
                    f"{item.kind} {item.name!r} is provided by both {twin.distribution or twin.plugin} "
                    f"and {distribution or plugin}; uninstall one"
                )
            fresh[item.kind, item.name] = item
        self.manager.register(module, name=plugin)
        self._distributions[plugin] = distribution
        self.items.update(fresh)

    @staticmethod
    def _item(kind: Kind, provided: Any, plugin: str, distribution: str, version: str) -> Item:
        if isinstance(provided, Provides):
            return Item(kind, provided.name, provided, plugin, distribution, version)
        name = getattr(provided, "name", None)
        if not isinstance(name, str) or not name:
            raise PluginError(
                f"{HOOK_OF[kind]} gave {provided!r}, which is neither Provides nor a class with a name; "
                'write Provides(name, "module:attribute")'
            )
        where = f"{provided.__module__}:{provided.__qualname__}"
        provides = Provides(name, where, getattr(provided, "summary", ""))
        return Item(kind, name, provides, plugin, distribution, version, provided)

    # -- looking up -------------------------------------------------------------------------------------------------

    def names(self, kind: Kind) -> list[str]:
        """Sorted names of everything of this kind, usable or not."""
        return sorted(name for k, name in self.items if k == kind)

    def find(self, kind: Kind, name: str) -> Item:
        """Raises UnknownName, offering the nearest known names."""
        item = self.items.get((kind, name))
        if item is None:
            plural = {"strategy": "strategies"}.get(kind, f"{kind}s")
            raise UnknownName(kind, name, self.names(kind), hint=f"nas-harness list {plural}")
        return item

    def load(self, kind: Kind, name: str) -> Any:
        """The class or function of that name. Raises UnknownName or PluginError."""
        return self.find(kind, name).load()

    def protocol(self, name: str) -> Any:
        """The protocol instance of that name, made once a registry. Raises UnknownName, PluginError."""
        if name not in self._protocols:
            cls = self.load("protocol", name)
            try:
                self._protocols[name] = cls()
            except Exception as error:
                raise PluginError(f"protocol {name!r} cannot be made: {type(error).__name__}: {error}") from error
        return self._protocols[name]

    def protocols(self) -> dict[str, Any]:
        """Every protocol whose libraries are installed, by name. Raises PluginError for one that does not load."""
        return {n: self.protocol(n) for n in self.names("protocol") if self.find("protocol", n).status == "ok"}

    @cached_property
    def _protocols(self) -> dict[str, Any]:
        return {}

    def tasks(self) -> dict[str, Any]:
        """Every task of every protocol that loads, by name; ``nas-harness list tasks`` says which do not."""
        found: dict[str, Any] = {}
        for name in self.names("protocol"):
            try:
                found.update(self._tasks_of(name))
            except PluginError:  # it takes no other protocol's tasks down
                continue
        return found

    def _tasks_of(self, protocol: str) -> dict[str, Any]:
        made = self.protocol(protocol)
        try:
            return {t.name: t for t in made.tasks()}
        except Exception as error:
            raise PluginError(f"protocol {protocol!r} lists no tasks: {type(error).__name__}: {error}") from error

    def task(self, name: str) -> Any:
        """The task of that name. Raises UnknownName with the nearest ones, PluginError."""
        prefix = name.partition("/")[0]
        if ("protocol", prefix) in self.items:
            found = self._tasks_of(prefix)
            if name in found:
                return found[name]
        known = self.tasks()
        if name in known:
            return known[name]
        raise UnknownName("task", name, known, hint="nas-harness list tasks")


def _new_manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def _check_hooks(module: Any) -> None:
    """A misspelt or mis-signed hook is an error, found on a manager of its own so that nothing is left behind."""
    probe = _new_manager()
    try:
        probe.register(module)
        probe.check_pending()
    except pluggy.PluginValidationError as error:
        known = [n for n in vars(hookspecs) if n.startswith("nas_harness_")]
        raise PluginError(f"{str(error).strip()} (hooks: {', '.join(known)})") from error


def _provided(module: Any, hook: str) -> Iterable[Any]:
    function: Callable[[], Iterable[Any] | None] | None = getattr(module, hook, None)
    if function is None or not hasattr(function, f"{PROJECT}_impl"):
        return ()
    return tuple(function() or ())


def _entry_points() -> list[tuple[EntryPoint, Distribution]]:
    """Entry points of the group with their distributions, sorted, each distribution once (the first on sys.path)."""
    seen: set[str] = set()
    found: list[tuple[EntryPoint, Distribution]] = []
    for dist in distributions():
        name = dist.metadata["Name"]
        if name is None or name.lower() in seen:
            continue
        seen.add(name.lower())
        found += [(p, dist) for p in dist.entry_points if p.group == GROUP]
    return sorted(found, key=lambda pair: (pair[1].metadata["Name"].lower(), pair[0].name))


@cache
def _present(module: str) -> bool:
    try:
        return module in sys.modules or importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # ValueError: not a module's name
        return False


def _findable(module: str) -> bool:
    """False where the module is known not to exist. Its packages are not imported to find out."""
    package = module.rpartition(".")[0]
    if package and package not in sys.modules:
        return _findable(package)
    return _present(module)


@lru_cache(maxsize=1)
def default_registry() -> Registry:
    """The registry of everything installed, made once a process."""
    return Registry()


__all__ = ["ENVIRONMENT", "GROUP", "KINDS", "Broken", "Item", "Registry", "default_registry"]
