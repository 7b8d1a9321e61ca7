"""The trained predictor: what ReNAS learns from labelled architectures (section 2.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness import Architecture, Labelled
from harness.spaces.tensors import CellTensors, Tensors
from harness_renas.losses import continuity, phi, ranking, sampled_continuity
from harness_renas.network import LeNet, built
from harness_renas.params import ReNASParams

_CHUNK = 256


class Predictor:
    """Ranks architectures by the LeNet's score, its mean over ``views`` node orders."""

    def __init__(self, features: CellTensors, network: LeNet, mean: Tensors, scale: Tensors, views: int) -> None:
        self._features, self._network, self._mean, self._scale = features, network, mean, scale
        self._views = views

    def rank(self, archs: Sequence[Architecture]) -> npt.NDArray[np.float64]:
        """The score of each, float64 [n]: higher is predicted better."""
        found = np.empty(len(archs))
        with torch.inference_mode():
            for at in range(0, len(archs), _CHUNK):
                views = self._features.views(archs[at : at + _CHUNK], self._views)
                found[at : at + _CHUNK] = np.mean([self._score(x) for x in views], axis=0)
        return found

    def _score(self, x: Tensors) -> npt.NDArray[np.float64]:
        e: npt.NDArray[np.float64] = self._network(torch.from_numpy((x - self._mean) / self._scale))[0].double().numpy()
        return e


def standardiser(x: Tensors) -> tuple[Tensors, Tensors]:
    """Mean and standard deviation of each tensor entry over the training tensors; infinite where it is constant.

    So an entry that is equal for all labels is 0 for every architecture. Otherwise it would hold a cost of up to 1e8 in
    a cell with an edge where no labelled cell has one, and the network's answer to it would be arbitrary.
    """
    mean, std = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    std[std < 1e-6 * np.maximum(np.abs(mean), 1.0)] = np.inf
    return mean.astype(np.float32), std.astype(np.float32)


def fit(features: CellTensors, known: Labelled, rng: np.random.Generator, p: ReNASParams) -> Predictor:
    """Train a predictor on labelled architectures."""
    if p.orders == "canonical" or p.most_orders == 1:
        x, source = features.tensors(known.archs), np.arange(len(known))
    else:
        x, source = features.permuted(known.archs, p.most_orders)
    mean, scale = standardiser(x)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    network = built(x.shape[1], x.shape[-1], int(rng.integers(2**62)))
    inputs = torch.from_numpy((x - mean) / scale)
    labels = torch.from_numpy(known.scaled(p.targets).astype(np.float32))
    optimiser = torch.optim.Adam(network.parameters(), lr=p.lr, weight_decay=p.weight_decay, fused=True)
    network.train()
    for _ in range(p.epochs):
        for rows, owners in _batches(torch.from_numpy(source), p, generator):
            e, eta = network(inputs[rows])
            value = _loss(e, eta, labels[owners], p, generator)
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    network.eval()
    return Predictor(features, network, mean, scale, p.views)


def _batches(source: Tensor, p: ReNASParams, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch: rows of the training tensors in a random order, and the architecture of each.

    source: int64 [m], ascending: the architecture that each training tensor is an order of.
    """
    if p.orders == "drawn":
        counts = torch.bincount(source)
        starts = counts.cumsum(0) - counts
        u = torch.rand(len(counts), generator=generator, dtype=torch.float64)
        rows = starts + (u * counts).long()
    else:
        rows = torch.arange(len(source))
    rows = rows[torch.randperm(len(rows), generator=generator)]
    pieces = -(-len(rows) // p.batch)
    for chunk in torch.tensor_split(rows, pieces):
        yield chunk, source[chunk]


def _loss(e: Tensor, eta: Tensor, y: Tensor, p: ReNASParams, generator: torch.Generator) -> Tensor:
    if p.objective == "mse":
        return (e - y).square().mean()
    of = phi(p.phi, p.margin)
    value = ranking(e, y, of)
    if p.objective == "rank+continuity":
        if p.triplets is None:
            value = value + p.continuity * continuity(eta, y, of)
        else:
            value = value + p.continuity * sampled_continuity(eta, y, of, p.triplets, generator)
    return value
