"""What a pickle may construct: numpy scalars, dtypes and arrays under their old and new names, and plain containers.

Each constructor checks its arguments, since ``bytearray(10**12)`` does harm too.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["STANDARD", "Stub", "set_state"]

_DTYPE = re.compile(r"[<>=|]?[biufSU][0-9]{1,6}|bool")


class Stub:
    """Stands for an object of a class that is not imported: its class name, constructor arguments, and state."""

    __slots__ = ("arguments", "kind", "state")

    def __init__(self, kind: str, arguments: tuple[Any, ...]) -> None:
        self.kind, self.arguments = kind, arguments
        self.state: Any = None

    @staticmethod
    def named(kind: str) -> Callable[..., Stub]:
        """A constructor of stubs for one class."""
        return lambda *arguments: Stub(kind, arguments)


def set_state(target: Any, state: Any) -> None:
    """The BUILD opcode: give a stub, a dtype or an array its state. Raises TypeError and ValueError otherwise."""
    if isinstance(target, Stub):
        target.state = state
    elif isinstance(target, np.dtype):
        _dtype_state(target, state)
    elif isinstance(target, np.ndarray):
        _array_state(target, state)
    elif isinstance(target, OrderedDict) and isinstance(state, dict):
        pass_through = set(state) - {"_metadata"}
        if pass_through:
            raise ValueError(f"attributes {sorted(map(str, pass_through))} for an OrderedDict")
    else:
        raise TypeError(f"a state for a {type(target).__name__}")


def _text(value: Any) -> Any:
    """Text that Python 2 wrote is bytes."""
    return value.decode("latin-1") if type(value) is bytes else value


def _dtype(code: Any, align: Any = False, copy: Any = True) -> np.dtype[Any]:
    code = _text(code)
    if type(code) is not str or not _DTYPE.fullmatch(code):
        raise ValueError(f"dtype {code!r} is not a plain number or text")
    return np.dtype(code, False, True)


def _dtype_state(target: np.dtype[Any], state: Any) -> None:
    plain = (
        type(state) is tuple
        and len(state) in (8, 9)
        and state[0] in (3, 4)
        and _text(state[1]) in ("<", ">", "=", "|")
        and all(part is None for part in state[2:5])
        and all(type(part) is int for part in state[5:8])
    )
    if not plain or target.kind not in "biufSU":
        raise ValueError("the state of a structured dtype")
    if _text(state[1]) == ">" and target.itemsize > 1:
        raise ValueError("big-endian numbers")


def _scalar(dtype: Any, raw: Any) -> Any:
    if (
        not isinstance(dtype, np.dtype)
        or type(raw) is not bytes
        or dtype.kind not in "biuf"
        or len(raw) != dtype.itemsize
    ):
        raise ValueError("a numpy scalar that is not one number")
    return np.frombuffer(raw, dtype)[0].item()


def _array_shell(kind: Any, shape: Any, code: Any) -> np.ndarray[Any, Any]:
    return np.empty(0, np.int8)


def _checked(raw: Any, dtype: Any, shape: Any) -> None:
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biufSU" or type(raw) not in (bytes, bytearray):
        raise ValueError("an array that is not of plain numbers or text")
    if type(shape) is not tuple or len(shape) > 32 or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError(f"array shape {shape!r}")
    if len(raw) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{len(raw)} bytes for an array of shape {shape} and dtype {dtype}")


def _array_state(target: np.ndarray[Any, Any], state: Any) -> None:
    if type(state) is not tuple or len(state) != 5 or type(state[3]) not in (bool, int):
        raise ValueError("the state of an array")
    _checked(state[4], state[2], state[1])
    target.__setstate__((1, state[1], state[2], bool(state[3]), bytes(state[4])))  # type: ignore[arg-type]


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any, axis: Any = None) -> np.ndarray[Any, Any]:
    _checked(raw, dtype, shape)
    if order not in ("C", "F") or axis is not None:
        raise ValueError(f"array order {order!r}")
    return np.frombuffer(bytes(raw), dtype).reshape(shape, order=order)


def _encode(text: Any, codec: Any = "utf-8") -> bytes:
    if type(text) is not str or codec not in ("latin1", "latin-1"):
        raise ValueError(f"text encoded as {codec!r}")
    return text.encode("latin-1")


def _bytearray(*arguments: Any) -> bytearray:
    if not arguments:
        return bytearray()
    if len(arguments) == 1 and type(arguments[0]) is bytes:
        return bytearray(arguments[0])
    return bytearray(_encode(*arguments))


def _bytes(*arguments: Any) -> bytes:
    return bytes(_bytearray(*arguments))


def _ordered(*arguments: Any) -> OrderedDict[Any, Any]:
    if not arguments:
        return OrderedDict()
    (pairs,) = arguments
    result: OrderedDict[Any, Any] = OrderedDict()
    for key, value in pairs:
        if type(key) not in (str, int, float):
            raise TypeError(f"a {type(key).__name__} is no key")
        result[key] = value
    return result


def _scalars(items: Any) -> list[Any]:
    if type(items) is not list or not {type(item) for item in items} <= {str, int, float, bool, bytes}:
        raise TypeError("a set of something else than numbers and text")
    return items


def _set(items: Any = ()) -> set[Any]:
    return set(_scalars(items)) if items else set()


def _frozenset(items: Any = ()) -> frozenset[Any]:
    return frozenset(_set(items))


def _ndarray_class(*arguments: Any) -> Any:
    raise TypeError("an array made by its class")


STANDARD: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _dtype,
    ("numpy", "ndarray"): _ndarray_class,
    ("collections", "OrderedDict"): _ordered,
    ("_codecs", "encode"): _encode,
}
for _core in ("numpy.core", "numpy._core"):
    STANDARD[f"{_core}.multiarray", "scalar"] = _scalar
    STANDARD[f"{_core}.multiarray", "_reconstruct"] = _array_shell
    STANDARD[f"{_core}.numeric", "_frombuffer"] = _from_buffer
for _module in ("builtins", "__builtin__"):
    for _name, _make in (("set", _set), ("frozenset", _frozenset), ("bytearray", _bytearray), ("bytes", _bytes)):
        STANDARD[_module, _name] = _make
