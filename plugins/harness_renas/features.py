"""Our feature tensors: operations, FLOPs and parameters of nodes on the adjacency matrix.

As in ReNAS's paper (section 2.2), every channel is the adjacency matrix with a value of the edge's destination on each
edge. Three things are ours: one channel for each operation instead of ordinal types; one pair of FLOPs and parameters
for all repetitions of the cell that cost the same; and no first column and last row, which are zero in every cell. The
paper's own tensor is `harness.spaces.tensors.PublishedTensors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness import Architecture, CellBatch, SearchSpace
from harness.spaces.ordering import Ints, reordered
from harness.spaces.tensors import CellTensors, Tensors


class Features(CellTensors):
    """Our feature tensors of one space.

    types: one channel of ordinal types (the paper), or one channel for each operation. costs: whether FLOPs and
    parameters are in it (not in ReNAS-1, -3, -5). pruned: whether parts on no input-output path are dropped first.
    Where the space knows no costs (NAS-Bench-Graph), ReNAS-2, -4 and -6 are ReNAS-1, -3 and -5.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        types: Literal["ordinal", "onehot"] = "onehot",
        costs: bool = True,
        pruned: bool = True,
    ) -> None:
        super().__init__(space, costs=costs)
        self.types, self.pruned = types, pruned
        self._positions: list[npt.NDArray[np.intp]] | None = None

    def cells(self, archs: Sequence[Architecture]) -> tuple[CellBatch, ...]:
        return self.space.graphs(archs, pruned=self.pruned)

    def of_cell(self, batch: CellBatch, cell: int) -> Tensors:
        batch = penultimate(batch)
        values = np.concatenate([self._types(batch.ops), *self._node_costs(batch, cell)], axis=1)
        found: Tensors = np.where(batch.adjacency[:, None], values[:, :, None, :], 0.0).astype(np.float32)
        return np.ascontiguousarray(found[:, :, :-1, 1:])  # no edge leads to the input or from the output

    def _types(self, ops: Ints) -> npt.NDArray[np.float64]:
        if self.types == "onehot":
            inner = [k for k, name in enumerate(self.space.operations) if not name.startswith("input")]
            found: npt.NDArray[np.bool_] = np.equal(ops[:, None, :], np.array(inner)[None, :, None])
            return found.astype(np.float64)
        return np.where(ops >= 0, ops + 1, 0.0)[:, None, :].astype(np.float64)

    def _node_costs(self, batch: CellBatch, cell: int) -> list[npt.NDArray[np.float64]]:
        """FLOPs and parameters of each distinct repetition, interleaved: [n, 2 * repetitions, v]; or nothing."""
        if not self._costs or batch.flops is None or batch.params is None:
            return []
        pairs = np.stack([batch.flops, batch.params], axis=2)[:, self._distinct_positions(cell)]
        return [pairs.reshape(len(pairs), -1, pairs.shape[-1])]

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


def penultimate(batch: CellBatch) -> CellBatch:
    """Move the padding from behind the output to before it: the output is the last node of every cell (section 2.2)."""
    n, v = batch.ops.shape
    real = (batch.ops >= 0).sum(axis=1)
    place = np.broadcast_to(np.arange(v), (n, v)).copy()
    rows = np.arange(n)
    place[rows, v - 1], place[rows, real - 1] = real - 1, v - 1
    return reordered(batch, place)
