"""Training without labels, as CSNAS searches: the contrastive objective with a memory bank and views of each image.

Nguyen and Chang, "CSNAS" (2021), section III-B. The network's dense layer is the projection g: it gives a feature in
place of logits. Labels are never read.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn

from harness_training.contrastive import MemoryBank, contrastive_loss
from harness_training.objective import Objective, autocast, laid_out
from harness_training.randomness import derived_seed
from harness_training.recipe import ContrastivePart

_BANK_BATCH = 512


class Pretext(Objective):
    """z = g(f(view)) of M views of each image, the first of which is the image itself; z_t = l(all M together).

    The bank begins with the features of the network as it was initialised, and moves towards those of the images
    themselves after every step. Judged by the same loss on the held images: they are in no bank, so an image's own
    feature stands for its entry, and there are as many negatives as in a batch of the training.
    """

    def __init__(self, pretext: ContrastivePart, seed: int, network: nn.Module, *others: Any) -> None:
        """seed: of the training, for the views that judge. others: as of `Objective`."""
        super().__init__(network, *others)
        self.pretext, self.seed = pretext, seed
        self.together = nn.Linear(pretext.views * pretext.dimensions, pretext.dimensions)
        self.bank = MemoryBank(self._untrained())
        self._last: tuple[Tensor, Tensor] | None = None

    def loss(self, rows: Tensor, draw: Generator) -> Tensor:
        features = self._features(self.images.pixels[rows], draw)
        self._last = rows, features[0]
        return self._loss(self.bank[rows], features)

    def stepped(self) -> None:
        assert self._last is not None
        self.bank.update(*self._last, self.pretext.momentum)

    def judge(self) -> float:
        self.eval()
        draw = Generator().manual_seed(derived_seed(self.seed, "judge"))
        order = torch.randperm(len(self.held), generator=draw).to(self.held.pixels.device)
        size = min(self.part.batch, len(order))
        losses = []
        with torch.inference_mode():
            for rows in torch.split(order[: len(order) // size * size], size):
                features = self._features(self.held.pixels[rows], draw)
                losses.append(self._loss(features[0], features))
        loss = float(torch.stack(losses).mean())
        return loss if math.isfinite(loss) else math.nan

    def _features(self, pixels: Tensor, draw: Generator) -> Tensor:
        """z, [views, n, d], of images uint8 [n, channels, side, side]."""
        others = range(self.pretext.views - 1)
        views = [self.pipeline.plain(pixels)]
        views += [self.pipeline.augmented(varied(pixels, self.pretext, draw), draw) for _ in others]
        with autocast(self.part, pixels.device):
            found: Tensor = self.network(laid_out(torch.cat(views), self.part))
        return found.float().reshape(len(views), len(pixels), -1)

    def _loss(self, entries: Tensor, features: Tensor) -> Tensor:
        together = self.together(features.transpose(0, 1).flatten(1))
        return contrastive_loss(entries, together, features, self.pretext)

    @torch.no_grad()
    def _untrained(self) -> Tensor:
        """Features of the training images, [images, d]."""
        self.network.eval()
        found = []
        for pixels in torch.split(self.images.pixels, _BANK_BATCH):
            with autocast(self.part, pixels.device):
                found.append(self.network(laid_out(self.pipeline.plain(pixels), self.part)).float())
        return torch.cat(found)


def varied(pixels: Tensor, pretext: ContrastivePart, draw: Generator) -> Tensor:
    """Images uint8 [n, channels, side, side], some upside down and some without colour."""
    n, channels = pixels.shape[:2]
    if pretext.vertical:
        down = (torch.rand(n, 1, 1, 1, generator=draw) < 0.5).to(pixels.device)
        pixels = torch.where(down, pixels.flip(2), pixels)
    if pretext.grey and channels > 1:
        grey = (torch.rand(n, 1, 1, 1, generator=draw) < pretext.grey).to(pixels.device)
        mean = pixels.float().mean(1, keepdim=True).round().to(pixels.dtype)
        pixels = torch.where(grey, mean, pixels)
    return pixels
