"""The graph convolutional network that embeds architectures (poster, Eq. 3), for comparator and regressor alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from harness import Architecture, SearchSpace
from harness_ctnas.dense import residual_layer

WIDTH = 128


class Inputs(NamedTuple):
    """n architectures of ``cells`` distinct cells, padded at the end to v nodes.

    ops: int64 [n, cells, v], 0 for the dummy operation of padding, else 1 + index in the space's operations.
    flow: float32 [n, cells, v, v], transposed adjacency plus identity: row = node, column = what it hears.
    """

    ops: Tensor
    flow: Tensor

    def take(self, rows: Tensor) -> Inputs:
        return Inputs(self.ops[rows], self.flow[rows])

    def __len__(self) -> int:
        return len(self.ops)


def encode(space: SearchSpace, archs: Sequence[Architecture], *, pruned: bool) -> Inputs:
    """Architectures as the network takes them. ``pruned``: without what lies on no input-output path."""
    batches = space.graphs(archs, pruned=pruned)
    nodes = max(b.ops.shape[1] for b in batches)
    ops = np.zeros((len(archs), len(batches), nodes), dtype=np.int64)
    flow = np.zeros((len(archs), len(batches), nodes, nodes), dtype=np.float32)
    for cell, batch in enumerate(batches):
        v = batch.ops.shape[1]
        ops[:, cell, :v] = batch.ops + 1
        flow[:, cell, :v, :v] = batch.adjacency.transpose(0, 2, 1)
    flow[..., np.arange(nodes), np.arange(nodes)] = 1.0
    return Inputs(torch.from_numpy(ops), torch.from_numpy(flow))


class GCN(nn.Module):
    """Z = the mean over nodes of L residual graph convolutions with ReLU; padding counts as nodes.

    The same weights for every distinct cell, their embeddings side by side. Sizes and initialisation: the released
    code (model/nac.py, gcn.py, layers.py); two layers in the poster's Eq. 3, four in the code.
    """

    def __init__(self, operations: int, cells: int, layers: int, generator: torch.Generator) -> None:
        super().__init__()
        self.size = WIDTH * cells
        self.embedding = nn.Parameter(torch.randn(operations + 1, WIDTH, generator=generator))
        self.layers = nn.ModuleList(residual_layer(WIDTH, generator) for _ in range(layers))

    def forward(self, given: Inputs) -> Tensor:
        """Z, float32 [n, 128 * cells]."""
        n, cells, v = given.ops.shape
        x = nn.functional.embedding(given.ops.view(n * cells, v), self.embedding)
        flow = given.flow.view(n * cells, v, v)
        for layer in self.layers:
            x = layer(x, flow).relu()
        return x.mean(dim=1).view(n, self.size)
