"""Carries out one request after the other, each in a child of its own, and leaves nothing of a child behind."""

from __future__ import annotations

import mmap
import os
import select
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec
import psutil

from harness.running.child import LENGTH, REFUSAL, TRACE_SIZE, UNSENT, Reply, become_child, work
from harness.running.environment import DEVICE
from harness.running.process_tree import kill, kill_children, memory_of, out_of_memory_kills

Kind = Literal["done", "raised", "ended", "garbled", "timeout", "memory", "reached", "lost"]

LOG_LIMIT = 1 << 20
_SECONDS_BETWEEN_LOOKS = 0.05
_SHARE_OF_LOOKING = 0.05
_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}


class Request(msgspec.Struct, frozen=True, array_like=True):
    """One run. key: names its outcome. body: for the function. seconds, memory: its limits. log: the file for what it
    prints. device: where it trains, if one is named."""

    key: str
    body: bytes
    seconds: float
    memory: int
    log: str | None
    device: str | None


class Outcome(msgspec.Struct, frozen=True, array_like=True):
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


class Gone(Exception):
    """The coordinator or the template has ended, and with it everything here."""


@dataclass
class Log:
    """The first half and the last half of a mebibyte of what a run prints. The file is made with the first byte."""

    path: str | None
    head: int = 0
    tail: bytearray = field(default_factory=bytearray)
    left_out: int = 0
    file: BinaryIO | None = None

    def write(self, piece: bytes) -> None:
        if self.path is None or not piece:
            return
        if self.file is None:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            self.file = open(self.path, "wb", buffering=0)  # noqa: SIM115
        room = LOG_LIMIT // 2 - self.head
        if room > 0:
            self.file.write(piece[:room])
            self.head += len(piece[:room])
            piece = piece[room:]
        self.tail += piece
        if (excess := len(self.tail) - LOG_LIMIT // 2) > 0:
            del self.tail[:excess]
            self.left_out += excess

    def close(self) -> None:
        if self.file is not None:
            if self.left_out:
                self.file.write(f"\n... {self.left_out} bytes are left out here ...\n".encode())
            self.file.write(self.tail)
            self.file.close()


@dataclass
class Keeper:
    """link: to the coordinator. alive: ends with the template. bell: rings when a child ends. scratch: the folder for
    the runs' own folders."""

    link: Connection
    alive: int
    bell: int
    scratch: str
    function: Callable[[bytes], bytes]

    def __post_init__(self) -> None:
        self.trace = mmap.mmap(-1, TRACE_SIZE)  # of the child too
        self.kills = out_of_memory_kills()
        self.count = 0

    def serve(self) -> None:
        """Until the coordinator or the template is gone. Its own number is the first thing that it sends."""
        poll = select.poll()
        poll.register(self.link, select.POLLIN)
        poll.register(self.alive, select.POLLIN)
        with suppress(Gone, EOFError, ConnectionError):
            self.link.send_bytes(str(os.getpid()).encode())
            while not any(descriptor == self.alive for descriptor, _ in poll.poll()):
                request = msgspec.msgpack.decode(self.link.recv_bytes(), type=Request)
                self.link.send_bytes(msgspec.msgpack.encode(self._carry_out(request)))
        kill_children()

    def _carry_out(self, request: Request) -> Outcome:
        self.count += 1
        scratch = os.path.join(self.scratch, f"{os.getpid()}-{self.count}")
        log = Log(request.log)
        try:
            os.mkdir(scratch)
            if self.trace[0]:
                self.trace[:] = bytes(TRACE_SIZE)
            run = _Run(self, request, scratch, log)
            try:
                broken = run.watch()
            finally:
                status = run.end()
            if self.trace[0] == REFUSAL:
                return Outcome(request.key, "reached", told=self._seen()[1:])
            if broken is not None:
                return Outcome(request.key, broken[0], told=broken[1])
            return self._ended(request.key, status, run.replied)
        except OSError as error:
            return Outcome(request.key, "lost", told=f"its worker: {error}")
        finally:
            log.close()
            remove(scratch)

    def _seen(self) -> str:
        return bytes(self.trace).partition(b"\0")[0].decode(errors="replace")

    def _ended(self, key: str, status: int, replied: bytearray) -> Outcome:
        """A run that has ended: with its reply, by its own doing, or by what ended it from outside?

        An exit is the run's own, and so is a signal that no outsider sends, such as SIGSEGV. A signal that comes from
        inside or outside, such as SIGKILL, is the run's own where it was seen to send it or to reach for what does.
        """
        with suppress(msgspec.MsgspecError):
            reply = msgspec.msgpack.decode(replied[LENGTH:][: int.from_bytes(replied[:LENGTH])], type=Reply)
            if reply.raised is None:
                return Outcome(key, "done", reply.returned)
            return Outcome(key, "raised", told=reply.raised)
        code = os.waitstatus_to_exitcode(status)
        if code == UNSENT:
            return Outcome(key, "ended", told="it closed the descriptor of its reply, or broke what sends it")
        if code >= 0 and replied:
            return Outcome(key, "garbled", told="it wrote to the descriptor of its reply")
        if code >= 0:
            return Outcome(key, "ended", told=f"it ended its process with exit status {code} before it had an outcome")
        name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
        if seen := self._seen():
            return Outcome(key, "ended", told=f"it ended its process: {name}, after {seen}")
        if -code not in _FROM_OUTSIDE:
            return Outcome(key, "ended", told=f"its process ended by {name}")
        before, self.kills = self.kills, out_of_memory_kills()
        if self.kills > before:
            return Outcome(key, "lost", told=f"its process was ended by {name}: the machine ran out of memory")
        return Outcome(key, "lost", told=f"its process was ended by {name} from outside")


class _Run:
    """A child under way."""

    def __init__(self, keeper: Keeper, request: Request, scratch: str, log: Log) -> None:
        self.keeper, self.request = keeper, request
        self.reply, reply = os.pipe()
        self.printed, printed = os.pipe()
        self.replied = bytearray()
        self._takes = {self.reply: self.replied.extend, self.printed: log.write}
        """What is done with a piece that is read from each descriptor."""
        own = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            work(lambda: self._carry_out(own, printed, scratch), reply, keeper.trace)
        os.close(reply)
        os.close(printed)
        os.set_blocking(self.reply, False)
        os.set_blocking(self.printed, False)

    def _carry_out(self, keeper: int, printed: int, scratch: str) -> bytes:
        """In the child."""
        k = self.keeper
        become_child(keeper, printed, scratch)
        for descriptor in (k.link.fileno(), k.alive, k.bell, self.reply, self.printed):
            os.close(descriptor)
        if self.request.device is not None:
            os.environ[DEVICE] = self.request.device
        return k.function(self.request.body)

    def watch(self) -> tuple[Kind, str] | None:
        """Until the run has ended, or has broken a limit: which, and how. Raises Gone."""
        request, k = self.request, self.keeper
        poll = select.poll()
        for descriptor in (k.link.fileno(), k.alive, k.bell, self.reply, self.printed):
            poll.register(descriptor, select.POLLIN)
        now = time.monotonic()
        ends, look = now + request.seconds, now + _SECONDS_BETWEEN_LOOKS
        while True:
            for descriptor, _ in poll.poll(max(0.0, 1000 * (min(ends, look) - now)) + 1):
                if descriptor in (k.link.fileno(), k.alive):
                    raise Gone  # nothing is sent to a keeper that is busy
                if descriptor == k.bell:
                    os.read(k.bell, 1 << 12)
                elif piece := os.read(descriptor, 1 << 20):
                    self._takes[descriptor](piece)
                else:
                    poll.unregister(descriptor)
            if self._has_ended():
                return None
            now = time.monotonic()
            if now >= ends:
                return "timeout", f"took longer than {request.seconds:g} s"
            if now >= look:
                if len(self.replied) + self._memory() > request.memory:
                    return "memory", f"took more memory than {request.memory >> 20} MiB"
                after = time.monotonic()
                look = after + max(_SECONDS_BETWEEN_LOOKS, (after - now) / _SHARE_OF_LOOKING)
                now = after

    def _has_ended(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _memory(self) -> int:
        """Of the child and all that descends from it, those among them that have lost their parent."""
        return memory_of(psutil.Process(os.getpid()).children(recursive=True), self.request.memory)

    def end(self) -> int:
        """Kill the child and all that it left, and read what it wrote to the end; the child's wait status."""
        kill(self.pid)
        _, status = os.waitpid(self.pid, 0)
        kill_children()
        for descriptor, take in self._takes.items():
            with suppress(BlockingIOError):
                while piece := os.read(descriptor, 1 << 20):
                    take(piece)
            os.close(descriptor)
        return status


def remove(folder: str) -> None:
    """A folder and all in it, whatever rights its owner took from it."""

    def give_rights_and_again(function: Callable[..., Any], path: str, _error: Any) -> None:
        with suppress(OSError):
            os.chmod(os.path.dirname(path), 0o700)
            os.chmod(path, 0o700)
            function(path)

    shutil.rmtree(folder, onerror=give_rights_and_again)
