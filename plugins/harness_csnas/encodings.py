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
        """The architecture, or None where theta encodes no architecture of the space."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Theta:
        """Theta of a valid architecture, drawn by the task's law where theta is the architecture, else uniformly."""

    @property
    def effective_dimensions(self) -> float:
        """How many variables, on average, can change the architecture when they change."""
        return float(len(self.widths))


class Choices(Encoding):
    """``native``: the space's own choices. On NAS-Bench-301 these are an input pair and two operations a node; on a
    dense space, an operation for every possible edge, all summed.
    """

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
_CELLS = ("normal", "reduce")
_NODES = 4
"""Intermediate nodes of a DARTS cell in genotype notation."""


def edges_of(nodes: int) -> int:
    """Possible edges of a cell with so many intermediate nodes: node j has j, two of them from the cell's inputs."""
    return sum(range(2, 2 + nodes))


def dense_nodes(space: SearchSpace) -> int | None:
    """Intermediate nodes of a dense space, whose choices are CSNAS's theta; None for any other space."""
    if any(choice.options != _OPERATIONS for choice in space.choices):
        return None
    return next((n for n in range(1, 10) if len(_CELLS) * edges_of(n) == len(space.choices)), None)


@dataclass(frozen=True)
class _Edge:
    predecessor: int
    operation: int


class First2(Encoding):
    """``first2``: theta has an operation of eight, ``none`` included, for each possible edge of either cell: 14 a cell
    on DARTS's space, 20 on a dense space of five nodes.

    A node keeps its two lowest-index predecessors whose operation is not ``none``; missing ones are ``skip_connect``
    from the lowest unused predecessor. CSNAS's released decoding does the same where it is defined, apart from its
    random filler. Later edges have no effect: `effective_dimensions` says how many of the variables matter.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        dense = dense_nodes(space)
        self.nodes, self._dense = dense or _NODES, dense is not None
        edges = len(_CELLS) * edges_of(self.nodes)
        try:
            self.decode((_FILLER,) * edges)
        except InvalidArchitecture:
            raise HarnessError(
                f"encoding 'first2' is for dense spaces and those in DARTS's genotype notation, not for {space.name}; "
                "use 'native'"
            ) from None
        self.names = tuple(f"{c}_{n + 2}_{p}" for c in _CELLS for n in range(self.nodes) for p in range(n + 2))
        self.widths = (len(_OPERATIONS),) * edges

    def decode(self, theta: Theta) -> Architecture:
        half = edges_of(self.nodes)
        normal, reduce = (self._cell(theta[c * half : (c + 1) * half]) for c in (0, 1))
        if self._dense:
            return (*self._operations(normal), *self._operations(reduce))
        concat = f"range(2, {2 + _NODES})"
        return self.space.parse(
            f"Genotype(normal={self._genes(normal)}, normal_concat={concat}, "
            f"reduce={self._genes(reduce)}, reduce_concat={concat})"
        )

    def _cell(self, theta: Theta) -> list[list[_Edge]]:
        """The two edges of each node, the lower predecessor first."""
        found: list[list[_Edge]] = []
        at = 0
        for node in range(self.nodes):
            operations = theta[at : at + node + 2]
            at += node + 2
            kept = [_Edge(p, o) for p, o in enumerate(operations) if o != 0][:2]
            unused = [p for p in range(node + 2) if p not in {e.predecessor for e in kept}]
            kept += [_Edge(p, _FILLER) for p in unused[: 2 - len(kept)]]
            found.append(sorted(kept, key=lambda e: e.predecessor))
        return found

    @staticmethod
    def _genes(cell: list[list[_Edge]]) -> str:
        return "[" + ", ".join(f"('{_OPERATIONS[e.operation]}', {e.predecessor})" for pair in cell for e in pair) + "]"

    @staticmethod
    def _operations(cell: list[list[_Edge]]) -> list[int]:
        """An operation for every possible edge: ``none`` where it is not kept."""
        found: list[int] = []
        for node, pair in enumerate(cell):
            kept = {e.predecessor: e.operation for e in pair}
            found += [kept.get(p, 0) for p in range(node + 2)]
        return found

    def draw(self, rng: np.random.Generator) -> Theta:
        """Uniform over theta, not over architectures: low predecessors are kept first, so they come more often."""
        return tuple(rng.integers(0, self.widths).tolist())

    @property
    def effective_dimensions(self) -> float:
        """An edge counts where fewer than two earlier edges of its node carry an operation; each does with p = 7/8."""
        q = 1.0 / len(_OPERATIONS)
        live = 0.0
        for node in range(self.nodes):
            for k in range(node + 2):
                live += q**k + (k * (1 - q) * q ** (k - 1) if k else 0.0)
        return len(_CELLS) * live


def make_encoding(name: str, space: SearchSpace) -> Encoding:
    """Raises HarnessError for an encoding that does not fit the space."""
    if name == "first2":
        return First2(space)
    if name == "dense" and dense_nodes(space) is None:
        raise HarnessError(
            "encoding 'dense' sums every edge of the cell: it is for spaces with an operation, none included, on each "
            f"possible edge, as darts-dense-5 has, not for {space.name}; use 'native'"
        )
    return Choices(space)
