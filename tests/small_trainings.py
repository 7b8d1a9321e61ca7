"""Trainings of a tiny DARTS network on noise, in milliseconds."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from harness import ImageShape
from harness.registry import Registry
from harness_training.data.reading import Images, TrainingData
from harness_training.loop import Job
from harness_training.protocol_files import network_settings
from harness_training.recipe import AugmentPart, DataPart, Recipe, TrainPart

TINY = """
summary = "a tiny network on 60 digits"
[network.nasbench201]
channels = 2
cells = 1
stages = 1
[data]
train = 60
validation = 100
[train]
epochs = 2
batch = 30
lr = 0.1
momentum = 0.9
weight_decay = 0.0
"""
"""A protocol file; more fields of ``[train]``, and more tables, can be put behind it."""
SHAPE = ImageShape(1, 8, 3)
TRICKS = {"auxiliary": 0.4, "drop_path": 0.3}
AUGMENT = AugmentPart(crop=1, flip=True, cutout=4)


def write_protocol(data_folder: Path, name: str, text: str = TINY) -> Path:
    """A protocol file for digits."""
    file = data_folder / "protocols" / "digits" / f"{name}.toml"
    (file.parent / "tricks").mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def random_data(n: int = 40, held: int = 20, shape: ImageShape = SHAPE) -> TrainingData:
    """Noise with labels."""
    rng = np.random.default_rng(0)

    def images(k: int) -> Images:
        pixels = rng.integers(0, 256, (k, shape.channels, shape.side, shape.side), dtype=np.uint8)
        return Images(torch.from_numpy(pixels), torch.from_numpy(rng.integers(0, shape.classes, k)))

    return TrainingData("noise", "validation", shape, images(n), images(held), f"noise-{n}-{held}")


def small_recipe(augment: AugmentPart | None = None, **train: Any) -> Recipe:
    plain = {"epochs": 3, "batch": 8, "lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4, "clip": 5.0}
    return Recipe(
        train=TrainPart(**plain | train),
        data=DataPart(),
        augment=augment or AugmentPart(),
        network={"darts": {"channels": 2, "layers": 2}},
    )


def small_job(
    registry: Registry,
    augment: AugmentPart | None = None,
    *,
    seed: int = 0,
    data: TrainingData | None = None,
    **train: Any,
) -> Job:
    recipe, images = small_recipe(augment, **train), data or random_data()
    cls = registry.load("network", "darts")
    networks = cls(registry.load("space", "darts")(), network_settings(recipe, cls, "small"))
    (arch,) = networks.space.sample(np.random.default_rng(7), 1)
    return Job(lambda auxiliary: networks.build(arch, images.shape, auxiliary=auxiliary), images, recipe, seed)


def weights(network: nn.Module) -> str:
    """SHA-256 of all of a network's values."""
    h = hashlib.sha256()
    for name, value in network.state_dict().items():
        h.update(name.encode() + value.numpy().tobytes())
    return h.hexdigest()
