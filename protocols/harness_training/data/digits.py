"""Scikit-learn's digits, 1,797 grey images of 8 x 8, and a harder set made of them."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.tables import Table, open_table, sha256, table_exists, write_table
from harness_training.data.splits import POOL, TEST, VALIDATION, stratified_order

Bytes = npt.NDArray[np.uint8]
Columns = dict[str, npt.NDArray[Any]]

CANVAS, PATCHES, PATCH = 16, 6, 4
TRAIN = 500
"""Training images of cluttered digits; the others validate and test in equal parts."""
_SEED = 0
_IMPORTER = "1"


def digits() -> Columns:
    """All of them in the pool: no split is official. Grey levels 0 to 16 become 0 to 255."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    grey = np.round(pixels * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    return {"images": grey, "labels": labels.astype(np.int16), "part": np.full(len(labels), POOL, dtype=np.int8)}


def cluttered_digits() -> Columns:
    """Each digit at a random place of a canvas of 16 x 16, over six patches of 4 x 4 of other training digits.

    Patches come from training digits alone, so that no validation or test digit is seen in training. The digit
    covers what lies under it. The split is part of the set: 500 train, 648 validate, 649 test.
    """
    plain = digits()
    images, labels = plain["images"][:, 0], plain["labels"]
    order = stratified_order(labels, _SEED)
    middle = TRAIN + (len(labels) - TRAIN) // 2
    part = np.empty(len(labels), dtype=np.int8)
    for value, rows in ((POOL, order[:TRAIN]), (VALIDATION, order[TRAIN:middle]), (TEST, order[middle:])):
        part[rows] = value
    found = _cluttered(images, np.flatnonzero(part == POOL), np.random.default_rng(_SEED))
    return {"images": found[:, None], "labels": labels, "part": part}


def _cluttered(images: Bytes, donors: npt.NDArray[np.int64], rng: np.random.Generator) -> Bytes:
    side = images.shape[-1]
    found = np.zeros((len(images), CANVAS, CANVAS), dtype=np.uint8)
    for i, digit in enumerate(images):
        for donor in rng.choice(donors[donors != i], PATCHES):
            y, x = rng.integers(0, side - PATCH + 1, 2)
            to_y, to_x = rng.integers(0, CANVAS - PATCH + 1, 2)
            place = found[i, to_y : to_y + PATCH, to_x : to_x + PATCH]
            np.maximum(place, images[donor, y : y + PATCH, x : x + PATCH], out=place)
        y, x = rng.integers(0, CANVAS - side + 1, 2)
        found[i, y : y + side, x : x + side] = digit
    return found


_BUILT_IN: Mapping[str, Callable[[], Columns]] = {"digits": digits, "cluttered-digits": cluttered_digits}


def built_in_table(name: str, folder: Path) -> Table:
    """The table at ``folder``, made from scikit-learn's file where it is not there or is of another version."""
    version = importlib.metadata.version("scikit-learn")
    importer = f"{name}/{_IMPORTER}"
    if table_exists(folder):
        table = open_table(folder)
        if (table.meta.version, table.meta.importer) == (version, importer):
            return table
    import sklearn.datasets

    source = Path(sklearn.datasets.__file__).parent / "data" / "digits.csv.gz"
    derived = {"derived": f"{PATCHES} patches of {PATCH} x {PATCH} of training digits on {CANVAS} x {CANVAS}"}
    return write_table(
        folder, _BUILT_IN[name](), benchmark=name, source=source.name, source_sha256=sha256(source), version=version,
        licence="CC BY 4.0 (UCI); BSD-3-Clause (the copy in scikit-learn)", importer=importer,
        facts={"classes": [str(d) for d in range(10)], **(derived if name != "digits" else {})},
    )  # fmt: skip
