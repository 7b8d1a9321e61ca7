"""The process that runs are forked from: ``python -m harness.running.template DESCRIPTOR``.

It imports and prepares once, unless that leaves threads: then each child does (`Made.anew`). It has one thread, and
carries out nothing itself. For each worker of the coordinator it
forks a *keeper*, which forks a child for each request, watches it, and kills what is left of it. All of them end with
the coordinator, whose end closes the template's socket and the keepers'; the keepers end with the template, too.
"""

from __future__ import annotations

import gc
import mmap
import os
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import NoReturn

import msgspec

from harness.errors import HarnessError
from harness.running.child import Made, make
from harness.running.keeper import Keeper
from harness.running.process_tree import adopt_orphans, kill_children, use_huge_pages

_SECONDS_TO_END = 5.0
_Function = Callable[[bytes], bytes]


class Started(msgspec.Struct, frozen=True, array_like=True):
    """The template's one answer. threads: names of those that its imports left. memory: resident bytes. error: why it
    cannot serve."""

    threads: tuple[str, ...] = ()
    memory: int = 0
    error: str | None = None


def ring_on_children() -> int:
    """A descriptor that becomes readable when a child of this process ends."""
    receive, send = os.pipe()
    os.set_blocking(receive, False)
    os.set_blocking(send, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(send, warn_on_full_buffer=False)
    return receive


def thread_names() -> list[str]:
    """Of this process's native threads but the main one, in order."""
    names = []
    for thread in os.listdir("/proc/self/task"):
        if int(thread) != os.getpid():
            with suppress(OSError):  # it may have ended
                names.append(Path(f"/proc/self/task/{thread}/comm").read_text(encoding="utf-8").strip())
    return sorted(names)


def _main(descriptor: int) -> NoReturn:
    link = Connection(descriptor)
    made = msgspec.msgpack.decode(link.recv_bytes(), type=Made)
    adopt_orphans()
    function: _Function = lambda body: make(made)(body)  # noqa: E731
    try:
        if not made.anew:
            function = make(made)
            gc.collect()
            gc.freeze()
            use_huge_pages()
        threads = tuple(thread_names())
        with open("/proc/self/statm", encoding="ascii") as sizes:
            memory = int(sizes.read().split()[1]) * mmap.PAGESIZE
        started = Started(threads, memory)
    except BaseException as error:  # what a plugin raises while it is imported is the coordinator's to tell
        plain = isinstance(error, HarnessError)
        started = Started(error=str(error) if plain else "".join(traceback.format_exception(error)))
    try:
        link.send_bytes(msgspec.msgpack.encode(started))
        if started.error is None:
            _fork_keepers(link, made.scratch, function)
    finally:
        shutil.rmtree(made.scratch, ignore_errors=True)
        os._exit(0)


def _fork_keepers(link: Connection, scratch: str, function: _Function) -> None:
    """One for each descriptor that the coordinator sends, until it is gone."""
    alive, of_template = os.pipe()
    bell = ring_on_children()
    keepers: set[int] = set()
    poll = select.poll()
    poll.register(link, select.POLLIN)
    poll.register(bell, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in poll.poll()]
        if bell in ready:
            os.read(bell, 1 << 12)
            kill_children(keepers)  # what a keeper has left that was itself killed
        if link.fileno() not in ready:
            continue
        try:
            descriptor = recv_handle(link)
        except (EOFError, ConnectionError):
            break
        not_its_own = (link.fileno(), of_template, bell)
        keepers.add(_fork_keeper(descriptor, not_its_own, alive, scratch, function))
    os.close(of_template)
    deadline = time.monotonic() + _SECONDS_TO_END
    while keepers and time.monotonic() < deadline:
        kill_children(keepers)
        time.sleep(0.002)
    kill_children()


def _fork_keeper(descriptor: int, not_its_own: tuple[int, ...], alive: int, scratch: str, function: _Function) -> int:
    pid = os.fork()
    if pid:
        os.close(descriptor)
        return pid
    try:
        for other in not_its_own:
            os.close(other)
        bell = ring_on_children()
        adopt_orphans()
        Keeper(Connection(descriptor), alive, bell, scratch, function).serve()
    finally:
        os._exit(0)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
