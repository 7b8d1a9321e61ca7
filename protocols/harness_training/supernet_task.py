"""Tasks ``train/<data>@<space>+...+supernet``: a search asks a supernet that is trained once, final scores are as ever.

Guo et al., "Single Path One-Shot Neural Architecture Search with Uniform Sampling" (ECCV 2020): one path drawn
uniformly for each batch; a path is judged after batch norm's statistics were computed for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
import torch
from torch.nn.functional import cross_entropy

from harness import Architecture, Charge, Fidelity, HarnessError, RunContext, Task, Validation
from harness.records.identity import digest
from harness_training.kept_weights import find_or_fit
from harness_training.live import LiveEvaluator, LiveValidator, OpenTrainer, on_device
from harness_training.networks.supernet import SharedNetwork
from harness_training.randomness import derived_seed
from harness_training.recipe import SupernetPart
from harness_training.shared_weights import SharedWeights
from harness_training.store import Identity
from harness_training.task_names import TaskName
from harness_training.trainer import Trainer

_JUDGE_BATCH = 512


def _free(*, epochs: float | Fraction) -> None:
    """A supernet's own training is not paid for in a search that asks it."""


class SharedPaths:
    """The supernet of one seed, trained or from the store, and what its paths score."""

    def __init__(self, trainer: Trainer, part: SupernetPart, seed: int) -> None:
        self._trainer, self._part, self._seed = trainer, part, seed
        self._training = SharedWeights(trainer, _free)
        network = self._training.supernet(self._rng("network"))
        assert isinstance(network, SharedNetwork)
        find_or_fit(trainer.store, self.identity, network, self._fit)
        self._network = network

    @property
    def identity(self) -> Identity:
        """Of the supernet's training. It is no architecture's, so that it has an empty encoding."""
        whole = self._trainer.identity(self._trainer.networks.space.sample(np.random.default_rng(0), 1)[0], self._seed)
        recipe = digest("supernet", whole.recipe)
        return msgspec.structs.replace(whole, arch=(), recipe=recipe, epochs=self._part.epochs)

    def _rng(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng(derived_seed(self._seed, f"supernet/{purpose}"))

    def _fit(self, network: SharedNetwork) -> None:
        training, descent, paths = self._training, self._training.descent(network), self._rng("paths")
        order = self._rng("order")
        network.train()
        seen, of = 0, self._part.epochs * training.sizes["training"]
        for _ in range(self._part.epochs):
            for batch in training.batches("training", order):
                path = tuple(int(paths.integers(radix)) for radix in training.space.radices)
                loss = cross_entropy(training.forward(network, batch, path), batch.labels)
                descent.step(loss, seen / of)
                seen += len(batch)

    def accuracy(self, arch: Architecture) -> float:
        """In %, on the validation images, with batch norm's statistics from one pass over the training images."""
        return self._training.accuracy(self._network, arch, self._rng("judging"), size=_JUDGE_BATCH)


class SupernetValidator(LiveValidator):
    """A path's accuracy on the images that validate, by the weights that all paths share.

    The supernet of the search's seed is trained when it is first asked, or comes from the store. A row is a class of
    isomorphic architectures, judged as its canonical encoding. Epochs are not recorded: queries train nothing.
    """

    def __init__(self, trainer: Trainer, part: SupernetPart, seed: int) -> None:
        super().__init__(trainer, seed)
        self.fidelities = (Fidelity("supernet"),)
        self._part = part
        self._paths: SharedPaths | None = None

    def validate(self, archs: Sequence[Architecture], *, fidelity: Fidelity, repeat: int | None = None) -> Validation:
        if self._paths is None:
            self._paths = SharedPaths(self._trainer, self._part, self._seed)
        return Validation(np.array([self._paths.accuracy(self.space.canonical(a)) for a in archs], dtype=float))

    def training(self, charge: Charge) -> None:
        """None: whoever trains shared weights searches the task without its supernet."""


class SupernetEvaluator(LiveEvaluator):
    """Final scores are those of the task without its supernet."""

    def __init__(self, task: Task, name: TaskName, open_trainer: OpenTrainer, part: SupernetPart) -> None:
        super().__init__(task, name, open_trainer)
        self._part = part
        of = self._search
        with torch.device("meta"):
            if of.networks.supernet(of.data.shape) is None:
                raise HarnessError(f"{task.name}: the networks of {name.space} have no supernet")
        self.data_digest = digest(self.data_digest, "supernet", part.epochs)

    def validator(self, column: str = "validation", context: RunContext = RunContext()) -> SupernetValidator:
        self.check_column(column)
        return SupernetValidator(on_device(self._search, context.device), self._part, context.seed)

    def provenance(self) -> dict[str, Any]:
        return {**super().provenance(), "supernet_epochs": self._part.epochs}
