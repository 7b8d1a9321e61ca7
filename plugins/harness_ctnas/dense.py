"""torch-geometric's dense graph convolution, as CTNAS's residual layer."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch_geometric.nn import DenseGraphConv


def residual_layer(width: int, generator: torch.Generator) -> nn.Module:
    """X -> P X W + b + X on X [n, v, width] and P [n, v, v]; W, b ~ U(-1/sqrt(width), 1/sqrt(width)).

    The layer's root weight is the identity: the residual connection of CTNAS's released code (model/layers.py).
    """
    with torch.random.fork_rng(devices=[]):  # the layer's own initialisation, overwritten below
        layer: nn.Module = DenseGraphConv(width, width)
    layer.lin_root = nn.Identity()
    bound = 1.0 / math.sqrt(width)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return layer
