"""Networks of the toy spaces of `harness.testing`, so that what builds networks can be checked in milliseconds."""

from __future__ import annotations

import msgspec
from torch import nn

from harness import Architecture, ImageShape, Networks
from harness_training.networks.cell import GlobalAverage, GraphCell, ReLUConvBN
from harness_training.recipe import Count


class ToySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Channels of the first cell; the second has twice as many. The default is that of the toy spaces' costs."""

    channels: Count = 4


class ToyNodeNetworks(Networks):
    """The toy space of nodes: two cells, each behind a convolution; no auxiliary head.

    The space's costs count the cells alone, without stem, widening and dense layer.
    """

    name = "toy-nodes"
    Settings = ToySettings

    def build(self, arch: Architecture, images: ImageShape, *, auxiliary: bool = False) -> nn.Module:
        size = self.settings
        assert isinstance(size, ToySettings)
        (graph,) = self.space.graph(arch)
        names = [self.space.operations[op] for op in graph.ops]
        body: list[nn.Module] = []
        last = images.channels
        for width in (size.channels, 2 * size.channels):
            operations = [_operation(name, width) for name in names]
            body += [ReLUConvBN(last, width, 3), GraphCell(graph, operations, 1, "sum")]
            last = width
        return nn.Sequential(*body, GlobalAverage(), nn.Linear(last, images.classes))


class ToyEdgeNetworks(ToyNodeNetworks):
    """The toy space of edges: two cells, each behind a convolution; no auxiliary head."""

    name = "toy-edges"


class WideToyEdgeNetworks(ToyNodeNetworks):
    """The toy space of edges with four convolutions; no auxiliary head."""

    name = "toy-edges-4"


def _operation(name: str, channels: int) -> nn.Module | None:
    if name in ("none", "input", "output"):
        return None
    if name == "skip":
        return nn.Identity()
    return ReLUConvBN(channels, channels, int(name.removeprefix("conv")))
