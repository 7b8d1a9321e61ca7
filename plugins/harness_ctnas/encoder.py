"""The networks that embed architectures, for comparator and regressor alike.

``gcn``: the graph convolutional network of the released code (model/nac.py, gcn.py, layers.py). ``equation``: exactly
the poster's Eq. 4. ``mlp``: a perceptron on one-hot choices, as the paper's comparator in its MobileNet space
(train_mb.py of the released code); it works on any space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from harness import Architecture, SearchSpace
from harness.spaces.graphs import side_by_side
from harness_ctnas.dense import residual_layer
from harness_ctnas.params import SearchParams

WIDTH, MLP_WIDTH, MLP_LAYERS = 128, 512, 3

Kind = Literal["gcn", "equation", "mlp"]


class Inputs(NamedTuple):
    """n architectures of ``cells`` distinct cells, padded at the end to v nodes.

    ops: int64 [n, cells, v], 0 for the dummy operation of padding, else 1 + index in the space's operations.
    flow: float32 [n, cells, v, v], transposed adjacency plus identity: row = node, column = a node that feeds it.
    For a perceptron, ops: int64 [n, choices], the option of each choice; flow: float32 [n, 0].
    """

    ops: Tensor
    flow: Tensor

    def take(self, rows: Tensor) -> Inputs:
        return Inputs(self.ops[rows], self.flow[rows])

    def join(self, other: Inputs) -> Inputs:
        return Inputs(torch.cat([self.ops, other.ops]), torch.cat([self.flow, other.flow]))

    def __len__(self) -> int:
        return len(self.ops)


def encode(space: SearchSpace, archs: Sequence[Architecture], *, pruned: bool) -> Inputs:
    """Architectures as graphs. ``pruned``: without what lies on no input-output path, as in the released code, which
    prunes first and then pads."""
    ops, adjacency = side_by_side(space.graphs(archs, pruned=pruned))
    flow = adjacency.swapaxes(2, 3) | np.eye(ops.shape[2], dtype=np.bool_)
    return Inputs(torch.from_numpy(ops + 1), torch.from_numpy(flow.astype(np.float32)))


def options(space: SearchSpace, archs: Sequence[Architecture]) -> Inputs:
    """Architectures as the options of their choices."""
    return Inputs(torch.from_numpy(space.as_array(archs)), torch.zeros(len(archs), 0))


class GCN(nn.Module):
    """Z = the mean over nodes of L residual graph convolutions with ReLU; padding counts as nodes.

    Eq. 4 of the poster with what the released code adds: self-loops, residual connections, biases, a ReLU behind the
    last layer. All distinct cells share the weights; their embeddings stand side by side. Sizes and initialisation are
    the released code's; Eq. 4 has two layers, the code four.
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


class EquationGCN(nn.Module):
    """Z = A phi(A X W0) W1 (poster, Eq. 4), and so on for more layers; then the mean over nodes.

    A: the adjacency matrix, row = node, column = predecessor, without self-loops. So a node's operation counts only
    where two edges follow it; operations of nodes that feed only the output are not seen.
    X: an embedding of operations. Size, initialisation, direction of A and the mean are the released code's.
    """

    def __init__(self, operations: int, cells: int, layers: int, generator: torch.Generator) -> None:
        super().__init__()
        self.size = WIDTH * cells
        self.embedding = nn.Parameter(torch.randn(operations + 1, WIDTH, generator=generator))
        bound = WIDTH**-0.5
        self.weights = nn.ParameterList(
            torch.empty(WIDTH, WIDTH).uniform_(-bound, bound, generator=generator) for _ in range(layers)
        )

    def forward(self, given: Inputs) -> Tensor:
        """Z, float32 [n, 128 * cells]."""
        n, cells, v = given.ops.shape
        x = nn.functional.embedding(given.ops.view(n * cells, v), self.embedding)
        a = given.flow.view(n * cells, v, v) - torch.eye(v)
        for i, weight in enumerate(self.weights):
            x = a @ (x.relu() if i else x) @ weight
        return x.mean(dim=1).view(n, self.size)


class MLP(nn.Module):
    """A perceptron on one-hot choices: three layers of 512, ReLU between them (the released code's ``MBSpaceNAC``)."""

    def __init__(self, radices: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        self.size = MLP_WIDTH
        self._first = torch.from_numpy(np.cumsum([0, *radices[:-1]]))
        self._options = sum(radices)
        sizes = [self._options, *[MLP_WIDTH] * MLP_LAYERS]
        with torch.random.fork_rng(devices=[]):  # torch's own initialisation, overwritten below
            self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        for size, layer in zip(sizes, self.layers, strict=False):
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -(size**-0.5), size**-0.5, generator=generator)

    def forward(self, given: Inputs) -> Tensor:
        """Z, float32 [n, 512]."""
        x = torch.zeros(len(given), self._options).scatter_(1, given.ops + self._first, 1.0)
        for i, layer in enumerate(self.layers):
            x = layer(x.relu() if i else x)
        return x


@dataclass(frozen=True, slots=True)
class Embedding:
    """The network that embeds architectures, and its input encoding. layers, pruned: for graphs."""

    kind: Kind = "gcn"
    layers: int = 2
    pruned: bool = True

    @classmethod
    def of(cls, params: SearchParams) -> Embedding:
        return cls(params.network, params.layers, params.pruned)

    def network(self, space: SearchSpace, generator: torch.Generator) -> GCN | EquationGCN | MLP:
        if self.kind == "mlp":
            return MLP(space.radices, generator)
        made = GCN if self.kind == "gcn" else EquationGCN
        return made(len(space.operations), space.cells, self.layers, generator)

    def encode(self, space: SearchSpace, archs: Sequence[Architecture]) -> Inputs:
        return options(space, archs) if self.kind == "mlp" else encode(space, archs, pruned=self.pruned)
