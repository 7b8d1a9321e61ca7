"""CSNAS's contrastive objective: how well a network tells images apart without labels. Lower is better.

Nguyen and Chang, "CSNAS" (2021), Eqs. 1 to 3, after Misra and van der Maaten, "Self-Supervised Learning of
Pretext-Invariant Representations" (CVPR 2020). With s the cosine and t a temperature,

    h(u, v) = exp(s(u, v) / t) / (exp(s(u, v) / t) + sum over negatives v' of exp(s(u, v') / t))      (1)
    L(u, v) = -log h(u, v) - sum over negatives v' of log(1 - h(u, v'))                               (2)
    loss = w L(r, z_t) + (1 - w) L(r, z)                                                              (3)

r is an image's entry of the memory bank, z_t the feature of its views together, z that of a view.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from harness_training.recipe import ContrastivePart

_LEAST = 1e-7
"""What 1 - h is held above where all negatives share a denominator, so that its logarithm stays finite."""


def noise_contrastive(positive: Tensor, negatives: Tensor, of: ContrastivePart) -> Tensor:
    """Eq. 2 of each anchor, [n], from its cosines with its positive, [n], and with its negatives, [n, k].

    ``own``: h of a negative as Eq. 1 is written, with the negative in the place of the positive, so that it stands in
    its denominator twice and the positive does not. ``common``: one softmax over the positive and all negatives, as
    in noise-contrastive estimation.
    """
    p, q = positive / of.temperature, negatives / of.temperature
    everything = torch.logsumexp(torch.cat([p[:, None], q], 1), 1)
    if of.denominator == "own":
        others = torch.logsumexp(q, 1, keepdim=True)
        rejected = others - torch.logaddexp(q, others)
    else:
        rejected = (1.0 - torch.exp(q - everything[:, None])).clamp(min=_LEAST).log()
    return everything - p - rejected.sum(1)


def in_batch_cosines(entries: Tensor, views: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines of n entries [n, d] with their own views, [m, n], and with those of all other images, [n, m (n - 1)].

    views: [m, n, d], of the same images in the same order. With 150 images and two views 298 negatives.
    """
    cosines = normalize(entries, dim=1) @ normalize(views, dim=2).transpose(1, 2)  # [m, entry, view]
    m, n = cosines.shape[:2]
    own = torch.eye(n, dtype=torch.bool, device=entries.device)
    return cosines.diagonal(dim1=1, dim2=2), cosines[:, ~own].reshape(m, n, n - 1).transpose(0, 1).reshape(n, -1)


def contrastive_loss(entries: Tensor, together: Tensor, views: Tensor, of: ContrastivePart) -> Tensor:
    """Eq. 3, the mean over a batch's n images, negatives from the same batch.

    entries: r, [n, d]. together: z_t, [n, d]. views: z, [m, n, d], over which the second term is a mean.
    """
    own, negatives = in_batch_cosines(entries, views)
    of_all = (normalize(entries, dim=1) * normalize(together, dim=1)).sum(1)

    def loss(positive: Tensor) -> Tensor:
        return noise_contrastive(positive, negatives, of).mean()

    return of.weight * loss(of_all) + (1.0 - of.weight) * torch.stack([loss(one) for one in own]).mean()


class MemoryBank(nn.Module):
    """One feature of length 1 for every image of the training split, moving with the network."""

    entries: Tensor

    def __init__(self, features: Tensor) -> None:
        """features: [images, d], of one pass of the network as it was initialised."""
        super().__init__()
        self.register_buffer("entries", normalize(features.detach(), dim=1))

    def __getitem__(self, images: Tensor) -> Tensor:
        """r of these images, [n, d], without gradient."""
        return self.entries[images]

    def update(self, images: Tensor, features: Tensor, momentum: float) -> None:
        """r <- normalise(momentum r + (1 - momentum) z), z the features [n, d] at length 1."""
        moved = momentum * self.entries[images] + (1.0 - momentum) * normalize(features.detach(), dim=1)
        self.entries[images] = normalize(moved, dim=1)
