"""The training loop: one network, one recipe, one seed, to a learning curve.

Deterministic to the bit on a CPU with the same torch, instruction set and number of threads: across processes, and
across an interruption. Each epoch seeds its own generators, so that an epoch's draws depend on the seed and the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, nn

from harness import HarnessError
from harness_training.augment import Pipeline
from harness_training.checkpoint import Checkpoint
from harness_training.curve import Curve, Judged
from harness_training.data.reading import TrainingData
from harness_training.objective import Objective, Supervised, channels_last
from harness_training.pretext import Pretext
from harness_training.randomness import derived_seed, own_randomness
from harness_training.recipe import Recipe

Watch = Callable[[Curve], None]
"""Told the curve after every epoch."""


@dataclass(frozen=True)
class Job:
    """What to train. build: makes the network, weights from torch's global generator; told whether with an auxiliary
    head. Where the recipe trains without labels, its outputs are features. epochs: of this fidelity; the recipe's own
    by default."""

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
    caller to remove when the result is safe. Raises HarnessError where memory runs out. Global random state stays as
    found.
    """
    device = torch.device(device)
    part = job.recipe.train
    try:
        with own_randomness(device, derived_seed(job.seed, "network")):
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
        self.network = job.build(self.part.auxiliary > 0).to(device)
        if channels_last(self.part, device):
            self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.objective = self._objective()
        self.optimiser = torch.optim.SGD(
            self.objective.parameters(), self.part.lr, self.part.momentum,
            weight_decay=self.part.weight_decay, nesterov=self.part.nesterov, foreach=True,
        )  # fmt: skip
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.part.precision == "float16")

    def _objective(self) -> Objective:
        images, held = self.job.data.train.to(self.device), self.job.data.held.to(self.device)
        pipeline = Pipeline(self.job.recipe.augment, images.pixels)
        pretext = self.job.recipe.contrastive
        if pretext is None:
            return Supervised(self.network, self.part, pipeline, images, held)
        return Pretext(pretext, self.job.seed, self.network, self.part, pipeline, images, held).to(self.device)

    def run(self, checkpoint: Checkpoint | None, watch: Watch | None) -> tuple[Curve, nn.Module]:
        stateful = (self.optimiser, self.scaler)
        curve = (checkpoint.read(self.objective, *stateful) if checkpoint else None) or Curve(epochs=self.epochs)
        while not curve.finished:
            curve = self._epoch(curve)
            if checkpoint and not curve.finished and checkpoint.due():
                checkpoint.write(curve, self.objective, *stateful)
            if watch:
                watch(curve)
        return curve, self.network

    def _epoch(self, curve: Curve) -> Curve:
        epoch = len(curve.loss)
        torch.manual_seed(derived_seed(self.job.seed, str(epoch)))
        draw = Generator().manual_seed(derived_seed(self.job.seed, f"{epoch}/images"))
        if self.part.drop_path:
            self.network.drop_path = self.part.drop_path * epoch / self.epochs  # type: ignore[assignment]
        self.objective.train()
        loss = self._steps(epoch, draw)
        losses, after = (*curve.loss, loss), epoch + 1
        if not math.isfinite(loss):
            return Curve(epochs=self.epochs, loss=losses, judged=curve.judged, diverged=after)
        judged = curve.judged
        if after == self.epochs or self.part.judge == "each":
            score = self.objective.judge()
            if math.isnan(score):
                return Curve(epochs=self.epochs, loss=losses, judged=judged, diverged=after)
            judged = (*judged, Judged(after, score))
        return Curve(epochs=self.epochs, loss=losses, judged=judged)

    def _steps(self, epoch: int, draw: Generator) -> float:
        """One pass over the images; the mean loss of a batch."""
        n, batch = len(self.objective.images), self.part.batch
        order = torch.randperm(n, generator=draw)
        # A last batch of one image has no variance to normalise by: it is left out of this epoch.
        batches = torch.split(order[: n - 1 if n % batch == 1 else n], batch)
        parameters = [p for p in self.objective.parameters() if p.requires_grad]
        total = torch.zeros((), device=self.device)
        for step, chosen in enumerate(batches):
            self.optimiser.param_groups[0]["lr"] = self._rate(epoch, step, len(batches))
            loss = self.objective.loss(chosen.to(self.device), draw)
            self.optimiser.zero_grad()
            torch.autograd.backward(self.scaler.scale(loss))
            if self.part.clip:
                self.scaler.unscale_(self.optimiser)
                nn.utils.clip_grad_norm_(parameters, self.part.clip)
            self.scaler.step(self.optimiser)
            self.scaler.update()
            self.objective.stepped()
            total += loss.detach()
        return float(total) / len(batches)

    def _rate(self, epoch: int, step: int, steps: int) -> float:
        done = (epoch * steps + step) / (self.epochs * steps) if self.part.cosine == "step" else epoch / self.epochs
        return self.part.rate(done)
