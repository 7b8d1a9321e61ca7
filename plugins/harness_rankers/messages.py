"""Message passing over cells, along edges and against them: several networks of one shape, evaluated as one.

The update is that of graph isomorphism networks (Xu, Hu, Leskovec and Jegelka, ICLR 2019): a perceptron on sums over
neighbours. Predecessors and successors have sums of their own, since a cell is directed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, silu

from harness import Architecture, SearchSpace


class Cells:
    """n architectures as tensors. ops: one-hot [cells, n, v, operations]; edges: [cells, n, v, v], rows are sources."""

    def __init__(self, ops: Tensor, edges: Tensor) -> None:
        self.ops, self.edges = ops, edges

    @classmethod
    def of(cls, space: SearchSpace, archs: Sequence[Architecture], *, pruned: bool) -> Cells:
        batches = space.graphs(archs, pruned=pruned)
        kinds = np.arange(len(space.operations))
        ops = np.stack([(b.ops[:, :, None] == kinds).astype(np.float32) for b in batches])
        edges = np.stack([b.adjacency.astype(np.float32) for b in batches])
        return cls(torch.from_numpy(ops), torch.from_numpy(edges))

    def __len__(self) -> int:
        return self.ops.shape[1]

    def __getitem__(self, index: Tensor | slice) -> Cells:
        return Cells(self.ops[:, index], self.edges[:, index])


class MessagePassing(nn.Module):
    """``members`` independent networks: architectures to scores, [members, n].

    h_0 = E[op]; h_l = LN(h + W2 silu(W1 [h, A'h, Ah])); each cell is read out as the sum over its nodes of h_0 to h_L;
    the cells of an architecture share weights and stand side by side before the perceptron that scores it.
    """

    def __init__(
        self, operations: int, cells: int, *, members: int, width: int, layers: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.members, self.width = members, width

        def weight(rows: int, columns: int, gain: float) -> nn.Parameter:
            return nn.Parameter(torch.randn(members, rows, columns, generator=generator) * gain)

        def bias(columns: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(members, 1, columns))

        read = cells * (layers + 1) * width
        self.embedding = weight(operations, width, 1.0)
        self.w1 = nn.ParameterList(weight(3 * width, width, math.sqrt(2 / (3 * width))) for _ in range(layers))
        self.b1 = nn.ParameterList(bias(width) for _ in range(layers))
        self.w2 = nn.ParameterList(weight(width, width, math.sqrt(2 / width)) for _ in range(layers))
        self.b2 = nn.ParameterList(bias(width) for _ in range(layers))
        self.hidden, self.hidden_bias = weight(read, width, math.sqrt(2 / read)), bias(width)
        self.score = weight(width, 1, 0.1 * math.sqrt(2 / width))

    def forward(self, x: Cells) -> Tensor:
        cells, n, v, kinds = x.ops.shape
        flat = x.ops.reshape(cells * n * v, kinds)
        real = flat.sum(dim=1, keepdim=True)
        along = x.edges.reshape(cells * n, v, v)
        against = along.transpose(1, 2)
        h = flat @ self.embedding
        seen = [h]
        for w1, b1, w2, b2 in zip(self.w1, self.b1, self.w2, self.b2, strict=True):
            nodes = h.reshape(self.members, cells * n, v, self.width)
            messages = torch.cat([h, (against @ nodes).reshape(h.shape), (along @ nodes).reshape(h.shape)], dim=2)
            update = torch.baddbmm(b2, silu(torch.baddbmm(b1, messages, w1)), w2)
            h = layer_norm(h + update, (self.width,)) * real
            seen.append(h)
        sums = torch.cat(seen, dim=2).reshape(self.members, cells, n, v, -1).sum(dim=3) / 4.0
        read = sums.transpose(1, 2).reshape(self.members, n, -1)
        return (silu(torch.baddbmm(self.hidden_bias, read, self.hidden)) @ self.score)[:, :, 0]
