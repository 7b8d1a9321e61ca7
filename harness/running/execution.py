"""Many items: in this process, on local worker processes, or on a cluster, behind one `Executor` contract."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import HarnessError
from harness.registry import Registry
from harness.running.children import CannotStart, Pool
from harness.running.interrupts import RunTimeout, time_limit
from harness.running.items import Item, Preparation, Product, TrainingPart
from harness.running.keeper import Outcome
from harness.running.runner import Runner, failed
from harness.running.settings import Settings


class Stopped(HarnessError):
    """The machine or the cluster cannot carry out runs any more. No run failed by itself; what is done is kept, and the
    same study resumes."""

    status = 3


@dataclass(frozen=True, slots=True)
class Done:
    """An item with the product of each of its parts, those too that failed."""

    item: Item
    products: Sequence[Product]


@dataclass(frozen=True, slots=True)
class Lost:
    """An item whose process the machine or the cluster has ended. It is no outcome: the item is carried out again."""

    item: Item
    error: str


@dataclass(frozen=True, slots=True)
class Work:
    """What workers need beside the item: what to make ready, and limits. logs: the folder for the output of runs."""

    preparation: Preparation
    settings: Settings
    logs: Path | None = None

    def limit(self, item: Item) -> float:
        """Seconds that an item may take."""
        search, training = self.settings.run_timeout, self.settings.final_timeout
        return sum(training if isinstance(part, TrainingPart) else search for part in item.parts)


class Executor(ABC):
    """Executes items and yields each outcome as it comes. An outcome names its item, so it may come in any order, and
    twice."""

    name: str
    note: str | None = None
    """What a user should know once it is open, such as where to watch it."""

    def open(self, work: Work) -> None:
        """Called once, before anything is written. Raises HarnessError where no item can be carried out."""
        return

    @abstractmethod
    def execute(self, items: Iterable[Item], work: Work, *, started: Any) -> Iterator[Done | Lost]:
        """Carry out ``work.settings.workers`` items at a time. Called after `open`, once or more.

        ``started(item)`` is called when an item begins, or is handed over where that is not known. Closing the iterator
        ends everything under way. Raises Stopped where no item can be carried out any more.
        """

    def close(self) -> None:
        """Called last, whatever happened. Ends every process that `open` started."""
        return


class Serial(Executor):
    """One run after the other, in this process.

    The time limit works on the main thread.
    """

    name = "serial"

    def execute(self, items: Iterable[Item], work: Work, *, started: Any) -> Iterator[Done | Lost]:
        wanted = work.preparation
        runner = Runner(Registry(only=wanted.plugins), drawn=wanted.drawn, keep_queries=wanted.keep_queries)
        for item in items:
            started(item)
            try:
                with time_limit(work.limit(item)):
                    outcome = Done(item, [runner.carry_out(part) for part in item.parts])
            except RunTimeout as error:
                outcome = failed_item(item, "timeout", str(error))
            except Exception as error:
                outcome = failed_item(item, "raised", f"{type(error).__name__}: {error}")
            yield outcome


class LocalProcesses(Executor):
    """Worker processes of this machine; the default.

    Each run is a process of its own, forked from one that has made everything ready and carried out nothing. It has one
    numerical thread. Whatever a run changes ends with its process, and a run that exceeds its time or memory is ended.
    """

    name = "process"

    def __init__(self) -> None:
        self._pool: Pool | None = None

    def open(self, work: Work) -> None:
        jobs = work.settings.workers or default_jobs()
        self._pool = pool_of(work.preparation, jobs, memory=work.settings.run_memory, logs=work.logs)
        self._pool.start()
        if self._pool.threads:
            self.note = (
                "each run imports everything anew, since an import left threads that no fork survives: "
                + ", ".join(self._pool.threads)
            )

    def execute(self, items: Iterable[Item], work: Work, *, started: Any) -> Iterator[Done | Lost]:
        assert self._pool is not None, "open comes before execute"
        handed: dict[str, Item] = {}

        def requests() -> Iterator[tuple[str, bytes, float]]:
            for item in items:
                handed[item.id] = item
                yield item.id, msgspec.msgpack.encode(item), work.limit(item)

        try:
            for event in self._pool.carry_out(requests()):
                if isinstance(event, str):
                    started(handed[event])
                else:
                    yield done_or_lost(handed.pop(event.key), event)
        except CannotStart as error:  # it did start, at `open`
            raise Stopped(str(error)) from error

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None


def pool_of(
    preparation: Preparation,
    jobs: int,
    *,
    memory: int | None,
    logs: Path | None,
    wanted: Callable[[], bool] = lambda: True,
) -> Pool:
    """Processes that carry out items."""
    return Pool(
        "harness.running.worker:prepare",
        msgspec.msgpack.encode(preparation),
        jobs=jobs,
        imports=preparation.imports,
        memory=memory,
        logs=logs,
        wanted=wanted,
    )


def done_or_lost(item: Item, outcome: Outcome) -> Done | Lost:
    """What came of an item's process."""
    if outcome.kind == "done":
        with suppress(msgspec.MsgspecError):
            products = msgspec.msgpack.decode(outcome.returned, type=list[Product])
            whole = len(products) == len(item.parts)
            if whole and all(p.answers(part) for part, p in zip(item.parts, products, strict=True)):
                return Done(item, products)
        return failed_item(item, "garbled", "its reply is not the record of this run")
    told = outcome.told.strip()
    if outcome.kind == "lost":
        return Lost(item, told)
    return failed_item(item, outcome.kind, told.splitlines()[-1] if outcome.kind == "raised" and told else told)


def failed_item(item: Item, reason: str, error: str) -> Done:
    """An item that itself caused that it left no record."""
    return Done(item, [failed(part, reason, error) for part in item.parts])


def default_jobs() -> int:
    """One worker for each core that this process may use."""
    return len(os.sched_getaffinity(0))
