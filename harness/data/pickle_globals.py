"""What a pickle may construct: numpy scalars, dtypes and arrays under their old and new names, and plain containers.

Each constructor checks its arguments, since ``bytearray(10**12)`` does harm too.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["STANDARD", "Stub", "check_keys", "set_state"]

_DTYPE = re.compile(r"[<>=|]?[biufSU][0-9]{1,6}|bool")
_KEY_TYPES = frozenset((str, int, float, bool, bytes, type(None)))


class Stub:
    """Stands for an object of a class that is not imported: its class name, and its state."""

    __slots__ = ("kind", "state")

    def __init__(self, kind: str, *arguments: Any) -> None:
        self.kind = kind
        self.state: Any = None

    @staticmethod
    def named(kind: str) -> Callable[..., Stub]:
        """A constructor of stubs for one class."""
        return partial(Stub, kind)


def set_state(target: Any, state: Any) -> None:
    """The BUILD opcode: give a stub, a dtype or an array its state. Raises TypeError and ValueError otherwise."""
    if isinstance(target, Stub):
        target.state = state
    elif isinstance(target, np.dtype):
        if _text(state[1]) == ">" and target.itemsize > 1:
            raise ValueError("big-endian numbers")
    elif isinstance(target, np.ndarray):
        _, shape, dtype, fortran, raw = state
        made = _array(raw, dtype, shape, "F" if fortran else "C")
        target.__setstate__(made.__reduce__()[2])  # type: ignore[arg-type]
    elif not isinstance(target, OrderedDict):  # torch gives one an attribute
        raise TypeError(f"a state for a {type(target).__name__}")


def check_keys(keys: list[Any]) -> None:
    """Keys are scalars or flat tuples, since a hostile file can nest tuples so that a hash takes forever."""
    for kind in set(map(type, keys)) - _KEY_TYPES:
        if kind is not tuple or any(type(k) is tuple and not _KEY_TYPES.issuperset(map(type, k)) for k in keys):
            raise TypeError(f"a {kind.__name__} is no key")


def _text(value: Any) -> Any:
    """Text that Python 2 wrote is bytes."""
    return value.decode("latin-1") if type(value) is bytes else value


def _dtype(code: Any, align: Any = False, copy: Any = True) -> np.dtype[Any]:
    code = _text(code)
    if type(code) is not str or not _DTYPE.fullmatch(code):
        raise ValueError(f"dtype {code!r} is not a plain number or text")
    return np.dtype(code, False, True)


def _array(raw: Any, dtype: Any, shape: Any = -1, order: Any = "C") -> npt.NDArray[Any]:
    if not isinstance(dtype, np.dtype):  # numpy makes a dtype of almost anything
        raise TypeError(f"a {type(dtype).__name__} in place of a dtype")
    if type(raw) not in (bytes, bytearray):  # an array's memory is freed when a state is given to it
        raise TypeError(f"an array in the memory of a {type(raw).__name__}")
    return np.frombuffer(raw, dtype).reshape(shape, order=order)


def _scalar(dtype: Any, raw: Any) -> Any:
    return _array(raw, dtype).item()


def _array_shell(kind: Any, shape: Any, code: Any) -> npt.NDArray[Any]:
    return np.empty(0, np.int8)


def _bytes(data: Any = b"", codec: Any = None) -> bytes:
    """Of bytes, or of text in latin-1, as the older protocols write them."""
    if type(data) is str and codec in ("latin1", "latin-1"):
        return data.encode("latin-1")
    if type(data) is not bytes:
        raise TypeError(f"bytes of a {type(data).__name__} in {codec!r}")
    return data


def _bytearray(*arguments: Any) -> bytearray:
    return bytearray(_bytes(*arguments))


def _set(items: Any = ()) -> set[Any]:
    check_keys(items)
    return set(items)


def _ordered() -> OrderedDict[Any, Any]:
    return OrderedDict()


def _ndarray_class(*arguments: Any) -> Any:
    raise TypeError("an array made by its class")


STANDARD: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _dtype,
    ("numpy", "ndarray"): _ndarray_class,
    ("collections", "OrderedDict"): _ordered,
    ("_codecs", "encode"): _bytes,
}
for _core in ("numpy.core", "numpy._core"):
    STANDARD[f"{_core}.multiarray", "scalar"] = _scalar
    STANDARD[f"{_core}.multiarray", "_reconstruct"] = _array_shell
    STANDARD[f"{_core}.numeric", "_frombuffer"] = _array
for _module in ("builtins", "__builtin__"):
    for _name, _make in (("set", _set), ("bytearray", _bytearray), ("bytes", _bytes)):
        STANDARD[_module, _name] = _make
