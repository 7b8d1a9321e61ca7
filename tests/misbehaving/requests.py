"""Requests that misbehave. Each is a function from bytes to bytes; beside it, how a pool must tell it ended."""

from __future__ import annotations

import atexit
import builtins
import ctypes
import decimal
import gc
import locale
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

Function = Callable[[bytes], Any]
CORPUS: dict[str, tuple[Function, str, str]] = {}
"""name -> the function, the kind of its outcome, and words that are told with it."""


def ends(kind: str, told: str = "") -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        CORPUS[function.__name__] = (function, kind, told)
        return function

    return register


def prepare(_: bytes) -> Function:
    return carry_out


def carry_out(request: bytes) -> Any:
    """The misbehaving function that the request names, or what the probe finds."""
    if request == b"probe":
        from misbehaving.probe import probe

        return probe()
    return CORPUS[request.decode()][0](request)


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


class Victim:
    """Stands for any class that everyone uses."""

    def answer(self) -> int:
        return 42


# -- what stays behind in a process ------------------------------------------------------------------------------------


@ends("done")
def patches_a_class(_: bytes) -> bytes:
    Victim.answer = lambda self: 99  # type: ignore[method-assign]
    return b"x"


@ends("done")
def replaces_default_rng(_: bytes) -> bytes:
    np.random.default_rng = lambda *_: None  # type: ignore[assignment]
    return b"x"


@ends("done")
def replaces_random(_: bytes) -> bytes:
    random.Random = int  # type: ignore[assignment,misc]
    random.random = lambda: 0.0  # type: ignore[assignment]
    return b"x"


@ends("done")
def replaces_builtins(_: bytes) -> bytes:
    for name in ("len", "open", "print", "sorted", "__import__"):
        setattr(builtins, name, None)
    return b"x"


@ends("done")
def lowers_the_recursion_limit(_: bytes) -> bytes:
    sys.setrecursionlimit(60)
    return b"x"


@ends("done")
def changes_the_rounding_mode(_: bytes) -> bytes:
    ctypes.CDLL("libm.so.6").fesetround(0x400)
    return b"x"


@ends("done")
def changes_numpy_and_decimal_errors(_: bytes) -> bytes:
    np.seterr(all="raise")
    decimal.getcontext().prec = 2
    warnings.simplefilter("error")
    return b"x"


@ends("done")
def changes_the_environment(_: bytes) -> bytes:
    os.environ.clear()
    os.environ["OMP_NUM_THREADS"] = "64"
    os.umask(0o777)
    os.chdir("/")
    locale.setlocale(locale.LC_ALL, "C")
    socket.setdefaulttimeout(0.001)
    return b"x"


@ends("done")
def changes_limits(_: bytes) -> bytes:
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.nice(10)
    return b"x"


@ends("done")
def ignores_every_signal(_: bytes) -> bytes:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    return b"x"


@ends("done")
def empties_the_modules(_: bytes) -> bytes:
    gc.disable()
    sys.path.clear()
    for name in list(sys.modules):
        if name.startswith(("harness", "numpy", "misbehaving")):
            del sys.modules[name]
    return b"x"


@ends("done")
def patches_the_sender(_: bytes) -> bytes:
    os.write = lambda *_: 0  # type: ignore[assignment]
    os._exit = lambda *_: None  # type: ignore[assignment]
    os.fork = lambda: 0
    return b"x"


@ends("done")
def traces_everything(_: bytes) -> bytes:
    sys.settrace(lambda *_: None)
    sys.setprofile(lambda *_: None)
    sys.excepthook = sys.unraisablehook = lambda *_: None  # type: ignore[assignment]
    return b"x"


@ends("done")
def registers_an_exit_that_hangs(_: bytes) -> bytes:
    atexit.register(time.sleep, 1000)
    return b"x"


@ends("done")
def mutates_its_own_defaults(_: bytes, seen: list[int] = []) -> bytes:  # noqa: B006
    seen.append(1)
    assert len(seen) == 1
    return b"x"


# -- threads and processes ---------------------------------------------------------------------------------------------


@ends("done")
def leaves_threads(_: bytes) -> bytes:
    for _i in range(4):
        threading.Thread(target=time.sleep, args=(1000,)).start()
    return b"x"


@ends("done")
def leaves_busy_threads(_: bytes) -> bytes:
    def spin() -> None:
        while True:
            pass

    threading.Thread(target=spin).start()
    return b"x"


@ends("done")
def leaves_processes(_: bytes) -> bytes:
    for _i in range(3):
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(1000)
    return b"x"


@ends("done")
def leaves_daemons(_: bytes) -> bytes:
    """Twice forked, in sessions of their own: nothing leads from the run to them any more."""
    if os.fork() == 0:
        for _i in range(3):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.setsid()
                    time.sleep(1000)
                os._exit(0)
        os._exit(0)
    os.wait()
    return b"x"


@ends("done")
def leaves_processes_that_fork_again(_: bytes) -> bytes:
    if os.fork() == 0:
        os.setsid()
        while True:
            if os.fork():
                os._exit(0)
            os.setsid()
            time.sleep(0.02)
    return b"x"


@ends("done")
def leaves_a_program(_: bytes) -> bytes:
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
    return b"x"


@ends("done")
def leaves_a_child_with_its_pipes(_: bytes) -> bytes:
    """The child holds every descriptor open, and writes to them after its parent has answered and ended."""
    own = os.getpid()
    if os.fork() == 0:
        while os.getppid() == own:
            time.sleep(0.001)
        while True:
            write_to_all(b"late")
            time.sleep(0.001)
    return b"x"


# -- descriptors and folders -------------------------------------------------------------------------------------------


def write_to_all(text: bytes) -> None:
    for name in os.listdir("/proc/self/fd"):
        try:
            os.set_blocking(int(name), False)
            os.write(int(name), text)
        except OSError:
            continue


@ends("ended", "the descriptor of its reply")
def closes_every_descriptor(_: bytes) -> bytes:
    os.closerange(0, 1 << 16)
    return b"x"


@ends("garbled", "the descriptor of its reply")
def writes_garbage_to_every_descriptor(_: bytes) -> bytes:
    write_to_all(b"garbage" * 100)
    return b"x"


@ends("garbled", "the descriptor of its reply")
def writes_half_a_message_to_every_descriptor(_: bytes) -> bytes:
    from harness.running.child import Reply

    write_to_all(msgspec.msgpack.encode(Reply(b"x" * 100))[:50])
    return b"x"


@ends("garbled", "the descriptor of its reply")
def forges_a_message_that_is_no_reply(_: bytes) -> bytes:
    write_to_all(msgspec.msgpack.encode(b"x" * 100))
    return b"x"


@ends("done")
def closes_the_standard_streams(_: bytes) -> bytes:
    sys.stdout.close()
    sys.stderr.close()
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    return b"x"


@ends("done")
def prints_without_end(_: bytes) -> bytes:
    for i in range(20_000):
        print(f"{i:08d}" + "x" * 192)
    sys.stdout.flush()
    return b"x"


@ends("done")
def deletes_its_scratch_folder(_: bytes) -> bytes:
    shutil.rmtree(os.getcwd())
    return b"x"


@ends("done")
def leaves_locked_folders(_: bytes) -> bytes:
    inner = Path("a/b/c")
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    (inner / "link").symlink_to("/")
    for folder in ("a/b/c", "a/b", "a"):
        os.chmod(folder, 0)
    return b"x"


# -- ends --------------------------------------------------------------------------------------------------------------


@ends("ended", "exit status 3")
def exits_at_once(_: bytes) -> bytes:
    os._exit(3)


@ends("raised", "SystemExit: 3")
def exits(_: bytes) -> bytes:
    sys.exit(3)


@ends("raised", "KeyboardInterrupt")
def raises_keyboard_interrupt(_: bytes) -> bytes:
    raise KeyboardInterrupt


@ends("raised", "KeyboardInterrupt")
def interrupts_itself(_: bytes) -> bytes:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
    return b"x"


@ends("raised", "GeneratorExit")
def raises_generator_exit(_: bytes) -> bytes:
    raise GeneratorExit


@ends("raised", "which cannot be shown")
def raises_what_cannot_be_shown(_: bytes) -> bytes:
    class Silent(Exception):
        @property
        def __notes__(self) -> list[str]:
            raise SystemExit

    raise Silent


@ends("raised", "RecursionError")
def recurses(_: bytes) -> bytes:
    def deeper() -> None:
        deeper()

    deeper()
    return b"x"


@ends("ended", "SIGSEGV")
def recurses_past_the_stack(_: bytes) -> bytes:
    sys.setrecursionlimit(1 << 30)

    class Deep:
        def __getattr__(self, name: str) -> Any:
            return getattr(self, name)

    return bytes(Deep().x)


@ends("raised", "returns bytes, not str")
def returns_text(_: bytes) -> Any:
    return "text"


@ends("ended", "SIGSEGV")
def reads_from_nowhere(_: bytes) -> bytes:
    return ctypes.string_at(0)


@ends("ended", "SIGABRT")
def aborts(_: bytes) -> bytes:
    os.abort()


@ends("ended", "SIGALRM")
def lets_the_alarm_ring(_: bytes) -> bytes:
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(10)
    return b"x"


@ends("ended", "SIGKILL, after os.kill")
def kills_itself(_: bytes) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b"x"


@ends("ended", "SIGTERM, after os.killpg")
def ends_its_group(_: bytes) -> bytes:
    os.killpg(os.getpgid(0), signal.SIGTERM)
    time.sleep(10)
    return b"x"


@ends("ended", "SIGKILL, after ctypes: kill")
def kills_itself_natively(_: bytes) -> bytes:
    libc().kill(os.getpid(), signal.SIGKILL)
    return b"x"


@ends("ended", "SIGKILL, after subprocess.Popen")
def is_killed_by_its_program(_: bytes) -> bytes:
    subprocess.run(["sh", "-c", "kill -9 $PPID"])
    time.sleep(10)
    return b"x"


@ends("ended", "SIGKILL, after os.kill")
def is_killed_by_its_child(_: bytes) -> bytes:
    own = os.getpid()
    if os.fork() == 0:
        os.kill(own, signal.SIGKILL)
    time.sleep(10)
    return b"x"


@ends("lost", "SIGKILL")
def kills_itself_unseen(_: bytes) -> bytes:
    """No audit event tells of `signal.raise_signal`: the one way of these that looks like a kill from outside."""
    signal.raise_signal(signal.SIGKILL)
    return b"x"


@ends("raised", "a run may signal its own processes alone")
def kills_its_keeper(_: bytes) -> bytes:
    os.kill(os.getppid(), signal.SIGKILL)
    return b"x"


@ends("raised", "a run may signal its own processes alone")
def kills_its_coordinator(_: bytes) -> bytes:
    import psutil

    for process in psutil.Process().parents():
        process.kill()
    return b"x"


@ends("raised", "a run may signal its own processes alone")
def kills_everyone(_: bytes) -> bytes:
    os.kill(-1, signal.SIGKILL)
    return b"x"


@ends("raised", "a run may signal its own processes alone")
def kills_the_group_of_its_keeper(_: bytes) -> bytes:
    os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)
    return b"x"


@ends("lost", "its worker was ended")
def kills_its_keeper_natively(_: bytes) -> bytes:
    libc().kill(os.getppid(), signal.SIGKILL)
    time.sleep(10)
    return b"x"


# -- limits ------------------------------------------------------------------------------------------------------------


@ends("timeout", "took longer than")
def sleeps(_: bytes) -> bytes:
    time.sleep(1000)
    return b"x"


@ends("timeout", "took longer than")
def spins_and_ignores_everything(_: bytes) -> bytes:
    ignores_every_signal(b"")
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue


@ends("timeout", "took longer than")
def stops_itself(_: bytes) -> bytes:
    os.kill(os.getpid(), signal.SIGSTOP)
    return b"x"


@ends("memory", "took more memory than")
def allocates_without_end(_: bytes) -> bytes:
    held = []
    while True:
        held.append(b"x" * (1 << 22))
        time.sleep(0.002)


@ends("memory", "took more memory than")
def allocates_in_children(_: bytes) -> bytes:
    """Each within the limit, all together above it, in sessions of their own."""
    for _i in range(6):
        if os.fork() == 0:
            os.setsid()
            held = b"x" * (100 << 20)
            time.sleep(1000)
            return held
    time.sleep(1000)
    return b"x"
