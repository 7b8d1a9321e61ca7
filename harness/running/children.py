"""Requests carried out in processes of their own, each the child of a pristine template.

A `Pool` starts one template (`harness.running.template`). The template imports and prepares once, and forks a keeper
for each worker. A keeper forks a child for each request, enforces its limits, and kills all that descends from it. What
a request leaves behind dies with it, so no outcome depends on an earlier one, and no process outlives the coordinator.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from harness.errors import HarnessError
from harness.running.child import Made
from harness.running.environment import WORKER_VARIABLES
from harness.running.frames import Frames, frame
from harness.running.keeper import Kind, Request, Result
from harness.running.process_tree import fair_share
from harness.running.template import PLACE, Configuration, Started

_MOST_DEATHS = 3
"""Templates that may end one after the other without an outcome between them."""
_SECONDS_OF_GRACE = 30.0
"""A keeper that has said nothing so long after a time limit is stuck itself."""
_SECONDS_TO_END = 10.0


class CannotStart(HarnessError):
    """The processes that runs are carried out in do not start. Says what stopped them."""


class Ended(Exception):
    """The pool was ended from another thread."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended. returned: its reply. told: why there is none, in one sentence; for ``raised`` the traceback.

    The request's own are: ``done``; ``raised``: an exception left the function; ``timeout`` and ``memory``: it broke a
    limit; ``ended``: its code ended its process; ``garbled``: its code wrote to the descriptor of its reply;
    ``reached``: for what is closed to it (`harness.running.seal`).
    ``lost`` is not: the machine, or somebody, ended its process or its worker. It can be submitted again.
    """

    key: str
    kind: Kind
    returned: bytes = b""
    told: str = ""


@dataclass(slots=True)
class _Worker:
    """The coordinator's end of a keeper."""

    link: socket.socket
    frames: Frames = field(default_factory=Frames)
    pid: int | None = None
    """None until it has said that it is there."""
    place: int = 0
    """Its number among the workers, from 0."""
    key: str | None = None
    """What is under way; None: idle."""
    deadline: float = 0.0


@dataclass(slots=True)
class _Template:
    process: subprocess.Popen[bytes]
    link: socket.socket
    said: IO[bytes]
    frames: Frames = field(default_factory=Frames)
    ready: bool = False


class Pool:
    """``function`` names ``module:function``, from bytes to bytes; ``jobs`` requests are carried out at a time.

    imports: modules that the template imports once. prepare: ``module:function``, called once with ``prepared``; what
    it leaves in its module is there for every request, as it was. memory: bytes that a request and all its processes
    may hold; default `fair_share`. logs: a folder for what the requests print, a file of at most 1 MiB for each key
    that prints. spawn: each request in a fresh interpreter, which imports and prepares anew: for what a fork does not
    survive (CUDA). So it is too where what the template imports leaves threads, which a fork does not survive either.
    One thread uses the pool; `end` may be called by any.
    """

    def __init__(
        self,
        function: str,
        *,
        jobs: int,
        imports: Sequence[str] = (),
        prepare: str | None = None,
        prepared: bytes = b"",
        memory: int | None = None,
        logs: Path | None = None,
        spawn: bool = False,
    ) -> None:
        path = [os.path.abspath(folder) for folder in sys.path]  # a request has a working folder of its own
        self._made = Made(path, list(imports), prepare, prepared, function, spawn)
        self._jobs, self._logs = jobs, None if logs is None else logs.absolute()
        self.memory = memory if memory is not None else fair_share(jobs)
        self.threads: tuple[str, ...] = ()
        """Once started: names of the threads for which each request has a fresh interpreter."""
        self._waiting: deque[tuple[str, bytes, float]] = deque()
        self._workers: list[_Worker] = []
        self._template: _Template | None = None
        self._deaths = 0
        self._selector = selectors.DefaultSelector()
        self._scratch = tempfile.mkdtemp(prefix="nas-harness-")
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, None)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Wait until requests can be carried out. Raises CannotStart, and Ended after `end`."""
        while self._template is None or not self._template.ready:
            self._template = self._template or self._start_template()
            for selected, _ in self._selector.select():
                if selected.data is None:
                    raise Ended
                self._hear(selected.data)

    def submit(self, key: str, request: bytes, *, seconds: float) -> None:
        """Queue a request. key: names its outcome and its log. seconds: its time limit, from when it starts."""
        self._waiting.append((key, request, seconds))

    def outcomes(self) -> Iterator[Outcome]:
        """Each outcome as it comes, until nothing is queued or under way; requests may be submitted meanwhile.

        Raises CannotStart, and Ended after `end`.
        """
        while self._waiting or any(w.key is not None for w in self._workers):
            self._hand_over()
            found: list[Outcome] = []
            for selected, _ in self._selector.select(self._until_next_deadline()):
                if selected.data is None:
                    raise Ended
                found += self._hear(selected.data)
            found += self._overdue()
            self._hand_over()  # before the caller is given the time it takes
            yield from found

    def end(self) -> None:
        """From any thread: `outcomes` raises Ended."""
        with suppress(OSError):
            self._wake.send(b".")

    def close(self) -> None:
        """End every process. What is queued or under way has no outcome."""
        for worker in list(self._workers):
            self._dismiss(worker)
        if self._template is not None:
            self._end_template(self._template)
        self._waiting.clear()
        self._selector.close()
        self._wake.close()
        self._woken.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    # -- sending ----------------------------------------------------------------------------------------------------

    def _hand_over(self) -> None:
        if not self._waiting:
            return
        if self._template is None:
            self._template = self._start_template()
        if not self._template.ready:
            return
        for worker in [w for w in self._workers if w.key is None and w.pid is not None]:
            if not self._waiting:
                return
            self._start(worker, *self._waiting.popleft())
        coming = sum(w.pid is None for w in self._workers)
        while len(self._workers) < self._jobs and coming < len(self._waiting):
            self._add_worker(self._template)
            coming += 1

    def _start(self, worker: _Worker, key: str, body: bytes, seconds: float) -> None:
        log = None if self._logs is None else str(self._logs / f"{key}.log")
        worker.key, worker.deadline = key, time.monotonic() + seconds + _SECONDS_OF_GRACE
        with suppress(OSError):  # it is gone, which is heard next
            worker.link.sendall(frame(msgspec.msgpack.encode(Request(body, seconds, self.memory, log))))

    def _add_worker(self, template: _Template) -> None:
        link, other = socket.socketpair()
        with other:
            link.settimeout(_SECONDS_OF_GRACE)
            place = min(set(range(self._jobs)) - {w.place for w in self._workers})
            worker = _Worker(link, place=place, deadline=time.monotonic() + _SECONDS_OF_GRACE)
            self._workers.append(worker)
            self._selector.register(link, selectors.EVENT_READ, worker)
            with suppress(OSError):
                socket.send_fds(template.link, [place.to_bytes(PLACE, "big")], [other.fileno()])

    def _start_template(self) -> _Template:
        os.makedirs(self._scratch, mode=0o700, exist_ok=True)  # a template that ends removes it
        link, other = socket.socketpair()
        said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        with other:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "harness.running.template", str(other.fileno())],
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, pass_fds=[other.fileno()],
                env={**os.environ, **WORKER_VARIABLES}, start_new_session=True,
            )  # fmt: skip
        template = _Template(process, link, said)
        self._selector.register(link, selectors.EVENT_READ, template)
        with suppress(OSError):
            link.sendall(frame(msgspec.msgpack.encode(Configuration(self._made, self._scratch))))
        return template

    # -- hearing ----------------------------------------------------------------------------------------------------

    def _hear(self, source: _Worker | _Template) -> list[Outcome]:
        try:
            piece = source.link.recv(1 << 20)
        except OSError:
            piece = b""
        if isinstance(source, _Template):
            self._hear_template(source, piece)
            return []
        if not piece:
            return self._lose(source, "its worker was ended from outside")
        found = []
        for message in source.frames.feed(piece):
            result = msgspec.msgpack.decode(message, type=Result)
            if source.pid is None:
                source.pid = int(result.returned)
            elif source.key is not None:
                found.append(Outcome(source.key, result.kind, result.returned, result.told))
                source.key, self._deaths = None, 0
        return found

    def _hear_template(self, template: _Template, piece: bytes) -> None:
        for message in template.frames.feed(piece):
            started = msgspec.msgpack.decode(message, type=Started)
            if started.error is not None:
                raise CannotStart(f"a run's process cannot be made ready:\n{started.error}")
            if started.threads:
                self.threads = started.threads
                self._made = msgspec.structs.replace(self._made, spawn=True)
                self._end_template(template)
                return
            if started.memory > self.memory:
                raise CannotStart(
                    f"a run may hold {self.memory >> 20} MiB, but its process holds {started.memory >> 20} MiB before "
                    "it starts; raise the memory limit or lower the number of jobs"
                )
            template.ready = True
        if not piece:
            template.said.seek(0)
            words = template.said.read()[-2000:].decode(errors="replace").strip()
            self._end_template(template)
            self._deaths += 1
            if self._deaths >= _MOST_DEATHS:
                raise CannotStart(
                    f"the process that runs are forked from was ended {self._deaths} times in a row"
                    + (f"; it said last:\n{words}" if words else "")
                )

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

    def _until_next_deadline(self) -> float | None:
        deadlines = [w.deadline for w in self._workers if w.key is not None or w.pid is None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    # -- ending -----------------------------------------------------------------------------------------------------

    def _lose(self, worker: _Worker, why: str) -> list[Outcome]:
        self._dismiss(worker)
        return [] if worker.key is None else [Outcome(worker.key, "lost", told=why)]

    def _dismiss(self, worker: _Worker) -> None:
        """Its keeper sees the end of the socket, ends what is under way, and ends."""
        self._workers.remove(worker)
        self._selector.unregister(worker.link)
        worker.link.close()

    def _end_template(self, template: _Template) -> None:
        self._selector.unregister(template.link)
        template.link.close()
        template.said.close()
        try:
            template.process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            template.process.kill()
            template.process.wait()
        self._template = None
