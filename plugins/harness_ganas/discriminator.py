"""The discriminator D: how likely it is that a cell is of the truth set's kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness import Architecture, SearchSpace
from harness_ganas.encoder import KGNN, Inputs, stack
from harness_ganas.params import GANASParams

Floats = npt.NDArray[np.float64]
_CHUNK = 4096


class PairHead(nn.Module):
    """MLP on [g1, g2, |g1 - g2|, g1 * g2]. The logit of: the second cell is of the kind of the first, a truth cell."""

    def __init__(self, size: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(4 * size, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        pair = torch.cat([first, second, (first - second).abs(), first * second], dim=-1)
        logits: Tensor = self.mlp(pair).squeeze(-1)
        return logits


class PointHead(nn.Module):
    """The ablation: an MLP on the second cell alone."""

    def __init__(self, size: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        logits: Tensor = self.mlp(second).squeeze(-1)
        return logits


class Discriminator:
    """D with its encoder, which both cells of a pair share, its optimiser and the truth set with which it compares.

    Weights and optimiser persist between calls of `train` (warm start).
    """

    def __init__(self, space: SearchSpace, params: GANASParams) -> None:
        p = self._p = params
        self._graphs = space.graphs
        self.encoder = KGNN(
            len(space.operations), space.cells, hidden=p.disc_hidden, layers=p.disc_layers, padding=True
        )
        head = PairHead if p.discriminator == "pairwise" else PointHead
        self.head: nn.Module = head(self.encoder.graph_size, p.disc_hidden, p.disc_dropout)
        weights = [*self.encoder.parameters(), *self.head.parameters()]
        self._optimizer = torch.optim.Adam(weights, lr=p.disc_lr, weight_decay=p.disc_weight_decay, fused=True)
        self._truth: Tensor | None = None
        self._known: dict[Architecture, float] = {}

    def encode(self, archs: Sequence[Architecture]) -> Tensor:
        """Graph embeddings, float32 [n, graph_size]."""
        embedding: Tensor = self.encoder(self.encoder.inputs(stack(self._graphs(archs))))[1]
        return embedding

    def train(
        self, truth: Sequence[Architecture], generated: Sequence[Architecture], rng: np.random.Generator
    ) -> float:
        """Positives (tau, tau'), negatives (tau, f), equally many, drawn anew each epoch; the last epoch's loss.

        tau' differs from tau wherever there are two truth cells.
        """
        pairs, batch = self._p.disc_pairs, self._p.disc_batch
        both = self.encoder.inputs(stack(self._graphs([*truth, *generated])))
        k = len(truth)
        self.head.train()
        loss = 0.0
        for _ in range(self._p.disc_epochs):
            first = rng.integers(0, k, size=2 * pairs)
            other = (first[:pairs] + rng.integers(1, k, size=pairs)) % k if k > 1 else first[:pairs]
            second = np.concatenate([other, k + rng.integers(0, len(generated), size=pairs)])
            label = np.concatenate([np.ones(pairs), np.zeros(pairs)])
            order = rng.permutation(2 * pairs)
            losses = [
                self._step(both, first[at], second[at], label[at])
                for at in (order[i : i + batch] for i in range(0, 2 * pairs, batch))
            ]
            loss = float(np.mean(losses))
        self.head.eval()
        with torch.no_grad():
            self._truth = self.encoder(both.take(np.arange(k)))[1]
        self._known = {}
        return loss

    def _step(self, both: Inputs, first: Any, second: Any, label: Any) -> float:
        used, position = np.unique(np.concatenate([first, second]), return_inverse=True)
        embedding = self.encoder(both.take(used))[1]
        at = torch.from_numpy(position)
        logits = self.head(embedding[at[: len(first)]], embedding[at[len(first) :]])
        loss = functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(label).float())
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return loss.item()

    def score(self, archs: Sequence[Architecture]) -> Floats:
        """D(x), float64 [n] in [0, 1]: the mean over the truth cells tau of D(tau, x). Remembered until `train`."""
        if self._truth is None:
            raise RuntimeError("the discriminator is not trained yet")
        fresh = [a for a in dict.fromkeys(archs) if a not in self._known]
        step = max(1, _CHUNK // len(self._truth))
        with torch.no_grad():
            for start in range(0, len(fresh), step):
                some = fresh[start : start + step]
                x = self.encode(some)
                m, k = len(some), len(self._truth)
                logits = self.head(self._truth.expand(m, k, -1), x.unsqueeze(1).expand(m, k, -1))
                self._known.update(zip(some, torch.sigmoid(logits).mean(dim=1).tolist(), strict=True))
        return np.array([self._known[a] for a in archs], dtype=np.float64)

    def rank(self, archs: Sequence[Architecture]) -> Floats:
        """The learned order (`harness.Ranker`): D."""
        return self.score(archs)
