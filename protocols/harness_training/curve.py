"""What a training leaves behind: its learning curve, as plain values."""

from __future__ import annotations

import math

import msgspec


class Judged(msgspec.Struct, frozen=True):
    """The score on the images that judge, after so many epochs: top-1 accuracy in percent, or a contrastive loss."""

    epochs: int
    score: float


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """loss: mean training loss of each epoch. judged: after the epochs that the recipe says, the last one always.

    diverged: the epoch in which the loss was no finite number any more, counted from 1, and the last one then; None
    where none was. epochs: what was to be trained.
    """

    epochs: int
    loss: tuple[float, ...] = ()
    judged: tuple[Judged, ...] = ()
    diverged: int | None = None

    @property
    def finished(self) -> bool:
        return self.diverged is not None or len(self.loss) == self.epochs

    @property
    def score(self) -> float:
        """On the images that judge, after the last epoch; NaN where the training diverged or is not finished."""
        if self.diverged is not None or not self.judged or self.judged[-1].epochs != self.epochs:
            return math.nan
        return self.judged[-1].score
