"""The k-GNN that discriminator and generator encode cells with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import DenseGraphConv

from harness import CellBatch
from harness.spaces.graphs import side_by_side


class Graphs(NamedTuple):
    """n architectures as arrays.

    ops: int64 [n, cells, v], -1 undecided or padding. adjacency: bool [n, cells, v, v], row = source.
    """

    ops: npt.NDArray[np.int64]
    adjacency: npt.NDArray[np.bool_]

    def take(self, index: npt.NDArray[np.int64]) -> Graphs:
        return Graphs(self.ops[index], self.adjacency[index])


def stack(batches: Sequence[CellBatch]) -> Graphs:
    return Graphs(*side_by_side(batches))


def join(parts: Sequence[Graphs]) -> Graphs:
    return Graphs(np.concatenate([p.ops for p in parts]), np.concatenate([p.adjacency for p in parts]))


class Inputs(NamedTuple):
    """Graphs as tensors, for k distinct graphs of cells.

    x: float32 [k, v, features]; into, out_of: float32 [k, v, v], row = target and row = source; mask: float32
    [k, v, 1], or None where every node counts. graph_of: int64 [n * cells], the graph of each cell of n architectures,
    or None where these are the k graphs in order. While one cell is built the others do not change, so that spaces of
    several cells have far fewer distinct graphs than cells.
    """

    x: Tensor
    into: Tensor
    out_of: Tensor
    mask: Tensor | None
    cells: int
    graph_of: Tensor | None

    def take(self, chosen: npt.NDArray[np.int64]) -> Inputs:
        """Some of the n architectures."""
        at = torch.from_numpy((chosen[:, None] * self.cells + np.arange(self.cells)).ravel())
        index = None
        if self.graph_of is not None:
            at, index = torch.unique(self.graph_of[at], return_inverse=True)
        mask = None if self.mask is None else self.mask[at]
        return Inputs(self.x[at], self.into[at], self.out_of[at], mask, self.cells, index)


def _distinct(ops: npt.NDArray[np.int64], adjacency: npt.NDArray[np.bool_]) -> tuple[Any, Any]:
    """The first place of each distinct graph, and the graph of each row."""
    rows = np.concatenate([ops.astype(np.int16).view(np.uint8), adjacency.reshape(len(ops), -1).view(np.uint8)], axis=1)
    as_one = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1]))).ravel()
    _, first, index = np.unique(as_one, return_index=True, return_inverse=True)
    return first, index


class KGNN(nn.Module):
    """Node and graph embeddings of cells, with the same weights for every distinct cell.

    Each layer convolves (x_i' = W1 x_i + W2 sum_j A_ij x_j + b: Morris et al. 2019, the k = 1 GNN) over predecessors
    and over successors with weights of their own and joins the two halves, so that direction is kept. Input features:
    one-hot operation (one more for nodes without one) and the node's normalised place in topological order. Readout:
    mean and maximum over nodes.

    ``padding``: whether a node of operation -1 is padding, left out of convolution and readout; else it is a node
    that is not yet decided, with a feature of its own.
    """

    def __init__(self, operations: int, cells: int, *, hidden: int, layers: int, padding: bool) -> None:
        super().__init__()
        if hidden % 2:
            raise ValueError(f"hidden is {hidden}, want an even number")
        self.operations, self.padding = operations, padding
        self.node_size, self.graph_size = hidden, 2 * hidden * cells
        widths = [operations + 2] + [hidden] * layers
        self.predecessors = nn.ModuleList(DenseGraphConv(a, hidden // 2) for a in widths[:-1])
        self.successors = nn.ModuleList(DenseGraphConv(a, hidden // 2) for a in widths[:-1])

    def inputs(self, graphs: Graphs) -> Inputs:
        """The input of `forward`, made once for graphs that are embedded several times."""
        n, cells, v = graphs.ops.shape
        flat, edges = graphs.ops.reshape(n * cells, v), graphs.adjacency.reshape(n * cells, v, v)
        index = None
        if cells > 1:
            first, of_row = _distinct(flat, edges)
            flat, edges, index = flat[first], edges[first], torch.from_numpy(of_row)
        ops, adjacency = torch.from_numpy(flat), torch.from_numpy(edges).float()
        place = torch.linspace(0.0, 1.0, v).expand(len(flat), v).unsqueeze(2)
        x = torch.cat([functional.one_hot(ops + 1, self.operations + 1).float(), place], dim=2)
        mask = (ops >= 0).unsqueeze(2).float() if self.padding else None
        return Inputs(x, adjacency.transpose(1, 2).contiguous(), adjacency, mask, cells, index)

    def forward(self, given: Inputs) -> tuple[Tensor, Tensor]:
        """Node embeddings float32 [n, cells, v, node_size] and graph embeddings float32 [n, graph_size]."""
        x, mask = given.x, given.mask
        for from_predecessors, from_successors in zip(self.predecessors, self.successors, strict=True):
            x = torch.cat([from_predecessors(x, given.into), from_successors(x, given.out_of)], dim=2).relu()
            x = x if mask is None else x * mask
        # ReLU leaves nothing below 0, so masked nodes never are the maximum unless all are 0.
        mean = x.mean(dim=1) if mask is None else x.sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
        graph = torch.cat([mean, x.amax(dim=1)], dim=1)
        if given.graph_of is not None:
            x, graph = x[given.graph_of], graph[given.graph_of]
        n = len(x) // given.cells
        return x.view(n, given.cells, x.shape[1], -1), graph.view(n, -1)
