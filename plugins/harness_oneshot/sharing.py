"""What the strategies have in common: what they train with, how far the budget is spent, and passes of a supernet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import Architecture, Batch, Oracle, StudyError, Supernet, Training

if TYPE_CHECKING:
    from torch import Tensor


def training_of(oracle: Oracle) -> Training:
    """Raises StudyError where the task trains nothing, or the budget has no limit of epochs."""
    if oracle.training is None:
        raise StudyError("weights are shared only where networks are trained: search a live task, train/...")
    return oracle.training


def limit_of(oracle: Oracle) -> float:
    """The epochs that the budget allows."""
    assert oracle.budget.epochs is not None, "Oracle.training has refused such a budget"
    return oracle.budget.epochs


def uniform_path(training: Training, rng: np.random.Generator) -> Architecture:
    """Each choice's option drawn uniformly."""
    return tuple(int(rng.integers(radix)) for radix in training.space.radices)


def loss_of(training: Training, supernet: Supernet, batch: Batch, path: Any) -> Tensor:
    """Cross-entropy of one pass."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(training.forward(supernet, batch, path), batch.labels)


def right_of(training: Training, supernet: Supernet, batch: Batch, path: Architecture) -> float:
    """How many images of the batch are classified right, without gradients; NaN where a logit is no finite number."""
    import torch

    with torch.no_grad():
        logits = training.forward(supernet, batch, path)
        return int((logits.argmax(1) == batch.labels).sum()) if bool(logits.isfinite().all()) else math.nan


def most_accurate_first(scores: Mapping[Architecture, float]) -> list[Architecture]:
    """By score, of equal ones the earlier first; what scored NaN is last."""
    return sorted(scores, key=lambda arch: math.inf if math.isnan(scores[arch]) else -scores[arch])


def feasible_draw(oracle: Oracle, rng: np.random.Generator) -> Architecture:
    """Of the space at random, drawn again where it breaks a constraint known before training, up to 1,000 times."""
    for _ in range(1000):
        (arch,) = oracle.space.sample(rng, 1)
        if oracle.feasible(arch) is not False:
            break
    return arch
