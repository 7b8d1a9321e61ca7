"""A recipe: everything that a protocol file says of a training, checked."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import msgspec

from harness.records.identity import digest

Count = Annotated[int, msgspec.Meta(ge=1)]
Whole = Annotated[int, msgspec.Meta(ge=0)]
Rate = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=1e30)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e30)]


class DataPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[data]``. train, validation: images to train on and to be judged by in a search (None: the data set's own
    rule, and all that is left). seed: of the split."""

    train: Count | None = None
    validation: Count | None = None
    seed: Whole = 0


class TrainPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[train]``: SGD with a cosine from ``lr`` to 0 over all epochs, cross-entropy, gradients clipped to ``clip``.

    fidelities: cheaper trainings, in epochs, each with a schedule of its own. cosine: ``step`` lowers the rate with
    every batch, ``epoch`` with every epoch. clip: largest norm of the gradient; 0 for none. auxiliary: weight of the
    auxiliary head's loss. drop_path: rate that the drop path grows towards, linearly with the epochs. judge: ``last``
    judges the network after the last epoch, ``each`` after every one too, for its learning curve. precision: of what
    autocast lowers. channels_last: the layout of maps, on a GPU alone.
    """

    epochs: Count
    batch: Annotated[int, msgspec.Meta(ge=2)]
    lr: Positive
    momentum: Rate
    weight_decay: Amount
    nesterov: bool = False
    cosine: Literal["step", "epoch"] = "step"
    clip: Amount = 0.0
    auxiliary: Amount = 0.0
    drop_path: Rate = 0.0
    fidelities: tuple[Count, ...] = ()
    judge: Literal["last", "each"] = "last"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = False

    def rate(self, done: float) -> float:
        """The learning rate when so much of the training is over."""
        return self.lr * 0.5 * (1 + math.cos(math.pi * done))


class AugmentPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[augment]``. crop: pixels of black around an image that is then cut at random. flip: left and right, half of
    the images. autoaugment: the policy of Cubuk et al. (2019) for CIFAR-10. cutout: side of the square that is hidden.
    """

    crop: Whole = 0
    flip: bool = False
    autoaugment: bool = False
    cutout: Whole = 0


class ContrastivePart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[contrastive]``: train without labels, by CSNAS's objective (`harness_training.contrastive`), in place of
    cross-entropy; the score is the loss on the images that judge.

    views: of each image, itself and others augmented by ``[augment]``. vertical: others are flipped upside down half of
    the time. grey: share of the others that lose their colour. dimensions: of a feature. weight, temperature: of Eqs. 1
    to 3. momentum: of the memory bank. denominator: of a negative, ``own`` as Eq. 1 is written, or ``common``.
    """

    views: Annotated[int, msgspec.Meta(ge=2)]
    vertical: bool = False
    grey: Rate = 0.0
    dimensions: Count = 128
    weight: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    temperature: Positive = 0.07
    momentum: Rate = 0.5
    denominator: Literal["own", "common"] = "own"


class SupernetPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[supernet]``: a search asks one network that all architectures share, trained on one path, drawn uniformly, a
    batch. epochs: of that training, which is otherwise as ``[train]`` says."""

    epochs: Count


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole protocol file. network: settings of the networks, by space."""

    summary: str = ""
    source: str = ""
    train: TrainPart
    data: DataPart = DataPart()
    augment: AugmentPart = AugmentPart()
    contrastive: ContrastivePart | None = None
    supernet: SupernetPart | None = None
    network: dict[str, dict[str, Any]]

    def digest(self, space: str) -> str:
        """Of all that decides a training on ``space``: not of the words, nor of other spaces' networks, nor of which
        fidelities are offered, nor of the split, which the data's digest holds, nor of a supernet."""
        train = {k: v for k, v in msgspec.to_builtins(self.train).items() if k not in ("fidelities", "epochs")}
        pretext = [] if self.contrastive is None else [msgspec.to_builtins(self.contrastive)]
        return digest(train, msgspec.to_builtins(self.augment), self.network[space], *pretext)


PARTS: dict[str, type[msgspec.Struct]] = {
    "": Recipe,
    "train": TrainPart,
    "data": DataPart,
    "augment": AugmentPart,
    "contrastive": ContrastivePart,
    "supernet": SupernetPart,
}
"""Each table of a protocol file."""
