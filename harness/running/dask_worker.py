"""What runs on a Dask worker: pools of one process each, which end with the study, the coordinator or the worker.

Dask gives a task a thread. The thread takes a pool, carries out one item in it, and leaves it to the next thread. A
watcher ends pools whose task Dask has taken back, as Dask does when the coordinator is gone, and pools that no thread
has taken for a while.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from harness.running.children import CannotStart, Ended, Pool
from harness.running.execution import Work, pool_of
from harness.running.items import Preparation
from harness.running.process_tree import fair_share

_SECONDS_BETWEEN_LOOKS = 0.25
_SECONDS_IDLE = 10.0


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What all items of a study share. memory: bytes a run; None: a fair share among ``sharing`` threads."""

    session: str
    preparation: Preparation
    memory: int | None
    sharing: int


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """How an item's process ended: see `keeper.Outcome`; ``refused``: this worker cannot carry out the study."""

    kind: str
    returned: bytes = b""
    told: str = ""
    printed: bytes = b""


@dataclass(eq=False)
class _Lane:
    """A pool of one process. task: while it carries out an item, Dask's name of the task."""

    pool: Pool
    logs: TemporaryDirectory[str]
    worker: Any = None
    task: Any = None
    since: float = field(default_factory=time.monotonic)

    def close(self) -> None:
        self.pool.close()
        self.logs.cleanup()

    @property
    def taken_back(self) -> bool:
        """Whether Dask no longer wants the item: its client is gone, or has given it up."""
        known = self.worker.state.tasks.get(self.task)
        return known is None or known.state in ("cancelled", "released", "forgotten")


_lock = threading.Lock()
_idle: dict[str, list[_Lane]] = {}
_busy: set[_Lane] = set()
_ended: set[str] = set()
_watcher: threading.Thread | None = None


def ready(terms: bytes) -> str | None:
    """Make a pool ready. The reason why this worker cannot carry out the study; None where it can."""
    told = msgspec.msgpack.decode(terms, type=Terms)
    lane = _take(told)
    try:
        lane.pool.start()
    except (CannotStart, Ended) as error:
        _give_back(told, lane, usable=False)
        return str(error)
    _give_back(told, lane, usable=True)
    return None


def carry_out(terms: bytes, key: str, order: bytes, seconds: float) -> bytes:
    """One item in a process of its own; a `Reply`."""
    told = msgspec.msgpack.decode(terms, type=Terms)
    lane = _take(told)
    usable = False
    try:
        lane.pool.submit(key, order, seconds=seconds)
        (outcome,) = lane.pool.outcomes()
        log = Path(lane.logs.name) / f"{key}.log"
        printed = log.read_bytes() if log.is_file() else b""
        log.unlink(missing_ok=True)
        reply = Reply(outcome.kind, outcome.returned, outcome.told, printed)
        usable = True
    except Ended:
        reply = Reply("lost", told="the study was ended")
    except CannotStart as error:
        reply = Reply("refused", told=str(error))
    finally:
        _give_back(told, lane, usable=usable)
    return msgspec.msgpack.encode(reply)


def end_session(session: str) -> None:
    """End every process of a study on this worker."""
    with _lock:
        _ended.add(session)
        idle = _idle.pop(session, [])
    for lane in idle:
        lane.close()


def _take(terms: Terms) -> _Lane:
    from distributed import get_worker

    global _watcher
    worker = get_worker()
    with _lock:
        if _watcher is None:
            _watcher = threading.Thread(target=_watch, daemon=True)
            _watcher.start()
        idle = _idle.setdefault(terms.session, [])
        lane = idle.pop() if idle else _new_lane(terms)
        lane.worker, lane.task = worker, worker.get_current_task()
        _busy.add(lane)
    return lane


def _new_lane(terms: Terms) -> _Lane:
    memory = terms.memory if terms.memory is not None else fair_share(terms.sharing)
    logs = TemporaryDirectory(prefix="nas-harness-logs-")
    work = Work(terms.preparation, keep_queries=False, timeout=0.0, final_timeout=0.0, memory=memory)
    return _Lane(pool_of(work, 1, logs=Path(logs.name)), logs)


def _give_back(terms: Terms, lane: _Lane, *, usable: bool) -> None:
    with _lock:
        _busy.discard(lane)
        lane.since = time.monotonic()
        keep = usable and terms.session not in _ended
        if keep:
            _idle.setdefault(terms.session, []).append(lane)
    if not keep:
        lane.close()


def _watch() -> None:
    while True:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        now = time.monotonic()
        with _lock:
            for lane in _busy:
                if lane.taken_back:
                    lane.pool.end()
            stale = [(at, x) for at, lanes in _idle.items() for x in lanes if now - x.since > _SECONDS_IDLE]
            for at, lane in stale:
                _idle[at].remove(lane)
        for _, lane in stale:
            lane.close()
