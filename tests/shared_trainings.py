"""Live tasks of a few milliseconds whose networks share weights, and one whose best architecture is known."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import msgspec
import numpy as np
import torch
from small_trainings import TINY, random_data, small_recipe, write_protocol
from torch import Tensor, nn

from harness import Architecture, ImageShape, Networks
from harness.testing.spaces import ToyEdgeSpace
from harness_nasbench.spaces.darts_dense import DenseDartsSpace
from harness_nasbench.spaces.nasbench201 import NASBench201Space
from harness_training.data.reading import Images, TrainingData
from harness_training.live import LiveValidator
from harness_training.networks.darts import DenseDartsNetworks, DenseSettings
from harness_training.networks.nasbench201 import NASBench201Networks, NASBench201Settings
from harness_training.networks.supernet import MixedOperation, SharedNetwork
from harness_training.store import Store
from harness_training.trainer import Trainer

PLAIN, SHARED = "train/digits@nasbench201+small", "train/digits@nasbench201+shared"


_STORES = TemporaryDirectory()


def write_small(data_folder: Path) -> None:
    """The protocol files of `PLAIN` and of `SHARED`."""
    write_protocol(data_folder, "small")
    write_protocol(data_folder, "shared", TINY + "[supernet]\nepochs = 3\n")


def trainer_on(data: TrainingData, networks: Networks | None = None, **train: Any) -> Trainer:
    """Of small NAS-Bench-201 networks, or of others, each with a store of its own."""
    own = NASBench201Networks(NASBench201Space(), NASBench201Settings(channels=2, cells=1, stages=2))
    recipe = msgspec.structs.replace(small_recipe(**train), network={(networks or own).name: {}})
    store = Store("validation", Path(mkdtemp(dir=_STORES.name)))
    return Trainer(networks or own, recipe, data, {}, torch.device("cpu"), store)


def validator(n: int = 40, held: int = 20, **train: Any) -> LiveValidator:
    """A task on n training images of noise."""
    return LiveValidator(trainer_on(random_data(n, held), **train), 0)


def dense_networks() -> DenseDartsNetworks:
    """Of CSNAS's dense cells, small: three cells, two of which reduce."""
    return DenseDartsNetworks(DenseDartsSpace(), DenseSettings(channels=2, layers=3))


def dense_validator() -> LiveValidator:
    """As `validator`, on `dense_networks`."""
    return LiveValidator(trainer_on(random_data(16, 16), dense_networks()), 0)


GAINS = (None, 0.25, -1.0, 1.0)
BEST = (3, 3, 3, 3)
"""Of the task of `known_task`: the options that add most of what the labels show in."""


class _Gain(nn.Module):
    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * x


class _Sum(nn.Module):
    """Each choice adds what the brightness of a third of the image says, times its option's gain."""

    def __init__(self) -> None:
        super().__init__()
        options = [None if g is None else _Gain(g) for g in GAINS]
        self.choices = nn.ModuleList(MixedOperation(choice, options) for choice in range(len(BEST)))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        shown = x[:, 0, :, :6].reshape(len(x), 8, 3, 2).mean((1, 3))
        return sum((choice(shown) for choice in self.choices), self.bias)


class _KnownNetworks(Networks):
    name = "toy-edges"
    Settings = msgspec.Struct

    def build(self, arch: Architecture, images: ImageShape, *, auxiliary: bool = False) -> nn.Module:
        raise NotImplementedError

    def supernet(self, images: ImageShape) -> SharedNetwork:
        return SharedNetwork(_Sum())


def known_task() -> LiveValidator:
    """A third of each image is brighter, by its label: the more gain, the better; a negative one reads it wrongly."""
    rng = np.random.default_rng(0)

    def images(n: int) -> Images:
        labels = rng.integers(3, size=n)
        pixels = rng.integers(0, 150, (n, 1, 8, 8))
        for image, label in zip(pixels, labels, strict=True):
            image[0, :, 2 * label : 2 * label + 2] += 60
        return Images(torch.from_numpy(pixels.astype(np.uint8)), torch.from_numpy(labels))

    data = TrainingData("known", "validation", ImageShape(1, 8, 3), images(64), images(64), "known")
    return LiveValidator(trainer_on(data, _KnownNetworks(ToyEdgeSpace(), msgspec.Struct()), batch=32), 0)
