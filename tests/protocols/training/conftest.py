"""Small trainings that all tests of this folder share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness import ImageShape
from harness.registry import Registry
from harness_training.data.reading import Images, TrainingData
from harness_training.recipe import AugmentPart, DataPart, Recipe, TrainPart

SETTINGS = {"darts": {"channels": 2, "layers": 2}, "nasbench201": {"channels": 2, "cells": 1, "stages": 2}}


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry()


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder of the test's own."""
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path))
    return tmp_path


SHAPE = ImageShape(1, 8, 3)


def random_data(n: int = 40, held: int = 20, shape: ImageShape = SHAPE, seed: int = 0) -> TrainingData:
    """Noise with labels."""
    rng = np.random.default_rng(seed)

    def images(k: int) -> Images:
        pixels = rng.integers(0, 256, (k, shape.channels, shape.side, shape.side), dtype=np.uint8)
        return Images(torch.from_numpy(pixels), torch.from_numpy(rng.integers(0, shape.classes, k)))

    return TrainingData("noise", "validation", shape, images(n), images(held), f"noise-{n}-{held}-{seed}")


def small_recipe(augment: AugmentPart | None = None, **train: Any) -> Recipe:
    plain = {"epochs": 3, "batch": 8, "lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4, "clip": 5.0}
    return Recipe(train=TrainPart(**plain | train), data=DataPart(), augment=augment or AugmentPart(), network=SETTINGS)
