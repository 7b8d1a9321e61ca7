"""NAS-Bench-201's notation for a cell: ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.errors import DataError

__all__ = ["CELLS", "DATASETS", "EDGES", "NOTATION", "OPERATIONS", "check_architectures", "parse_cell"]

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(from, to) of the six choices, in the order in which the notation writes them."""
CELLS = len(OPERATIONS) ** len(EDGES)
DATASETS = ("cifar10", "cifar100", "imagenet16_120")

_OP = f"({'|'.join(OPERATIONS)})"
NOTATION = re.compile(rf"\|{_OP}~0\|\+\|{_OP}~0\|{_OP}~1\|\+\|{_OP}~0\|{_OP}~1\|{_OP}~2\|")
_INDEX = {name: index for index, name in enumerate(OPERATIONS)}


def parse_cell(text: str, place: str) -> tuple[int, ...]:
    """The six operation indices of a cell, in the order of `EDGES`. Raises `DataError` naming `place`."""
    match = NOTATION.fullmatch(text)
    if match is None:
        raise DataError(f"{place}: {text[:120]!r} is no NAS-Bench-201 architecture")
    return tuple(_INDEX[name] for name in match.groups())


def check_architectures(texts: Sequence[str], name: str, unit: str = "entry") -> npt.NDArray[np.int8]:
    """Operation indices [15625, 6] of the whole space in the order given; `DataError` on a missing or repeated cell."""
    seen: dict[tuple[int, ...], int] = {}
    for number, text in enumerate(texts):
        place = f"{name}: {unit} {number}"
        if type(text) is not str:
            raise DataError(f"{place}: a {type(text).__name__} instead of an architecture")
        first = seen.setdefault(parse_cell(text, place), number)
        if first != number:
            raise DataError(f"{place}: the same architecture as {unit} {first}: {text}")
    if len(seen) != CELLS:
        raise DataError(f"{name}: {len(seen):,} architectures instead of {CELLS:,}")
    return np.array(list(seen), dtype=np.int8)
