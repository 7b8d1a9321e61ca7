"""What images must be like so that a network's reductions halve them evenly."""

from __future__ import annotations

from harness import HarnessError, ImageShape


def check_halves(images: ImageShape, times: int, network: str) -> None:
    """Raises HarnessError where ``images`` cannot be halved ``times`` times, so that two paths would differ in size."""
    if images.side % 2**times:
        raise HarnessError(
            f"the network of {network} halves its map {times} times, which images {images.side} pixels wide do not "
            f"allow; choose images whose width is a multiple of {2**times}, or a smaller network"
        )
