"""What runs on a Dask worker: pools of one process each, which end with the study, the coordinator or the worker.

Dask gives a task a thread. The thread takes a pool, carries out one item in it, and leaves it to the next thread. It
ends the pool where Dask takes the task back, as Dask does when the coordinator is gone. A pool that no thread has taken
for a while is ended by a timer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from harness.running.children import Unwanted
from harness.running.execution import pool_of
from harness.running.items import Preparation
from harness.running.process_tree import fair_share

_SECONDS_IDLE = 10.0


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What all items of a study share. memory: bytes a run; None: a fair share among ``sharing`` threads."""

    preparation: Preparation
    memory: int | None
    sharing: int


@dataclass(eq=False)
class _Lane:
    """A pool of one process, and what Dask has it carry out: the worker, and the name of the task."""

    terms: bytes
    worker: Any
    task: Any = None
    timer: threading.Timer = field(init=False)
    """Closes the pool where no thread has taken it for a while."""

    def __post_init__(self) -> None:
        terms = msgspec.msgpack.decode(self.terms, type=Terms)
        memory = terms.memory if terms.memory is not None else fair_share(terms.sharing)
        self.logs = TemporaryDirectory(prefix="nas-harness-logs-")
        self.pool = pool_of(terms.preparation, 1, memory=memory, logs=Path(self.logs.name), wanted=self.wanted)

    def wanted(self) -> bool:
        """Whether Dask still wants the item: it does not where its client is gone, or has given it up."""
        known = self.worker.state.tasks.get(self.task)
        return known is not None and known.state not in ("cancelled", "released", "forgotten")

    def close(self) -> None:
        self.pool.close()
        self.logs.cleanup()


_lock = threading.Lock()
_idle: list[_Lane] = []


def ready(terms: bytes) -> None:
    """Make a pool ready. Raises CannotStart where this worker cannot carry out the study."""
    with suppress(Unwanted), _lane(terms) as lane:
        lane.pool.start()


def carry_out(terms: bytes, key: str, item: bytes, seconds: float) -> bytes:
    """One item in a process of its own: its `Outcome`, and what it printed. Raises CannotStart."""
    with suppress(Unwanted), _lane(terms) as lane:
        _, outcome = lane.pool.carry_out([(key, item, seconds)])
        log = Path(lane.logs.name) / f"{key}.log"
        printed = log.read_bytes() if log.is_file() else b""
        log.unlink(missing_ok=True)
        return msgspec.msgpack.encode((outcome, printed))
    return b""


def end(terms: bytes) -> None:
    """End the processes of a study on this worker that carry out nothing."""
    while (lane := _taken(terms)) is not None:
        lane.close()


def _taken(terms: bytes) -> _Lane | None:
    """An idle pool of the study, which is then the caller's."""
    with _lock:
        lane = next((lane for lane in _idle if lane.terms == terms), None)
        if lane is not None:
            _idle.remove(lane)
    return lane


@contextmanager
def _lane(terms: bytes) -> Iterator[_Lane]:
    """An idle pool of the study, or a new one; closed where the block raises."""
    from distributed import get_worker

    worker = get_worker()
    lane = _taken(terms)
    if lane is None:
        lane = _Lane(terms, worker)
    else:
        lane.timer.cancel()
    lane.worker, lane.task = worker, worker.get_current_task()
    try:
        yield lane
    except BaseException:
        lane.close()
        raise
    lane.timer = timer = threading.Timer(_SECONDS_IDLE, _close_idle, (lane,))
    timer.daemon = True
    with _lock:
        _idle.append(lane)
    timer.start()  # another thread may have taken the pool, and cancelled it, by now


def _close_idle(lane: _Lane) -> None:
    with _lock:
        if lane not in _idle:
            return
        _idle.remove(lane)
    lane.close()
