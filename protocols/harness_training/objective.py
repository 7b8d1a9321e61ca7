"""What a training lowers, and what its network is judged by: cross-entropy and accuracy."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from harness_training.augment import Pipeline
from harness_training.data.reading import Images
from harness_training.recipe import TrainPart

_JUDGE_BATCH = 512


class Objective(nn.Module, ABC):
    """A network with whatever else is trained or kept beside it, so that a checkpoint of it is whole.

    images: to train on. held: to be judged by.
    """

    def __init__(self, network: nn.Module, part: TrainPart, pipeline: Pipeline, images: Images, held: Images) -> None:
        super().__init__()
        self.network, self.part, self.pipeline = network, part, pipeline
        self.images, self.held = images, held

    @abstractmethod
    def loss(self, rows: Tensor, draw: Generator) -> Tensor:
        """The loss of a batch: of these rows of the training images. ``draw``: of the augmentation."""

    def stepped(self) -> None:
        """Told that the optimiser has made its step on the last loss. Default: nothing."""

    @abstractmethod
    def judge(self) -> float:
        """The score on the held images; NaN where an output is no finite number."""


class Supervised(Objective):
    """Cross-entropy, with that of an auxiliary head where there is one; judged by accuracy."""

    def loss(self, rows: Tensor, draw: Generator) -> Tensor:
        images, labels = self.pipeline.augmented(self.images.pixels[rows], draw), self.images.labels[rows]
        with autocast(self.part, images.device):
            out = self.network(laid_out(images, self.part))
            if not self.part.auxiliary:
                return functional.cross_entropy(out, labels)
            logits, tapped = out
            weighted = self.part.auxiliary * functional.cross_entropy(tapped, labels)
            return functional.cross_entropy(logits, labels) + weighted

    def judge(self) -> float:
        return evaluate(self.network, self.held, self.pipeline, self.part)


def evaluate(network: nn.Module, images: Images, pipeline: Pipeline, part: TrainPart) -> float:
    """Top-1 accuracy in percent, in evaluation mode; NaN where a logit is no finite number."""
    network.eval()
    right = torch.zeros((), dtype=torch.int64, device=images.labels.device)
    finite = torch.ones((), dtype=torch.bool, device=images.labels.device)
    with torch.inference_mode(), autocast(part, images.labels.device):
        for start in range(0, len(images), _JUDGE_BATCH):
            rows = slice(start, start + _JUDGE_BATCH)
            logits = network(laid_out(pipeline.plain(images.pixels[rows]), part))
            right += (logits.argmax(1) == images.labels[rows]).sum()
            finite &= logits.isfinite().all()
    return 100 * int(right) / len(images) if bool(finite) else math.nan


def laid_out(images: Tensor, part: TrainPart) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last) if channels_last(part, images.device) else images


def channels_last(part: TrainPart, device: torch.device) -> bool:
    """On a GPU alone: on a CPU it is slower, and torch 2.13 was seen to corrupt memory in a backward pass with it."""
    return part.channels_last and device.type == "cuda"


def autocast(part: TrainPart, device: torch.device) -> Any:
    dtype = getattr(torch, part.precision)
    return torch.autocast(device.type, dtype, enabled=part.precision != "float32")
