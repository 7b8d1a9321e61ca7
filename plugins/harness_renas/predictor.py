"""The trained predictor: what ReNAS learns from labelled architectures (section 2.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness import Architecture
from harness.spaces.tensors import CellTensors, Tensors
from harness_renas.losses import Phi, continuity, phi, ranking, sampled_continuity
from harness_renas.network import LeNet, built

_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Training:
    """How the predictor is trained, with the paper's settings where it gives them (section 4.1).

    objective: ``mse`` on the labels, ``rank`` (L1) or ``rank+continuity`` (L1 + weight * L2). triplets: drawn a step
    for L2; None: all of them. targets: labels scaled to [0, 1] by their minimum and maximum, or their ranks, scaled.
    orders: ``all`` node orders are training samples (the paper), one drawn each epoch for each architecture
    (``drawn``, at a fraction of the cost), or only the canonical one. views: a prediction is the mean over so many node
    orders, the canonical one first.
    """

    objective: Literal["mse", "rank", "rank+continuity"] = "rank+continuity"
    phi: Phi = "logistic"
    margin: float = 1.0
    weight: float = 0.5
    triplets: int | None = 20_000
    targets: Literal["minmax", "ranks"] = "minmax"
    orders: Literal["all", "drawn", "canonical"] = "drawn"
    most_orders: int = 24
    views: int = 4
    epochs: int = 200
    lr: float = 1e-3
    weight_decay: float = 5e-4
    batch: int = 1024


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


def scaled(scores: npt.NDArray[np.float64], targets: Literal["minmax", "ranks"]) -> npt.NDArray[np.float64]:
    """Labels in [0, 1]: by minimum and maximum, or by rank with the mean rank for ties."""
    if targets == "ranks":
        _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
        scores = (np.cumsum(counts) - (counts + 1) / 2)[inverse]
    spread = np.ptp(scores)
    return np.asarray((scores - scores.min()) / (spread if spread > 0 else 1.0))


def fit(
    features: CellTensors,
    archs: Sequence[Architecture],
    scores: npt.NDArray[np.float64],
    rng: np.random.Generator,
    training: Training,
) -> Predictor:
    """Train a predictor on labelled architectures (scores: float64 [n], higher is better)."""
    if training.orders == "canonical" or training.most_orders == 1:
        x, source = features.tensors(archs), np.arange(len(archs))
    else:
        x, source = features.permuted(archs, training.most_orders)
    mean, scale = standardiser(x)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    network = built(x.shape[1], x.shape[-1], int(rng.integers(2**62)))
    inputs = torch.from_numpy((x - mean) / scale)
    labels = torch.from_numpy(scaled(scores, training.targets).astype(np.float32))
    optimiser = torch.optim.Adam(network.parameters(), lr=training.lr, weight_decay=training.weight_decay, fused=True)
    network.train()
    for _ in range(training.epochs):
        for rows, owners in _batches(torch.from_numpy(source), training, generator):
            e, eta = network(inputs[rows])
            value = _loss(e, eta, labels[owners], training, generator)
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    network.eval()
    return Predictor(features, network, mean, scale, training.views)


def _batches(source: Tensor, training: Training, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch: rows of the training tensors in a random order, and the architecture of each.

    source: int64 [m], ascending: the architecture that each training tensor is an order of.
    """
    if training.orders == "drawn":
        counts = torch.bincount(source)
        starts = counts.cumsum(0) - counts
        u = torch.rand(len(counts), generator=generator, dtype=torch.float64)
        rows = starts + (u * counts).long()
    else:
        rows = torch.arange(len(source))
    rows = rows[torch.randperm(len(rows), generator=generator)]
    pieces = -(-len(rows) // training.batch)
    for chunk in torch.tensor_split(rows, pieces):
        yield chunk, source[chunk]


def _loss(e: Tensor, eta: Tensor, y: Tensor, training: Training, generator: torch.Generator) -> Tensor:
    if training.objective == "mse":
        return (e - y).square().mean()
    of = phi(training.phi, training.margin)
    value = ranking(e, y, of)
    if training.objective == "rank+continuity":
        if training.triplets is None:
            value = value + training.weight * continuity(eta, y, of)
        else:
            value = value + training.weight * sampled_continuity(eta, y, of, training.triplets, generator)
    return value
