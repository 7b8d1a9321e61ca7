"""What networks have in common: a cell as its graph, with operations on nodes, each applied to the sum of what its
predecessors give; and how often a network may halve its images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from harness import CellGraph, HarnessError, ImageShape


def check_halves(images: ImageShape, times: int, network: str) -> None:
    """Raises HarnessError where ``images`` cannot be halved ``times`` times, so that two paths would differ in size."""
    if images.side % 2**times:
        raise HarnessError(
            f"the network of {network} halves its map {times} times, which images {images.side} pixels wide do not "
            f"allow; choose images whose width is a multiple of {2**times}, or a smaller network"
        )


class GlobalAverage(nn.Module):
    """Over the map: [n, channels]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution without bias, batch norm; ``same`` padding."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1) -> None:
        convolution = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)
        super().__init__(nn.ReLU(), convolution, nn.BatchNorm2d(c_out))


class GraphCell(nn.Module):
    """A cell with operations on nodes. ``operations[v]`` is of node v: None where it carries nothing (``none``).

    The first ``inputs`` nodes are the cell's inputs, the last one its output: the sum or the concatenation of what
    reaches it. A node that nothing reaches operates on zeros, shaped as the first input.
    """

    def __init__(
        self, graph: CellGraph, operations: Sequence[nn.Module | None], inputs: int, output: Literal["sum", "concat"]
    ) -> None:
        super().__init__()
        self.inputs, self.output = inputs, output
        last = graph.nodes - 1
        self.nodes = [v for v in range(inputs, last) if operations[v] is not None]
        live = {*range(inputs), *self.nodes}
        self.sources = {
            v: [u for u in graph.adjacency[:, v].nonzero()[0].tolist() if u in live] for v in (*self.nodes, last)
        }
        self.last = last
        self.operations = nn.ModuleDict({str(v): operations[v] for v in self.nodes})  # type: ignore[misc]

    def forward(self, *inputs: Tensor) -> Tensor:
        values = dict(enumerate(inputs))
        for v in self.nodes:
            values[v] = self.operations[str(v)](self._sum([values[u] for u in self.sources[v]], inputs[0]))
        final = [values[u] for u in self.sources[self.last]]
        return torch.cat(final, 1) if self.output == "concat" else self._sum(final, inputs[0])

    @staticmethod
    def _sum(terms: list[Tensor], like: Tensor) -> Tensor:
        if not terms:
            return torch.zeros_like(like)
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total
