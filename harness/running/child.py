"""The process of one run: a fork of its keeper."""

from __future__ import annotations

import importlib
import mmap
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from harness.running.process_tree import die_with_parent

TRACE_SIZE = 4096
UNSENT, REFUSED = 117, 118
"""The exit status of a run whose outcome could not be sent, and of one that reached for what is closed to it."""
LENGTH = 8
"""A reply begins with so many bytes that say how long the rest of it is."""
REFUSAL = 1
"""The first byte of a trace that says why a run was refused."""
_LONGEST_TEXT = 1 << 16
_ENDS_PROCESSES = {"kill", "killpg", "raise", "tgkill", "tkill", "pthread_kill", "pidfd_send_signal", "syscall"}

_exit, _write = os._exit, os.write  # as they were before any run's code
_trace: mmap.mmap | None = None


class Made(msgspec.Struct, frozen=True, array_like=True):
    """What the template makes ready before the first run. path: `sys.path`. imports: modules to import once.

    prepare: ``module:function``, which is called with ``told`` and gives the function of the runs. anew: each run
    imports and prepares for itself, and the template nothing. scratch: the folder for the runs' own folders, removed at
    the end.
    """

    path: list[str]
    imports: list[str]
    prepare: str
    told: bytes
    anew: bool
    scratch: str


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """What the function returned, or the text of what it raised."""

    returned: bytes = b""
    raised: str | None = None


def make(made: Made) -> Callable[[bytes], bytes]:
    """Import and prepare: the function of the runs."""
    sys.path[:] = made.path
    module, _, prepare = made.prepare.partition(":")
    for name in (*made.imports, module):
        importlib.import_module(name)
    function: Callable[[bytes], bytes] = getattr(sys.modules[module], prepare)(made.told)
    return function


def become_child(keeper: int, log: int, scratch: str) -> None:
    """Leave the keeper's session, and take the scratch folder and the log in place of its folder and terminal."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    die_with_parent(keeper)
    null = os.open(os.devnull, os.O_RDONLY)
    for own, standard in ((null, 0), (log, 1), (log, 2)):
        os.dup2(own, standard)
    os.close(null)
    os.close(log)
    score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(score, b"1000")  # where the machine runs out of memory, a run goes before its coordinator
    os.close(score)
    os.environ["TMPDIR"] = scratch
    tempfile.tempdir = None
    os.chdir(scratch)


def work(carry_out: Callable[[], bytes], reply: int, trace: mmap.mmap) -> NoReturn:
    """Carry out the run, send what it returned or raised, and end, whatever threads and handlers it has left."""
    global _trace
    _trace = trace
    try:
        sys.addaudithook(_watch(trace))
        try:
            answer = Reply(_bytes(carry_out()))
        except BaseException as error:  # a run may raise anything, and none of it is for its keeper
            answer = Reply(raised=_text(error))
        sys.setrecursionlimit(1000)
        left = memoryview(msgspec.msgpack.encode(answer))
        _write(reply, left.nbytes.to_bytes(LENGTH))  # what a descendant writes later comes after the reply
        while left:
            left = left[_write(reply, left) :]
    except BaseException:  # its descriptor is closed, or a handler of the run interrupts this
        _exit(UNSENT)
    finally:
        _exit(0)


def refuse(why: str) -> NoReturn:
    """End this process, and its run with it: the keeper tells why, whatever the run itself replies."""
    if _trace is not None:
        told = why.encode(errors="replace")[: TRACE_SIZE - 2]
        _trace[: len(told) + 2] = bytes([REFUSAL]) + told + b"\0"
    _exit(REFUSED)


def _bytes(returned: Any) -> bytes:
    if not isinstance(returned, bytes):
        raise TypeError(f"a run's function returns bytes, not {type(returned).__name__}")
    return returned


def _text(error: BaseException) -> str:
    try:
        sys.setrecursionlimit(1000)
        text = "".join(traceback.format_exception(error))
    except BaseException:  # its own __str__ may raise, or memory be short
        return f"{type(error).__name__}, which cannot be shown"
    return text[-_LONGEST_TEXT:]


def _watch(trace: mmap.mmap) -> Callable[[str, tuple[Any, ...]], None]:
    """An audit hook that refuses signals to other processes, and notes in ``trace`` what may end this one.

    The keeper reads the note when the process is killed: a run that kills itself is told from one that was lost.
    """
    run = os.getpid()

    def note(text: str) -> None:
        if not trace[0]:
            told = text.encode(errors="replace")[: TRACE_SIZE - 1]
            trace[: len(told)] = told

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in ("os.kill", "os.killpg"):
            target, number = args
            if number:
                _refuse_others(run, target, group=event == "os.killpg")
                if target in (0, run, -run):
                    note(f"{event}({target}, {number})")
        elif event == "ctypes.dlsym" and args[1] in _ENDS_PROCESSES:
            note(f"ctypes: {args[1]}")
        elif event in ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn"):
            command = str(args[:2])
            if "kill" in command:
                note(f"{event}{command}")

    return hook


def _refuse_others(run: int, target: int, *, group: bool) -> None:
    """Raises PermissionError unless the process, or the group, is the run's own."""
    if group:
        target = -target
    if target == -1 or (target < -1 and -target != run and os.getsid(-target) != run):
        raise PermissionError("a run may signal its own processes alone")
    while target > 0 and target != run:
        try:
            with open(f"/proc/{target}/stat", "rb") as stat:
                target = int(stat.read().rpartition(b")")[2].split()[1])
        except OSError:
            return
        if target <= 1:
            raise PermissionError("a run may signal its own processes alone")
