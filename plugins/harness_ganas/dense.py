"""torch-geometric's dense graph convolution."""

from __future__ import annotations

from torch import nn
from torch_geometric.nn import DenseGraphConv


def graph_conv(inputs: int, outputs: int) -> nn.Module:
    """x_i' = W1 x_i + W2 sum_j A_ij x_j + b on x [n, v, inputs], A [n, v, v] (Morris et al. 2019, the k = 1 GNN)."""
    layer: nn.Module = DenseGraphConv(inputs, outputs)
    return layer
