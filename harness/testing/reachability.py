"""Which final scores can be reached from what a strategy holds: a walk over attributes, containers and closures."""

from __future__ import annotations

import functools
import gc
import sys
import types
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_ATOMS = (type(None), bool, int, float, complex, str, bytes, range, types.EllipsisType, types.ModuleType, np.generic)
_OPAQUE = frozenset({"builtins", "numpy", "torch", "pandas", "scipy", "optuna", "msgspec", "rich", "pluggy"})
"""Packages whose classes are not walked: they are shared by everything and hold no task's scores."""
_HOLDERS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (np.ndarray, ("base",)),
    (memoryview, ("obj",)),
    (types.FunctionType, ("__defaults__", "__kwdefaults__")),
    ((types.MethodType, types.BuiltinMethodType), ("__self__", "__func__")),
    (functools.partial, ("func", "args", "keywords")),
    ((property, functools.cached_property, classmethod, staticmethod), ("fget", "fset", "fdel", "func", "__func__")),
)
"""What objects hold in attributes that are not among those of every object."""
_FEWEST = 8
"""Arrays of fewer distinct values are compared by identity and memory alone: small ones agree by chance."""


def paths_to(root: Any, targets: Iterable[Any], *, name: str = "root", limit: int = 5_000_000) -> list[str]:
    """The attribute paths that lead from ``root`` to one of ``targets``; empty where none does.

    Followed: instance attributes, slots and msgspec fields, class attributes, mappings, sequences and sets, closures
    and default arguments, ``__self__`` of bound methods, `functools.partial`, properties' functions, generators'
    locals, weak references, bases of arrays and of memory views, and what other C objects refer to. Not followed:
    module globals, classes of the standard library and of numpy, torch and the like.

    A target array is also found as any array or container of numbers that shares its memory, or holds the same
    values, or the same in another order or up to scale and offset (a fraction for a percentage), be it as a column
    of a table or as the values of a dict. Bytes and strings are found by value, other targets by identity.
    Raises RuntimeError after ``limit`` objects.
    """
    wanted = _Targets(list(targets))
    seen: set[int] = set()
    keep: list[Any] = []  # temporary objects stay alive, so that no id is used twice
    queue: deque[tuple[Any, str]] = deque([(root, name)])
    found = []
    while queue:
        obj, path = queue.popleft()
        if id(obj) in seen:
            continue
        seen.add(id(obj))
        keep.append(obj)
        if len(seen) > limit:
            raise RuntimeError(f"gave up at {path}: more than {limit} objects")
        if wanted.matches(obj):
            found.append(path)
            continue
        for part, child in _children(obj):
            if id(child) not in seen and (not isinstance(child, _ATOMS) or wanted.atoms):
                queue.append((child, path + part))
    return found


def _is_opaque(cls: type) -> bool:
    package = cls.__module__.partition(".")[0]
    return package in _OPAQUE or package in sys.stdlib_module_names


def _children(obj: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(obj, _ATOMS):
        return
    if isinstance(obj, (dict, types.MappingProxyType)):
        for key, value in list(obj.items()):
            yield (f"[{key!r}]" if isinstance(key, (str, int)) else "[...]"), value
            yield ".keys()", key
    elif isinstance(obj, (list, tuple, deque)):
        for i, value in enumerate(list(obj)):
            yield f"[{i}]", value
    elif isinstance(obj, (set, frozenset)):
        for value in list(obj):
            yield "{...}", value
    elif names := next((names for kinds, names in _HOLDERS if isinstance(obj, kinds)), ()):
        for name in names:
            yield f".{name}", getattr(obj, name, None)
        if isinstance(obj, np.ndarray) and obj.dtype == object:
            yield ".ravel().tolist()", obj.ravel().tolist()
        if isinstance(obj, types.FunctionType):
            yield from _closure(obj)
    elif isinstance(obj, weakref.ref):
        yield "()", obj()
    elif isinstance(obj, types.GeneratorType):
        yield ".gi_frame.f_locals", dict(obj.gi_frame.f_locals) if obj.gi_frame else None
    elif isinstance(obj, type):
        if not _is_opaque(obj):
            for name, value in list(vars(obj).items()):
                yield f".{name}", value
            for base in obj.__bases__:
                yield f".{base.__name__}", base
        return
    elif not _attributes(obj):
        for child in gc.get_referents(obj):
            yield "->", child
    yield from _attributes(obj)
    yield ".__class__", type(obj)


def _closure(obj: types.FunctionType) -> Iterator[tuple[str, Any]]:
    names = obj.__code__.co_freevars
    for name, cell in zip(names, obj.__closure__ or (), strict=True):
        try:
            yield f".<closure {name}>", cell.cell_contents
        except ValueError:  # an empty cell
            continue


def _attributes(obj: Any) -> list[tuple[str, Any]]:
    found = [(f".{name}", value) for name, value in list(getattr(obj, "__dict__", {}).items())]
    if not isinstance(obj, type):  # a msgspec Struct's own fields
        for field in getattr(type(obj), "__struct_fields__", ()):
            found.append((f".{field}", getattr(obj, field, None)))
    for cls in type(obj).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else tuple(slots):
            if slot.startswith("__") and not slot.endswith("__"):
                slot = f"_{cls.__name__.lstrip('_')}{slot}"
            try:
                found.append((f".{slot}", object.__getattribute__(obj, slot)))
            except AttributeError:  # never assigned
                continue
    return found


class _Targets:
    def __init__(self, targets: Sequence[Any]) -> None:
        self._identities = {id(t) for t in targets}
        self._keep = targets
        self._values = {t for t in targets if isinstance(t, (bytes, str))}
        self.atoms = bool(self._values)
        self._arrays = [np.asarray(t) for t in targets if isinstance(t, np.ndarray)]
        self._shapes = [s for s in (_shape(a) for a in self._arrays) if s is not None]

    def matches(self, obj: Any) -> bool:
        if id(obj) in self._identities:
            return True
        if isinstance(obj, (bytes, str)):
            return obj in self._values
        if not self._arrays:
            return False
        if isinstance(obj, np.ndarray) and any(np.may_share_memory(obj, a) for a in self._arrays):
            return True
        return any(_same(column, shape) for column in _columns(obj) for shape in self._shapes)


def _shape(values: npt.NDArray[Any]) -> npt.NDArray[np.float64] | None:
    """The sorted values that exist, from 0 to 1: what stays the same under order, scale and offset."""
    flat = values.astype(np.float64, copy=False).ravel()
    flat = flat[np.isfinite(flat)]
    if flat.size < _FEWEST:
        return None
    flat = np.sort(flat)
    if flat[-1] == flat[0] or np.count_nonzero(np.diff(flat)) < _FEWEST - 1:
        return None
    return np.asarray((flat - flat[0]) / (flat[-1] - flat[0]))


def _same(column: npt.NDArray[Any], shape: npt.NDArray[np.float64]) -> bool:
    if column.size < shape.size:
        return False
    own = _shape(column)
    if own is None or own.size != shape.size:
        return False
    return bool(np.allclose(own, shape, atol=1e-6) or np.allclose(1.0 - own[::-1], shape, atol=1e-6))


def _columns(obj: Any) -> Iterator[npt.NDArray[Any]]:
    """What in ``obj`` could be a list of scores: all of it, and each column and row of a table."""
    array = _as_numbers(obj)
    if array is None or array.size < _FEWEST:
        return
    yield array
    if array.ndim >= 2:
        for axis in range(array.ndim):
            moved = np.moveaxis(array, axis, 0)
            if len(moved) <= 64:
                yield from moved


def _as_numbers(obj: Any) -> npt.NDArray[Any] | None:
    if isinstance(obj, np.ndarray):
        return obj if obj.dtype.kind in "fiu" else None
    if isinstance(obj, memoryview):
        return np.asarray(obj) if obj.format in ("f", "d", "e") else None
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(obj, torch.Tensor):
        return np.asarray(obj.detach().cpu().to(torch.float64).numpy())
    if isinstance(obj, dict):
        obj = list(obj.values())
    if isinstance(obj, (list, tuple, set, frozenset, deque)) and len(obj) >= _FEWEST:
        first = next(iter(obj))
        if isinstance(first, (float, np.floating)) and all(isinstance(x, (float, int, np.number)) for x in obj):
            return np.array(list(obj), dtype=np.float64)
        if isinstance(first, (list, tuple)) and any(isinstance(x, (float, np.floating)) for x in first):
            return _table(list(obj))
    return None


def _table(rows: list[Any]) -> npt.NDArray[np.float64] | None:
    """Records with numbers among their fields: float64 [fields, n], NaN where a field is no number."""
    width = len(rows[0])
    if not all(isinstance(r, (list, tuple)) and len(r) == width for r in rows):
        return None
    table = np.full((width, len(rows)), np.nan)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if isinstance(value, (float, int, np.number)):
                table[j, i] = float(value)
    return table
