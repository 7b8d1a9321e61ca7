"""The contract by which a plugin adds the networks of a space, so that its architectures can be trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Protocol

import msgspec

from harness.spaces.base import SearchSpace
from harness.spaces.script import Architecture

if TYPE_CHECKING:
    from torch import Tensor, nn

Trick = Literal["auxiliary", "drop_path"]


class ImageShape(NamedTuple):
    """What a network classifies: square images, ``side`` pixels wide, into ``classes`` classes."""

    channels: int
    side: int
    classes: int


class Supernet(Protocol):
    """A network with weights for every option of every choice: a module of torch that is told which to use.

    options: for each choice, for each of its options, whether it carries anything. ``none`` does not. A supernet may
    have ``kept``, a sequence of (choices, n): of these choices DARTS keeps the n strongest (Liu et al. 2019, Section
    2.4: two of a node's inputs), and the others become the option that carries nothing.
    """

    options: tuple[tuple[bool, ...], ...]

    def __call__(self, images: Tensor, path: Architecture | Sequence[Tensor]) -> Tensor:
        """Logits, float32 [n, classes], of an architecture, or of the sum of each choice's options times their weights,
        float32 [options] for each choice. An option of weight 0 is not evaluated."""

    def paths(self, path: Architecture | Sequence[Tensor]) -> Fraction:
        """How many paths such a pass evaluates: 1 for an architecture; for weights the mean over choices of how many
        options that carry something have a weight other than 0, and at least 1."""

    def parameters(self) -> Iterator[nn.Parameter]: ...
    def modules(self) -> Iterator[nn.Module]: ...
    def train(self, mode: bool = True) -> nn.Module: ...
    def eval(self) -> nn.Module: ...


class Networks(ABC):
    """The networks that the architectures of one space stand for, at any size.

    A plugin names a subclass in its hook ``nas_harness_networks``, under the name of the space. So a space works
    without torch, and a training protocol trains the architectures of any space that has networks, whoever wrote it.

    Settings: what a protocol file may say under ``[network.<space>]``, a frozen `msgspec.Struct` that forbids unknown
    fields. Its defaults are the size for which the space's `costs` count. tricks: those that the networks know.
    """

    name: str
    """The space's."""
    Settings: type[msgspec.Struct]
    tricks: ClassVar[frozenset[Trick]] = frozenset()

    def __init__(self, space: SearchSpace, settings: msgspec.Struct) -> None:
        self.space, self.settings = space, settings

    @abstractmethod
    def build(self, arch: Architecture, images: ImageShape, *, auxiliary: bool = False) -> nn.Module:
        """The network of ``arch`` as it is written, weights drawn from torch's global generator, in training mode.

        It maps float32 [n, channels, side, side] to logits [n, classes]; a training without labels asks for features of
        another length in their place. Built with ``auxiliary``, it gives the pair
        (logits, logits of the auxiliary head) while in training mode. One that knows ``drop_path`` has a float
        attribute of that name, the probability that a path is dropped in training mode; the training sets it.
        Raises HarnessError where the network cannot read such images.
        """

    def supernet(self, images: ImageShape) -> Supernet | None:
        """Weights for all architectures at once, in training mode, initialised as `build` does; None (default): there
        is no such network. Every combination of options must be an architecture of the space."""
        return None
