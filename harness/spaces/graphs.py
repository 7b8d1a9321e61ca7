"""Architectures as directed acyclic graphs with operations on nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PAD = -1
"""Operation index of a padding node and of a node whose operation is not decided yet."""


@dataclass(frozen=True, slots=True)
class CellGraph:
    """One distinct cell of an architecture.

    ops: int64 [v], indices into the space's ``operations`` (its node vocabulary, input and output included).
    adjacency: bool [v, v], row = source, in topological order, so strictly upper triangular.
    flops, params: float64 [positions, v], one row per repetition of the cell in the network; None where the space
    defines no network. FLOPs count as the benchmark counts them (the space's docstring says how).
    """

    ops: npt.NDArray[np.int64]
    adjacency: npt.NDArray[np.bool_]
    flops: npt.NDArray[np.float64] | None = None
    params: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        v = len(self.ops)
        if self.adjacency.shape != (v, v):
            raise ValueError(f"adjacency has shape {self.adjacency.shape}, want {(v, v)}")

    @property
    def nodes(self) -> int:
        return len(self.ops)


@dataclass(frozen=True, slots=True)
class CellBatch:
    """The same distinct cell of n architectures, padded at the end to one number of nodes.

    ops: int64 [n, v], -1 where padded or undecided. adjacency: bool [n, v, v], row = source.
    flops, params: float64 [n, positions, v] or None.
    """

    ops: npt.NDArray[np.int64]
    adjacency: npt.NDArray[np.bool_]
    flops: npt.NDArray[np.float64] | None = None
    params: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.ops)

    def __getitem__(self, index: npt.NDArray[np.int64] | slice) -> CellBatch:
        return CellBatch(
            self.ops[index],
            self.adjacency[index],
            None if self.flops is None else self.flops[index],
            None if self.params is None else self.params[index],
        )

    def cell(self, i: int) -> CellGraph:
        """The i-th cell without its padding."""
        v = int((self.ops[i] != PAD).sum())
        flops, params = (None if c is None else c[i, :, :v] for c in (self.flops, self.params))
        return CellGraph(self.ops[i, :v], self.adjacency[i, :v, :v], flops, params)


def summed(
    batches: Sequence[CellBatch], *, flops: float = 0.0, params: float = 0.0
) -> dict[str, npt.NDArray[np.float64]]:
    """``params`` and ``flops`` of n networks, float64 [n]: of all nodes of their cells, and of what is around these."""
    totals = {"params": np.full(len(batches[0]), params), "flops": np.full(len(batches[0]), flops)}
    for batch in batches:
        for name, total in totals.items():
            if (nodes := getattr(batch, name)) is not None:
                total += nodes.sum(axis=(1, 2))
    return totals


def pad(cells: Sequence[CellGraph], nodes: int) -> CellBatch:
    """Stack cells into one batch of ``nodes`` nodes each, padding at the end."""
    n = len(cells)
    ops = np.full((n, nodes), PAD, dtype=np.int64)
    adjacency = np.zeros((n, nodes, nodes), dtype=np.bool_)
    costs: list[npt.NDArray[np.float64] | None] = [None, None]
    for slot, name in enumerate(("flops", "params")):
        if n and all(getattr(c, name) is not None for c in cells):
            costs[slot] = np.zeros((n, len(getattr(cells[0], name)), nodes))
    for i, cell in enumerate(cells):
        v = cell.nodes
        ops[i, :v] = cell.ops
        adjacency[i, :v, :v] = cell.adjacency
        for array, name in zip(costs, ("flops", "params"), strict=True):
            if array is not None:
                array[i, :, :v] = getattr(cell, name)
    return CellBatch(ops, adjacency, costs[0], costs[1])


def side_by_side(batches: Sequence[CellBatch]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Operations int64 [n, cells, v] and adjacency bool [n, cells, v, v], padded at the end to the widest cell."""
    n, v = len(batches[0]), max(b.ops.shape[1] for b in batches)
    ops = np.full((n, len(batches), v), PAD, dtype=np.int64)
    adjacency = np.zeros((n, len(batches), v, v), dtype=np.bool_)
    for cell, batch in enumerate(batches):
        width = batch.ops.shape[1]
        ops[:, cell, :width] = batch.ops
        adjacency[:, cell, :width, :width] = batch.adjacency
    return ops, adjacency


def on_path(adjacency: npt.NDArray[np.bool_], source: Sequence[int], sink: int) -> npt.NDArray[np.bool_]:
    """Nodes reachable from a source that also reach the sink: bool [v]. Expects topological order."""
    v = len(adjacency)
    forward = np.zeros(v, dtype=np.bool_)
    forward[list(source)] = True
    for node in range(v):
        forward[node] |= bool((adjacency[:, node] & forward).any())
    backward = np.zeros(v, dtype=np.bool_)
    backward[sink] = True
    for node in range(v - 1, -1, -1):
        backward[node] |= bool((adjacency[node] & backward).any())
    return forward & backward
