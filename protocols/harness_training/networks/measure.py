"""What a network costs: parameters and multiply-accumulates, counted on the meta device, where nothing is computed."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from harness import Architecture, ImageShape, Networks


class Costs(NamedTuple):
    """params: trainable, without an auxiliary head. macs: multiply-accumulates of convolutions and dense layers for one
    image; biases, normalisation, pooling and additions are not counted. One MAC is two FLOPs where FLOPs are counted.
    """

    params: int
    macs: int


def measure(networks: Networks, arch: Architecture, images: ImageShape) -> Costs:
    """Of the network of ``arch`` at the settings of ``networks``."""
    with torch.device("meta"):
        network = networks.build(arch, images).eval()
    return measure_network(network, images)


def measure_network(network: nn.Module, images: ImageShape) -> Costs:
    """Of a network on the meta device in evaluation mode, which it leaves without its norms and ReLUs."""
    params = sum(p.numel() for p in network.parameters())
    macs = 0

    def count(module: nn.Module, _: Any, out: Tensor) -> None:
        nonlocal macs
        weight = module.weight
        assert isinstance(weight, Tensor)
        macs += weight.numel() * (out.shape[2:].numel() if out.ndim == 4 else 1)

    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d | nn.ReLU):  # they change no shape, and cost most of a pass
                setattr(module, name, nn.Identity())
    with torch.no_grad():
        network(torch.empty(1, images.channels, images.side, images.side, device="meta"))
    return Costs(params, macs)
