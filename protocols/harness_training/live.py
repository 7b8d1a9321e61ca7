"""A live task, opened: validation scores by training on the training images, final scores by training anew."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch._dynamo  # noqa: F401 (the first optimiser imports it, two seconds long: once here, not in every fork)

from harness import (
    Architecture,
    Charge,
    Evaluator,
    Fidelity,
    FinalScores,
    RunContext,
    Task,
    Validation,
    Validator,
)
from harness.protocol import Floats
from harness.records.identity import digest
from harness_training.data.reading import Purpose
from harness_training.device import own_device
from harness_training.figures import figures_of
from harness_training.shared_weights import SharedWeights
from harness_training.task_names import TaskName
from harness_training.trainer import Trainer
from harness_training.watching import watcher

OpenTrainer = Callable[[Purpose], Trainer]


class LiveValidator(Validator):
    """The score on the images that validate, after a training on the training images: accuracy, or a contrastive loss.

    A row is a class of isomorphic architectures, trained as its canonical encoding. Each fidelity is a training of its
    own, with a schedule of its own. Seconds are not recorded: no budget may hang on the speed of a machine.
    """

    def __init__(self, trainer: Trainer, seed: int) -> None:
        self.space, self.score = trainer.networks.space, trainer.score
        part = trainer.recipe.train
        levels = sorted({*part.fidelities, part.epochs})
        self.fidelities = tuple(Fidelity(f"{epochs} epochs", epochs) for epochs in levels)
        self._trainer, self._seed = trainer, seed
        self._costs: dict[Architecture, tuple[float, float]] = {}

    def row(self, arch: Architecture) -> int:
        key = self.space.key(self.space.check(arch))
        return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little") >> 1

    def identity(self, archs: Sequence[Architecture]) -> npt.NDArray[np.int64]:
        return np.fromiter((self.row(arch) for arch in archs), dtype=np.int64, count=len(archs))

    def validate(self, archs: Sequence[Architecture], *, fidelity: Fidelity, repeat: int | None = None) -> Validation:
        """NaN where the training diverged. Raises HarnessError where memory runs out."""
        return Validation(np.array([_score(self._trainer, a, self._seed, fidelity.epochs) for a in archs], dtype=float))

    def costs(self, archs: Sequence[Architecture]) -> Mapping[str, Floats]:
        """Of the networks that are trained: ``params``, and ``flops`` as multiply-accumulates for one image."""
        for arch in archs:
            if arch not in self._costs:
                self._costs[arch] = tuple(map(float, self._trainer.costs(arch)))  # type: ignore[assignment]
        found = np.array([self._costs[a] for a in archs], dtype=np.float64).reshape(-1, 2)
        return {"params": found[:, 0], "flops": found[:, 1]}

    def training(self, charge: Charge) -> SharedWeights | None:
        """None where labels are not to be read."""
        return None if self._trainer.recipe.contrastive is not None else SharedWeights(self._trainer, charge)


class LiveEvaluator(Evaluator):
    """A task that trains. Trainings go through the store of trainings, validation and final ones apart."""

    def __init__(self, task: Task, name: TaskName, open_trainer: OpenTrainer) -> None:
        """``open_trainer``: the task's trainer for a purpose, on the CPU. Raises HarnessError where the environment
        names a device that is not there."""
        own_device("cpu")  # one that is not there is told of before anything begins
        self.task, self.name, self._open = task, name, open_trainer
        self._search = open_trainer("validation")
        self.space, self.score = self._search.networks.space, self._search.score
        self.law = self.space.default_law
        of = self._search
        part = of.recipe.train
        self.data_digest = digest(
            name.space, of.recipe.digest(name.space), sorted({*part.fidelities, part.epochs}), of.data.digest, of.code
        )

    def validator(self, column: str = "validation", context: RunContext = RunContext()) -> LiveValidator:
        self.check_column(column)
        return LiveValidator(on_device(self._search, context.device), context.seed)

    def final_scores(self, archs: Sequence[Architecture], *, final: str, seed: int | None = None) -> FinalScores:
        """Trained from scratch on training and validation images, judged once by the test images after the last epoch.

        Raises HarnessError where memory runs out.
        """
        self.check_final(final)
        trainer = on_device(self._final, "cpu")
        return FinalScores(np.array([_score(trainer, a, seed or 0, None) for a in archs], dtype=float))

    def learning_curves(self, archs: Sequence[Architecture], *, final: str, seed: int | None = None) -> Floats | None:
        if self._final.recipe.train.judge != "each":
            return None
        trainer = on_device(self._final, "cpu")
        curves = np.full((trainer.recipe.train.epochs, len(archs)), np.nan)
        for column, arch in enumerate(archs):
            found = trainer.store.find(trainer.identity(arch, seed or 0))
            if found is not None and len(found.curve.judged) == len(curves):
                curves[:, column] = [j.score for j in found.curve.judged]
        return curves

    @cached_property
    def _final(self) -> Trainer:
        return self._open("final")

    def provenance(self) -> dict[str, Any]:
        of = self._search
        return {
            "data": self.name.data, "space": self.name.space, "protocol": self.name.protocol,
            "tricks": list(self.name.tricks), "recipe": of.recipe.digest(self.name.space), "images": of.data.digest,
            "train": len(of.data.train), "validation": len(of.data.held), "split_seed": of.recipe.data.seed,
            "epochs": of.recipe.train.epochs, "epoch": "final", "code": of.code,
        }  # fmt: skip

    def measured(self) -> dict[str, Any]:
        """How well the task tells architectures apart, where that has been measured of this very recipe and data."""
        of = self._search
        return figures_of(self.task.name, of.recipe.digest(self.name.space), of.data.digest)


def on_device(trainer: Trainer, device: str) -> Trainer:
    """On the run's device, or on the environment's where that names one."""
    return replace(trainer, device=own_device(device))


def _score(trainer: Trainer, arch: Architecture, seed: int, epochs: int | None) -> float:
    return trainer.train(arch, seed, epochs, watch=watcher(trainer, arch, seed, epochs)).score
