"""Which images train, validate and test: stratified, seeded, and nested: fewer training images are a part of more."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from harness import HarnessError

Ints = npt.NDArray[np.int64]
POOL, VALIDATION, TEST = 0, 1, 2
"""Values of a table's column ``part``: free to be split, or as the data set's authors say."""
UNTESTED = (
    "validation images but none to test with: add a folder test, or move the validation images to train, of which a "
    "part then validates and a part tests"
)
"""What is wrong with a data set that has the one and lacks the other, and what to do."""


class Splits(NamedTuple):
    """Rows of a table, int64, each sorted, no two with a row in common."""

    train: Ints
    validation: Ints
    test: Ints


def split(
    labels: npt.NDArray[Any], part: npt.NDArray[Any], *, train: int | None, validation: int | None = None, seed: int = 0
) -> Splits:
    """``train`` images of the pool train and ``validation`` validate; what is left tests where no test images are
    official, and is not used where they are.

    Default of ``train``: half of the pool where official test images exist, as NAS-Bench-201 and DARTS have it; else
    60 %; and all of it where validation images are official too. Default of ``validation``: all that is left, or half
    of it where it must test too. Raises HarnessError where it does not fit.
    """
    pool, held, test = (np.flatnonzero(part == p) for p in (POOL, VALIDATION, TEST))
    if len(held):
        if not len(test):
            raise HarnessError(f"this data set has {UNTESTED}; then import it anew")
        for name, given, own in (("train", train, len(pool)), ("validation", validation, len(held))):
            if given not in (None, own):
                raise HarnessError(f"[data] {name} = {given}: this data set comes with its own split, {own} {name}")
        return Splits(pool, held, test)
    if train is None:
        train = len(pool) // 2 if len(test) else len(pool) * 3 // 5
    left = len(pool) - train
    if validation is None:
        validation = max(left if len(test) else left // 2, 1)
    if train < 1 or left - validation < (0 if len(test) else 1):
        raise HarnessError(
            f"[data] train = {train}, validation = {validation}: {len(pool)} images are there to train and validate on"
            + ("" if len(test) else ", and some of them test")
        )
    order = pool[stratified_order(labels[pool], seed)]
    if not len(test):
        test = order[train + validation :]
    return Splits(np.sort(order[:train]), np.sort(order[train : train + validation]), np.sort(test))


def stratified_order(labels: npt.NDArray[Any], seed: int) -> Ints:
    """A random order of which every beginning, and so every part, has the classes in about their proportions."""
    rng = np.random.default_rng(seed)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        place[rng.permutation(rows)] = (np.arange(len(rows)) + rng.random()) / len(rows)
    return np.argsort(place, kind="stable")
