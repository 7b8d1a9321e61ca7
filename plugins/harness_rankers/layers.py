"""Layer codes, and Peephole's LSTM over them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from harness import Architecture, SearchSpace
from harness.search.labelled import Labelled
from harness.spaces.ordering import canonical, reordered
from harness_rankers.encodings import Floats

if TYPE_CHECKING:
    from harness_rankers.peephole import PeepholeParams

_KERNEL = re.compile(r"(\d+)x(\d+)")
_CHUNK = 1024


def kernels(space: SearchSpace) -> npt.NDArray[np.int64]:
    """Kernel width and height of each operation, as its name says (``conv3x3``); 0 for none: int64 [operations, 2]."""
    found = [_KERNEL.search(name) for name in space.operations]
    return np.array([(int(m[1]), int(m[2])) if m else (0, 0) for m in found], dtype=np.int64)


def layer_codes(space: SearchSpace, archs: Sequence[Architecture], *, pruned: bool) -> npt.NDArray[np.int64]:
    """Operation, kernel width and kernel height of each layer: int64 [n, layers, 3].

    Layers are nodes in canonical order, distinct cells one after the other. Operations count from 1; zeros behind the
    last layer.
    """
    batches = space.graphs(archs, pruned=pruned)
    ops = np.concatenate([reordered(b, canonical(b)).ops for b in batches], axis=1)
    last = np.argsort(
        ops < 0, axis=1, kind="stable"
    )  # the padding of every cell goes behind the layers of the last cell
    ops = np.take_along_axis(ops, last, axis=1)
    codes = np.concatenate([ops[:, :, None] + 1, kernels(space)[ops]], axis=2)
    codes[ops < 0] = 0
    return np.asarray(codes)


class LayerLSTM(nn.Module):
    """Layer codes to a score: embeddings, LSTM, and a perceptron on its state after the last layer."""

    def __init__(self, operations: int, largest: int, width: int, hidden: int) -> None:
        super().__init__()
        self.types = nn.Embedding(operations + 1, width // 2)
        self.kernels = nn.Embedding(largest + 1, width // 4)
        self.lstm = nn.LSTM(width, hidden, batch_first=True)
        half = max(hidden // 2, 1)
        self.score = nn.Sequential(
            nn.Linear(hidden, half), nn.BatchNorm1d(half), nn.ReLU(),
            nn.Linear(half, half), nn.BatchNorm1d(half), nn.ReLU(), nn.Linear(half, 1),
        )  # fmt: skip

    def forward(self, codes: Tensor) -> Tensor:
        """codes: int64 [n, layers, 3]; the score of each, [n]."""
        kinds, width, height = codes.unbind(dim=2)
        states, _ = self.lstm(torch.cat([self.types(kinds), self.kernels(width), self.kernels(height)], dim=2))
        last = (kinds > 0).sum(dim=1) - 1
        found: Tensor = self.score(states[torch.arange(len(codes)), last])
        return found[:, 0]


class LSTMRanker:
    """The LSTM's score."""

    def __init__(self, space: SearchSpace, network: LayerLSTM, pruned: bool) -> None:
        self._space, self._network, self._pruned = space, network, pruned

    def rank(self, archs: Sequence[Architecture]) -> Floats:
        """The predicted score of each, float64 [n], scaled as the labels were."""
        found = np.empty(len(archs))
        with torch.inference_mode():
            for at in range(0, len(archs), _CHUNK):
                codes = layer_codes(self._space, archs[at : at + _CHUNK], pruned=self._pruned)
                found[at : at + _CHUNK] = self._network(torch.from_numpy(codes)).double().numpy()
        return found


def fit(space: SearchSpace, known: Labelled, rng: np.random.Generator, p: PeepholeParams) -> LSTMRanker:
    """Train on labels scaled to [0, 1]."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**62)))
        network = LayerLSTM(len(space.operations), int(kernels(space).max()), p.width, p.hidden)
    codes = torch.from_numpy(layer_codes(space, known.archs, pruned=p.pruned))
    targets = torch.from_numpy(known.scaled().astype(np.float32))
    optimiser = torch.optim.Adam(network.parameters(), lr=p.lr, weight_decay=p.weight_decay, fused=True)
    pieces = -(-len(known) // p.batch)
    network.train()
    for _ in range(p.epochs):
        for chosen in torch.tensor_split(torch.randperm(len(known), generator=generator), pieces):
            loss = smooth_l1_loss(network(codes[chosen]), targets[chosen])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    network.eval()
    return LSTMRanker(space, network, p.pruned)
