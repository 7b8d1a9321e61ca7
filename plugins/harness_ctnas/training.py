"""How networks of this package are trained, as in the released code (train.py, config.py)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from harness_ctnas.params import SearchParams


def adam(network: nn.Module, lr: float, params: SearchParams) -> torch.optim.Adam:
    """Adam with betas (beta1, 0.999) and an L2 penalty."""
    betas = (params.beta1, 0.999)
    return torch.optim.Adam(network.parameters(), lr=lr, betas=betas, weight_decay=params.weight_decay, fused=True)


def batches(n: int, most: int, generator: torch.Generator) -> Iterator[Tensor]:
    """One epoch: all rows in a random order, in batches of nearly one size, ``most`` at most."""
    yield from torch.randperm(n, generator=generator).tensor_split(-(-n // most))
