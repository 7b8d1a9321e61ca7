"""The network of NAS-Bench-101 (Ying et al., ICML 2019; ``model_builder.py`` of google-research/nasbench).

A 3x3 stem, stacks of cells with a 2x2 max-pooling and twice the channels from stack to stack, global average pooling, a
dense layer. The output of a cell concatenates the vertices that feed it; every other vertex adds up its predecessors,
cut to its own channels; an edge from the input is a 1x1 projection.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from harness import Architecture, CellGraph, ImageShape, Networks
from harness_training.networks.cell import GlobalAverage, check_halves
from harness_training.recipe import Count


class NASBench101Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Channels of the stem and first stack, stacks, cells of each stack. The defaults are the benchmark's."""

    channels: Annotated[int, msgspec.Meta(ge=5)] = 128
    stacks: Count = 3
    cells: Count = 3


class NASBench101Networks(Networks):
    """NAS-Bench-101: a stem, stacks of cells, max-pooling between them.

    Vertices off every input-output path are left out, as the benchmark does. No auxiliary head, no drop path.

    The benchmark's batch norm (momentum .997, epsilon 1e-5) keeps torch's momentum here: it is made for 108 epochs.

    """

    name = "nasbench101"
    Settings = NASBench101Settings

    def build(self, arch: Architecture, images: ImageShape, *, auxiliary: bool = False) -> nn.Module:
        size = self.settings
        assert isinstance(size, NASBench101Settings)
        check_halves(images, size.stacks - 1, self.name)
        (graph,) = self.space.graph(arch)
        names = [self.space.operations[op] for op in graph.ops]
        body: list[nn.Module] = [_ConvBNReLU(images.channels, size.channels, 3)]
        last = channels = size.channels
        for stack in range(size.stacks):
            if stack:
                body.append(nn.MaxPool2d(2, 2))
                channels *= 2
            for _ in range(size.cells):
                body.append(_Cell(graph, names, last, channels))
                last = channels
        return nn.Sequential(*body, GlobalAverage(), nn.Linear(last, images.classes))


class _ConvBNReLU(nn.Sequential):
    def __init__(self, c_in: int, c_out: int, kernel: int) -> None:
        convolution = nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(c_out), nn.ReLU())


def vertex_channels(adjacency: npt.NDArray[np.bool_], c_out: int) -> list[int]:
    """Channels of each vertex of a pruned cell: the output's are shared among the interior vertices that feed it, the
    first ones taking the remainder; every other vertex has as many as the widest that it feeds."""
    last = len(adjacency) - 1
    channels = [0] * last + [c_out]
    feeds = [v for v in range(1, last) if adjacency[v, last]]
    for place, v in enumerate(feeds):
        channels[v] = c_out // len(feeds) + (place < c_out % len(feeds))
    for v in range(last - 1, 0, -1):
        if not adjacency[v, last]:
            channels[v] = max((channels[w] for w in range(v + 1, last) if adjacency[v, w]), default=0)
    return channels


class _Cell(nn.Module):
    def __init__(self, graph: CellGraph, names: list[str], c_in: int, c_out: int) -> None:
        super().__init__()
        last = graph.nodes - 1
        channels = vertex_channels(graph.adjacency, c_out)
        self.last, self.channels = last, channels
        self.into = [graph.adjacency[1:, v].nonzero()[0] + 1 for v in range(graph.nodes)]
        from_input = graph.adjacency[0].nonzero()[0].tolist()
        self.projections = nn.ModuleDict({str(v): _ConvBNReLU(c_in, channels[v], 1) for v in from_input})
        self.operations = nn.ModuleList([_operation(names[v], channels[v]) for v in range(1, last)])

    def forward(self, x: Tensor) -> Tensor:
        values: dict[int, Tensor] = {}
        for v in range(1, self.last):
            terms = [values[u][:, : self.channels[v]] for u in self.into[v].tolist()]
            if str(v) in self.projections:
                terms.append(self.projections[str(v)](x))
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            values[v] = self.operations[v - 1](total)
        feeding = [values[u] for u in self.into[self.last].tolist()]
        if str(self.last) not in self.projections:
            return torch.cat(feeding, 1)
        projected: Tensor = self.projections[str(self.last)](x)
        return projected + torch.cat(feeding, 1) if feeding else projected


def _operation(name: str, channels: int) -> nn.Module:
    match name:
        case "conv3x3-bn-relu":
            return _ConvBNReLU(channels, channels, 3)
        case "conv1x1-bn-relu":
            return _ConvBNReLU(channels, channels, 1)
        case "maxpool3x3":
            return nn.MaxPool2d(3, 1, 1)
    raise ValueError(f"NAS-Bench-101 has no operation {name!r}")
