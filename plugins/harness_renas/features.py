"""Feature tensors of cells: operation, FLOPs and parameters of nodes, on the adjacency matrix (ReNAS, section 2.2).

T[u, v] = A[u, v] * t[v]: every channel is the adjacency matrix with a value of the edge's destination on each edge. The
channels of a cell are its operation types, then FLOPs and parameters of each of its repetitions in the network. On
NAS-Bench-101, that is 1 + 9 * 2 = 19 channels of 7 x 7, as published.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness import Architecture, CellBatch, SearchSpace, StudyError, on_path
from harness_renas.ordering import Ints, alternatives, another, canonical, reordered

Tensors = npt.NDArray[np.float32]

_EDGE = re.compile(r"(\d+)->(\d+)")
_ABSENT = "none"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a cell becomes a tensor.

    matrix: ``node``, operations on nodes; ``edge``, operations on edges, for spaces whose choices are edges.
    types: one channel of ordinal types (the paper), or one channel an operation. Ordinal types of nodes are 1 plus the
    operation's index in the space (on NAS-Bench-101: input 1, conv1x1 2, conv3x3 3, maxpool 4, output 5, the numbers of
    AlbertiPot/nar; the paper lists none), those of edges the option's index (on NAS-Bench-201: none 0, skip 1,
    conv1x1 2, conv3x3 3, avgpool 4, of the same source). costs: whether FLOPs and parameters are in it (not in ReNAS-1,
    -3, -5). repeats: whether repetitions of the cell that cost the same have channels each (the paper) or one for all.
    pruned: whether parts that lie on no input-output path are dropped first. trimmed: without the first column and the
    last row, which are zero in every cell: nothing leads to the input, nothing from the output.
    """

    matrix: Literal["node", "edge"] = "node"
    types: Literal["ordinal", "onehot"] = "onehot"
    costs: bool = True
    repeats: bool = False
    pruned: bool = True
    trimmed: bool = True


class Features:
    """The feature tensors of one space under one layout.

    Raises StudyError where the layout needs edges and the space's choices are no edges.
    """

    def __init__(self, space: SearchSpace, layout: Layout) -> None:
        self.space, self.layout = space, layout
        self._positions: list[npt.NDArray[np.intp]] | None = None
        self._edges = edges_of(space) if layout.matrix == "edge" else None

    @property
    def costs(self) -> bool:
        """Whether FLOPs and parameters are in the tensors: wanted by the layout, and known to the space.

        Where the space knows none (NAS-Bench-Graph), ReNAS-2, -4 and -6 are ReNAS-1, -3 and -5.
        """
        batch = self.space.graphs(self.space.sample(np.random.default_rng(0), 1), pruned=False)[0]
        return self.layout.costs and batch.flops is not None and batch.params is not None

    # -- cells --------------------------------------------------------------------------------------------------------

    def cells(self, archs: Sequence[Architecture]) -> tuple[CellBatch, ...]:
        """The cells' graphs as the layout wants them, nodes in the space's order."""
        return self.space.graphs(archs, pruned=self.layout.pruned if self._edges is None else False)

    def tensors(self, archs: Sequence[Architecture]) -> Tensors:
        """float32 [n, channels, v, v], nodes in canonical order."""
        return next(self.views(archs, 1))

    def views(self, archs: Sequence[Architecture], most: int) -> Iterator[Tensors]:
        """The tensors in canonical order, then in other orders, ``most`` in all; only the first for the edge layout."""
        batches = self.cells(archs)
        if self._edges is not None:
            yield self._edge_tensors(batches[0])
            return
        for number in range(most):
            yield self._join([reordered(b, another(b, number) if number else canonical(b)) for b in batches])

    def permuted(self, archs: Sequence[Architecture], most: int) -> tuple[Tensors, Ints]:
        """All orders of each, at most ``most``: float32 [m, channels, v, v], and the architecture of each, int64 [m].

        Cells of one architecture take their orders in step, so that an architecture has as many as its richest cell.
        The edge layout has one order: its nodes are sums, which the space itself numbers.
        """
        if self._edges is not None:
            return self.tensors(archs), np.arange(len(archs))
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

    # -- nodes --------------------------------------------------------------------------------------------------------

    def _join(self, batches: Sequence[CellBatch]) -> Tensors:
        return np.concatenate([self._node_tensors(b, cell) for cell, b in enumerate(batches)], axis=1)

    def _node_tensors(self, batch: CellBatch, cell: int) -> Tensors:
        """[n, channels, v, v] of one cell: each destination's values, spread over the adjacency matrix."""
        batch = penultimate(batch)
        values = np.concatenate([self._types(batch.ops), *self._costs(batch, cell)], axis=1)
        found: Tensors = np.where(batch.adjacency[:, None], values[:, :, None, :], 0.0).astype(np.float32)
        return self._trim(found)

    def _trim(self, found: Tensors) -> Tensors:
        return np.ascontiguousarray(found[:, :, :-1, 1:]) if self.layout.trimmed else found

    def _types(self, ops: Ints) -> npt.NDArray[np.float64]:
        names = self.space.operations
        if self.layout.types == "onehot":
            inner = [k for k, name in enumerate(names) if not name.startswith("input")]
            found: npt.NDArray[np.bool_] = np.equal(ops[:, None, :], np.array(inner)[None, :, None])
            return found.astype(np.float64)
        first = 1 if self._edges is not None else -1  # of edges, the first option; padding, which is -1, is always 0
        return np.where(ops >= 0, ops - first, 0.0)[:, None, :].astype(np.float64)

    def _costs(self, batch: CellBatch, cell: int) -> list[npt.NDArray[np.float64]]:
        """FLOPs and parameters of each repetition, interleaved: [n, 2 * repetitions, v]; none where there are none."""
        if not self.layout.costs or batch.flops is None or batch.params is None:
            return []
        pairs = np.stack([batch.flops, batch.params], axis=2)
        n, repetitions, _, v = pairs.shape
        kept = np.arange(repetitions) if self.layout.repeats else self._distinct_positions(cell)
        return [pairs[:, kept].reshape(n, 2 * len(kept), v)]

    def _distinct_positions(self, cell: int) -> npt.NDArray[np.intp]:
        """Repetitions that differ in the cost of any node of any of 64 drawn architectures, the first of each kind."""
        if self._positions is None:
            archs = self.space.sample(np.random.default_rng(0), 64)
            self._positions = []
            for batch in self.space.graphs(archs, pruned=False):
                assert batch.flops is not None
                assert batch.params is not None
                both = np.concatenate([batch.flops, batch.params], axis=2).transpose(1, 0, 2)
                flat = both.reshape(len(both), -1)
                self._positions.append(np.sort(np.unique(flat, axis=0, return_index=True)[1]))
        return self._positions[cell]

    # -- edges --------------------------------------------------------------------------------------------------------

    def _edge_tensors(self, batch: CellBatch) -> Tensors:
        """[n, channels, v, v] of a cell whose choices are edges: each edge's values at [source, target]."""
        assert self._edges is not None
        inner = CellBatch(
            batch.ops[:, 1:-1],
            batch.adjacency[:, 1:-1, 1:-1],
            None if batch.flops is None else batch.flops[:, :, 1:-1],
            None if batch.params is None else batch.params[:, :, 1:-1],
        )
        values = np.concatenate([self._types(inner.ops), *self._costs(inner, 0)], axis=1)
        absent = self.space.operations.index(_ABSENT) if _ABSENT in self.space.operations else -2
        live = self._live(inner.ops != absent) if self.layout.pruned else inner.ops != absent
        values = values * live[:, None, :]
        size = 1 + max(target for _, target in self._edges)
        found = np.zeros((*values.shape[:2], size, size), dtype=np.float32)
        for i, (source, target) in enumerate(self._edges):
            found[:, :, source, target] = values[:, :, i]
        return self._trim(found)

    def _live(self, present: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Edges on a path from the first node to the last, bool [n, edges]."""
        assert self._edges is not None
        size = 1 + max(target for _, target in self._edges)
        sources, targets = np.array(self._edges).T
        live = np.zeros_like(present)
        patterns, which = np.unique(present, axis=0, return_inverse=True)
        for i, pattern in enumerate(patterns):
            adjacency = np.zeros((size, size), dtype=np.bool_)
            adjacency[sources[pattern], targets[pattern]] = True
            nodes = on_path(adjacency, [0], size - 1)
            live[which.ravel() == i] = pattern & nodes[sources] & nodes[targets]
        return live


def penultimate(batch: CellBatch) -> CellBatch:
    """Padding moved from behind the output to before it: the output is the last node of every cell (section 2.2)."""
    n, v = batch.ops.shape
    real = (batch.ops >= 0).sum(axis=1)
    place = np.broadcast_to(np.arange(v), (n, v)).copy()
    rows = np.arange(n)
    place[rows, v - 1], place[rows, real - 1] = real - 1, v - 1
    return reordered(batch, place)


def edges_of(space: SearchSpace) -> list[tuple[int, int]]:
    """(source, target) of each choice of a space whose choices are a cell's edges, named ``0->1``.

    Raises StudyError for any other space.
    """
    found = [_EDGE.fullmatch(choice.name) for choice in space.choices]
    options = {choice.options for choice in space.choices}
    edges = [(int(m[1]), int(m[2])) for m in found if m is not None]
    same = len(options) == 1 and space.operations[1:-1] == next(iter(options))
    if len(edges) < len(space.choices) or not same or space.cells != 1 or space.max_nodes != len(edges) + 2:
        raise StudyError(f"{space.name} has no edge layout: its choices are not one cell's edges; use layout 'node'")
    return edges
