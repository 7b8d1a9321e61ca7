"""Many runs on a Dask cluster, or on one of this machine's own. Imported when the executor is asked for by name."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any, Literal
from uuid import uuid4

import msgspec

from harness.errors import HarnessError
from harness.running.execution import Done, Executor, Lost, Work
from harness.running.isolated import Child, ChildDied, ChildTimeout
from harness.running.items import Item, Product

_ATTEMPTS = 2
_SECONDS_TO_CONNECT = 30

Outcome = tuple[Literal["done", "timeout", "died", "failed"], bytes | str]


class DaskCluster(Executor):
    """A Dask cluster: --cluster ADDRESS, or one of this machine's own.

    Dask hands out the runs; on its workers each runs in a process of its own, which is killed when it hangs.

    Dask promises at least once: a run whose worker is lost is carried out again elsewhere, and the coordinator stores
    each id once. ``Work.cluster`` is a scheduler's address; None is a cluster of ``jobs`` workers in this process.
    """

    name = "dask"

    def execute(self, items: Iterable[Item], work: Work, *, jobs: int, started: Any) -> Iterator[Done | Lost]:
        from distributed import as_completed

        items = list(items)
        waiting = iter(items)
        jobs = min(jobs, len(items))
        if not items:
            return
        session = uuid4().hex
        with _connected(work.cluster, jobs) as client:
            under_way: dict[str, Item] = {}

            def hand_over(n: int) -> list[Any]:
                futures = []
                for item in islice(waiting, n):
                    started(item)
                    key = f"{session}-{item.id}"
                    under_way[key] = item
                    futures.append(
                        client.submit(
                            carry_out_isolated, session, work.order(item), work.limit(item), key=key, pure=False
                        )
                    )
                return futures

            try:
                first = hand_over(2 * sum(client.nthreads().values()))
                finished: Any = as_completed(first, loop=client.loop)  # type: ignore[no-untyped-call]
                for future in finished:
                    item = under_way.pop(future.key)
                    outcome = _outcome(future, item, work.limit(item))
                    future.release()
                    finished.update(hand_over(1))
                    yield outcome
            finally:
                client.run(end_session, session, on_error="ignore")  # a worker that is gone has ended already


@contextmanager
def _connected(address: str | None, jobs: int) -> Iterator[Any]:
    """A client of the cluster. Raises HarnessError where there is none, or none of its workers answers."""
    from distributed import Client, LocalCluster

    with ExitStack() as stack:
        if address is None:
            # Workers as threads of this process: the runs have processes of their own anyway.
            cluster: Any = LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=jobs, threads_per_worker=1, processes=False, dashboard_address=None, memory_limit=0
            )
            stack.enter_context(cluster)
        else:
            cluster = address
        try:
            client: Any = Client(  # type: ignore[no-untyped-call]
                cluster, timeout=_SECONDS_TO_CONNECT, set_as_default=False
            )
            stack.enter_context(client)
            client.wait_for_workers(1, timeout=_SECONDS_TO_CONNECT)
        except (OSError, TimeoutError, ValueError) as error:
            raise HarnessError(f"no Dask cluster with workers at {address}: {error or type(error).__name__}") from error
        yield client


def _outcome(future: Any, item: Item, timeout: float) -> Done | Lost:
    try:
        kind, told = future.result()
    except Exception as error:  # KilledWorker, or what a worker lacks
        return Lost(item, "failed", f"{type(error).__name__}: {error}")
    if kind == "done":
        return Done(item, msgspec.msgpack.decode(told, type=Product))
    if kind == "timeout":
        return Lost(item, "timeout", f"took longer than {timeout:g} s")
    return Lost(item, "failed", f"its process died {_ATTEMPTS} times" if kind == "died" else str(told))


# -- on a worker ----------------------------------------------------------------------------------------------------

_lock = threading.Lock()
_idle: dict[str, list[Child]] = {}
_busy: dict[str, set[Child]] = {}
_ended: set[str] = set()


def carry_out_isolated(session: str, order: bytes, timeout: float) -> Outcome:
    """One run in a process that is kept for the next one; again in a fresh one where it dies."""
    for _ in range(_ATTEMPTS):
        child = _take(session)
        if child is None:
            return "failed", "the study was ended"
        try:
            reply = child.run(order, timeout)
        except ChildTimeout:
            _give_back(session, child, usable=False)
            return "timeout", ""
        except ChildDied:
            _give_back(session, child, usable=False)
            continue
        _give_back(session, child, usable=True)
        if reply.error is not None:
            return "failed", reply.error
        return "done", reply.product
    return "died", ""


def _take(session: str) -> Child | None:
    with _lock:
        if session in _ended:
            return None
        idle = _idle.setdefault(session, [])
        child = idle.pop() if idle else Child()
        _busy.setdefault(session, set()).add(child)
        return child


def _give_back(session: str, child: Child, *, usable: bool) -> None:
    with _lock:
        _busy.get(session, set()).discard(child)
        if usable and session not in _ended:
            _idle[session].append(child)


def end_session(session: str) -> None:
    """End every process of a study on this worker, and start no more."""
    with _lock:
        _ended.add(session)
        idle, busy = _idle.pop(session, []), _busy.pop(session, set())
    for child in idle:
        child.end()
    for child in busy:
        child.kill()
