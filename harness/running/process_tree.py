"""Processes and their descendants: memory, how they are ended, and calls to Linux that Python does not offer."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import psutil

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25
_HUGE = 2 << 20
_SECONDS_TO_END = 5.0
_SHARE = 0.9
"""The share of the machine's memory that all runs together may have."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends. ``parent``: it must still be this
    process's parent."""
    _libc.prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """From now on, descendants of this process whose parent ends become its children."""
    if _libc.prctl(_SET_CHILD_SUBREAPER, 1):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) was refused")


def kill(pid: int) -> None:
    """Kill the process, and its group where it leads one. Call it before the process is waited for."""
    for send in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            send(pid, signal.SIGKILL)


def kill_children(keep: set[int] | None = None) -> None:
    """Kill and reap all descendants of this process, except the children in ``keep``.

    In this way a process that adopts orphans leaves no descendant behind. Children that have ended are taken out of
    ``keep``. Returns when none is left, or after five seconds: a process of another user cannot be killed.
    """
    keep = set() if keep is None else keep
    deadline = time.monotonic() + _SECONDS_TO_END
    while time.monotonic() < deadline:
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                keep.clear()
                return
            if not pid:
                break
            keep.discard(pid)
        children = [c.pid for c in psutil.Process(os.getpid()).children() if c.pid not in keep]
        if not children:
            return
        for child in children:
            kill(child)
        time.sleep(0.001)


def memory_of(processes: Collection[psutil.Process], limit: float) -> int:
    """Bytes that the processes hold together, shared pages divided among those that share them.

    The resident set is an upper bound and cheap to read; it is returned where it is within ``limit``.
    """
    resident = sum(_memory(p, exactly=False) for p in processes)
    return resident if resident <= limit else sum(_memory(p, exactly=True) for p in processes)


def _memory(process: psutil.Process, *, exactly: bool) -> int:
    try:
        return int(process.memory_full_info().pss if exactly else process.memory_info().rss)
    except psutil.Error:
        return 0


def fair_share(jobs: int) -> int:
    """Bytes for each of ``jobs`` runs: nine tenths of the machine's memory, or of this control group's, divided."""
    total = psutil.virtual_memory().total
    for limit in (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
        with suppress(OSError, ValueError):
            total = min(total, int(limit.read_text()))
    return int(_SHARE * total / jobs)


def out_of_memory_kills() -> int:
    """How many processes the kernel of this machine has killed because memory ran out."""
    with open("/proc/vmstat", encoding="ascii") as counters:
        return next((int(line.split()[1]) for line in counters if line.startswith("oom_kill ")), 0)


def use_huge_pages() -> None:
    """Gather this process's own memory in pages of 2 MiB, so that forks copy a fraction of the page table.

    It changes durations alone, so nothing is lost where the kernel cannot do it (before Linux 6.1). With torch and
    torch-geometric loaded, a fork and its end then take a quarter of the time.
    """
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        lines = [line.split() for line in maps]
    for words in lines:
        if words[1] != "rw-p" or (len(words) > 5 and words[5] != "[heap]"):
            continue
        low, high = (int(x, 16) for x in words[0].split("-"))
        for start in range(-(-low // _HUGE) * _HUGE, high - _HUGE + 1, _HUGE):
            _libc.madvise(start, _HUGE, _MADV_HUGEPAGE)
            _libc.madvise(start, _HUGE, _MADV_COLLAPSE)
