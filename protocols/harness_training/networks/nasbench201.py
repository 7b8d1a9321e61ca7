"""The network of NAS-Bench-201 (Dong and Yang, ICLR 2020).

A 3x3 stem, stages of cells, a residual block that halves the map and doubles the channels between two stages, batch
norm and ReLU, global average pooling, a dense layer. One stage alone has no residual block at all.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from torch import Tensor, nn

from harness import Architecture, ImageShape, Networks
from harness_training.networks.cell import GraphCell, ReLUConvBN, check_halves
from harness_training.networks.supernet import MixedOperation, SharedNetwork
from harness_training.recipe import Count


class NASBench201Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Channels of the first stage, cells of each stage, stages. The defaults are the benchmark's."""

    channels: Count = 16
    cells: Count = 5
    stages: Count = 3


class NASBench201Networks(Networks):
    """NAS-Bench-201: a stem, stages of cells, residual blocks between them.

    ``none`` carries nothing, a skip is the identity, pooling does not count its padding; no auxiliary head.
    """

    name = "nasbench201"
    Settings = NASBench201Settings

    def build(self, arch: Architecture, images: ImageShape, *, auxiliary: bool = False) -> nn.Module:
        names = [self.space.operations[op] for op in self.space.graph(arch, pruned=False)[0].ops]
        return self._network(lambda channels: [_operation(name, channels) for name in names], images)

    def supernet(self, images: ImageShape) -> SharedNetwork:
        """Every operation on every edge. A path has the operations of `build` on the same graph."""

        def operations(channels: int) -> list[nn.Module | None]:
            edges: list[nn.Module | None] = [
                MixedOperation(place, [_operation(name, channels) for name in choice.options])
                for place, choice in enumerate(self.space.choices)
            ]
            return [None, *edges, None]

        return SharedNetwork(self._network(operations, images))

    def _network(self, operations: Callable[[int], list[nn.Module | None]], images: ImageShape) -> nn.Module:
        size = self.settings
        assert isinstance(size, NASBench201Settings)
        check_halves(images, size.stages - 1, self.name)
        (graph,) = self.space.graph((0,) * len(self.space.choices), pruned=False)  # as written, all have one graph
        return _Network(lambda channels: GraphCell(graph, operations(channels), 1, "sum"), size, images)


class _Network(nn.Module):
    def __init__(self, cell: Callable[[int], nn.Module], size: NASBench201Settings, images: ImageShape) -> None:
        super().__init__()
        c = size.channels
        self.stem = nn.Sequential(nn.Conv2d(images.channels, c, 3, padding=1, bias=False), nn.BatchNorm2d(c))
        body: list[nn.Module] = []
        for stage in range(size.stages):
            if stage:
                body.append(_Residual(c, 2 * c))
                c *= 2
            body += [cell(c) for _ in range(size.cells)]
        self.body = nn.Sequential(*body)
        self.head = nn.Sequential(nn.BatchNorm2d(c), nn.ReLU())
        self.classifier = nn.Linear(c, images.classes)

    def forward(self, x: Tensor) -> Tensor:
        features = self.head(self.body(self.stem(x))).mean((2, 3))
        logits: Tensor = self.classifier(features)
        return logits


class _Residual(nn.Module):
    """Two 3x3 convolutions, the first with stride 2, beside average pooling and a 1x1 convolution."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(ReLUConvBN(c_in, c_out, 3, 2), ReLUConvBN(c_out, c_out, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(c_in, c_out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.shortcut(x) + self.convolutions(x)
        return found


def _operation(name: str, channels: int) -> nn.Module | None:
    match name:
        case "none" | "input" | "output":
            return None
        case "skip_connect":
            return nn.Identity()
        case "nor_conv_1x1":
            return ReLUConvBN(channels, channels, 1)
        case "nor_conv_3x3":
            return ReLUConvBN(channels, channels, 3)
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    raise ValueError(f"NAS-Bench-201 has no operation {name!r}")
