"""Records of one study say the same of machine, code and data: in memory, equal parts are one object."""

from __future__ import annotations

import sys
from typing import Any, TypeVar

import msgspec

_PARTS = ("provenance", "environment")
_OF_SPECS = (
    "code",
    "budget",
    "params",
    "search_task",
    "task",
    "law",
    "strategy",
    "oracle",
    "final",
    "report",
    "data_digest",
)

_Record = TypeVar("_Record", bound=msgspec.Struct)


class Sharing:
    """What the records so far have said. Shared parts must not be changed."""

    def __init__(self) -> None:
        self._known: dict[bytes, Any] = {}
        self._encode = msgspec.msgpack.Encoder().encode

    def __call__(self, record: _Record) -> _Record:
        """The same record: it takes 3 KB in place of 8 once others have said the same."""
        spec = getattr(record, "spec", None)
        parts = self._parts(record, _PARTS)
        if spec is not None:
            parts["spec"] = msgspec.structs.replace(spec, **self._parts(spec, _OF_SPECS))
        return msgspec.structs.replace(record, **parts)

    def _parts(self, of: Any, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: self._one(getattr(of, name)) for name in names if hasattr(of, name)}

    def _one(self, value: Any) -> Any:
        if isinstance(value, str):
            return sys.intern(value)
        return self._known.setdefault(self._encode((type(value).__name__, value)), value)
