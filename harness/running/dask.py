"""Many runs on a Dask cluster, or on one of this machine's own. Imported when the executor is asked for by name."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

from harness.errors import HarnessError
from harness.running import dask_worker
from harness.running.children import CannotStart
from harness.running.execution import Done, Executor, Lost, Stopped, Work, default_jobs, done_or_lost
from harness.running.items import Item
from harness.running.keeper import Outcome

_SECONDS_TO_CONNECT = 30.0
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_WITHOUT_WORKERS = 60.0


class DaskCluster(Executor):
    """A Dask cluster: --cluster ADDRESS, or one of this machine's own.

    Dask hands out the runs. On its workers each is a process of its own, as on this machine.

    Dask carries out each item at least once: a run whose worker is lost is carried out again elsewhere, and the
    coordinator stores each id once. ``Settings.cluster`` is a scheduler's address; None is a cluster of ``jobs``
    workers in this process.
    """

    name = "dask"

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._client: Any = None
        self._address: str | None = None
        self._jobs: int | None = None
        self._terms = b""

    def open(self, work: Work) -> None:
        """Raises HarnessError where there is no cluster, and where a worker cannot carry out the study."""
        from distributed import Client, LocalCluster

        self._address, self._jobs = work.settings.cluster, work.settings.workers
        try:
            cluster: Any = self._address
            if cluster is None:
                # Workers are threads of this process: the runs have processes of their own anyway.
                cluster = LocalCluster(  # type: ignore[no-untyped-call]
                    n_workers=self._jobs or default_jobs(), threads_per_worker=1, processes=False, memory_limit=0,
                    dashboard_address=":0",
                )  # fmt: skip
                self._stack.enter_context(cluster)
            self._client = Client(cluster, timeout=_SECONDS_TO_CONNECT, set_as_default=False)  # type: ignore[no-untyped-call]
            self._client.wait_for_workers(1, timeout=_SECONDS_TO_CONNECT)
        except (OSError, TimeoutError, ValueError) as error:
            at = "of this machine" if self._address is None else f"at {self._address}"
            raise HarnessError(f"no Dask cluster with workers {at}: {error or type(error).__name__}") from error
        threads = self._client.nthreads()
        hosts = Counter[str]()
        for worker, n in threads.items():
            hosts[worker.rpartition(":")[0]] += n
        sharing = sum(threads.values()) if self._address is None else max(hosts.values())
        terms = dask_worker.Terms(preparation=work.preparation, memory=work.settings.run_memory, sharing=sharing)
        self._terms = msgspec.msgpack.encode(terms)
        self._refuse_others(list(threads))
        with suppress(KeyError):  # a scheduler without a dashboard
            self.note = f"Dask's dashboard is at {self._client.dashboard_link}"

    def _refuse_others(self, workers: list[str]) -> None:
        """Raises HarnessError naming the workers that cannot carry out the study. A busy worker answers later."""
        asked = {
            worker: self._client.submit(dask_worker.ready, self._terms, workers=[worker], pure=False)
            for worker in workers
        }
        ends = time.monotonic() + _SECONDS_TO_CONNECT
        refused = []
        for worker, future in asked.items():
            try:
                future.result(timeout=max(ends - time.monotonic(), 0.1))
            except TimeoutError:
                continue
            except CannotStart as error:
                refused.append(f"worker {worker}: {error}")
            except Exception as error:  # the worker lacks what the message names, such as nas-harness
                refused.append(f"worker {worker}: {type(error).__name__}: {error}")
        if refused:
            raise HarnessError("the Dask cluster cannot carry out this study.\n" + "\n".join(refused))

    def execute(self, items: Iterable[Item], work: Work, *, started: Any) -> Iterator[Done | Lost]:
        waiting = deque(items)
        under_way: dict[str, tuple[Item, Any]] = {}
        arrived: SimpleQueue[str] = SimpleQueue()
        most = self._most()
        looked = with_workers = time.monotonic()
        try:
            while waiting or under_way:
                while waiting and len(under_way) < most:
                    item = waiting.popleft()
                    started(item)
                    self._still_there()
                    order = item.id, msgspec.msgpack.encode(item), work.limit(item)
                    future = self._client.submit(dask_worker.carry_out, self._terms, *order, pure=False)
                    under_way[future.key] = item, future
                    future.add_done_callback(lambda future: arrived.put(future.key))
                try:
                    key = arrived.get(timeout=_SECONDS_BETWEEN_LOOKS)
                except Empty:
                    key = ""
                now = time.monotonic()
                if not key or now - looked > _SECONDS_BETWEEN_LOOKS:
                    looked = now
                    if self._workers():
                        with_workers, most = now, self._most()
                    elif now - with_workers > _SECONDS_WITHOUT_WORKERS:
                        raise Stopped(f"the Dask cluster has had no worker for {_SECONDS_WITHOUT_WORKERS:g} s")
                if key:
                    item, future = under_way.pop(key)
                    outcome = self._outcome(item, future, work)
                    future.release()
                    yield outcome
        finally:
            for _, future in under_way.values():
                future.release()

    def _outcome(self, item: Item, future: Any, work: Work) -> Done | Lost:
        """Raises Stopped where the scheduler is gone, or a worker that came later cannot carry out the study."""
        try:
            reply = future.result(timeout=_SECONDS_TO_CONNECT)
            outcome, printed = msgspec.msgpack.decode(reply, type=tuple[Outcome, bytes])
        except CannotStart as error:
            raise Stopped(f"a worker of the Dask cluster cannot carry out this study: {error}") from error
        except Exception as error:  # KilledWorker, a broken connection, or a worker that lacks something
            self._still_there()
            return Lost(item, f"{type(error).__name__}: {error}")
        if printed and work.logs is not None:
            work.logs.mkdir(parents=True, exist_ok=True)
            (work.logs / f"{item.id}.log").write_bytes(printed)
        return done_or_lost(item, outcome)

    def _workers(self) -> int:
        """Threads of all workers. Raises Stopped where the scheduler is gone."""
        self._still_there()
        try:
            return int(sum(self._client.nthreads().values()))
        except Exception as error:  # the connection may break with any error of what was under way
            raise self._gone() from error

    def _most(self) -> int:
        """How many items to hand over: two a thread, so that no thread waits for the coordinator."""
        return 2 * self._workers() if self._jobs is None or self._address is None else self._jobs

    def _still_there(self) -> None:
        if self._client.status != "running":
            raise self._gone()

    def _gone(self) -> Stopped:
        return Stopped(f"the Dask scheduler at {self._address} is gone; start it again, or name another with --cluster")

    def close(self) -> None:
        client, self._client = self._client, None
        try:
            if client is not None and client.status == "running":
                with suppress(Exception):  # the scheduler may end meanwhile: workers then end their own processes
                    client.run(dask_worker.end, self._terms, on_error="ignore")
        finally:
            if client is not None:
                client.close(timeout=_SECONDS_BETWEEN_LOOKS)
            self._stack.close()
