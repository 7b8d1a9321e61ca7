"""Many items: in this process, on local worker processes, or on a cluster, behind one `Executor` contract."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import msgspec

from harness.registry import Registry
from harness.running.environment import worker_environment
from harness.running.items import Item, Order, Product, TrainingItem
from harness.running.runner import Runner, RunTimeout

_LOST_ONCE = 2


@dataclass(frozen=True, slots=True)
class Done:
    """An item that left records."""

    item: Item
    product: Product


@dataclass(frozen=True, slots=True)
class Lost:
    """An item that left none. reason: ``timeout``, or ``failed`` when its worker died or it could not start."""

    item: Item
    reason: str
    error: str


@dataclass(frozen=True, slots=True)
class Work:
    """What workers need beside the item: which plugins to load, whether to keep every query, time limits in seconds.

    cluster: the address of a scheduler, for an executor that uses one.
    """

    plugins: frozenset[str] | None
    keep_queries: bool
    timeout: float
    final_timeout: float
    cluster: str | None = None

    def limit(self, item: Item) -> float:
        """Seconds that an item may take."""
        return self.final_timeout if isinstance(item, TrainingItem) else self.timeout

    def order(self, item: Item) -> bytes:
        """The item as a message to a worker."""
        return msgspec.msgpack.encode(Order(item=item, plugins=self.plugins, keep_queries=self.keep_queries))


class Executor(ABC):
    """Executes items and yields each outcome as it comes. Outcomes carry the item, so order and repetition are free."""

    name: str

    @abstractmethod
    def execute(self, items: Iterable[Item], work: Work, *, jobs: int, started: Any) -> Iterator[Done | Lost]:
        """``started(item)`` is called when an item is handed over. Closing the iterator ends everything under way."""


class Serial(Executor):
    """One run after the other, in this process.

    The time limit works on the main thread.
    """

    name = "serial"

    def execute(self, items: Iterable[Item], work: Work, *, jobs: int, started: Any) -> Iterator[Done | Lost]:
        runner = Runner(Registry(only=work.plugins))
        for item in items:
            started(item)
            try:
                with _alarm(work.limit(item)):
                    outcome: Done | Lost = Done(item, runner.carry_out(item, keep_queries=work.keep_queries))
            except RunTimeout as error:
                outcome = Lost(item, "timeout", str(error))
            except Exception as error:
                outcome = Lost(item, "failed", f"{type(error).__name__}: {error}")
            yield outcome


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise RunTimeout after ``seconds``; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise RunTimeout(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class LocalProcesses(Executor):
    """Worker processes of this machine; the default.

    They have one numerical thread each; a worker that hangs or dies takes only its run down.
    """

    name = "process"

    def execute(self, items: Iterable[Item], work: Work, *, jobs: int, started: Any) -> Iterator[Done | Lost]:
        from pebble import ProcessPool

        waiting = deque((item, 1) for item in items)
        jobs = min(jobs, max(len(waiting), 1))
        with worker_environment():
            pool = ProcessPool(
                max_workers=jobs,
                context=multiprocessing.get_context("spawn"),
                initializer=start_worker,
                initargs=(work.plugins,),
            )
            under_way: dict[Any, tuple[Item, int]] = {}
            try:
                while waiting or under_way:
                    while waiting and len(under_way) < 2 * jobs:
                        item, attempt = waiting.popleft()
                        if attempt == 1:
                            started(item)
                        future: Any = pool.schedule(carry_out, args=(work.order(item),), timeout=work.limit(item))
                        under_way[future] = (item, attempt)
                    done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                    for future in done:
                        item, attempt = under_way.pop(future)
                        outcome = _outcome(future, item, work.limit(item))
                        if outcome is None and attempt < _LOST_ONCE:
                            waiting.appendleft((item, attempt + 1))
                        elif outcome is None:
                            yield Lost(item, "failed", f"its worker process died {attempt} times")
                        else:
                            yield outcome
            finally:
                pool.stop()  # type: ignore[no-untyped-call]
                pool.join()


def _outcome(future: Future[Any], item: Item, timeout: float) -> Done | Lost | None:
    """None where the worker died under it."""
    from pebble import ProcessExpired

    try:
        product = future.result()
    except FutureTimeout:
        return Lost(item, "timeout", f"took longer than {timeout:g} s")
    except ProcessExpired:
        return None
    except Exception as error:
        return Lost(item, "failed", f"{type(error).__name__}: {error}")
    return Done(item, msgspec.msgpack.decode(product, type=Product))


_runner: Runner | None = None


def start_worker(plugins: frozenset[str] | None) -> None:
    """What a worker process does before its first item."""
    global _runner
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _runner = Runner(Registry(only=plugins))


def carry_out(order: bytes) -> bytes:
    """An `Order` in a started worker process; its `Product`. Both as MessagePack."""
    if _runner is None:
        raise RuntimeError("the worker was not initialised")
    decoded = msgspec.msgpack.decode(order, type=Order)
    return msgspec.msgpack.encode(_runner.carry_out(decoded.item, keep_queries=decoded.keep_queries))


def default_jobs() -> int:
    """One worker for each core that this process may use."""
    return len(os.sched_getaffinity(0))
