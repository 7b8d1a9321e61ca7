"""Who hears about the progress of a study: one listener, and the hooks of plugins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.errors import shortened
from harness.records.runs import Run
from harness.registry import Registry


class Listener:
    """It hears about the progress of a study. The coordinator calls every method; by default none does anything."""

    def stage(self, what: str, total: int, already: int) -> None:
        """A stage begins: ``total`` items, such as runs, of which ``already`` are there."""

    def started(self, title: str) -> None:
        """An item is handed to a worker."""

    def ended(self, title: str, queries: int, left: float | None, waiting: int) -> None:
        """An item's worker has done with it, or lost it.

        queries: paid by its searches. left: seconds until all items are done, as far as can be told. waiting: other
        searches that are over but for their final trainings, which come when all are; 0 while these are carried out.
        """

    def finished(self, title: str, said: str, failed: bool) -> None:
        """What came of a run or a final training."""

    def note(self, message: str) -> None:
        """What a user should know."""


@dataclass
class Hooks:
    """Calls a hook of every plugin in its own guard: what one raises is reported once, and the others still run.

    pluggy's own caller would end at the first exception.
    """

    registry: Registry
    listener: Listener
    told: set[str] = field(default_factory=set)

    def call(self, hook: str, **arguments: Any) -> None:
        for implementation in getattr(self.registry.manager.hook, hook).get_hookimpls():
            plugin = implementation.plugin_name
            try:
                implementation.function(*(arguments[name] for name in implementation.argnames))
            except (Exception, SystemExit) as error:
                if plugin not in self.told:
                    self.told.add(plugin)
                    self.listener.note(f"plugin {plugin!r}: {hook} raised {type(error).__name__}: {error}")


def said_of(run: Run) -> str:
    """The result of a run, in a few words."""
    if run.failed:
        return f"{run.status}: {shortened(run.error or 'no final score')}"
    queries = "" if run.paid is None else f" after {run.paid.queries} {'query' if run.paid.queries == 1 else 'queries'}"
    return f"{run.score:.2f}{queries}"
