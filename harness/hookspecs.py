"""The contract of a plugin: what it may provide, and what it is told.

A plugin is a module named by an entry point of the group ``nas_harness``. It marks functions with
``harness.hookimpl``; every hook is optional. The module imports nothing heavy: it only says where things are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Literal

import pluggy

from harness.errors import PluginError

if TYPE_CHECKING:
    from harness.records.runs import Run

PROJECT = "nas_harness"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Kind = Literal["space", "strategy", "protocol", "executor", "metric", "network"]
HOOK_OF: dict[Kind, str] = {
    "strategy": "nas_harness_strategies",
    "protocol": "nas_harness_protocols",
    "space": "nas_harness_spaces",
    "executor": "nas_harness_executors",
    "metric": "nas_harness_metrics",
    "network": "nas_harness_networks",
}
KINDS = tuple(HOOK_OF)


@dataclass(frozen=True, slots=True)
class Provides:
    """One thing a plugin provides. ``load``: ``module:attribute``, imported when it is first used.

    ``requires``: import names that must be present; ``install``: the one command that installs them. A class says its
    ``name``, and its summary in the first line of its docstring: both are read from its source. A function has neither:
    give them here. Raises PluginError where ``requires`` is text, by a forgotten comma.
    """

    load: str
    _: KW_ONLY
    name: str = ""
    summary: str = ""
    requires: tuple[str, ...] = ()
    install: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.requires, str):
            example = (self.requires or "torch",)
            raise PluginError(f"{self.load!r}: requires is {self.requires!r}: write a tuple, such as {example}")


@hookspec
def nas_harness_strategies() -> Iterable[Provides | type]:
    """Return the strategies, subclasses of `harness.Strategy`. Called once, at discovery."""
    return ()


@hookspec
def nas_harness_protocols() -> Iterable[Provides | type]:
    """Return the training protocols, subclasses of `harness.TrainingProtocol`. Called once, at discovery."""
    return ()


@hookspec
def nas_harness_spaces() -> Iterable[Provides | type]:
    """Return the search spaces: callables without arguments that give a `harness.SearchSpace`. Called at discovery."""
    return ()


@hookspec
def nas_harness_networks() -> Iterable[Provides | type]:
    """Return the networks of spaces, subclasses of `harness.Networks`, each under its space's name. Called once."""
    return ()


@hookspec
def nas_harness_executors() -> Iterable[Provides | type]:
    """Return the executors, subclasses of `harness.Executor`. Called once, at discovery."""
    return ()


@hookspec
def nas_harness_metrics() -> Iterable[Provides | type]:
    """Return metrics, each as ``Provides("module:function", name=..., summary=...)``. Called once, at discovery.

    The function takes a `harness.Run` and gives one number, or None where there is none. ``nas-harness report DIR
    --section metrics`` calls it on every run and shows the mean over the runs of each entry.
    """
    return ()


@hookspec
def nas_harness_run_started(run: dict[str, Any]) -> None:
    """Called in the coordinator when it hands a search or a final training to a worker; ``run`` specifies it."""


@hookspec
def nas_harness_run_finished(run: Run) -> None:
    """Called in the coordinator when a run is over and its records are stored."""


@hookspec
def nas_harness_study_finished(study: str, folder: str) -> None:
    """Called in the coordinator when every run of the study is there."""
