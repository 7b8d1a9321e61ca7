"""Pickles, read without running them: Python's own unpickler, which may call nothing but an allow-list of constructors.

Nothing else on its stack is ever callable, and the opcodes that could make or change an object by another way are left
out or replaced. The memory is in proportion to the file. The entries of one large dict can be handed over as soon as
they are complete: a file that would fill the memory as objects becomes arrays on the way.
"""

from __future__ import annotations

import bz2
import io
import pickle
import struct
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from harness.data.pickle_globals import STANDARD, Stub, check_keys, set_state
from harness.data.reading import memory_in_proportion, open_file
from harness.errors import DataError

__all__ = ["Stub", "load_bytes", "load_path", "load_stream"]

Globals = Mapping[tuple[str, str], Callable[..., Any]]
"""(module, name) -> what to call in its place. `Stub.named(name)` stands for a class without importing it."""

OnEntry = Callable[[Any, Any], Any]

_MALFORMED = (
    ArithmeticError, AttributeError, BufferError, LookupError, RecursionError, SystemError, TypeError, ValueError,
    struct.error,
)  # fmt: skip


def load_path(path: Path, *, allow: Globals | None = None, on_entry: Mapping[str, OnEntry] | None = None) -> Any:
    """The object in a pickle file, ``.pbz2`` and ``.bz2`` decompressed."""
    try:
        with memory_in_proportion(path), open_file(path) as file:
            packed = path.suffix in (".pbz2", ".bz2")
            stream = io.BufferedReader(bz2.BZ2File(file)) if packed else file
            return load_stream(stream, name=str(path), allow=allow, on_entry=on_entry)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def load_bytes(data: bytes, *, name: str) -> Any:
    """The object in a pickle that is in memory; `name` stands for it in errors."""
    return load_stream(io.BytesIO(data), name=name)


def load_stream(
    stream: IO[bytes],
    *,
    name: str,
    allow: Globals | None = None,
    on_entry: Mapping[str, OnEntry] | None = None,
    exact: bool = True,
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """The object that the pickle in a buffered stream describes.

    `allow` adds constructors to the standard ones (numpy scalars, dtypes and arrays, OrderedDict, set, bytearray).
    `on_entry[k](key, value)` is called for each entry of a dict that stands under key ``k``, as soon as it is complete,
    and its result is stored instead. `exact`: nothing may follow the pickle; else the stream is left just behind it.
    Text that Python 2 wrote is bytes. Raises `DataError` for anything but a whole pickle of allowed parts.
    """
    try:
        value = _Unpickler(stream, {**STANDARD, **(allow or {})}, on_entry or {}, persistent).load()
        if exact and stream.read(1):
            raise ValueError("data after the end of the pickle")
        return value
    except (EOFError, pickle.UnpicklingError) as error:
        raise DataError(f"{name}: byte {stream.tell()}: {error}") from error
    except OSError as error:
        raise DataError(f"{name}: byte {stream.tell()}: damaged compressed data: {error}") from error
    except _MALFORMED as error:
        raise DataError(f"{name}: byte {stream.tell()}: not a well-formed pickle: {error}") from error


class _Memo(list[Any]):
    """What a pickle refers back to, in its order. A list: a dict would take more memory than what is read."""

    def __setitem__(self, index: Any, value: Any) -> None:
        if index == len(self):
            self.append(value)
        elif index == 1 and not self:  # Python 2 counts from 1
            self.extend((None, value))
        else:
            super().__setitem__(index, value)


class _Unpickler(pickle._Unpickler):
    """`load_...` carry out opcodes; what is not written here is done as `pickle` does it."""

    pop_mark: Callable[[], list[Any]]
    load_reduce: Callable[[], None]

    def __init__(
        self,
        stream: IO[bytes],
        allowed: Globals,
        on_entry: Mapping[str, OnEntry],
        persistent: Callable[[Any], Any] | None,
    ) -> None:
        super().__init__(stream, encoding="bytes")
        self.allowed, self.on_entry = allowed, on_entry
        self.read, self.readline = stream.read, stream.readline
        self.memo = _Memo()
        self.metastack: list[list[Any]] = []
        self.stack: list[Any] = []
        self.append = self.stack.append
        if persistent is not None:
            self.persistent_load = persistent  # type: ignore[assignment]

    def load(self) -> Any:
        read = self.read
        while (opcode := read(1)) != pickle.STOP:
            _OPCODES[opcode](self)
        return self.stack.pop()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            asked = f"{module}.{name}"[:200]
            raise pickle.UnpicklingError(f"refused: the file asks for {asked}, which could run code")
        return self.allowed[module, name]

    def load_frame(self) -> None:
        self.read(8)

    def load_bytearray8(self) -> None:
        self.append(bytearray(self.read(int.from_bytes(self.read(8), "little"))))  # no longer than what there is

    def load_short_binunicode(self) -> None:  # official files repeat each name a million times, so it is kept once
        self.append(sys.intern(self.read(self.read(1)[0]).decode()))

    def load_binunicode(self) -> None:
        self.append(sys.intern(self.read(int.from_bytes(self.read(4), "little")).decode()))

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._store([key], [value])

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self._store(items[::2], items[1::2])

    def _store(self, keys: list[Any], values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise TypeError(f"entries for a {type(target).__name__}")
        check_keys(keys)
        name = self.stack[-2] if len(self.stack) > 1 else None
        if type(name) is str and name in self.on_entry:
            values = list(map(self.on_entry[name], keys, values))
        target.update(zip(keys, values, strict=True))

    def load_additems(self) -> None:
        items = self.pop_mark()
        check_keys(items)
        self.stack[-1].update(items)

    def load_newobj(self) -> None:
        self.load_reduce()

    def load_build(self) -> None:
        state = self.stack.pop()
        set_state(self.stack[-1], state)


class _Opcodes(dict[bytes, Callable[[_Unpickler], None]]):
    def __missing__(self, opcode: bytes) -> Any:
        if not opcode:
            raise EOFError("the file ends inside the pickle")
        raise ValueError(f"opcode {opcode!r} is not allowed")


_OPCODES = _Opcodes(
    (opcode, getattr(_Unpickler, pickle._Unpickler.dispatch[opcode[0]].__name__))
    for opcode in (
        pickle.PROTO, pickle.FRAME, pickle.MARK, pickle.POP, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE,
        pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.BINFLOAT,
        pickle.SHORT_BINUNICODE, pickle.BINUNICODE, pickle.BINUNICODE8, pickle.BINSTRING, pickle.SHORT_BINSTRING,
        pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8, pickle.BYTEARRAY8,
        pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS, pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS,
        pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3,
        pickle.EMPTY_SET, pickle.ADDITEMS,
        pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE, pickle.NEWOBJ, pickle.BUILD, pickle.BINPERSID,
        pickle.BINGET, pickle.LONG_BINGET, pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE,
    )
)  # fmt: skip
"""All others are refused: those of protocol 0, of classes by number, of buffers, and more ways to make an object."""
