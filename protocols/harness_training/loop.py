"""The training loop: one network, one recipe, one seed, to a learning curve.

Deterministic to the bit on a CPU with the same torch, instruction set and number of threads: across processes, and
across an interruption. Each epoch seeds its own generators, so that an epoch's draws depend on the seed and the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from harness import HarnessError
from harness_training.augment import Pipeline
from harness_training.checkpoint import Checkpoint
from harness_training.curve import Curve, Judged
from harness_training.data.reading import Images, TrainingData
from harness_training.randomness import derived_seed, own_randomness
from harness_training.recipe import Recipe, TrainPart

_JUDGE_BATCH = 512
Watch = Callable[[Curve], None]
"""Told the curve after every epoch."""


@dataclass(frozen=True)
class Job:
    """What to train. build: makes the network, weights from torch's global generator; told whether with an auxiliary
    head. epochs: of this fidelity; the recipe's own by default."""

    build: Callable[[bool], nn.Module]
    data: TrainingData
    recipe: Recipe
    seed: int
    epochs: int | None = None


def train(
    job: Job,
    *,
    device: torch.device | str = "cpu",
    checkpoint: Checkpoint | None = None,
    watch: Watch | None = None,
) -> tuple[Curve, nn.Module]:
    """Train from scratch, or from ``checkpoint`` on, and judge: the curve and the network.

    A loss that is no finite number ends the training: the curve says so and scores NaN. The checkpoint is left for the
    caller to remove when the result is safe. Raises HarnessError where a
    batch is larger than the data, and where memory runs out. Global random state stays as found.
    """
    device = torch.device(device)
    part = job.recipe.train
    if part.batch > len(job.data.train):
        raise HarnessError(
            f"a batch of {part.batch} is larger than the {len(job.data.train)} training images; lower batch"
        )
    try:
        with own_randomness(device):
            return _Training(job, device).run(checkpoint, watch)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise HarnessError(f"out of memory on {device} with batches of {part.batch}: {error}") from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise HarnessError(f"out of memory on {device} with batches of {part.batch}: {error}") from error


class _Training:
    def __init__(self, job: Job, device: torch.device) -> None:
        self.job, self.device, self.part = job, device, job.recipe.train
        self.epochs = job.epochs or self.part.epochs
        torch.manual_seed(derived_seed(job.seed, "network"))
        self.network = job.build(self.part.auxiliary > 0).to(device)
        if _channels_last(self.part, device):
            self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = torch.optim.SGD(
            self.network.parameters(), self.part.lr, self.part.momentum,
            weight_decay=self.part.weight_decay, nesterov=self.part.nesterov,
        )  # fmt: skip
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.part.precision == "float16")
        self.images, self.held = job.data.train.to(device), job.data.held.to(device)
        self.pipeline = Pipeline(job.recipe.augment, self.images.pixels)

    def run(self, checkpoint: Checkpoint | None, watch: Watch | None) -> tuple[Curve, nn.Module]:
        stateful = (self.optimiser, self.scaler)
        curve = (checkpoint.read(self.network, *stateful) if checkpoint else None) or Curve(epochs=self.epochs)
        while not curve.finished:
            curve = self._epoch(curve)
            if checkpoint and not curve.finished and checkpoint.due():
                checkpoint.write(curve, self.network, *stateful)
            if watch:
                watch(curve)
        return curve, self.network

    def _epoch(self, curve: Curve) -> Curve:
        epoch = len(curve.loss)
        torch.manual_seed(derived_seed(self.job.seed, str(epoch)))
        draw = Generator().manual_seed(derived_seed(self.job.seed, f"{epoch}/images"))
        if self.part.drop_path:
            self.network.drop_path = self.part.drop_path * epoch / self.epochs  # type: ignore[assignment]
        self.network.train()
        loss = self._steps(epoch, draw)
        losses, after = (*curve.loss, loss), epoch + 1
        if not math.isfinite(loss):
            return Curve(epochs=self.epochs, loss=losses, judged=curve.judged, diverged=after)
        judged = curve.judged
        if after == self.epochs or self.part.judge == "each":
            accuracy = evaluate(self.network, self.held, self.pipeline, self.part)
            if math.isnan(accuracy):
                return Curve(epochs=self.epochs, loss=losses, judged=judged, diverged=after)
            judged = (*judged, Judged(after, accuracy))
        return Curve(epochs=self.epochs, loss=losses, judged=judged)

    def _steps(self, epoch: int, draw: Generator) -> float:
        """One pass over the images; the mean loss of a batch."""
        n, batch = len(self.images), self.part.batch
        order = torch.randperm(n, generator=draw)
        # A last batch of one image has no variance to normalise by: it is left out of this epoch.
        batches = torch.split(order[: n - 1 if n % batch == 1 else n], batch)
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        total = torch.zeros((), device=self.device)
        for step, chosen in enumerate(batches):
            self.optimiser.param_groups[0]["lr"] = self._rate(epoch, step, len(batches))
            rows = chosen.to(self.device)
            pixels = self.pipeline.augmented(self.images.pixels[rows], draw)
            loss = self._loss(pixels, self.images.labels[rows])
            self.optimiser.zero_grad()
            torch.autograd.backward(self.scaler.scale(loss))
            if self.part.clip:
                self.scaler.unscale_(self.optimiser)
                nn.utils.clip_grad_norm_(parameters, self.part.clip)
            self.scaler.step(self.optimiser)
            self.scaler.update()
            total += loss.detach()
        return float(total) / len(batches)

    def _rate(self, epoch: int, step: int, steps: int) -> float:
        done = (epoch * steps + step) / (self.epochs * steps) if self.part.cosine == "step" else epoch / self.epochs
        return self.part.lr * 0.5 * (1 + math.cos(math.pi * done))

    def _loss(self, images: Tensor, labels: Tensor) -> Tensor:
        with _precision(self.part, self.device):
            out = self.network(_laid_out(images, self.part))
            if not self.part.auxiliary:
                return functional.cross_entropy(out, labels)
            logits, tapped = out
            weighted = self.part.auxiliary * functional.cross_entropy(tapped, labels)
            return functional.cross_entropy(logits, labels) + weighted


def evaluate(network: nn.Module, images: Images, pipeline: Pipeline, part: TrainPart) -> float:
    """Top-1 accuracy in percent, in evaluation mode; NaN where a logit is no finite number."""
    network.eval()
    right = torch.zeros((), dtype=torch.int64, device=images.labels.device)
    finite = torch.ones((), dtype=torch.bool, device=images.labels.device)
    with torch.inference_mode(), _precision(part, images.labels.device):
        for start in range(0, len(images), _JUDGE_BATCH):
            rows = slice(start, start + _JUDGE_BATCH)
            logits = network(_laid_out(pipeline.plain(images.pixels[rows]), part))
            right += (logits.argmax(1) == images.labels[rows]).sum()
            finite &= logits.isfinite().all()
    return 100 * int(right) / len(images) if bool(finite) else math.nan


def _laid_out(images: Tensor, part: TrainPart) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last) if _channels_last(part, images.device) else images


def _channels_last(part: TrainPart, device: torch.device) -> bool:
    """On a GPU alone: on a CPU it is slower, and torch 2.13 was seen to corrupt memory in a backward pass with it."""
    return part.channels_last and device.type == "cuda"


def _precision(part: TrainPart, device: torch.device) -> Any:
    dtype = getattr(torch, part.precision)
    return torch.autocast(device.type, dtype, enabled=part.precision != "float32")
