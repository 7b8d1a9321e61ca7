"""Reading what somebody else wrote: files that are files, and memory in proportion to what they hold."""

from __future__ import annotations

import errno
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final

from harness.errors import DataError

GROWTH: Final = 32
"""So many times a file's size may the memory grow while the file is imported, and by `ROOM` beside it."""
GIB: Final = 1 << 30
ROOM = GIB


class NotAFile(OSError):
    """What should be read is there and is no regular file. As text it is the reason alone."""

    def __str__(self) -> str:
        return str(self.strerror)


def open_file(path: Path) -> BufferedReader:
    """A regular file, opened to read its bytes. Raises OSError; `NotAFile` for a pipe, which might never end."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # else a pipe is waited for
    try:
        _check(os.fstat(handle).st_mode)
    except NotAFile:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def read_file(path: Path) -> bytes:
    """The bytes of a regular file. Raises OSError, as `open_file` does."""
    with open_file(path) as stream:
        return stream.read()


def check_file_or_folder(path: Path) -> None:
    """Raises OSError where there is nothing, `NotAFile` where there is a pipe, a device or a socket."""
    mode = path.stat().st_mode
    if not stat.S_ISDIR(mode):
        _check(mode)


def _check(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise NotAFile(errno.EINVAL, "a folder, a pipe or a device, not a file")


@contextmanager
def memory_in_proportion(source: Path) -> Iterator[None]:
    """Let this process allocate `GROWTH` times the size of a file or folder, and `ROOM`. Raises DataError beyond.

    What a file declares may be far more than what it holds: a decompression bomb, or a shape.
    """
    most = GROWTH * _size(source) + ROOM
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (_allocated() + most, soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    except MemoryError as error:
        raise DataError(
            f"{source}: refused: it unfolds into more than {most / GIB:.3g} GiB of memory, {GROWTH} times its size "
            f"and {ROOM / GIB:g} GiB, which no official file does"
        ) from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _size(source: Path) -> int:
    files = [source] if source.is_file() else [p for p in source.rglob("*") if p.is_file()]
    return sum(p.stat().st_size for p in files)


def _allocated() -> int:
    """Bytes of this process that `RLIMIT_DATA` counts."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmData:"))
