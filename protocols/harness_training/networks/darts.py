"""The evaluation network of DARTS on small images (Liu et al., ICLR 2019, ``NetworkCIFAR``).

A 3x3 stem to three times the channels; cells that read the two cells before them, of which those at one and two thirds
of the depth halve the map and double the channels; global average pooling and a dense layer. The auxiliary head stands
behind the second reduction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness import Architecture, CellGraph, ImageShape, Networks
from harness_training.networks.cell import GraphCell, ReLUConvBN, check_halves
from harness_training.networks.supernet import MixedOperation, SharedNetwork

_STEM_WIDTH = 3


class DartsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Initial channels and number of cells. The defaults are NAS-Bench-301's, at which the space's costs count."""

    channels: Annotated[int, msgspec.Meta(ge=2)] = 32
    layers: Annotated[int, msgspec.Meta(ge=2)] = 8


class DartsNetworks(Networks):
    """DARTS: cells of two inputs, reductions at a third and two thirds, auxiliary head, drop path.

    Pooling without batch norm, as in DARTS's own evaluation. Drop path acts on every operation but the identity.
    """

    name = "darts"
    Settings = DartsSettings
    tricks = frozenset({"auxiliary", "drop_path"})
    nodes: ClassVar[int] = 4
    """Intermediate nodes of a cell."""

    def build(self, arch: Architecture, images: ImageShape, *, auxiliary: bool = False) -> nn.Module:
        size = self.settings
        assert isinstance(size, DartsSettings)
        check_halves(images, len(_reductions(size.layers)), self.name)
        cells = self.space.graph(arch)

        def operation(reduction: bool, node: int, channels: int, stride: int) -> nn.Module | None:
            return _operation(self.space.operations[cells[reduction].ops[node]], channels, stride)

        return DartsNetwork(cells, operation, size, images, auxiliary, self.nodes)


class FewDartsNetworks(DartsNetworks):
    """DARTS's networks, of its cells with fewer operations."""

    name = "darts-few"


class DenseSettings(DartsSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The defaults are those of CSNAS's search, at which the space's costs count."""

    channels: Annotated[int, msgspec.Meta(ge=2)] = 16


class DenseDartsNetworks(DartsNetworks):
    """CSNAS's dense cells in DARTS's network: the sums of up to twenty operations, concatenated.

    The network of what an input reaches; a sum that nothing reaches is zero. As in DARTS otherwise.

    The supernet is DARTS's own relaxation, but that pooling has no batch norm. Of a path whose sums are all reached it
    computes what the stand-alone network does; operations on a sum that nothing reaches read zeros.
    """

    name = "darts-dense-5"
    Settings = DenseSettings
    nodes = 5

    def supernet(self, images: ImageShape) -> SharedNetwork:
        """Every operation on every edge. kept: two inputs of each node."""
        size = self.settings
        assert isinstance(size, DartsSettings)
        check_halves(images, len(_reductions(size.layers)), self.name)
        choices, names = self.space.choices, self.space.operations
        cells = self.space.graph((0,) * len(choices), pruned=False)
        edges = [v for v, op in enumerate(cells[0].ops) if names[op] == "none"]
        first = {False: 0, True: len(edges)}

        def operation(reduction: bool, node: int, channels: int, stride: int) -> nn.Module | None:
            if node not in edges:
                return _operation(names[cells[reduction].ops[node]], channels, stride)
            choice = first[reduction] + edges.index(node)
            options = [_operation(option, channels, stride) for option in choices[choice].options]
            return MixedOperation(choice, options, stride)

        into: dict[tuple[bool, int], list[int]] = {}
        for reduction, start in first.items():
            for place, node in enumerate(edges):
                (joins,) = cells[reduction].adjacency[node].nonzero()[0].tolist()
                into.setdefault((reduction, joins), []).append(start + place)
        network = DartsNetwork(cells, operation, size, images, False, self.nodes)
        return SharedNetwork(network, [(group, 2) for group in into.values()])


class DenseDarts4Networks(DenseDartsNetworks):
    """CSNAS's dense cells of four nodes in DARTS's network: the sums of up to fourteen operations, concatenated."""

    name = "darts-dense-4"
    nodes = 4


Operation = Callable[[bool, int, int, int], nn.Module | None]
"""Of a cell, told whether it reduces, the node, the channels and the stride; None where it carries nothing."""


def _reductions(layers: int) -> set[int]:
    return {layers // 3, 2 * layers // 3}


class DropPath(nn.Module):
    """Zeroes each image's path with probability ``rate`` while training, and scales the others up."""

    rate = 0.0

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate <= 0:
            return x
        keep = 1 - self.rate
        return x * (torch.empty(len(x), 1, 1, 1, device=x.device, dtype=x.dtype).bernoulli_(keep) / keep)


class DartsNetwork(nn.Module):
    """``drop_path``: the rate of every `DropPath`."""

    def __init__(
        self,
        cells: tuple[CellGraph, ...],
        operation: Operation,
        size: DartsSettings,
        images: ImageShape,
        auxiliary: bool,
        nodes: int,
    ) -> None:
        super().__init__()
        c, wide = size.channels, _STEM_WIDTH * size.channels
        self.stem = nn.Sequential(nn.Conv2d(images.channels, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide))
        before_last, last, after_reduction = wide, wide, False
        reductions = _reductions(size.layers)
        self.tap = max(reductions) if auxiliary else -1
        layers = []
        for layer in range(size.layers):
            reduction = layer in reductions
            c *= 1 + reduction
            layers.append(
                _Cell(cells[reduction], operation, before_last, last, c, reduction, after_reduction, nodes * c)
            )
            before_last, last, after_reduction = last, nodes * c, reduction
            if layer == self.tap:
                self.auxiliary = _AuxiliaryHead(last, images.classes)
        self.cells = nn.ModuleList(layers)
        self.classifier = nn.Linear(last, images.classes)

    @property
    def drop_path(self) -> float:
        return next((m.rate for m in self.modules() if isinstance(m, DropPath)), 0.0)

    @drop_path.setter
    def drop_path(self, rate: float) -> None:
        for module in self.modules():
            if isinstance(module, DropPath):
                module.rate = rate

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        before_last = last = self.stem(x)
        tapped = None
        for layer, cell in enumerate(self.cells):
            before_last, last = last, cell(before_last, last)
            if layer == self.tap and self.training:
                tapped = self.auxiliary(last)
        logits: Tensor = self.classifier(last.mean((2, 3)))
        return logits if tapped is None else (logits, tapped)


class _Cell(nn.Module):
    """width: channels of its output, of all intermediate nodes together."""

    def __init__(
        self,
        graph: CellGraph,
        operation: Operation,
        before_last: int,
        last: int,
        channels: int,
        reduction: bool,
        after_reduction: bool,
        width: int,
    ) -> None:
        super().__init__()
        self.width, self.stride = width, 1 + reduction
        self.first: nn.Module = (
            FactorizedReduce(before_last, channels) if after_reduction else ReLUConvBN(before_last, channels, 1)
        )
        self.second = ReLUConvBN(last, channels, 1)
        strides = [2 if reduction and graph.adjacency[:2, v].any() else 1 for v in range(graph.nodes)]
        operations = [operation(reduction, v, channels, stride) for v, stride in enumerate(strides)]
        self.graph = GraphCell(graph, operations, 2, "concat")

    def forward(self, before_last: Tensor, last: Tensor) -> Tensor:
        inputs = self.first(before_last), self.second(last)
        if not self.graph.sources[self.graph.last]:
            side = -(-last.shape[-1] // self.stride)
            return torch.zeros(len(last), self.width, side, side, dtype=inputs[1].dtype, device=last.device)
        found: Tensor = self.graph(*inputs)
        missing = self.width - found.shape[1]  # intermediate nodes that nothing reaches are zero
        return functional.pad(found, (0, 0, 0, 0, 0, missing)) if missing else found


class FactorizedReduce(nn.Module):
    """Two 1x1 convolutions of stride 2, one of them shifted by a pixel, side by side."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(c_in, c_out // 2, 1, 2, bias=False)
        self.odd = nn.Conv2d(c_in, c_out - c_out // 2, 1, 2, bias=False)
        self.relu, self.norm = nn.ReLU(), nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        found: Tensor = self.norm(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], 1))
        return found


def _depthwise(c: int, kernel: int, stride: int, dilation: int) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(c, c, kernel, stride, padding, dilation, groups=c, bias=False),
        nn.Conv2d(c, c, 1, bias=False),
        nn.BatchNorm2d(c),
    ]


def _operation(name: str, c: int, stride: int) -> nn.Module | None:
    if name in ("c_{k-2}", "c_{k-1}", "output", "none"):
        return None
    if name == "add" or (name == "skip_connect" and stride == 1):
        return nn.Identity()
    match name:
        case "skip_connect":
            path: nn.Module = FactorizedReduce(c, c)
        case "max_pool_3x3":
            path = nn.MaxPool2d(3, stride, 1)
        case "avg_pool_3x3":
            path = nn.AvgPool2d(3, stride, 1, count_include_pad=False)
        case "sep_conv_3x3" | "sep_conv_5x5":
            kernel = int(name[-1])
            path = nn.Sequential(*_depthwise(c, kernel, stride, 1), *_depthwise(c, kernel, 1, 1))
        case "dil_conv_3x3" | "dil_conv_5x5":
            path = nn.Sequential(*_depthwise(c, int(name[-1]), stride, 2))
        case _:
            raise ValueError(f"DARTS has no operation {name!r}")
    return nn.Sequential(path, DropPath())


class _AuxiliaryHead(nn.Module):
    """DARTS's head for maps of 8 x 8: pooled to 2 x 2, two convolutions, a dense layer. Other maps are pooled to 2 x 2
    adaptively, and maps of one pixel are repeated."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(768, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(x)
        if x.shape[-1] == 8:
            x = functional.avg_pool2d(x, 5, 3)
        else:
            x = functional.adaptive_avg_pool2d(x, 2)
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits
