"""torch-geometric's dense graph convolution, without the import of all of torch-geometric."""

from __future__ import annotations

import importlib.util
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

_FILE = Path("nn", "dense", "dense_graph_conv.py")


@lru_cache(maxsize=1)
def _layer() -> Any:
    """`torch_geometric.nn.DenseGraphConv`.

    The layer's file needs torch alone, but its package imports all of torch-geometric first (3 s a worker, most of a
    short run), so the file is executed by itself. Where the installed version keeps the layer elsewhere, or the
    package is imported already, the ordinary import is used: the class is the same.
    """
    if "torch_geometric" not in sys.modules:
        package = importlib.util.find_spec("torch_geometric")
        if package is None:
            raise ModuleNotFoundError("torch_geometric is not installed; pip install 'nas-harness[torch]'")
        for folder in package.submodule_search_locations or ():
            spec = importlib.util.spec_from_file_location("harness_ganas._dense_graph_conv", Path(folder) / _FILE)
            if (Path(folder) / _FILE).is_file() and spec is not None and spec.loader is not None:
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                return module.DenseGraphConv
    from torch_geometric.nn.dense import DenseGraphConv

    return DenseGraphConv


def graph_conv(inputs: int, outputs: int) -> nn.Module:
    """x_i' = W1 x_i + W2 sum_j A_ij x_j + b on x [n, v, inputs], A [n, v, v] (Morris et al. 2019, the k = 1 GNN)."""
    layer: nn.Module = _layer()(inputs, outputs)
    return layer
