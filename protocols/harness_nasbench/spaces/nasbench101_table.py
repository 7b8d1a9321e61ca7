"""`CellIndex` as a checksummed table: its arrays one after another in a column of bytes, read in place."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.tables import Table, write_table
from harness.errors import DataError
from harness_nasbench.spaces.nasbench101_index import CellIndex

_LICENCE, _IMPORTER = "Apache-2.0", "nasbench101-index/1"
FORMS: dict[str, tuple[np.dtype[Any], int]] = {
    "matrices": (np.dtype(np.int32), 1), "labels": (np.dtype(np.uint8), 2), "cells": (np.dtype(np.int32), 2),
    "representatives": (np.dtype(np.uint32), 1), "encodings": (np.dtype(np.int64), 1),
}  # fmt: skip
_ALIGN = 64


def write_index(folder: Path, index: CellIndex) -> Table:
    """Write the index without hashes. It needs no file."""
    parts: list[bytes] = []
    shapes, end = {}, 0
    for name in FORMS:
        array = np.ascontiguousarray(getattr(index, name), dtype=FORMS[name][0].newbyteorder("<"))
        shapes[name] = [end, *array.shape]
        parts += [array.tobytes(), bytes(-array.nbytes % _ALIGN)]
        end += array.nbytes + -array.nbytes % _ALIGN
    raw = b"".join(parts)
    return write_table(
        folder, {"index": np.frombuffer(raw, dtype=np.uint8)}, benchmark="nasbench101", source="computed",
        source_sha256=hashlib.sha256(raw).hexdigest(), version="1", licence=_LICENCE, importer=_IMPORTER,
        facts={"arrays": shapes},
    )  # fmt: skip


def open_index(table: Table, hashes: npt.NDArray[np.uint8] | None = None) -> CellIndex:
    """The index in ``table``; ``hashes``: of every cell, where they are at hand. Raises DataError."""
    raw: npt.NDArray[np.uint8] = np.asarray(table["index"])  # as a plain view: np.memmap's own indexing is slow
    arrays: dict[str, Any] = {}
    try:
        for name, (dtype, dimensions) in FORMS.items():
            start, *shape = table.meta.facts["arrays"][name]
            if len(shape) != dimensions or start % _ALIGN:
                raise ValueError(f"{name} at {start} of shape {shape}")
            size = int(np.prod(shape)) * dtype.itemsize
            arrays[name] = raw[start : start + size].view(dtype).reshape(shape)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{table.folder}: not an index of NAS-Bench-101's cells: {error}; import it again") from error
    return CellIndex(**arrays, hashes=None if hashes is None else np.asarray(hashes))
