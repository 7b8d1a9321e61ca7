"""How theta, a vector of categorical variables, becomes an architecture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from harness.errors import HarnessError, InvalidArchitecture
from harness.spaces import Architecture, SearchSpace

Theta = tuple[int, ...]


class Encoding(ABC):
    """``names`` and ``widths``: the variables that the sampler sees, each with options 0 .. width - 1."""

    names: tuple[str, ...]
    widths: tuple[int, ...]

    @abstractmethod
    def decode(self, theta: Theta) -> Architecture | None:
        """The architecture, or None where theta encodes none of the space."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Theta:
        """Theta of a valid architecture, drawn by the task's law where theta is the architecture, else uniformly."""

    @property
    def effective_dimensions(self) -> float:
        """How many of the variables a change of which can change the architecture, on average."""
        return float(len(self.widths))


class Choices(Encoding):
    """``native``: the space's own choices. On NAS-Bench-301 that is an input pair and two operations a node."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.names = tuple(c.name for c in space.choices)
        self.widths = space.radices

    def decode(self, theta: Theta) -> Architecture | None:
        return theta if self.space.is_valid(theta) else None

    def draw(self, rng: np.random.Generator) -> Theta:
        return self.space.sample(rng, 1)[0]


_OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
_FILLER = _OPERATIONS.index("skip_connect")
_NODES = 4
_EDGES = sum(range(2, 2 + _NODES))


@dataclass(frozen=True)
class _Edge:
    predecessor: int
    operation: int


class First2(Encoding):
    """``first2``: theta has an operation of eight, ``none`` included, for each of the 14 possible edges of either cell.

    A node keeps its two lowest-index predecessors whose operation is not ``none``; missing ones are ``skip_connect``
    from the lowest unused predecessor. That is what CSNAS's released decoding comes to where it is defined, without
    its random filler. Later edges are inert: `effective_dimensions` says how many of the 28 variables matter.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        try:
            self.decode((_FILLER,) * (2 * _EDGES))
        except InvalidArchitecture:
            raise HarnessError(
                f"encoding 'first2' is for spaces in DARTS's genotype notation, not for {space.name}; use 'native'"
            ) from None
        cells = ("normal", "reduce")
        self.names = tuple(f"{c}_{n + 2}_{p}" for c in cells for n in range(_NODES) for p in range(n + 2))
        self.widths = (len(_OPERATIONS),) * (2 * _EDGES)

    def decode(self, theta: Theta) -> Architecture:
        normal, reduce = (self._cell(theta[c * _EDGES : (c + 1) * _EDGES]) for c in (0, 1))
        concat = f"range(2, {2 + _NODES})"
        return self.space.parse(
            f"Genotype(normal={self._genes(normal)}, normal_concat={concat}, "
            f"reduce={self._genes(reduce)}, reduce_concat={concat})"
        )

    @staticmethod
    def _cell(theta: Theta) -> list[_Edge]:
        edges: list[_Edge] = []
        at = 0
        for node in range(_NODES):
            operations = theta[at : at + node + 2]
            at += node + 2
            kept = [_Edge(p, o) for p, o in enumerate(operations) if o != 0][:2]
            unused = [p for p in range(node + 2) if p not in {e.predecessor for e in kept}]
            kept += [_Edge(p, _FILLER) for p in unused[: 2 - len(kept)]]
            edges += sorted(kept, key=lambda e: e.predecessor)
        return edges

    @staticmethod
    def _genes(edges: list[_Edge]) -> str:
        return "[" + ", ".join(f"('{_OPERATIONS[e.operation]}', {e.predecessor})" for e in edges) + "]"

    def draw(self, rng: np.random.Generator) -> Theta:
        """Uniform over theta, not over architectures: low predecessors, being kept first, come more often."""
        return tuple(rng.integers(0, self.widths).tolist())

    @property
    def effective_dimensions(self) -> float:
        """An edge is live where fewer than two earlier ones of its node carry an operation; each does with p = 7/8."""
        q = 1.0 / len(_OPERATIONS)
        live = 0.0
        for node in range(_NODES):
            for k in range(node + 2):
                live += q**k + (k * (1 - q) * q ** (k - 1) if k else 0.0)
        return 2 * live


def make_encoding(name: str, space: SearchSpace) -> Encoding:
    """Raises HarnessError for an encoding that does not fit the space."""
    if name == "dense":
        raise HarnessError(
            "encoding 'dense' sums every edge of the cell: that is another search space, which needs a live training "
            "protocol; use 'native' or 'first2'"
        )
    return First2(space) if name == "first2" else Choices(space)
