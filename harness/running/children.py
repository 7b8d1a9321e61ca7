"""Requests carried out in processes of their own, each the child of a pristine template.

A `Pool` starts one template (`harness.running.template`). The template imports and prepares once, and forks a keeper
for each worker. A keeper forks a child for each request, enforces its limits, and kills all that descends from it. What
a request leaves behind dies with it, so no outcome depends on an earlier one, and no process outlives the coordinator.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import IO

import msgspec

from harness.errors import HarnessError
from harness.running.child import Made
from harness.running.environment import DEVICE, WORKER_VARIABLES
from harness.running.keeper import Outcome, Request
from harness.running.process_tree import fair_share
from harness.running.template import Started

_MOST_DEATHS = 3
"""Templates that may end one after the other without an outcome between them."""
_SECONDS_OF_GRACE = 30.0
"""A keeper that has said nothing so long after a time limit is stuck itself."""
_SECONDS_TO_END = 10.0
_SECONDS_BETWEEN_LOOKS = 0.25


class CannotStart(HarnessError):
    """The processes that runs are carried out in do not start. Says what stopped them."""


class Unwanted(Exception):
    """Nobody wants the outcomes any more."""


@dataclass(slots=True)
class _Worker:
    """The coordinator's end of a keeper."""

    link: Connection
    pid: int | None = None
    """None until it has said that it is there."""
    place: int = 0
    """Its number among the workers, from 0: of several devices, each worker has one."""
    key: str | None = None
    """What is under way; None: idle."""
    deadline: float = 0.0


@dataclass(slots=True)
class _Template:
    process: subprocess.Popen[bytes]
    link: Connection
    said: IO[bytes]
    ready: bool = False


class Pool:
    """``prepare`` names ``module:function``, which is called once with ``told`` and gives the function that carries out
    requests, from bytes to bytes. What it leaves is there for every request, as it was.

    jobs: how many are carried out at a time. imports: modules that the template imports before. memory: bytes that a
    request and all its processes may hold; default `fair_share`. logs: a folder for what the requests print, a file of
    at most 1 MiB for each key that prints. wanted: whether anybody still wants outcomes; asked four times a second.

    Where what the template imports leaves threads, which a fork does not survive, each request imports and prepares
    anew.
    """

    def __init__(
        self,
        prepare: str,
        told: bytes = b"",
        *,
        jobs: int,
        imports: Sequence[str] = (),
        memory: int | None = None,
        logs: Path | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        path = [os.path.abspath(folder) for folder in sys.path]  # a request has a working folder of its own
        scratch = tempfile.mkdtemp(prefix="nas-harness-")
        self._made = Made(path, list(imports), prepare, told, False, scratch)
        self._jobs, self._logs, self._wanted = jobs, None if logs is None else logs.absolute(), wanted
        self.memory = memory if memory is not None else fair_share(jobs)
        self.threads: tuple[str, ...] = ()
        """Once started: names of the threads for which each request imports anew."""
        self._workers: list[_Worker] = []
        self._template: _Template | None = None
        self._deaths = 0

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Wait until requests can be carried out. Raises CannotStart, Unwanted."""
        while self._template is None or not self._template.ready:
            self._template = self._template or self._start_template()
            self._hear()

    def carry_out(self, requests: Iterable[tuple[str, bytes, float]]) -> Iterator[str | Outcome]:
        """The key of each request when it has begun, and its outcome when it has ended.

        requests: the key, which names the log, too; the body; seconds that it may take from when it begins. The next
        one is asked for before a worker is free for it. Raises CannotStart, Unwanted.
        """
        source = iter(requests)
        following = next(source, None)
        found: list[Outcome] = []
        while True:
            begun = []
            if following is not None:
                for worker in self._free_workers():
                    self._start(worker, *following)
                    begun.append(following[0])
                    if (following := next(source, None)) is None:
                        break
            yield from found  # only now, so that no worker waits for what the caller does with it
            yield from begun
            if following is None and all(w.key is None for w in self._workers):
                return
            found = self._hear() + self._overdue()

    def close(self) -> None:
        """End every process. What is under way has no outcome."""
        for worker in list(self._workers):
            self._dismiss(worker)
        if self._template is not None:
            self._end_template(self._template)
        shutil.rmtree(self._made.scratch, ignore_errors=True)

    # -- sending ----------------------------------------------------------------------------------------------------

    def _free_workers(self) -> list[_Worker]:
        """Those that are there and idle. Missing ones are started, and come later."""
        if self._template is None:
            self._template = self._start_template()
        while self._template.ready and len(self._workers) < self._jobs:
            self._add_worker(self._template)
        return [w for w in self._workers if w.key is None and w.pid is not None]

    def _start(self, worker: _Worker, key: str, body: bytes, seconds: float) -> None:
        log = None if self._logs is None else str(self._logs / f"{key}.log")
        worker.key, worker.deadline = key, time.monotonic() + seconds + _SECONDS_OF_GRACE
        devices = os.environ[DEVICE].split(",") if DEVICE in os.environ else [None]
        request = Request(key, body, seconds, self.memory, log, devices[worker.place % len(devices)])
        with suppress(OSError):  # it is gone, which is heard next
            worker.link.send_bytes(msgspec.msgpack.encode(request))

    def _add_worker(self, template: _Template) -> None:
        link, other = Pipe()
        with other:
            place = min(set(range(self._jobs)) - {w.place for w in self._workers})
            self._workers.append(_Worker(link, place=place, deadline=time.monotonic() + _SECONDS_OF_GRACE))
            with suppress(OSError):
                send_handle(template.link, other.fileno(), template.process.pid)

    def _start_template(self) -> _Template:
        os.makedirs(self._made.scratch, mode=0o700, exist_ok=True)  # a template that ends removes it
        link, other = Pipe()
        said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        with other:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "harness.running.template", str(other.fileno())],
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, pass_fds=[other.fileno()],
                env={**os.environ, **WORKER_VARIABLES}, start_new_session=True,
            )  # fmt: skip
        with suppress(OSError):
            link.send_bytes(msgspec.msgpack.encode(self._made))
        return _Template(process, link, said)

    # -- hearing ----------------------------------------------------------------------------------------------------

    def _hear(self) -> list[Outcome]:
        """What there is to hear, after waiting for it a moment. Raises CannotStart, Unwanted."""
        if not self._wanted():
            raise Unwanted
        sources: dict[Connection, _Worker | _Template] = {worker.link: worker for worker in self._workers}
        if self._template is not None:
            sources[self._template.link] = self._template
        found = []
        for link in wait(list(sources), _SECONDS_BETWEEN_LOOKS):
            source = sources[link]  # type: ignore[index]
            try:
                message = source.link.recv_bytes()
            except (EOFError, OSError):
                message = None
            if isinstance(source, _Template):
                self._hear_template(source, message)
            elif message is None:
                found += self._lose(source, "its worker was ended from outside")
            elif source.pid is None:
                source.pid = int(message)
            else:
                found.append(msgspec.msgpack.decode(message, type=Outcome))
                source.key, self._deaths = None, 0
        return found

    def _hear_template(self, template: _Template, message: bytes | None) -> None:
        """message: None where it has ended."""
        if message is None:
            template.said.seek(0)
            words = template.said.read()[-2000:].decode(errors="replace").strip()
            self._end_template(template)
            self._deaths += 1
            if self._deaths >= _MOST_DEATHS:
                raise CannotStart(
                    f"the process that runs are forked from was ended {self._deaths} times in a row"
                    + (f"; it said last:\n{words}" if words else "")
                )
            return
        started = msgspec.msgpack.decode(message, type=Started)
        if started.error is not None:
            raise CannotStart(f"a run's process cannot be made ready:\n{started.error}")
        if started.threads:
            self.threads = started.threads
            self._made = msgspec.structs.replace(self._made, anew=True)
            self._end_template(template)
            return
        if started.memory > self.memory:
            raise CannotStart(
                f"a run may hold {self.memory >> 20} MiB, but its process holds {started.memory >> 20} MiB before "
                "it starts; raise the memory limit or lower the number of jobs"
            )
        template.ready = True

    def _overdue(self) -> list[Outcome]:
        """Of workers that are stuck: the request under way is lost with its worker."""
        now = time.monotonic()
        found = []
        for worker in [w for w in self._workers if (w.key is not None or w.pid is None) and w.deadline < now]:
            found += self._lose(worker, "its worker did not answer")
            if worker.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGKILL)
            elif self._template is not None:
                self._template.process.kill()
        return found

    # -- ending -----------------------------------------------------------------------------------------------------

    def _lose(self, worker: _Worker, why: str) -> list[Outcome]:
        self._dismiss(worker)
        return [] if worker.key is None else [Outcome(worker.key, "lost", told=why)]

    def _dismiss(self, worker: _Worker) -> None:
        """Its keeper sees the end of the socket, ends what is under way, and ends."""
        self._workers.remove(worker)
        worker.link.close()

    def _end_template(self, template: _Template) -> None:
        template.link.close()
        template.said.close()
        try:
            template.process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            template.process.kill()
            template.process.wait()
        self._template = None
