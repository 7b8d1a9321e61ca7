"""Augmentation: windows, flips, hidden squares, and a sub-policy of its own for each image."""

from __future__ import annotations

import pytest
import torch
from torch import Generator
from torch.nn import functional

from harness_training.augment import Pipeline, autoaugment, crop_and_flip, cutout
from harness_training.recipe import AugmentPart


def draw(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize(("crop", "flip"), [(0, True), (2, False), (2, True)])
def test_every_crop_is_a_window_of_the_padded_image(crop: int, flip: bool) -> None:
    pixels = torch.arange(1, 1 + 300 * 2 * 36, dtype=torch.int32).view(300, 2, 6, 6)
    found = crop_and_flip(pixels, crop, flip, draw())
    assert found.shape == pixels.shape
    padded = functional.pad(pixels, (crop,) * 4)
    seen = set()
    for image, whole in zip(found, padded, strict=True):
        matches = [
            (y, x, turned)
            for y in range(2 * crop + 1)
            for x in range(2 * crop + 1)
            for turned in ((False, True) if flip else (False,))
            if torch.equal(
                image, w := whole[:, y : y + 6, x : x + 6].flip(-1) if turned else whole[:, y : y + 6, x : x + 6]
            )
            and w.any()
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) == (2 * crop + 1) ** 2 * (2 if flip else 1)


def test_cutout_hides_a_square_whose_centre_is_uniform_and_whose_rest_is_cut_off() -> None:
    """On 8 pixels a square of 4 has 4, 3 or 2 visible rows: all centres alike give 5/8, 2/8 and 1/8."""
    n = 20_000
    found = cutout(torch.ones(n, 1, 8, 8), 4, draw())
    rows = (found == 0).any(3).sum(2)[:, 0]
    shares = torch.bincount(rows, minlength=5) / n
    error = 4 * 0.5 / n**0.5
    assert shares.tolist() == pytest.approx([0, 0, 1 / 8, 2 / 8, 5 / 8], abs=error)
    columns = (found == 0).any(2).sum(2)[:, 0]
    assert torch.equal((found == 0).sum((1, 2, 3)), rows * columns)


def test_autoaugment_draws_a_sub_policy_for_each_image() -> None:
    """64 copies of one image come out in many ways, which one sub-policy of two operations could not give."""
    image = torch.rand(1, 3, 16, 16, generator=draw())
    torch.manual_seed(0)
    found = autoaugment(image.expand(64, -1, -1, -1), draw())
    assert found.shape == (64, 3, 16, 16)
    assert bool(found.isfinite().all())
    assert len({bytes(x.numpy().tobytes()) for x in found}) > 25
    torch.manual_seed(0)
    assert torch.equal(found, autoaugment(image.expand(64, -1, -1, -1), draw()))
    torch.manual_seed(1)
    assert not torch.equal(found, autoaugment(image.expand(64, -1, -1, -1), draw(1)))


def test_grey_images_stay_grey() -> None:
    torch.manual_seed(0)
    assert autoaugment(torch.rand(8, 1, 8, 8), draw()).shape == (8, 1, 8, 8)


def test_normalised_by_channel_and_hidden_pixels_are_the_mean() -> None:
    pixels = torch.randint(0, 256, (50, 3, 8, 8), dtype=torch.uint8, generator=draw())
    pixels[:, 1] //= 4
    pipeline = Pipeline(AugmentPart(cutout=4), pixels)
    plain = pipeline.plain(pixels)
    assert plain.mean((0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-5)
    assert plain.std((0, 2, 3), correction=0).tolist() == pytest.approx([1, 1, 1], abs=1e-5)
    shown = pipeline.augmented(pixels, draw())
    changed = shown != plain
    assert bool((shown[changed] == 0).all())
    assert bool(changed.any())
    constant = Pipeline(AugmentPart(), torch.full((4, 1, 8, 8), 9, dtype=torch.uint8))
    assert float(constant.plain(torch.full((1, 1, 8, 8), 9, dtype=torch.uint8)).abs().max()) == 0
