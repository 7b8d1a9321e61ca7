"""How networks of this package are trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Training:
    """Settings of the released code (train.py, config.py).

    pairs: how a batch of labelled architectures becomes pairs: ``permutation``, ``all``, or ``once``, which takes all
    architectures in one step. batch: architectures a step at most. pseudo_ratio: pseudo-labelled pairs for each
    labelled architecture.
    """

    lr: float = 2e-4
    beta1: float = 0.5
    weight_decay: float = 5e-4
    batch: int = 256
    pairs: Literal["permutation", "all", "once"] = "permutation"
    pseudo_ratio: float = 1.0

    def adam(self, network: nn.Module) -> torch.optim.Adam:
        """Adam with betas (beta1, 0.999) and an L2 penalty."""
        betas = (self.beta1, 0.999)
        return torch.optim.Adam(
            network.parameters(), lr=self.lr, betas=betas, weight_decay=self.weight_decay, fused=True
        )

    def batches(self, n: int, generator: torch.Generator) -> Iterator[Tensor]:
        """One epoch: all rows in a random order, in batches of nearly one size."""
        order = torch.randperm(n, generator=generator)
        yield from order.tensor_split(-(-n // self.batch))
