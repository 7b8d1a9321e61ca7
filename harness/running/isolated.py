"""Runs in a process of their own, one after the other, for workers that cannot end a run themselves.

A worker's thread can neither interrupt a run that hangs nor outlive one that is killed, and a daemonic worker may have
no `multiprocessing` children. `Child` is a plain subprocess, ``python -m harness.running.isolated``. It answers each
request on its standard input with one reply on its standard output, and ends when the input does: with the worker.
"""

from __future__ import annotations

import os
import select
import struct
import subprocess
import sys
import threading
import time
from queue import SimpleQueue
from typing import IO, Any, BinaryIO

import msgspec

from harness.running.environment import WORKER_VARIABLES
from harness.running.items import Order

_LENGTH = struct.Struct("<Q")


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """A `Product` as MessagePack, or the error of an item that could not be carried out."""

    product: bytes = b""
    error: str | None = None


class ChildDied(Exception):
    """The process ended under a run."""


class ChildTimeout(Exception):
    """The run took too long; the process was killed."""


class Child:
    """A process that carries out runs. One thread at a time uses it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.running.isolated"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **WORKER_VARIABLES},
            start_new_session=True,  # Ctrl-C is for the coordinator
        )

    def run(self, order: bytes, timeout: float) -> Reply:
        """Raises ChildDied, or ChildTimeout after ``timeout`` seconds; the process is gone then."""
        ends = time.monotonic() + timeout
        assert self._process.stdin is not None
        try:
            _send(self._process.stdin, order)
            (length,) = _LENGTH.unpack(self._receive(_LENGTH.size, ends))
            return msgspec.msgpack.decode(self._receive(length, ends), type=Reply)
        except (OSError, EOFError) as error:
            self.end()
            raise ChildDied from error
        except ChildTimeout:
            self.end()
            raise

    def _receive(self, size: int, ends: float) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        parts = bytearray()
        while len(parts) < size:
            ready, _, _ = select.select([descriptor], [], [], max(ends - time.monotonic(), 0.0))
            if not ready:
                raise ChildTimeout
            part = os.read(descriptor, min(size - len(parts), 1 << 20))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def kill(self) -> None:
        """From another thread: the run under way raises ChildDied."""
        self._process.kill()

    def end(self) -> None:
        """Kill it; by the thread that uses it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # what was not yet sent has nobody left to read it


def _send(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def _requests(pipe: BinaryIO, found: SimpleQueue[bytes]) -> None:
    """Every request, until the worker is gone: then this process ends at once, in the middle of a run or not."""
    while len(head := pipe.read(_LENGTH.size)) == _LENGTH.size:
        found.put(pipe.read(_LENGTH.unpack(head)[0]))
    os._exit(0)


def _serve() -> None:
    from harness.running.execution import carry_out, start_worker

    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a strategy prints is no reply
    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_requests, args=(sys.stdin.buffer, requests), daemon=True).start()
    started: Any = ()
    while True:
        order = requests.get()
        try:
            plugins = msgspec.msgpack.decode(order, type=Order).plugins
            if plugins != started:
                start_worker(plugins)
                started = plugins
            reply = Reply(carry_out(order))
        except Exception as error:
            reply = Reply(error=f"{type(error).__name__}: {error}")
        _send(replies, msgspec.msgpack.encode(reply))


if __name__ == "__main__":
    _serve()
