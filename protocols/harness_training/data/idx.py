"""MNIST (LeCun et al. 1998) and Fashion-MNIST (Xiao et al. 2017) from their official idx files, gzipped or not."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import DataError
from harness_training.data.files import find_one, read_plain
from harness_training.data.splits import POOL, TEST

_SIDE = 28
_ROWS = {"train": 60_000, "t10k": 10_000}
_MAGIC = {1: 0x801, 3: 0x803}
"""Unsigned bytes in one and in three dimensions."""


def read_idx_folder(source: Path) -> dict[str, npt.NDArray[Any]]:
    """Images uint8 [70000, 1, 28, 28], the training images first. ``source``: the folder of the four files.

    Raises DataError where one is missing, cut short, or not what its header says.
    """
    if not source.is_dir():
        raise DataError(f"{source}: want the folder of the four idx files, train-images-idx3-ubyte and so on")
    images, labels, part = [], [], []
    for prefix, value in (("train", POOL), ("t10k", TEST)):
        rows = _ROWS[prefix]
        images.append(_array(source, f"{prefix}-images", (rows, _SIDE, _SIDE)))
        labels.append(_array(source, f"{prefix}-labels", (rows,)))
        part.append(np.full(rows, value, dtype=np.int8))
        if labels[-1].max() > 9:
            raise DataError(f"{source}: {prefix}-labels has labels beyond 9")
    return {
        "images": np.concatenate(images)[:, None],
        "labels": np.concatenate(labels).astype(np.int16),
        "part": np.concatenate(part),
    }


def _array(folder: Path, stem: str, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    plain = f"{stem}-idx{len(shape)}-ubyte"
    path = find_one(folder, [plain, f"{plain}.gz", f"{stem}.idx{len(shape)}-ubyte"])
    header = 4 + 4 * len(shape)
    size = header + int(np.prod(shape))
    data = read_plain(path)
    if len(data) != size:
        raise DataError(f"{path}: has {len(data)} bytes instead of {size}")
    magic, *dimensions = struct.unpack(f">{1 + len(shape)}I", data[:header])
    if magic != _MAGIC[len(shape)] or tuple(dimensions) != shape:
        raise DataError(f"{path}: its header says {magic:#x} {dimensions}, want {_MAGIC[len(shape)]:#x} {list(shape)}")
    return np.frombuffer(data, dtype=np.uint8, offset=header).reshape(shape)
