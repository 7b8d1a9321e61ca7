"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) from the official archives, binary or Python version, or their folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import DataError
from harness.data.safe_pickle import load_bytes
from harness_training.data.files import read_members
from harness_training.data.splits import POOL, TEST

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32

Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one set: its files, images in each, bytes before the pixels of a binary row, key of the labels."""

    train: tuple[str, ...]
    test: str
    each: tuple[int, int]
    label_bytes: int
    label_key: bytes


_TEN = tuple(f"data_batch_{i}" for i in range(1, 6))
VERSIONS = {
    ("cifar10", "binary"): Version(tuple(f"{n}.bin" for n in _TEN), "test_batch.bin", (10_000, 10_000), 1, b""),
    ("cifar10", "python"): Version(_TEN, "test_batch", (10_000, 10_000), 0, b"labels"),
    ("cifar100", "binary"): Version(("train.bin",), "test.bin", (50_000, 10_000), 2, b""),
    ("cifar100", "python"): Version(("train",), "test", (50_000, 10_000), 0, b"fine_labels"),
}
CLASSES = {"cifar10": 10, "cifar100": 100}


def read_cifar(name: str, source: Path) -> Columns:
    """Images as published, uint8 [60000, 3, 32, 32], the training images first; CIFAR-100 with its fine labels.

    Raises DataError where a file is missing, cut short, of another set, or where its classes are not as many as
    published: 5,000 and 1,000 of each in CIFAR-10, 500 and 100 in CIFAR-100.
    """
    reasons = []
    for (of, kind), version in VERSIONS.items():
        if of == name:
            try:
                return _read(name, version, source)
            except DataError as error:
                reasons.append(f"{kind} version: {error}")
    raise DataError("; ".join(reasons))


def _read(name: str, version: Version, source: Path) -> Columns:
    files = (*version.train, version.test)
    rows = [version.each[0]] * len(version.train) + [version.each[1]]
    found = read_members(source, files)
    parts = [_rows(found[f], f"{source}: {f}", n, version) for f, n in zip(files, rows, strict=True)]
    images = np.concatenate([p[0] for p in parts]).reshape(-1, *_SHAPE)
    labels = np.concatenate([p[1] for p in parts]).astype(np.int16)
    part = np.repeat(np.array([POOL, TEST], dtype=np.int8), [sum(rows[:-1]), rows[-1]])
    for value, what in ((POOL, "training"), (TEST, "test")):
        counts = np.bincount(labels[part == value], minlength=CLASSES[name])
        if len(counts) != CLASSES[name] or len(set(counts.tolist())) != 1:
            raise DataError(f"{source}: its {what} images are not equally many of {CLASSES[name]} classes: not {name}")
    return {"images": images, "labels": labels, "part": part}


def _rows(data: bytes, where: str, n: int, version: Version) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]:
    if version.label_bytes:
        row = version.label_bytes + _PIXELS
        if len(data) != n * row:
            raise DataError(f"{where}: has {len(data)} bytes instead of {n * row}")
        table = np.frombuffer(data, dtype=np.uint8).reshape(n, row)
        return table[:, version.label_bytes :], table[:, version.label_bytes - 1]  # CIFAR-100: coarse, then fine
    batch = load_bytes(data, name=where)
    entries = {k.encode() if isinstance(k, str) else k: v for k, v in batch.items()} if isinstance(batch, dict) else {}
    images, labels = entries.get(b"data"), entries.get(version.label_key)
    if not isinstance(images, np.ndarray) or images.shape != (n, _PIXELS) or images.dtype != np.uint8:
        raise DataError(f"{where}: holds no uint8 array 'data' of {n} rows of {_PIXELS}")
    if type(labels) is not list or len(labels) != n or not all(type(x) is int and 0 <= x < 1000 for x in labels):
        raise DataError(f"{where}: holds no list {version.label_key.decode()!r} of {n} labels")
    return images, np.array(labels)
