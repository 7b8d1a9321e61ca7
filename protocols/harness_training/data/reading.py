"""What a training reads of a table: images to train on and images to be judged by, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from harness import ImageShape
from harness.data.tables import Table
from harness.records.identity import digest
from harness_training.data.splits import Ints, Splits, split

Purpose = Literal["validation", "final"]
"""``validation``: train on the training images, judged by the validation images. ``final``: train on both, judged by
the test images."""


@dataclass(frozen=True)
class Images:
    """pixels: uint8 [n, channels, side, side]. labels: int64 [n]."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Images:
        return Images(self.pixels.to(device), self.labels.to(device))


@dataclass(frozen=True)
class TrainingData:
    """Images of one purpose. digest: of the data and its split. No test image is in it unless the purpose is final."""

    name: str
    purpose: Purpose
    shape: ImageShape
    train: Images
    held: Images
    digest: str


def training_data(
    table: Table, purpose: Purpose, *, train: int | None = None, validation: int | None = None, seed: int = 0
) -> TrainingData:
    """The images of ``purpose``, split as `split` does. Raises HarnessError where the split does not fit."""
    found = split(table["labels"], table["part"], train=train, validation=validation, seed=seed)
    learn, held = _rows(found, purpose)
    _, channels, side, _ = table["images"].shape
    return TrainingData(
        table.meta.benchmark,
        purpose,
        ImageShape(channels, side, len(table.meta.facts["classes"])),
        _images(table, learn),
        _images(table, held),
        digest(table.digest, *(rows.tolist() for rows in (found.train, found.validation, found.test))),
    )


def _rows(found: Splits, purpose: Purpose) -> tuple[Ints, Ints]:
    if purpose == "validation":
        return found.train, found.validation
    return np.sort(np.concatenate([found.train, found.validation])), found.test


def _images(table: Table, rows: Ints) -> Images:
    pixels, labels = table["images"][rows], table["labels"][rows].astype(np.int64)
    return Images(torch.from_numpy(pixels), torch.from_numpy(labels))
