"""Augmentation of batches, on the device of the batch, from generators that are given."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional

from harness_training.recipe import AugmentPart


def crop_and_flip(pixels: Tensor, crop: int, flip: bool, draw: Generator) -> Tensor:
    """Each image of [n, c, s, s] cut at random out of itself with ``crop`` black pixels around, and flipped left to
    right with probability one half. ``draw``: a generator of the CPU, so that every device gives the same images."""
    n, _, side, _ = pixels.shape
    columns = torch.arange(side)
    if flip:
        flipped = torch.rand(n, 1, generator=draw) < 0.5
        columns = torch.where(flipped, side - 1 - columns, columns)
    else:
        columns = columns.expand(n, side)
    rows = torch.arange(side).expand(n, side)
    if crop:
        offset = torch.randint(0, 2 * crop + 1, (2, n, 1), generator=draw)
        rows, columns = rows + offset[0], columns + offset[1]
        pixels = functional.pad(pixels, (crop,) * 4)
    image = torch.arange(n)[:, None, None, None]
    channel = torch.arange(pixels.shape[1])[None, :, None, None]
    index = (image, channel, rows[:, None, :, None], columns[:, None, None, :])
    return pixels[tuple(i.to(pixels.device) for i in index)]


def cutout(images: Tensor, length: int, draw: Generator) -> Tensor:
    """A square of ``length`` pixels of each image set to 0, the mean (DeVries and Taylor 2017): its centre is uniform
    over the image, and what lies outside is cut off, as the papers have it."""
    n, side = len(images), images.shape[-1]
    start = torch.randint(0, side, (2, n, 1), generator=draw) - length // 2
    place = torch.arange(side)
    inside = (place >= start) & (place < start + length // 2 * 2)
    hidden = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return images.masked_fill(hidden.to(images.device), 0)


@lru_cache(maxsize=1)
def _policy() -> Any:
    from kornia.augmentation.auto import AutoAugment

    return AutoAugment("cifar10", transformation_matrix_mode="skip")


def autoaugment(images: Tensor, draw: Generator) -> Tensor:
    """AutoAugment's CIFAR-10 policy (Cubuk et al., CVPR 2019) on float images of 0 to 1.

    Each image draws its own of the 25 sub-policies, as the paper has it; kornia would draw one a batch. What happens
    within a sub-policy is kornia's, drawn from torch's global generator: magnitudes uniform within the paper's step,
    black where an image is moved away. Grey images are shown to the policy in three equal
    channels, and their mean is kept.
    """
    policy = _policy()
    subs = list(policy.children())
    chosen = torch.randint(0, len(subs), (len(images),), generator=draw)
    colour = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
    found = torch.empty_like(colour, memory_format=torch.contiguous_format)
    for i in sorted(set(chosen.tolist())):
        rows = (chosen == i).nonzero()[:, 0].to(images.device)
        found[rows] = subs[i](colour[rows])
    return found.mean(1, keepdim=True) if images.shape[1] == 1 else found


class Pipeline:
    """Pixels to what a network reads: float32, normalised by mean and standard deviation of each channel.

    In training: crop, flip, AutoAugment, normalise, cutout, in the papers' order.
    """

    def __init__(self, part: AugmentPart, pixels: Tensor) -> None:
        self.part = part
        # From counts of the 256 values: exact, and without a copy of all images as floats.
        values = torch.arange(256, dtype=torch.float64)
        mean, std = [], []
        for channel in range(pixels.shape[1]):
            counts = pixels[:, channel].flatten().bincount(minlength=256).cpu()
            weights = counts.to(torch.float64) / counts.sum()
            mean.append(float(weights @ values))
            std.append(max(float((weights @ (values - mean[-1]) ** 2) ** 0.5), 1e-3))
        self._mean = torch.tensor(mean, device=pixels.device).view(1, -1, 1, 1)
        self._scale = torch.tensor([1 / s for s in std], device=pixels.device).view(1, -1, 1, 1)

    def plain(self, pixels: Tensor) -> Tensor:
        """For judging."""
        return (pixels.to(torch.float32) - self._mean) * self._scale

    def augmented(self, pixels: Tensor, draw: Generator) -> Tensor:
        """For training."""
        part = self.part
        if part.crop or part.flip:
            pixels = crop_and_flip(pixels, part.crop, part.flip, draw)
        if part.autoaugment:
            pixels = autoaugment(pixels.to(torch.float32) / 255, draw) * 255
        images = self.plain(pixels)
        return cutout(images, part.cutout, draw) if part.cutout else images
