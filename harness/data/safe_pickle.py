"""A pickle machine that cannot run code: it knows containers, numbers, text, and an allow-list of constructors.

The standard unpickler resolves any global that a file names and allocates what a file claims. This one executes the
opcodes itself (pickletools documents them). An unknown global, an unknown opcode, a length beyond the end of the file
or a memo index out of sequence is a `DataError` with its byte offset, and the size of the file bounds the memory. It
reads a stream in blocks, and can hand over the entries of one large dict as soon as they are complete: a file that
would fill the memory as objects becomes arrays on the way.
"""

from __future__ import annotations

import bz2
import io
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from harness.data.pickle_globals import STANDARD, Stub
from harness.data.pickle_machine import Globals, Machine, OnEntry
from harness.data.reading import GIB, open_file
from harness.errors import DataError

__all__ = ["GIB", "MIB", "Stub", "load_bytes", "load_path", "load_stream"]

MIB = 1 << 20
_MALFORMED = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError, struct.error)


def load_path(
    path: Path,
    *,
    max_bytes: int,
    allow: Globals | None = None,
    on_entry: Mapping[str, OnEntry] | None = None,
    max_objects: int = 20_000_000,
) -> Any:
    """The object in a pickle file, ``.pbz2`` and ``.bz2`` decompressed; `max_bytes` counts what comes out."""
    try:
        with open_file(path) as file:
            stream = bz2.BZ2File(file) if path.suffix in (".pbz2", ".bz2") else file
            return load_stream(
                stream, name=str(path), max_bytes=max_bytes, allow=allow, on_entry=on_entry, max_objects=max_objects
            )
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def load_bytes(data: bytes, *, name: str, allow: Globals | None = None, max_objects: int = 20_000_000) -> Any:
    """The object in a pickle that is in memory; `name` stands for it in errors."""
    return load_stream(io.BytesIO(data), name=name, max_bytes=len(data), allow=allow, max_objects=max_objects)


def load_stream(
    stream: IO[bytes] | bz2.BZ2File,
    *,
    name: str,
    max_bytes: int,
    allow: Globals | None = None,
    on_entry: Mapping[str, OnEntry] | None = None,
    max_objects: int = 20_000_000,
    exact: bool = True,
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """The object that the pickle in a binary stream describes.

    `allow` adds constructors to the standard ones (numpy scalars, dtypes and arrays, OrderedDict, set, frozenset,
    bytearray). `on_entry[k](key, value)` is called for each entry of a dict that stands under key ``k``, as soon as it
    is complete, and its result is stored instead. `exact`: nothing may follow the pickle; else the stream is left
    just behind it. Text that Python 2 wrote is bytes. Raises `DataError` for anything but a whole pickle of allowed
    parts.
    """
    machine = Machine(stream, name, max_bytes, {**STANDARD, **(allow or {})}, on_entry or {}, max_objects, persistent)
    try:
        value = machine.run()
        machine.close(exact)
        return value
    except DataError:
        raise
    except EOFError as error:
        reason = str(error) or "the file ends inside the pickle"
        raise DataError(f"{name}: byte {machine.offset()}: {reason}") from error
    except OSError as error:
        raise DataError(f"{name}: byte {machine.offset()}: damaged compressed data: {error}") from error
    except _MALFORMED as error:
        raise DataError(f"{name}: byte {machine.offset()}: not a well-formed pickle: {error}") from error
