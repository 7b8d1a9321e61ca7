"""Many runs: in this process, on local worker processes, or on a cluster, behind one `Executor` contract."""

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

from harness.records.store import Record
from harness.registry import Registry
from harness.running.environment import worker_environment
from harness.running.plan import RunSpec
from harness.running.runner import Runner, RunTimeout

_LOST_ONCE = 2


@dataclass(frozen=True, slots=True)
class Done:
    """A run that left a record. queries: its paid queries as the bytes of an .npz, where they are kept."""

    spec: RunSpec
    record: Record
    queries: bytes | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A run that left none. reason: ``timeout``, or ``failed`` when its worker died or it could not start."""

    spec: RunSpec
    reason: str
    error: str


@dataclass(frozen=True, slots=True)
class Work:
    """What workers need beside the run: which plugins to load, whether to keep every query, a time limit in seconds.

    cluster: the address of a scheduler, for an executor that uses one.
    """

    plugins: frozenset[str] | None
    keep_queries: bool
    timeout: float
    cluster: str | None = None


class Executor(ABC):
    """Executes runs and yields each outcome as it comes. Outcomes carry the run, so order and repetition are free."""

    name: str

    @abstractmethod
    def execute(self, runs: Iterable[RunSpec], work: Work, *, jobs: int, started: Any) -> Iterator[Done | Lost]:
        """``started(spec)`` is called when a run is handed over. Closing the iterator ends everything under way."""


class Serial(Executor):
    """One run after the other, in this process.

    The time limit works on the main thread.
    """

    name = "serial"

    def execute(self, runs: Iterable[RunSpec], work: Work, *, jobs: int, started: Any) -> Iterator[Done | Lost]:
        runner = Runner(Registry(only=work.plugins))
        for spec in runs:
            started(spec)
            try:
                with _alarm(work.timeout):
                    record, oracle = runner.run(spec)
                    outcome: Done | Lost = Done(spec, record, _queries(oracle) if work.keep_queries else None)
            except RunTimeout as error:
                outcome = Lost(spec, "timeout", str(error))
            except Exception as error:
                outcome = Lost(spec, "failed", f"{type(error).__name__}: {error}")
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

    They are spawned, with one numerical thread each; a worker that hangs or dies takes only its run down.
    """

    name = "process"

    def execute(self, runs: Iterable[RunSpec], work: Work, *, jobs: int, started: Any) -> Iterator[Done | Lost]:
        from pebble import ProcessPool

        waiting = deque((spec, 1) for spec in runs)
        jobs = min(jobs, max(len(waiting), 1))
        with worker_environment():
            pool = ProcessPool(
                max_workers=jobs,
                context=multiprocessing.get_context("spawn"),
                initializer=start_worker,
                initargs=(work.plugins,),
            )
            under_way: dict[Any, tuple[RunSpec, int]] = {}
            try:
                while waiting or under_way:
                    while waiting and len(under_way) < 2 * jobs:
                        spec, attempt = waiting.popleft()
                        if attempt == 1:
                            started(spec)
                        future: Any = pool.schedule(
                            carry_out, args=(msgspec.json.encode(spec), work.keep_queries), timeout=work.timeout
                        )
                        under_way[future] = (spec, attempt)
                    done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                    for future in done:
                        spec, attempt = under_way.pop(future)
                        outcome = _outcome(future, spec, work.timeout)
                        if outcome is None and attempt < _LOST_ONCE:
                            waiting.appendleft((spec, attempt + 1))
                        elif outcome is None:
                            yield Lost(spec, "failed", f"its worker process died {attempt} times")
                        else:
                            yield outcome
            finally:
                pool.stop()  # type: ignore[no-untyped-call]
                pool.join()


def _outcome(future: Future[Any], spec: RunSpec, timeout: float) -> Done | Lost | None:
    """None where the worker died under it."""
    from pebble import ProcessExpired

    try:
        record, queries = future.result()
    except FutureTimeout:
        return Lost(spec, "timeout", f"took longer than {timeout:g} s")
    except ProcessExpired:
        return None
    except Exception as error:
        return Lost(spec, "failed", f"{type(error).__name__}: {error}")
    return Done(spec, msgspec.json.decode(record, type=Record), queries)


_runner: Runner | None = None


def start_worker(plugins: frozenset[str] | None) -> None:
    """What a worker process does before its first run."""
    global _runner
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _runner = Runner(Registry(only=plugins))


def carry_out(spec: bytes, keep_queries: bool) -> tuple[bytes, bytes | None]:
    """A run in a started worker process: its record as JSON, and its queries as .npz where they are kept."""
    if _runner is None:
        raise RuntimeError("the worker was not initialised")
    record, oracle = _runner.run(msgspec.json.decode(spec, type=RunSpec))
    return msgspec.json.encode(record), _queries(oracle) if keep_queries else None


def _queries(oracle: Any) -> bytes:
    """Every paid query as .npz: archs, fidelity, repeat (-1: all), score (higher is better), epochs, seconds."""
    import io

    import numpy as np

    ledger = oracle.ledger
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        archs=oracle.space.as_array([e.arch for e in ledger]),
        fidelity=np.array([e.fidelity for e in ledger], dtype=np.int64),
        repeat=np.array([-1 if e.repeat is None else e.repeat for e in ledger], dtype=np.int64),
        score=np.array([e.score for e in ledger]),
        epochs=np.array([e.epochs for e in ledger]),
        seconds=np.array([e.seconds for e in ledger]),
    )
    return buffer.getvalue()


def default_jobs() -> int:
    """One worker for each core that this process may use."""
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
