"""torch-geometric's dense graph convolution, as CTNAS's residual layer."""

from __future__ import annotations

import importlib.util
import math
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

_FILE = Path("nn", "dense", "dense_graph_conv.py")


@lru_cache(maxsize=1)
def _dense_graph_conv() -> Any:
    """The class `torch_geometric.nn.DenseGraphConv`.

    Its file needs torch alone, but its package first imports all of torch-geometric (3 s a worker), so the file is
    executed by itself. Where the package is imported already, or keeps the layer elsewhere, the ordinary import is
    used: the class is the same.
    """
    if "torch_geometric" not in sys.modules:
        package = importlib.util.find_spec("torch_geometric")
        if package is None:
            raise ModuleNotFoundError("torch_geometric is not installed; pip install 'nas-harness[torch]'")
        for folder in package.submodule_search_locations or ():
            file = Path(folder) / _FILE
            spec = importlib.util.spec_from_file_location("harness_ctnas._dense_graph_conv", file)
            if file.is_file() and spec is not None and spec.loader is not None:
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                return module.DenseGraphConv
    from torch_geometric.nn.dense import DenseGraphConv

    return DenseGraphConv


def residual_layer(width: int, generator: torch.Generator) -> nn.Module:
    """X -> P X W + b + X on X [n, v, width] and P [n, v, v]; W, b ~ U(-1/sqrt(width), 1/sqrt(width)).

    The layer's root weight is the identity: the residual connection of CTNAS's released code (model/layers.py).
    """
    with torch.random.fork_rng(devices=[]):  # the layer's own initialisation, overwritten below
        layer: nn.Module = _dense_graph_conv()(width, width)
    layer.lin_root = nn.Identity()
    bound = 1.0 / math.sqrt(width)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return layer
