"""Which images train, validate and test: stratified, seeded, and nested: fewer training images are a part of more."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from harness import HarnessError

Ints = npt.NDArray[np.int64]
POOL, VALIDATION, TEST = 0, 1, 2
"""Values of a table's column ``part``: free to be split, or as the data set's authors say."""


class Splits(NamedTuple):
    """Rows of a table, int64, each sorted, no two with a row in common."""

    train: Ints
    validation: Ints
    test: Ints


def split(labels: npt.NDArray[Any], part: npt.NDArray[Any], *, train: int | None, seed: int = 0) -> Splits:
    """``train`` images of the pool train. The others validate; where no official test images exist, half of them test.

    Default of ``train``: half of the pool where official test images exist, as NAS-Bench-201 and DARTS have it; else
    60 %; and all of it where validation images are official too. Raises HarnessError where it does not fit.
    """
    pool, validation, test = (np.flatnonzero(part == p) for p in (POOL, VALIDATION, TEST))
    if len(validation):
        if train not in (None, len(pool)):
            raise HarnessError(f"[data] train = {train}: this data set comes with its own split, {len(pool)} train")
        return Splits(pool, validation, test)
    if train is None:
        train = len(pool) // 2 if len(test) else len(pool) * 3 // 5
    held = len(pool) - train
    if train < 1 or held < (1 if len(test) else 2):
        raise HarnessError(f"[data] train = {train}: {len(pool)} images are there to train and validate on")
    order = pool[stratified_order(labels[pool], seed)]
    if not len(test):
        middle = train + held // 2
        test, order = order[middle:], order[:middle]
    return Splits(np.sort(order[:train]), np.sort(order[train:]), np.sort(test))


def stratified_order(labels: npt.NDArray[Any], seed: int) -> Ints:
    """A random order of which every beginning, and so every part, has the classes in about their proportions."""
    rng = np.random.default_rng(seed)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        place[rng.permutation(rows)] = (np.arange(len(rows)) + rng.random()) / len(rows)
    return np.argsort(place, kind="stable")
