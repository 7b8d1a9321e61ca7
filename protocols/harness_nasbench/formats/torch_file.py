"""The object in a file that torch.save wrote, zip or legacy, without torch and without running code from it.

Tensors are not read: each is a `Stub`. A zip member must be stored uncompressed, as torch writes it, so that no small
file can unfold into a large one. Source: torch/serialization.py.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

from harness.data import safe_pickle
from harness.data.reading import memory_in_proportion, open_file
from harness.errors import DataError

__all__ = ["load_torch"]

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_TENSOR = safe_pickle.Stub.named("tensor")
_GLOBALS: dict[tuple[str, str], Callable[..., Any]] = {
    **{("torch._utils", name): _TENSOR for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter")},
    **{
        ("torch", f"{kind}Storage"): _TENSOR
        for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
    },
}


def load_torch(path: Path, *, on_entry: Mapping[str, safe_pickle.OnEntry] | None = None) -> Any:
    """The saved object. Raises `DataError` naming the file, the place and the reason; see `safe_pickle.load_stream`."""
    load = partial(safe_pickle.load_stream, allow=_GLOBALS, persistent=_TENSOR, on_entry=on_entry)
    try:
        with memory_in_proportion(path), open_file(path) as stream:
            if stream.read(2) == b"PK":
                return _zipped(stream, path, load)
            stream.seek(0)
            return _legacy(stream, path, load)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        raise DataError(f"{path}: damaged zip file: {error}") from error


def _zipped(stream: BinaryIO, path: Path, load: Callable[..., Any]) -> Any:
    with zipfile.ZipFile(stream) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith("data.pkl")]
        if len(members) != 1:
            raise DataError(f"{path}: a zip file that torch did not write: {len(members)} members data.pkl")
        if members[0].compress_type != zipfile.ZIP_STORED:
            raise DataError(f"{path}: member {members[0].filename} is compressed, which torch never does")
        with archive.open(members[0]) as member:
            return load(BufferedReader(member), name=f"{path}: {members[0].filename}")


def _legacy(stream: BinaryIO, path: Path, load: Callable[..., Any]) -> Any:
    following = partial(load, stream, name=str(path), exact=False)
    if following() != _MAGIC or following() != _PROTOCOL:
        raise DataError(f"{path}: not a file that torch.save wrote")
    system = following()
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise DataError(f"{path}: not written on a little-endian machine")
    value = following()
    if not isinstance(following(), list):
        raise DataError(f"{path}: ends without the list of its tensors")
    return value
