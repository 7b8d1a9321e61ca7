"""Cells as tensors: values of nodes on the adjacency matrix, and ReNAS's tensor as it is published.

Source: Xu, Wang, Han, Tang, Xu and Xu, "ReNAS: Relativistic Evaluation of Neural Architecture Search" (CVPR 2021),
section 2.2 and Figure 1; the numbers of the operations and the form for NAS-Bench-201: the public re-implementation
AlbertiPot/nar (architecture/arch_encode.py, arch_encode_201.py).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from harness.spaces.base import SearchSpace
from harness.spaces.graphs import CellBatch
from harness.spaces.ordering import Ints, alternatives, another, canonical, reordered
from harness.spaces.script import Architecture

Floats = npt.NDArray[np.float64]
Tensors = npt.NDArray[np.float32]

_EDGE = re.compile(r"(\d+)->(\d+)")


def cell_tensor(adjacency: npt.NDArray[np.bool_], t: Ints, f: Floats, p: Floats, size: int) -> Floats:
    """The tensor of one cell of n nodes (section 2.2): float64 [1 + 2 c, size, size]. 19 x 7 x 7 on NAS-Bench-101.

    adjacency: bool [n, n], rows are sources. t: operation types [n]. f, p: FLOPs and parameters of each node in each of
    the c cells of the network [c, n]. Nodes stand in the order of their depth, input first, output last.
    """
    n = len(t)
    # Pad: zeros go to the penultimate place, since the last one is the output's.
    before_output = [n - 1] * (size - n)
    a = np.insert(np.insert(adjacency, before_output, 0, axis=0), before_output, 0, axis=1)
    # One vector for each channel: the types, which all cells share, then FLOPs and parameters of each cell.
    vectors = np.stack([t, *(v for cell in zip(f, p, strict=True) for v in cell)]).astype(np.float64)
    vectors = np.insert(vectors, before_output, 0.0, axis=1)
    # Product: each vector broadcast over the rows, times the matrix, so that an edge has its destination's value.
    # The products are concatenated.
    return np.asarray(a[None, :, :] * vectors[:, None, :])


def edge_tensors(edges: Sequence[tuple[int, int]], t: Ints, f: Floats, p: Floats) -> Floats:
    """The analogue of n cells whose operations lie on edges: float64 [n, 1 + 2 c, v, v]. 31 x 4 x 4 on NAS-Bench-201.

    edges: source and target of each. t: operation types [n, edges]. f, p: [n, c, edges]. The value of an edge's
    operation stands at [source, target]. For NAS-Bench-201 the paper says only "same settings".
    """
    costs = np.stack([f, p], axis=2).reshape(len(t), 2 * f.shape[1], len(edges))
    values = np.concatenate([t[:, None, :], costs], axis=1)
    size = 1 + max(target for _, target in edges)
    found = np.zeros((*values.shape[:2], size, size))
    for i, (source, target) in enumerate(edges):
        found[:, :, source, target] = values[:, :, i]
    return found


def edges_of(space: SearchSpace) -> list[tuple[int, int]] | None:
    """(source, target) of each choice where the choices are one cell's edges, named ``0->1``; else None."""
    found = [_EDGE.fullmatch(choice.name) for choice in space.choices]
    edges = [(int(m[1]), int(m[2])) for m in found if m is not None]
    options = {choice.options for choice in space.choices}
    same = len(options) == 1 and space.operations[1:-1] == next(iter(options))
    whole = len(edges) == len(space.choices) and space.max_nodes == len(edges) + 2
    return edges if same and whole and space.cells == 1 else None


class CellTensors(ABC):
    """Architectures as tensors of their cells, nodes in canonical order or in another one of the same cell.

    costs: whether FLOPs and parameters of nodes are wanted.
    """

    def __init__(self, space: SearchSpace, *, costs: bool = True) -> None:
        self.space, self._costs = space, costs

    @property
    def costs(self) -> bool:
        """Whether FLOPs and parameters are in the tensors: wanted, and known to the space."""
        batch = self.space.graphs(self.space.sample(np.random.default_rng(0), 1), pruned=False)[0]
        return self._costs and batch.flops is not None and batch.params is not None

    @abstractmethod
    def of_cell(self, batch: CellBatch, cell: int) -> Tensors:
        """float32 [n, channels, v, v] of one distinct cell of n architectures, nodes in the order of ``batch``."""

    def cells(self, archs: Sequence[Architecture]) -> tuple[CellBatch, ...]:
        """The cells' graphs, nodes in the space's order, without what lies on no input-output path."""
        return self.space.graphs(archs, pruned=True)

    def tensors(self, archs: Sequence[Architecture]) -> Tensors:
        """float32 [n, channels, v, v], nodes in canonical order; distinct cells one after the other."""
        return next(self.views(archs, 1))

    def views(self, archs: Sequence[Architecture], most: int) -> Iterator[Tensors]:
        """The tensors in canonical order, then in other orders, ``most`` in all."""
        batches = self.cells(archs)
        for number in range(most):
            yield self._join([reordered(b, another(b, number) if number else canonical(b)) for b in batches])

    def permuted(self, archs: Sequence[Architecture], most: int) -> tuple[Tensors, Ints]:
        """All orders of each, at most ``most``: float32 [m, channels, v, v], and the architecture of each, int64 [m].

        Cells of one architecture change their orders together, so that it has as many as the cell with the most orders.
        """
        batches = self.cells(archs)
        taken: list[list[Ints]] = [[] for _ in batches]
        source: list[int] = []
        for i in range(len(archs)):
            found = [list(alternatives(batch, i, most)) for batch in batches]
            count = max(len(orders) for orders in found)
            source += [i] * count
            for orders, chosen in zip(found, taken, strict=True):
                chosen += [orders[j % len(orders)] for j in range(count)]
        rows = np.array(source, dtype=np.int64)
        joined = [reordered(b[rows], np.array(chosen)) for b, chosen in zip(batches, taken, strict=True)]
        return self._join(joined), rows

    def _join(self, batches: Sequence[CellBatch]) -> Tensors:
        return np.concatenate([self.of_cell(b, cell) for cell, b in enumerate(batches)], axis=1)


class PublishedTensors(CellTensors):
    """ReNAS's tensor: `cell_tensor` of every cell, or `edge_tensors` where the choices are one cell's edges.

    Operation types of nodes are 1 plus the index in the space's operations: on NAS-Bench-101 input 1, conv1x1 2,
    conv3x3 3, maxpool 4, output 5. Those of edges are the index among the options: on NAS-Bench-201 none 0, skip 1,
    conv1x1 2, conv3x3 3, avgpool 4. Cells of nodes are pruned, as NAS-Bench-101 itself prunes them: a vertex on no
    input-output path is no part of the cell, and would be sorted behind the input. Edges are taken as written, as
    NAS-Bench-201 trains them. They have one order, for the nodes between them are sums that the space itself numbers.
    ``edges=False``: `cell_tensor` for these too, of the graph with operations on nodes.
    """

    def __init__(self, space: SearchSpace, *, costs: bool = True, edges: bool = True) -> None:
        super().__init__(space, costs=costs)
        self.edges = edges_of(space) if edges else None

    def of_cell(self, batch: CellBatch, cell: int) -> Tensors:
        v = batch.ops.shape[1]
        f, p = self._node_costs(batch)
        found = np.zeros((len(batch), 1 + 2 * f.shape[1], v, v), dtype=np.float32)
        for i, ops in enumerate(batch.ops):
            n = int((ops >= 0).sum())
            found[i] = cell_tensor(batch.adjacency[i, :n, :n], ops[:n] + 1, f[i, :, :n], p[i, :, :n], v)
        return found

    def views(self, archs: Sequence[Architecture], most: int) -> Iterator[Tensors]:
        if self.edges is None:
            yield from super().views(archs, most)
            return
        (batch,) = self.space.graphs(archs, pruned=False)
        f, p = self._node_costs(batch)
        yield edge_tensors(self.edges, batch.ops[:, 1:-1] - 1, f[:, :, 1:-1], p[:, :, 1:-1]).astype(np.float32)

    def permuted(self, archs: Sequence[Architecture], most: int) -> tuple[Tensors, Ints]:
        if self.edges is None:
            return super().permuted(archs, most)
        return self.tensors(archs), np.arange(len(archs))

    def _node_costs(self, batch: CellBatch) -> tuple[Floats, Floats]:
        """FLOPs and parameters, float64 [n, c, v] each; c = 0 where they are not wanted or not known."""
        if not self._costs or batch.flops is None or batch.params is None:
            none = np.zeros((len(batch), 0, batch.ops.shape[1]))
            return none, none
        return batch.flops, batch.params
