"""The optimiser of a recipe on the weights of one network that a search trains itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from harness import HarnessError
from harness_training.randomness import own_randomness
from harness_training.recipe import TrainPart


def backward(loss: Tensor, inputs: Sequence[Tensor]) -> None:
    """`Training.backward`; torch's modes and generators are left as found."""
    with own_randomness(loss.device, 0):
        torch.autograd.backward(loss, inputs=inputs)


class RecipeDescent:
    """SGD as ``[train]`` has it, with its clipping, and a cosine over the share of the training that is over."""

    def __init__(self, parameters: Iterable[nn.Parameter], part: TrainPart) -> None:
        self._parameters, self._part = list(parameters), part
        self._optimiser = torch.optim.SGD(
            self._parameters, part.lr, part.momentum, weight_decay=part.weight_decay, nesterov=part.nesterov
        )

    def step(self, loss: Tensor, done: float) -> None:
        if not bool(torch.isfinite(loss)):
            raise HarnessError("shared weights diverged: the loss is no finite number; lower lr of the protocol file")
        self._optimiser.param_groups[0]["lr"] = self._part.lr * 0.5 * (1 + math.cos(math.pi * done))
        self._optimiser.zero_grad()
        backward(loss, self._parameters)
        if self._part.clip:
            nn.utils.clip_grad_norm_(self._parameters, self._part.clip)
        self._optimiser.step()
