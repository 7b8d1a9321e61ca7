"""Training of the message-passing ranker."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from harness import Architecture, SearchSpace
from harness.search.labelled import Labelled, mean_ranks
from harness_rankers.encodings import Floats
from harness_rankers.messages import Cells, MessagePassing

if TYPE_CHECKING:
    from harness_rankers.gin import GINParams

_CHUNK = 1024
_WARM_UP = 0.05


class NetworkRanker:
    """The mean of the members' scores. Each member's are standardised by its scores of the labelled architectures."""

    def __init__(self, space: SearchSpace, network: MessagePassing, pruned: bool, known: Cells) -> None:
        self._space, self._network, self._pruned = space, network, pruned
        with torch.inference_mode():
            scores = torch.cat([network(known[at : at + _CHUNK]) for at in range(0, len(known), _CHUNK)], dim=1)
            self._mean = scores.mean(dim=1, keepdim=True)
            self._std = scores.std(dim=1, keepdim=True) + 1e-9

    def rank(self, archs: Sequence[Architecture]) -> Floats:
        """The score of each, float64 [n]: higher is predicted better."""
        found = np.empty(len(archs))
        with torch.inference_mode():
            for at in range(0, len(archs), _CHUNK):
                cells = Cells.of(self._space, archs[at : at + _CHUNK], pruned=self._pruned)
                scores = (self._network(cells) - self._mean) / self._std
                found[at : at + _CHUNK] = scores.mean(dim=0).double().numpy()
        return found


def fit(space: SearchSpace, known: Labelled, rng: np.random.Generator, p: GINParams) -> NetworkRanker:
    """Train the networks side by side on the same batches; each has gradients of its own."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    network = MessagePassing(
        len(space.operations), space.cells, members=p.members, width=p.width, layers=p.layers, generator=generator
    )
    cells = Cells.of(space, known.archs, pruned=p.pruned)
    n = len(known)
    ranks = torch.from_numpy((mean_ranks(known.scores) / max(n - 1, 1)).astype(np.float32))
    pieces = -(-n // p.batch)
    steps = p.epochs * pieces
    optimiser = torch.optim.AdamW(network.parameters(), lr=p.lr, weight_decay=p.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, steps))
    for _ in range(p.epochs):
        for chosen in torch.tensor_split(torch.randperm(n, generator=generator), pieces):
            value = loss(network(cells[chosen]), ranks[chosen], p)
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return NetworkRanker(space, network, p.pruned, cells)


def rate(step: int, steps: int) -> float:
    """Share of the learning rate at a step: a linear warm-up, then a cosine to zero."""
    return min(1.0, (step + 1) / (_WARM_UP * steps)) * 0.5 * (1.0 + math.cos(math.pi * min(step, steps) / steps))


def loss(scores: Tensor, ranks: Tensor, p: GINParams) -> Tensor:
    """Summed over members; scores [members, n], ranks [n] in [0, 1].

    On pairs: the mean of log(1 + e^-z) or max(0, margin - z) over pairs of different rank, z the difference of scores,
    positive where the order is right. ``mse``: the squared distance to the ranks, scaled to [-1, 1].
    """
    if p.loss == "mse":
        return (scores - (2.0 * ranks - 1.0)).square().mean() * len(scores)
    better, worse = torch.nonzero(ranks[:, None] > ranks[None, :], as_tuple=True)
    if not len(better):
        return scores.sum() * 0.0
    z = scores[:, better] - scores[:, worse]
    value = softplus(-z) if p.loss == "logistic" else torch.relu(p.margin - z)
    return value.mean() * len(scores)
