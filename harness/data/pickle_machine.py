"""The pickle machine that `safe_pickle` uses: it executes pickle opcodes, as pickletools has them, on a stream."""

from __future__ import annotations

import bz2
import io
import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import IO, Any

from harness.data.pickle_globals import set_state
from harness.errors import DataError

__all__ = ["Constructor", "Globals", "Machine", "OnEntry"]

_BLOCK = 4 << 20
_KEY_TYPES = frozenset((str, int, float, bool, bytes, type(None)))
_UNSIGNED = {1: struct.Struct("<B"), 2: struct.Struct("<H"), 4: struct.Struct("<I"), 8: struct.Struct("<Q")}
_DOUBLE, _INT32, _UINT32, _UINT16 = struct.Struct(">d"), struct.Struct("<i"), struct.Struct("<I"), struct.Struct("<H")

Constructor = Callable[..., Any]
Globals = Mapping[tuple[str, str], Constructor]
"""(module, name) -> what to call in its place. `Stub.named(name)` stands for a class without importing it."""

OnEntry = Callable[[Any, Any], Any]


class Machine:
    """One run of the pickle machine over one stream."""

    def __init__(
        self,
        stream: IO[bytes] | bz2.BZ2File,
        name: str,
        max_bytes: int,
        allowed: Globals,
        on_entry: Mapping[str, OnEntry],
        max_objects: int,
        persistent: Callable[[Any], Any] | None,
    ) -> None:
        self.stream, self.name, self.max_bytes = stream, name, max_bytes
        self.allowed, self.on_entry, self.persistent = allowed, on_entry, persistent
        self.objects_left = max_objects
        self.buffer, self.position, self.before, self.ended = b"", 0, 0, False
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: list[Any] = []
        self.texts: dict[bytes, str] = {}
        self.slow = {ord(code): partial(getattr(self, "_op_" + name), *given) for code, (name, *given) in _SLOW.items()}

    # -- reading -------------------------------------------------------------------------------------------------------

    def offset(self) -> int:
        return self.before + self.position

    def refill(self, need: int) -> None:
        """Make `need` bytes available at `position`; EOFError where the stream has less."""
        parts = [self.buffer[self.position :]]
        have = len(parts[0])
        self.before += self.position
        self.position = 0
        while have < need and not self.ended:
            room = self.max_bytes - self.before - have
            block = self.stream.read(min(_BLOCK, room + 1))
            if len(block) > room:
                self.buffer = b"".join(parts)
                raise DataError(
                    f"{self.name}: byte {self.before + have}: holds more than the {self.max_bytes:,} bytes allowed"
                )
            self.ended = not block
            parts.append(block)
            have += len(block)
        self.buffer = b"".join(parts)
        if have < need:
            raise EOFError

    def take(self, count: int) -> bytes:
        if self.position + count > len(self.buffer):
            self.refill(count)
        start = self.position
        self.position = start + count
        return self.buffer[start : start + count]

    def number(self, width: int) -> int:
        return int(_UNSIGNED[width].unpack(self.take(width))[0])

    def line(self) -> str:
        parts = bytearray()
        while (byte := self.take(1)) != b"\n":
            parts += byte
            if len(parts) > 1000:
                raise ValueError("a name of more than 1,000 bytes")
        return parts.decode("utf-8")

    def close(self, exact: bool) -> None:
        """Check that nothing follows, or put back what was read ahead."""
        if exact:
            if len(self.buffer) > self.position or (not self.ended and self.stream.read(1)):
                raise DataError(f"{self.name}: byte {self.offset()}: data after the end of the pickle")
        else:
            self.stream.seek(self.position - len(self.buffer), io.SEEK_CUR)

    # -- the loop: the opcodes that tables are made of stand here, the others in methods -----------------------------

    def run(self) -> Any:
        stack, memo, texts = self.stack, self.memo, self.texts
        slow, push, remember = self.slow, self.stack.append, self.memo.append
        buffer, position = self.buffer, self.position
        double, int32, uint32, uint16 = (s.unpack_from for s in (_DOUBLE, _INT32, _UINT32, _UINT16))
        safe = len(buffer) - 16
        try:
            while True:
                if position > safe:
                    self.position = position
                    if self.ended:
                        safe = len(self.buffer)
                        if position >= safe:
                            raise EOFError
                    else:
                        try:
                            self.refill(_BLOCK)
                        except EOFError:
                            if not self.buffer:
                                raise
                        buffer, position = self.buffer, self.position
                        safe = len(buffer) if self.ended else len(buffer) - 16
                        continue
                op = buffer[position]
                position += 1
                if op == 0x68:  # BINGET
                    push(memo[buffer[position]])
                    position += 1
                elif op == 0x94:  # MEMOIZE
                    remember(stack[-1])
                elif op == 0x47:  # BINFLOAT
                    push(double(buffer, position)[0])
                    position += 8
                elif op == 0x72:  # LONG_BINPUT
                    self.put(uint32(buffer, position)[0], stack[-1])
                    position += 4
                elif op == 0x4B:  # BININT1
                    push(buffer[position])
                    position += 1
                elif op == 0x8C:  # SHORT_BINUNICODE
                    end = position + 1 + buffer[position]
                    raw = buffer[position + 1 : end]
                    if end > len(buffer):
                        self.position = position
                        raw = self.take(1 + buffer[position])[1:]
                        buffer = self.buffer
                        safe = len(buffer) if self.ended else len(buffer) - 16
                        end = self.position
                    text = texts.get(raw)
                    if text is None:
                        text = raw.decode("utf-8")
                        if len(texts) < 100_000:
                            texts[raw] = text
                    push(text)
                    position = end
                elif op == 0x6A:  # LONG_BINGET
                    push(memo[uint32(buffer, position)[0]])
                    position += 4
                elif op == 0x28:  # MARK
                    self.marks.append(stack)
                    self.stack = stack = []
                    push = stack.append
                elif op == 0x4D:  # BININT2
                    push(uint16(buffer, position)[0])
                    position += 2
                elif op == 0x4A:  # BININT
                    push(int32(buffer, position)[0])
                    position += 4
                elif op == 0x71:  # BINPUT
                    self.put(buffer[position], stack[-1])
                    position += 1
                elif op == 0x4E:  # NONE
                    push(None)
                elif op == 0x2E:  # STOP
                    self.position = position
                    if len(stack) != 1 or self.marks:
                        raise ValueError("STOP with more than one object left")
                    return stack.pop()
                else:
                    self.position = position
                    method = slow.get(op)
                    if method is None:
                        raise ValueError(f"opcode {bytes((op,))!r} is not allowed")
                    method()
                    if self.stack is not stack:
                        stack = self.stack
                        push = stack.append
                    position = self.position
                    if self.buffer is not buffer:
                        buffer = self.buffer
                        safe = len(buffer) if self.ended else len(buffer) - 16
        except BaseException as error:
            if self.buffer is buffer:
                self.position = max(position, self.position)
            if self.ended and (isinstance(error, struct.error) or str(error) == "index out of range"):
                raise EOFError from error
            raise

    def put(self, index: int, value: Any) -> None:
        if index == 1 and not self.memo:  # Python 2 counts from 1
            self.memo.append(None)
        if index == len(self.memo):
            self.memo.append(value)
        elif index < len(self.memo):
            self.memo[index] = value
        else:
            raise ValueError(f"memo index {index} after {len(self.memo)} entries")

    def made(self, value: Any) -> None:
        """Push a new container, counted: an empty one takes one byte of the file and 64 of memory."""
        self.objects_left -= 1
        if self.objects_left < 0:
            raise ValueError("more objects than allowed")
        self.stack.append(value)

    def marked(self) -> list[Any]:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def check_keys(self, keys: list[Any]) -> None:
        """Keys are scalars or flat tuples, since a hostile file can nest tuples so that a hash takes forever."""
        for kind in set(map(type, keys)) - _KEY_TYPES:
            if kind is not tuple or any(type(k) is tuple and not set(map(type, k)) <= _KEY_TYPES for k in keys):
                raise ValueError(f"a {kind.__name__} is no key")

    def store(self, keys: list[Any], values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise TypeError(f"entries for a {type(target).__name__}")
        if len(keys) != len(values):
            raise ValueError("a key without a value")
        self.check_keys(keys)
        name = self.stack[-2] if len(self.stack) > 1 else None
        if self.on_entry and type(name) is str and name in self.on_entry:
            call = self.on_entry[name]
            values = [call(key, value) for key, value in zip(keys, values, strict=True)]
        target.update(zip(keys, values, strict=True))

    # -- the other opcodes -------------------------------------------------------------------------------------------

    def _op_proto(self) -> None:
        if (protocol := self.number(1)) > 5:
            raise ValueError(f"pickle protocol {protocol}")

    def _op_frame(self) -> None:
        self.take(8)

    def _op_constant(self, value: Any) -> None:
        self.stack.append(value)

    def _op_pop(self) -> None:
        self.stack.pop()

    def _op_long1(self) -> None:
        self.stack.append(int.from_bytes(self.take(self.number(1)), "little", signed=True))

    def _op_bytes(self, width: int) -> None:
        self.stack.append(self.take(self.number(width)))

    def _op_text(self, width: int) -> None:
        self.stack.append(self.take(self.number(width)).decode("utf-8"))

    def _op_bytearray8(self) -> None:
        self.made(bytearray(self.take(self.number(8))))

    def _op_empty(self, kind: Callable[[], Any]) -> None:
        self.made(kind())

    def _op_tuple1(self) -> None:
        self.made((self.stack.pop(),))

    def _op_tuple2(self) -> None:
        second, first = self.stack.pop(), self.stack.pop()
        self.made((first, second))

    def _op_tuple3(self) -> None:
        third, second, first = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.made((first, second, third))

    def _op_tuple(self) -> None:
        self.made(tuple(self.marked()))

    def _op_list(self) -> None:
        self.made(self.marked())

    def _op_append(self) -> None:
        self._extend([self.stack.pop()])

    def _op_appends(self) -> None:
        self._extend(self.marked())

    def _extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise TypeError(f"elements for a {type(self.stack[-1]).__name__}")
        self.stack[-1].extend(items)

    def _op_dict(self) -> None:
        items = self.marked()
        self.made({})
        self.store(items[::2], items[1::2])

    def _op_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.store([key], [value])

    def _op_setitems(self) -> None:
        items = self.marked()
        self.store(items[::2], items[1::2])

    def _op_additems(self) -> None:
        items = self.marked()
        self.check_keys(items)
        if type(self.stack[-1]) is not set:
            raise TypeError(f"elements for a {type(self.stack[-1]).__name__}")
        self.stack[-1].update(items)

    def _op_frozenset(self) -> None:
        items = self.marked()
        self.check_keys(items)
        self.made(frozenset(items))

    def _op_global(self) -> None:
        module = self.line()
        self._find(module, self.line())

    def _op_stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._find(module, name)

    def _find(self, module: Any, name: Any) -> None:
        found = self.allowed.get((module, name)) if type(module) is str and type(name) is str else None
        if found is None:
            raise DataError(
                f"{self.name}: byte {self.offset()}: refused: the file asks for {module}.{name}, which could run code"
            )
        self.stack.append(_Callable(found))

    def _op_reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(function) is not _Callable or type(arguments) is not tuple:
            raise TypeError("a call of something other than an allowed constructor")
        self.made(function.call(*arguments))

    def _op_build(self) -> None:
        state = self.stack.pop()
        set_state(self.stack[-1], state)

    def _op_persistent(self) -> None:
        if self.persistent is None:
            raise ValueError("a persistent id, which only torch files have")
        self.stack.append(self.persistent(self.stack.pop()))


class _Callable:
    """An allowed constructor on the stack. It is not callable, so that only REDUCE and NEWOBJ reach it."""

    __slots__ = ("call",)

    def __init__(self, call: Constructor) -> None:
        self.call = call


_SLOW: dict[str, tuple[Any, ...]] = {
    "\x80": ("proto",), "\x95": ("frame",), "0": ("pop",), "\x8a": ("long1",), "\x96": ("bytearray8",),
    "\x88": ("constant", True), "\x89": ("constant", False), ")": ("constant", ()),
    "C": ("bytes", 1), "U": ("bytes", 1), "B": ("bytes", 4), "T": ("bytes", 4), "\x8e": ("bytes", 8),
    "X": ("text", 4), "\x8d": ("text", 8), "]": ("empty", list), "}": ("empty", dict), "\x8f": ("empty", set),
    "\x85": ("tuple1",), "\x86": ("tuple2",), "\x87": ("tuple3",), "t": ("tuple",), "l": ("list",), "a": ("append",),
    "e": ("appends",), "d": ("dict",), "s": ("setitem",), "u": ("setitems",), "\x90": ("additems",),
    "\x91": ("frozenset",), "c": ("global",), "\x93": ("stack_global",), "R": ("reduce",), "\x81": ("reduce",),
    "b": ("build",), "Q": ("persistent",),
}  # fmt: skip
"""The other opcodes: the method of each, and what it is given."""
