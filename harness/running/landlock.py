"""Linux's Landlock: this process, and all that it starts from then on, may no longer read what lies in some folders.

The kernel enforces it, whoever asks: Python, native code, another program. Such a process may not look into the memory
of one outside, nor send it a signal, either. https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH, _NO_NEW_PRIVILEGES = 1, 1, 38
_READ_FILE, _REFER = 1 << 2, 1 << 13
_ABSTRACT_SOCKETS, _SIGNALS = 1 << 0, 1 << 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def version() -> int:
    """Of Landlock in this kernel; 0 where there is none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def rules_without(folders: Sequence[str]) -> int | None:
    """A descriptor of rules that allow to read what is on this machine now, but in ``folders``; None without Landlock.

    Landlock knows what is allowed alone, so each entry beside the folders, and beside the folders above them, is named.
    What is put there later is not read either.
    """
    if not (found := version()):
        return None
    rights = _READ_FILE | (_REFER if found >= 2 else 0)
    attributes = struct.pack("QQQ", rights, 0, _ABSTRACT_SOCKETS | _SIGNALS)
    size = 8 if found < 4 else 16 if found < 6 else 24
    rules = int(_libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0))
    if rules < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset was refused")
    for path, is_folder in _beside(folders):
        with suppress(OSError):  # it has gone, or belongs to somebody else, who allows nothing anyway
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                rule = struct.pack("=Qi", rights if is_folder else _READ_FILE, place)
                _libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0)
            finally:
                os.close(place)
    return rules


def _beside(folders: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Each entry that neither is nor holds one of the folders, and whether it is a folder itself.

    No symbolic link: what it leads to is an entry of its own where that is allowed.
    """
    closed = {Path(os.path.realpath(folder)) for folder in folders}
    above = {parent for folder in closed for parent in folder.parents}
    for parent in sorted(above - closed):
        if any(folder in parent.parents for folder in closed):
            continue
        with suppress(OSError), os.scandir(parent) as entries:
            for entry in entries:
                path = Path(entry.path)
                if path not in closed and path not in above and not entry.is_symlink():
                    yield entry.path, entry.is_dir()


def restrict(rules: int) -> None:
    """Put this process under the rules, for good. Raises OSError where the kernel refuses."""
    if _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or _libc.syscall(_RESTRICT_SELF, rules, 0):
        raise OSError(ctypes.get_errno(), "landlock_restrict_self was refused")
