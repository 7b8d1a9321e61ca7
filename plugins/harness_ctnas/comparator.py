"""The neural architecture comparator (NAC): Pr[R(a) >= R(a')] of two architectures (poster, Eq. 3 and 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from harness import Architecture, SearchSpace
from harness_ctnas.encoder import GCN, MLP, Embedding, EquationGCN, Inputs
from harness_ctnas.params import CTNASParams
from harness_ctnas.training import adam, batches

Floats = npt.NDArray[np.float64]
Step = tuple[Tensor, Tensor, Tensor | None]
"""Logits, labels and weights of a step's pairs, float32 [pairs] each."""


class NAC(nn.Module):
    """p = sigmoid([Z_a ; Z_a'] W_FC + c) (poster, Eq. 3; c, the released code's, is 0 with Eq. 4 as printed).

    The logit is a sum, u(a) + v(a') + c with [u ; v] = W_FC. So u alone orders architectures, whatever they are
    compared with.
    """

    def __init__(self, network: GCN | EquationGCN | MLP, generator: torch.Generator) -> None:
        super().__init__()
        self.network = network
        bound = (2 * network.size) ** -0.5
        self.w = nn.Parameter(torch.empty(network.size, 2).uniform_(-bound, bound, generator=generator))
        c = torch.empty(1).uniform_(-bound, bound, generator=generator)
        literal = isinstance(network, EquationGCN)
        self.c = nn.Parameter(torch.zeros(1) if literal else c, requires_grad=not literal)

    def forward(self, given: Inputs) -> Tensor:
        """u and v, float32 [n, 2]."""
        found: Tensor = self.network(given) @ self.w
        return found


class Pairs(NamedTuple):
    """Ordered pairs with labels. first, second: n architectures each; y: float32 [n], 1 where R(first) >= R(second)."""

    first: Inputs
    second: Inputs
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)


def joined(a: Pairs | None, b: Pairs) -> Pairs:
    return b if a is None else Pairs(a.first.join(b.first), a.second.join(b.second), torch.cat([a.y, b.y]))


class Comparator:
    """A NAC in training, and the order that it has learned."""

    def __init__(self, space: SearchSpace, params: CTNASParams, generator: torch.Generator) -> None:
        self._space, self._params, self._generator = space, params, generator
        self._embedding = Embedding.of(params)
        self.nac = NAC(self._embedding.network(space, generator), generator)
        self._optimiser = adam(self.nac, params.lr, params)

    # -- asking ------------------------------------------------------------------------------------------------------

    def halves(self, archs: Sequence[Architecture]) -> Floats:
        """u(a) and v(a) of each, float64 [n, 2]."""
        with torch.inference_mode():
            parts = [self.nac(self.encode(archs[at : at + 512])) for at in range(0, len(archs), 512)]
            return torch.cat(parts).double().numpy() if parts else np.zeros((0, 2))

    def rank(self, archs: Sequence[Architecture]) -> Floats:
        """u of each, float64 [n]. It orders the architectures, whichever one they are compared with."""
        return self.halves(archs)[:, 0]

    def compare(self, a: Sequence[Architecture], b: Sequence[Architecture]) -> Floats:
        """Pr[R(a_i) >= R(b_i)], float64 [n]. Each architecture is embedded once, however many pairs it stands in."""
        distinct = list(dict.fromkeys([*a, *b]))
        place = {arch: i for i, arch in enumerate(distinct)}
        halves = self.halves(distinct)
        return self.probability(halves[[place[x] for x in a], 0], halves[[place[x] for x in b], 1])

    def against(self, beta: Architecture) -> Callable[[Sequence[Architecture]], Floats]:
        """a -> NAC(a, beta) = Pr[R(a) >= R(beta)]: the reward."""
        v = float(self.halves([beta])[0, 1])
        return lambda archs: self.probability(self.rank(archs), v)

    def probability(self, u: Floats, v: Floats | float) -> Floats:
        """sigmoid(u + v + c)."""
        with np.errstate(over="ignore"):
            return np.asarray(1.0 / (1.0 + np.exp(-(u + v + self.nac.c.item()))))

    def encode(self, archs: Sequence[Architecture]) -> Inputs:
        return self._embedding.encode(self._space, archs)

    # -- learning ----------------------------------------------------------------------------------------------------

    def fit(self, labelled: Inputs, scores: Tensor, epochs: int, pseudo: Pairs | None = None) -> float:
        """Train on labelled architectures (scores: float64 [n]) and pseudo-labelled pairs; the last epoch's loss."""
        loss = torch.zeros(())
        for _ in range(epochs):
            losses = []
            for logits, y, weights in self._steps(labelled, scores, pseudo):
                loss = binary_cross_entropy_with_logits(logits, y, weight=weights)
                self._optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                self._optimiser.step()
                losses.append(loss.detach())
            loss = torch.stack(losses).mean() if losses else loss
        return float(loss)

    def _steps(self, labelled: Inputs, scores: Tensor, pseudo: Pairs | None) -> Iterator[Step]:
        """The steps of an epoch.

        ``once``: one step on exactly C, which is each of the M(M-1)/2 pairs of labelled architectures once and every
        pseudo-labelled pair, all of one weight. Else each batch of labelled architectures is joined with
        ``pseudo_ratio`` times as many pseudo-labelled pairs, drawn without replacement within an epoch. In the loss the
        pairs of a labelled architecture share its weight, which is that of one pseudo-labelled pair. Otherwise
        pseudo-labels would not count, since ``all`` gives hundreds of pairs for each architecture.
        """
        if self._params.pairs == "once":
            logits, y = self._pairs(self.nac(labelled), scores)
            if pseudo is not None:
                logits = torch.cat([logits, self._pseudo(pseudo, torch.arange(len(pseudo)))])
                y = torch.cat([y, pseudo.y])
            if len(y):
                yield logits, y, None
            return
        queue = None if pseudo is None else torch.randperm(len(pseudo), generator=self._generator)
        for rows in batches(len(scores), self._params.batch, self._generator):
            logits, y = self._pairs(self.nac(labelled.take(rows)), scores[rows])
            weights = None
            if pseudo is not None and queue is not None:
                size = int(len(rows) * self._params.pseudo_ratio)
                drawn, queue = queue[:size], queue[size:]
                weights = torch.ones(len(y) + len(drawn))
                weights[: len(y)] = len(rows) / max(len(y), 1)
                weights /= weights.mean()
                logits = torch.cat([logits, self._pseudo(pseudo, drawn)])
                y = torch.cat([y, pseudo.y[drawn]])
            if len(y):
                yield logits, y, weights

    def _pairs(self, halves: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and labels of a batch's pairs; never an architecture with itself.

        ``permutation``: each with its place in one random permutation (the released code). ``all``: every ordered
        pair. ``once``: every pair in one order, the earlier labelled architecture first (the poster's C).
        """
        u, v, c = halves[:, 0], halves[:, 1], self.nac.c
        if self._params.pairs != "permutation":
            kept = torch.ones(len(u), len(u), dtype=torch.bool)
            kept = kept.triu(1) if self._params.pairs == "once" else kept.fill_diagonal_(False)
            logits, y = u[:, None] + v[None] + c, scores[:, None] >= scores[None]
            return logits[kept], y[kept].float()
        other = torch.randperm(len(u), generator=self._generator)
        (kept,) = torch.nonzero(other != torch.arange(len(u)), as_tuple=True)
        other = other[kept]
        return u[kept] + v[other] + c, (scores[kept] >= scores[other]).float()

    def _pseudo(self, pairs: Pairs, rows: Tensor) -> Tensor:
        halves = self.nac(pairs.first.take(rows).join(pairs.second.take(rows)))
        logits: Tensor = halves[: len(rows), 0] + halves[len(rows) :, 1] + self.nac.c
        return logits
