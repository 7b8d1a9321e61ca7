"""How a training goes on: a line now and then where it takes long, the line under a study's progress, and TensorBoard's
scalars where they are wanted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from harness import Architecture, HarnessError
from harness.running import under_way
from harness.running.environment import LOG_DIR
from harness.running.progress import duration
from harness_training.curve import Curve
from harness_training.loop import Watch
from harness_training.trainer import Trainer

EVERY = 30.0
"""Seconds between two lines; a training that is shorter prints none."""
SHOWN_EVERY = 0.5
"""The same of the line under a study's progress, which replaces the one before."""


class Lines:
    """Says epoch, loss and estimated end, at most one line in ``every`` seconds."""

    def __init__(
        self,
        title: str,
        *,
        say: Callable[[str], None] = print,
        now: Callable[[], float] = time.monotonic,
        every: float = EVERY,
    ) -> None:
        self.title, self.say, self.now, self.every = title, say, now, every
        self.began = self.said = now()
        self.first: int | None = None

    def __call__(self, curve: Curve) -> None:
        now, done = self.now(), len(curve.loss)
        if self.first is None:
            self.first = done - 1  # a training that is resumed begins behind its checkpoint
        if curve.finished or now - self.said < self.every:
            return
        self.said = now
        left = (now - self.began) / (done - self.first) * (curve.epochs - done)
        self.say(
            f"{self.title}: epoch {done} of {curve.epochs}, loss {curve.loss[-1]:.4f}, about {duration(left)} left"
        )


class Scalars:
    """Loss and score of each epoch as TensorBoard's scalars, in a file that is made with the first. score: its name.

    Raises HarnessError where TensorBoard is not installed. Where a folder cannot be written, it says so and writes no
    more: what is shown of a training does not decide what becomes of it.
    """

    def __init__(self, folder: Path, score: str = "accuracy") -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise HarnessError(f"--log-dir needs TensorBoard: pip install tensorboard ({error})") from error
        self.make: Callable[[], Any] = partial(SummaryWriter, str(folder))
        self.writer: Any = None
        self.score, self.over = score, False

    def __call__(self, curve: Curve) -> None:
        if self.over:
            return
        try:
            self._write(curve)
        except OSError as error:
            self.over = True
            print(f"--log-dir: {error}; no more scalars of this training", flush=True)

    def _write(self, curve: Curve) -> None:
        self.writer = self.writer or self.make()
        epoch = len(curve.loss)
        self.writer.add_scalar("loss", curve.loss[-1], epoch)
        if curve.judged and curve.judged[-1].epochs == epoch:
            self.writer.add_scalar(self.score, curve.judged[-1].score, epoch)
        if curve.finished:
            self.writer.close()


def watcher(trainer: Trainer, arch: Architecture, seed: int, epochs: int | None) -> Watch:
    """Of one training: lines, under a study's progress too where that is shown, and scalars where `LOG_DIR` is set."""
    key = trainer.identity(arch, seed, epochs).key
    title = f"training {key[:8]} for {trainer.data.purpose}, seed {seed}"
    told: list[Watch] = [Lines(title)]
    if os.environ.get(under_way.FOLDER):
        told.append(Lines(title, say=under_way.tell, every=SHOWN_EVERY))
    if folder := os.environ.get(LOG_DIR):
        room = Path(folder) / f"{trainer.data.name}-{trainer.data.purpose}-{key[:8]}"
        told.append(Scalars(room, trainer.score.name))

    def watch(curve: Curve) -> None:
        for tell in told:
            tell(curve)
        if curve.finished:
            under_way.tell(None)

    return watch
