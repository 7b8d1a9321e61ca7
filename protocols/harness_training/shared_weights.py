"""`Oracle.training` of a live task: networks, batches and metered passes for a search that trains shared weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from harness import Architecture, Batch, Charge, HarnessError, Split, StudyError, Supernet, Training
from harness.protocol.training import GRADIENT_FREE
from harness_training.augment import Pipeline
from harness_training.data.reading import Images
from harness_training.randomness import own_randomness
from harness_training.recipe import TrainPart
from harness_training.trainer import Trainer


@dataclass(frozen=True)
class _Rows:
    """A `Batch`. rows: which images of the split. seed: of their augmentation, which a batch keeps."""

    split: Split
    labels: Tensor
    rows: Tensor = field(repr=False)
    seed: int

    def __len__(self) -> int:
        return len(self.labels)


class SharedWeights(Training):
    """Of a trainer for validation, which holds no test image.

    Networks are trained in float32 without auxiliary head and drop path, whatever the recipe says of these.
    """

    def __init__(self, trainer: Trainer, charge: Charge) -> None:
        assert trainer.data.purpose == "validation"
        self._trainer, self._charge = trainer, charge
        self.space, self.images = trainer.networks.space, trainer.data.shape
        self.sizes = {"training": len(trainer.data.train), "validation": len(trainer.data.held)}
        self.batch, self.epochs = trainer.recipe.train.batch, trainer.recipe.train.epochs

    @cached_property
    def _images(self) -> dict[Split, Images]:
        data, device = self._trainer.data, self._trainer.device
        return {"training": data.train.to(device), "validation": data.held.to(device)}

    @cached_property
    def _pipeline(self) -> Pipeline:
        return Pipeline(self._trainer.recipe.augment, self._images["training"].pixels)

    def build(self, arch: Architecture, rng: np.random.Generator) -> nn.Module:
        networks = self._trainer.networks
        with own_randomness(self._trainer.device, _seed(rng)):
            return networks.build(networks.space.canonical(arch), self.images).to(self._trainer.device)

    def supernet(self, rng: np.random.Generator) -> Supernet:
        with own_randomness(self._trainer.device, _seed(rng)):
            found = self._trainer.networks.supernet(self.images)
        if found is None:
            raise StudyError(f"the networks of {self.space.name} have no supernet, so that no weights can be shared")
        assert isinstance(found, nn.Module)
        return found.to(self._trainer.device)

    def batches(self, split: Split, rng: np.random.Generator, *, size: int | None = None) -> Iterator[Batch]:
        images = self._images[split]
        order = torch.from_numpy(rng.permutation(len(images))).to(images.labels.device)
        size = min(size or self.batch, len(images))
        seeds = rng.integers(2**62, size=-(-len(images) // size)).tolist()
        for rows, seed in zip(torch.split(order, size), seeds, strict=True):
            if len(rows) == 1 < len(images):  # batch norm has no variance of one image
                return
            self._charge(epochs=0.0)
            yield _Rows(split, images.labels[rows], rows, seed)

    def forward(
        self, network: nn.Module | Supernet, batch: Batch, path: Architecture | Sequence[Tensor] | None = None
    ) -> Tensor:
        if not isinstance(batch, _Rows):
            raise TypeError(f"want a batch of Training.batches, not {type(batch).__name__}")
        paths = network.paths(path) if hasattr(network, "paths") else 1  # type: ignore[operator, arg-type]
        if not paths >= 1:
            raise ValueError(f"a pass evaluates at least one path, not {paths}")
        cost = Fraction(paths) * Fraction(len(batch), self.sizes["training"])
        with_gradients = torch.is_grad_enabled()
        self._charge(epochs=cost if with_gradients else cost * GRADIENT_FREE)
        pixels = self._images[batch.split].pixels[batch.rows]
        with own_randomness(self._trainer.device, batch.seed):
            if batch.split == "training":
                images = self._pipeline.augmented(pixels, Generator().manual_seed(batch.seed))
            else:
                images = self._pipeline.plain(pixels)
            given: tuple[Any, ...] = (images,) if path is None else (images, path)
            logits: Tensor = network(*given)
        return logits if with_gradients else logits.detach()

    def backward(self, loss: Tensor, inputs: Sequence[Tensor]) -> None:
        with own_randomness(loss.device, 0):
            torch.autograd.backward(loss, inputs=inputs)

    def accuracy(
        self,
        network: Supernet,
        path: Architecture,
        rng: np.random.Generator,
        *,
        statistics: int | None = None,
        size: int | None = None,
    ) -> float:
        if statistics is None:
            seen = self.batches("training", rng)
        else:
            seen = islice(self.endless("training", rng), statistics)
        right = n = 0
        finite = True
        with torch.no_grad(), _left_as_found(network):
            for module in network.modules():
                if isinstance(module, _BatchNorm):
                    module.reset_running_stats()
                    module.momentum = None  # the plain mean over batches
            network.train()
            for batch in seen:
                self.forward(network, batch, path)
            network.eval()
            for batch in self.batches("validation", rng, size=size):
                logits = self.forward(network, batch, path)
                right += int((logits.argmax(1) == batch.labels).sum())
                finite = finite and bool(logits.isfinite().all())
                n += len(batch)
        return 100 * right / n if finite else math.nan

    def descent(self, network: nn.Module | Supernet) -> RecipeDescent:
        return RecipeDescent(self, network.parameters(), self._trainer.recipe.train)


class RecipeDescent:
    """SGD as ``[train]`` has it, with its clipping, and a cosine over the share of the training that is over."""

    def __init__(self, training: Training, parameters: Iterable[nn.Parameter], part: TrainPart) -> None:
        self._training, self._parameters, self._part = training, list(parameters), part
        self._optimiser = torch.optim.SGD(
            self._parameters, part.lr, part.momentum, weight_decay=part.weight_decay, nesterov=part.nesterov
        )

    def step(self, loss: Tensor, done: float) -> None:
        if not bool(torch.isfinite(loss)):
            raise HarnessError("shared weights diverged: the loss is no finite number; lower lr of the protocol file")
        self._optimiser.param_groups[0]["lr"] = self._part.rate(done)
        self._optimiser.zero_grad()
        self._training.backward(loss, self._parameters)
        if self._part.clip:
            nn.utils.clip_grad_norm_(self._parameters, self._part.clip)
        self._optimiser.step()


@contextmanager
def _left_as_found(network: Supernet) -> Iterator[None]:
    """Modes of all modules, momentum and statistics of batch norm."""
    modes = [(module, module.training) for module in network.modules()]
    norms = [module for module, _ in modes if isinstance(module, _BatchNorm)]
    before = [(norm, norm.momentum, [(b, b.clone()) for b in norm.buffers()]) for norm in norms]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for norm, momentum, buffers in before:
            norm.momentum = momentum
            for buffer, value in buffers:
                buffer.copy_(value)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**62))
