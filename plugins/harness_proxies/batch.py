"""The one batch that a proxy looks at: noise, or handwritten digits."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from harness import ImageShape, StudyError

_DIGITS = 10


def draw(
    images: Literal["noise", "digits"], shape: ImageShape, n: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """n images float32 [n, channels, side, side] and labels int64 [n].

    Raises StudyError where digits are wanted of other than ten classes, more than there are, or without scikit-learn.
    """
    if images == "digits":
        return _digits(shape, n, rng)
    pixels = rng.standard_normal((n, shape.channels, shape.side, shape.side), dtype=np.float32)
    return torch.from_numpy(pixels), torch.from_numpy(rng.integers(shape.classes, size=n))


def _digits(shape: ImageShape, n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """scikit-learn's digits, resized bilinearly, standardised, the same in each channel."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise StudyError("images = 'digits' needs scikit-learn: pip install 'nas-harness[torch]'") from error
    if shape.classes != _DIGITS:
        raise StudyError(f"images = 'digits' have {_DIGITS} classes, not {shape.classes}; set classes or images")
    found = load_digits()
    if n > len(found.images):
        raise StudyError(f"there are {len(found.images)} digits, fewer than a batch of {n}")
    chosen = rng.choice(len(found.images), n, replace=False)
    pixels = torch.from_numpy(found.images[chosen].astype(np.float32))[:, None]
    pixels = interpolate(pixels, (shape.side, shape.side), mode="bilinear", align_corners=False)
    pixels = (pixels - pixels.mean()) / pixels.std()
    return pixels.repeat(1, shape.channels, 1, 1), torch.from_numpy(found.target[chosen].astype(np.int64))
