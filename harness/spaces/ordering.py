"""The order of a cell's nodes: a canonical one, and the others that describe the same cell (ReNAS, section 2.2).

Nodes are sorted by depth. The matrix does not say in which order nodes of one depth stand, so the paper adds every such
order to the training set with the same label. Depth is the longest distance to the input, which keeps every order
topological.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, islice, permutations, product

import numpy as np
import numpy.typing as npt

from harness.spaces.graphs import CellBatch

Ints = npt.NDArray[np.int64]


def depths(adjacency: npt.NDArray[np.bool_]) -> Ints:
    """The longest distance of each node to a node without predecessors: int64 [n, v]. Rows are sources."""
    n, v, _ = adjacency.shape
    depth = np.zeros((n, v), dtype=np.int64)
    for node in range(v):
        before = np.where(adjacency[:, :node, node], depth[:, :node] + 1, 0)
        depth[:, node] = before.max(axis=1, initial=0)
    return depth


def canonical(batch: CellBatch) -> Ints:
    """The canonical order, int64 [n, v]: by depth, then operation, then place; the last node and padding stay last.

    The first and the last real node, input and output, keep their places.
    """
    return _by_depth(batch, batch.ops)


def another(batch: CellBatch, number: int) -> Ints:
    """One more order of each cell, int64 [n, v]: nodes of one depth in an order drawn with ``number``."""
    priority = np.random.default_rng(number).permutation(batch.ops.shape[1])
    return _by_depth(batch, np.broadcast_to(priority, batch.ops.shape))


def _by_depth(batch: CellBatch, ties: Ints) -> Ints:
    n, v = batch.ops.shape
    place = np.arange(v)
    last = (batch.ops >= 0).sum(axis=1) - 1
    depth = depths(batch.adjacency)
    depth[:, 0] = -1
    depth = np.where(place >= last[:, None], v + place, depth)
    return np.lexsort((np.broadcast_to(place, (n, v)), ties, depth))


def alternatives(batch: CellBatch, index: int, most: int) -> Iterator[Ints]:
    """Orders of one cell that permute nodes of equal depth, the canonical one first, at most ``most``.

    Orders that give the same labelled matrix as an earlier one are left out. Permutations come in lexicographic order.
    """
    order = canonical(batch[index : index + 1])[0]
    ops, adjacency = batch.ops[index], batch.adjacency[index]
    real = int((ops >= 0).sum())
    depth = depths(adjacency[None])[0]
    inner = order[1 : real - 1].tolist()
    levels = [list(group) for _, group in groupby(inner, key=lambda node: int(depth[node]))]
    seen: set[bytes] = set()
    # a cell with k nodes of one depth has k! orders: the search for repeats must end long before that
    for chosen in islice(product(*(permutations(level) for level in levels)), 8 * most):
        found = order.copy()
        found[1 : real - 1] = [node for level in chosen for node in level]
        shown = ops[found].tobytes() + adjacency[np.ix_(found, found)].tobytes()
        if shown not in seen:
            seen.add(shown)
            yield found
        if len(seen) == most:
            return


def reordered(batch: CellBatch, orders: Ints) -> CellBatch:
    """The same cells with their nodes in the given orders, int64 [n, v]."""
    rows = np.arange(len(orders))[:, None]

    def costs(values: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64] | None:
        return None if values is None else np.take_along_axis(values, orders[:, None, :], axis=2)

    return CellBatch(
        batch.ops[rows, orders],
        batch.adjacency[rows[:, :, None], orders[:, :, None], orders[:, None, :]],
        costs(batch.flops),
        costs(batch.params),
    )
