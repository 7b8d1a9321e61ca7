"""ReNAS's predictor: the LeNet-5 of its released code (renas.py; the paper says no more than "simple LeNet-5")."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_WIDTH, _FC1, _FC2 = 128, 120, 84


class LeNet(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation, no pooling; three linear layers.

    channels -> 2 channels -> 128, then 128 v^2 -> 120 -> 84 -> 1. On NAS-Bench-101 (19 x 7 x 7): 813,615 parameters.
    """

    def __init__(self, channels: int, nodes: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(2 * channels),
            nn.ReLU(),
            nn.Conv2d(2 * channels, _WIDTH, 3, padding=1, bias=False),
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.features = nn.Sequential(
            nn.Linear(_WIDTH * nodes * nodes, _FC1), nn.ReLU(), nn.Linear(_FC1, _FC2), nn.ReLU()
        )
        self.score = nn.Linear(_FC2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(e, eta): the score of each, [n], and the features before the last layer, [n, 84]."""
        eta: Tensor = self.features(self.convolutions(x))
        return self.score(eta)[:, 0], eta


def built(channels: int, nodes: int, seed: int) -> LeNet:
    """A new network with torch's own initialisation, drawn with ``seed``; torch's global generator does not change."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LeNet(channels, nodes)
