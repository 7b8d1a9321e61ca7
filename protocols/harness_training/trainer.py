"""From an architecture to a score: space, networks, recipe, data and store, put together for one purpose."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch

from harness import Architecture, HarnessError, ImageShape, Networks, Score
from harness.records.identity import code_version
from harness.registry import Registry
from harness_training.checkpoint import Checkpoint
from harness_training.curve import Curve
from harness_training.data.catalogue import open_images
from harness_training.data.reading import Purpose, TrainingData, training_data
from harness_training.device import bits
from harness_training.loop import Job, Watch, train
from harness_training.networks.measure import Costs, measure
from harness_training.protocol_files import BASE, load_recipe, network_settings
from harness_training.recipe import Recipe
from harness_training.store import Identity, Store


@dataclass(frozen=True)
class Trainer:
    """Trains architectures for one purpose.

    code: versions of what trains, of what builds networks, of the space, and of other packages that decide the bits.
    """

    networks: Networks
    recipe: Recipe
    data: TrainingData
    code: dict[str, Any]
    device: torch.device
    store: Store

    @property
    def score(self) -> Score:
        """What a training gives."""
        if self.recipe.contrastive is None:
            return Score()
        return Score("contrastive loss", "", higher_is_better=False, ratio_scale=False)

    @property
    def trained_on(self) -> ImageShape:
        """The images as the network that is trained sees them: without labels, its outputs are features."""
        pretext = self.recipe.contrastive
        return self.data.shape if pretext is None else self.data.shape._replace(classes=pretext.dimensions)

    def identity(self, arch: Architecture, seed: int, epochs: int | None = None) -> Identity:
        """Of the training of ``arch``'s canonical encoding."""
        return Identity(
            space=self.networks.name,
            arch=self.networks.space.canonical(arch),
            recipe=self.recipe.digest(self.networks.name),
            data=self.data.digest,
            epochs=epochs or self.recipe.train.epochs,
            seed=seed,
            code=self.code,
            environment=bits(self.device),
        )

    def train(
        self,
        arch: Architecture,
        seed: int,
        epochs: int | None = None,
        *,
        watch: Watch | None = None,
    ) -> Curve:
        """Of the canonical encoding, from the store where it is there. Raises HarnessError as `loop.train` does."""
        identity = self.identity(arch, seed, epochs)

        def build(auxiliary: bool) -> torch.nn.Module:
            return self.networks.build(identity.arch, self.trained_on, auxiliary=auxiliary)

        def run(checkpoint: Checkpoint) -> Curve:
            job = Job(build, self.data, self.recipe, seed, identity.epochs)
            return train(job, device=self.device, checkpoint=checkpoint, watch=watch)[0]

        return self.store.find_or_train(identity, run).curve

    def costs(self, arch: Architecture) -> Costs:
        """Of the network that classifies, so that a constraint means the same in a search without labels."""
        return measure(self.networks, self.networks.space.canonical(arch), self.data.shape)


def open_trainer(
    registry: Registry,
    data: str,
    space: str,
    protocol: str = BASE,
    *,
    purpose: Purpose = "validation",
) -> Trainer:
    """The trainer of ``train/<data>@<space>+<protocol>``, on the CPU, with the store of its purpose.

    Raises UnknownName, DataMissing, DataError; HarnessError where recipe, networks and data do not go together.
    """
    recipe = load_recipe(data, protocol)
    item = registry.find("network", space)
    cls: type[Networks] = item.load()
    networks = cls(registry.load("space", space)(), network_settings(recipe, cls, protocol))
    part = recipe.data
    images = training_data(open_images(data), purpose, train=part.train, validation=part.validation, seed=part.seed)
    if recipe.train.batch > len(images.train):
        raise HarnessError(
            f"protocol {protocol!r} of {data}: a batch of {recipe.train.batch} is larger than the {len(images.train)} "
            "training images; lower [train] batch"
        )
    code: dict[str, Any] = {"training": code_version(__name__, "nas-harness")}
    for what, found in (("networks", item), ("space", registry.find("space", space))):
        code[what] = code_version(found.provides.load.partition(":")[0], found.distribution)
    if recipe.augment.autoaugment:
        code["kornia"] = version("kornia")
    return Trainer(networks, recipe, images, code, torch.device("cpu"), Store(purpose))
