"""CSNAS's contrastive objective: answers worked out from the equations."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn.functional import normalize

from harness_training.contrastive import (
    MemoryBank,
    contrastive_loss,
    in_batch_cosines,
    noise_contrastive,
)
from harness_training.recipe import ContrastivePart

NEGATIVES = 298
"""Two views of each of the 149 other images of a batch of 150."""
BOTH = ("own", "common")


def part(**given: Any) -> ContrastivePart:
    return ContrastivePart(views=2, **given)


def cosines(positive: float, *negatives: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([positive], dtype=torch.float64), torch.tensor([negatives], dtype=torch.float64)


@pytest.mark.parametrize("denominator", BOTH)
@pytest.mark.parametrize("cosine", [-1.0, 0.0, 0.3, 1.0])
def test_equal_similarities(cosine: float, denominator: str) -> None:
    """log 299 + 298 log(299 / 298), whatever the similarity is."""
    found = noise_contrastive(*cosines(cosine, *[cosine] * NEGATIVES), part(denominator=denominator))
    assert found.item() == pytest.approx(6.69877, abs=5e-6)
    assert found.item() == pytest.approx(math.log(299) + 298 * math.log(299 / 298), rel=1e-9)


@pytest.mark.parametrize(("denominator", "want"), [("own", 20.69), ("common", 30.02)])
def test_one_negative_that_is_closer_than_the_positive(denominator: str, want: float) -> None:
    """1.4 / .07 = 20 of the positive, and of the close negative log 2, or that its rivals have 297 exp(-1.1 / .07)."""
    found = noise_contrastive(*cosines(-0.5, 0.9, *[-0.2] * 297), part(denominator=denominator))
    assert found.item() == pytest.approx(want, abs=5e-3)


@pytest.mark.parametrize("denominator", BOTH)
def test_extreme_similarities_stay_finite(denominator: str) -> None:
    positive, negatives = cosines(-1.0, 1.0)
    positive.requires_grad_()
    loss = noise_contrastive(positive, negatives, part(temperature=1e-3, denominator=denominator))
    loss.sum().backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite().all()
    assert positive.grad is not None
    assert positive.grad.isfinite().all()


def test_negatives_are_the_views_of_the_other_images() -> None:
    entries = torch.eye(3)
    views = torch.stack([torch.eye(3) * 5, torch.eye(3)[[1, 2, 0]]])
    own, negatives = in_batch_cosines(entries, views)
    assert own.tolist() == [[1, 1, 1], [0, 0, 0]]
    assert negatives.shape == (3, 2 * 2)
    assert negatives.sum(1).tolist() == [1, 1, 1]  # each entry meets its own direction once, in another's second view
    assert in_batch_cosines(torch.randn(150, 8), torch.randn(2, 150, 8))[1].shape == (150, NEGATIVES)


def test_the_loss_weighs_all_views_together_against_each() -> None:
    """By Eq. 3, written out for each image and view."""
    torch.manual_seed(0)
    entries, together, views = torch.randn(4, 5), torch.randn(4, 5), torch.randn(2, 4, 5)
    r, zt, z = normalize(entries, dim=1), normalize(together, dim=1), normalize(views, dim=2)
    total = 0.0
    for i in range(4):
        negatives = torch.stack([r[i] @ z[m, j] for m in range(2) for j in range(4) if j != i])[None]
        first = noise_contrastive((r[i] @ zt[i])[None], negatives, part())
        second = sum(noise_contrastive((r[i] @ z[m, i])[None], negatives, part()) for m in range(2)) / 2
        total += float(0.3 * first + 0.7 * second) / 4
    assert contrastive_loss(entries, together, views, part(weight=0.3)).item() == pytest.approx(total, rel=1e-5)


def test_the_bank_moves_half_way_and_keeps_length_one() -> None:
    bank = MemoryBank(torch.tensor([[3.0, 0.0], [0.0, 2.0]]))
    assert bank[torch.tensor([0, 1])].tolist() == [[1, 0], [0, 1]]
    bank.update(torch.tensor([0]), torch.tensor([[0.0, 7.0]]), 0.5)
    torch.testing.assert_close(bank[torch.tensor([0])], torch.tensor([[1.0, 1.0]]) / math.sqrt(2))
    assert bank[torch.tensor([1])].tolist() == [[0, 1]]
    bank.update(torch.tensor([0]), torch.tensor([[0.0, 1.0]]), 0.5)
    half = torch.tensor([[0.5**0.5, 0.5**0.5 + 1.0]])
    torch.testing.assert_close(bank[torch.tensor([0])], half / half.norm())
