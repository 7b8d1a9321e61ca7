"""The network of a chain of mobile blocks, as NAS-Bench-Macro trains it (Su et al., CVPR 2021).

A 3x3 stem, stages of inverted residual blocks (Sandler et al., CVPR 2018) of which the first halves the map and doubles
the channels, a 1x1 convolution to a wide head, global average pooling, a dense layer.
"""

from __future__ import annotations

import re

import msgspec
from torch import Tensor, nn

from harness import Architecture, HarnessError, ImageShape, Networks
from harness_training.networks.cell import check_halves
from harness_training.recipe import Count

_BLOCK = re.compile(r"mb(\d+)_k(\d+)")


class ChainSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Channels of the stem, layers of each stage, channels of the head. The defaults are the benchmark's."""

    channels: Count = 32
    stages: tuple[Count, ...] = (2, 3, 3)
    head: Count = 1280


class ChainNetworks(Networks):
    """NAS-Bench-Macro: stages of inverted residual blocks.

    Blocks are read from their names: ``mb6_k5`` expands six times around a 5x5 depthwise convolution; ``identity``
    is a 1x1 convolution where map or channels change, and nothing else. No auxiliary head, no drop path.
    """

    name = "nasbench-macro"
    Settings = ChainSettings

    def build(self, arch: Architecture, images: ImageShape, *, auxiliary: bool = False) -> nn.Module:
        size = self.settings
        assert isinstance(size, ChainSettings)
        if sum(size.stages) != len(arch):
            raise HarnessError(
                f"{self.name} has {len(arch)} layers, the stages {list(size.stages)} of its network {sum(size.stages)}"
            )
        check_halves(images, len(size.stages), self.name)
        (graph,) = self.space.graph(arch, pruned=False)
        blocks = [self.space.operations[op] for op in graph.ops[1:-1]]
        c = size.channels
        body: list[nn.Module] = [*_conv_bn(images.channels, c, 3), nn.ReLU()]
        for length in size.stages:
            for place in range(length):
                body.append(_block(blocks.pop(0), c, 2 * c if place == 0 else c, 2 if place == 0 else 1))
                c *= 2 if place == 0 else 1
        body += [*_conv_bn(c, size.head, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*body, nn.Linear(size.head, images.classes))


def _conv_bn(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(c_out),
    ]


class _InvertedResidual(nn.Module):
    def __init__(self, c_in: int, c_out: int, stride: int, expansion: int, kernel: int) -> None:
        super().__init__()
        hidden = expansion * c_in
        self.path = nn.Sequential(
            *_conv_bn(c_in, hidden, 1),
            nn.ReLU(),
            *_conv_bn(hidden, hidden, kernel, stride, hidden),
            nn.ReLU(),
            *_conv_bn(hidden, c_out, 1),
        )
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.path(x)
        return found + x if self.residual else found


def _block(name: str, c_in: int, c_out: int, stride: int) -> nn.Module:
    if name == "identity":
        same = stride == 1 and c_in == c_out
        return nn.Identity() if same else nn.Sequential(*_conv_bn(c_in, c_out, 1, stride))
    match = _BLOCK.fullmatch(name)
    if match is None:
        raise ValueError(f"a mobile chain has no block {name!r}, want identity or such as mb3_k3")
    return _InvertedResidual(c_in, c_out, stride, int(match[1]), int(match[2]))
