"""A folder of images, one folder a class, as a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import DataError
from harness_training.data.splits import POOL, TEST, UNTESTED, VALIDATION

_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
_PARTS = {"train": POOL, "valid": VALIDATION, "validation": VALIDATION, "val": VALIDATION, "test": TEST}
_MOST_PIXELS = 1 << 20


def read_image_folder(source: Path) -> tuple[dict[str, npt.NDArray[Any]], list[str]]:
    """Columns and class names, sorted. ``source`` holds a folder a class, or ``train`` and ``test`` (and ``valid``)
    that do, in which case the split is the folder's own.

    All images are square and of one size; grey ones stay grey where all are. Raises DataError, naming the file.
    """
    tops = _folders(source)
    parts = {p: _PARTS[p.name] for p in tops if p.name in _PARTS}
    roots = parts if len(parts) == len(tops) and POOL in parts.values() else {source: POOL}
    files: list[tuple[Path, str, int]] = []
    for root, part in roots.items():
        for folder in _folders(root):
            inside = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _ENDINGS)
            if not inside:
                raise DataError(f"{folder}: holds no image ({', '.join(sorted(_ENDINGS))}); remove it, or fill it")
            files += [(p, folder.name, part) for p in inside]
    names = sorted({name for _, name, part in files if part == POOL})
    if len(names) < 2:
        raise DataError(f"{source}: want a folder of images for each of at least two classes")
    if strange := {name for _, name, _ in files} - set(names):
        raise DataError(f"{source}: there are no training images of {', '.join(sorted(strange))}")
    found = {part for _, _, part in files}
    if VALIDATION in found and TEST not in found:
        raise DataError(f"{source}: has {UNTESTED}")
    pictures = [_read(path) for path, _, _ in files]
    first = pictures[0].shape[:2]
    for picture, (path, _, _) in zip(pictures, files, strict=True):
        if picture.shape[:2] != first or first[0] != first[1]:
            height, width = picture.shape[:2]
            raise DataError(f"{path}: has {width} x {height} pixels; make all images square and of one size first")
    grey = all(p.shape[2] == 1 for p in pictures)
    stacked = np.stack([p if grey or p.shape[2] == 3 else np.repeat(p, 3, axis=2) for p in pictures])
    columns: dict[str, npt.NDArray[Any]] = {
        "images": np.ascontiguousarray(stacked.transpose(0, 3, 1, 2)),
        "labels": np.array([names.index(name) for _, name, _ in files], dtype=np.int16),
        "part": np.array([part for _, _, part in files], dtype=np.int8),
    }
    return columns, names


def _folders(root: Path) -> list[Path]:
    """Those in ``root``, in order; hidden ones, which programs make for themselves, are no classes."""
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")) if root.is_dir() else []


def _read(path: Path) -> npt.NDArray[np.uint8]:
    """uint8 [height, width, 1 or 3]."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode[0] in "IF":
                raise DataError(f"{path}: has more than 8 bits a pixel (mode {image.mode}); make it 8 bits first")
            if image.width * image.height > _MOST_PIXELS:
                raise DataError(f"{path}: has {image.width} x {image.height} pixels; make it smaller first")
            plain = image.convert("L" if image.mode in ("1", "L") else "RGB")
            return np.asarray(plain, dtype=np.uint8).reshape(image.height, image.width, -1)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read as an image: {error}") from error
