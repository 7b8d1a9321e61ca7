"""Random architectures one by one, drawn in blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from harness import Architecture, SearchSpace

_BLOCK = 64
"""Fixed, so that searches with different budgets share their draws."""


def draws(space: SearchSpace, rng: np.random.Generator) -> Iterator[Architecture]:
    """Architectures drawn independently under the space's law, without end."""
    while True:
        yield from space.sample(rng, _BLOCK)


def worst_if_nan(score: float) -> float:
    """``score``; minus infinity where it is NaN: a failed training, a broken constraint, a gap in the table."""
    return score if score == score else -math.inf
