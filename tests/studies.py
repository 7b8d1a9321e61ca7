"""Studies of toy strategies, carried out and read back: what the tests of the running room share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import RecordError
from harness.reading.results import read_results
from harness.records.runs import Run
from harness.registry import Registry
from harness.running.campaign import Summary, carry_out_study
from harness.running.settings import Settings
from harness.running.study import StrategySpec, Study, TaskSpec
from harness.search.budget import Budget


class Notes:
    """A listener that remembers; ``stop_after`` so many items it interrupts."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        self.total = self.already = 0
        self.stages: list[tuple[str, int, int]] = []
        self.said: list[str] = []
        self.notes: list[str] = []
        self.stop_after = stop_after

    def stage(self, what: str, total: int, already: int) -> None:
        self.stages.append((what, total, already))
        if what == "run":
            self.total, self.already = total, already

    def started(self, title: str) -> None:
        pass

    def ended(self, title: str, queries: int, left: float | None, waiting: int) -> None:
        pass

    def finished(self, title: str, said: str, failed: bool) -> None:
        self.said.append(f"{title}: {said}")
        if len(self.said) == self.stop_after:
            raise KeyboardInterrupt

    def note(self, message: str) -> None:
        self.notes.append(message)


def study(
    *strategies: str, tasks: tuple[str, ...] = ("toy/edges",), seeds: int = 2, queries: int = 12, **more: Any
) -> Study:
    """Strategies as ``name`` or ``name@mode``; as many reference runs as seeds."""
    specs = tuple(StrategySpec(name=s.partition("@")[0], mode=s.partition("@")[2] or "strict") for s in strategies)
    return Study(
        name="s",
        budget=more.pop("budget", Budget(queries=queries)),
        tasks=tuple(TaskSpec(name=t) for t in tasks),
        strategies=specs,
        seeds=seeds,
        reference_seeds=more.pop("reference_seeds", seeds),
        **more,
    )


def run(toy: Registry, tmp_path: Path, given: Study, **options: Any) -> tuple[Summary, list[Run]]:
    """Carry a study out, in this process unless ``executor`` says otherwise; its runs as they are read back."""
    listener = options.pop("listener", None)
    options.setdefault("executor", "serial")
    summary = carry_out_study(given, registry=toy, results=tmp_path, settings=Settings(**options), listener=listener)
    return summary, runs_in(summary.folder)


def runs_in(folder: Path) -> list[Run]:
    try:
        return list(read_results(folder).every_run)
    except RecordError:
        return []


def comparable(runs: Iterable[Run]) -> dict[str, bytes]:
    """Records without what may differ between executors, by id."""
    records = [record for r in runs for record in (r.search, r.outcome) if record is not None]
    plain = [msgspec.structs.replace(r, timing={}, environment={}) for r in records]
    return {r.id: msgspec.json.encode(r) for r in plain}
