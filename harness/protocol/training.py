"""What a strategy trains networks with that share weights, under the budget of its search: the contract.

A live task's validator offers it, the oracle hands it on. Each pass of a network over images is paid for in epochs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from harness.spaces import Architecture, ImageShape, SearchSpace, Supernet

if TYPE_CHECKING:
    from torch import Tensor, nn

Split = Literal["training", "validation"]
GRADIENT_FREE = Fraction(1, 3)
"""What a pass without gradients costs of one with them: a backward pass is held to cost two forward ones."""


class Charge(Protocol):
    """Pays beforehand. Raises BudgetExhausted once the search has ended."""

    def __call__(self, *, epochs: float | Fraction) -> None: ...


class Batch(Protocol):
    """Images of one split, which `Training.forward` alone shows to a network. labels: int64 [n]."""

    @property
    def split(self) -> Split: ...
    @property
    def labels(self) -> Tensor: ...
    def __len__(self) -> int: ...


class Descent(Protocol):
    """The task's own optimiser on the weights of one network."""

    def step(self, loss: Tensor, done: float) -> None:
        """One step down the gradient of ``loss``. done: share of the training that is over, for the learning rate.

        As deterministic as `Training.backward`. Raises HarnessError where the loss is no finite number.
        """


class Training(ABC):
    """Networks, batches and passes of one search. It has the training and the validation images, and no others.

    sizes: images of each split. batch: images in a batch of the task's own trainings. epochs: what a query of full
    fidelity costs. A pass with gradients over b images costs b / sizes["training"] epochs for each path that the
    network evaluates, whatever split they are of; one without gradients a third of that.
    """

    space: SearchSpace
    images: ImageShape
    sizes: Mapping[Split, int]
    batch: int
    epochs: int

    @abstractmethod
    def build(self, arch: Architecture, rng: np.random.Generator) -> nn.Module:
        """The stand-alone network of ``arch``, as a query would train it, initialised from ``rng``."""

    @abstractmethod
    def supernet(self, rng: np.random.Generator) -> Supernet:
        """Weights for every option of every choice. Raises StudyError where the space's networks offer none."""

    @abstractmethod
    def batches(self, split: Split, rng: np.random.Generator, *, size: int | None = None) -> Iterator[Batch]:
        """One pass over a split in random order, in batches of ``size`` (default: `batch`, at most the split).

        Training images are augmented as the task does it. A last batch of one image is left out, since batch norm has
        no variance of it. Raises BudgetExhausted before each batch once the search has ended.
        """

    def endless(self, split: Split, rng: np.random.Generator) -> Iterator[Batch]:
        """Batches of one pass after another, until the search ends."""
        while True:
            yield from self.batches(split, rng)

    @abstractmethod
    def forward(
        self, network: nn.Module | Supernet, batch: Batch, path: Architecture | Sequence[Tensor] | None = None
    ) -> Tensor:
        """Logits, float32 [n, classes]. path: of a `Supernet`, an architecture or the weights of each choice's options.

        Charged before it is carried out; the pass that crosses the limit is the last, and every later one raises
        BudgetExhausted. With gradients where torch's are on. A network that has ``paths`` says by it how many paths the
        pass evaluates, as a `Supernet` does; any other evaluates one.
        """

    @abstractmethod
    def backward(self, loss: Tensor, inputs: Sequence[Tensor]) -> None:
        """Add the gradients of ``loss`` to ``inputs``, by the deterministic algorithms that `forward` uses.

        For whatever a search trains beside weights, which have `descent`.
        """

    @abstractmethod
    def accuracy(
        self,
        network: Supernet,
        path: Architecture,
        rng: np.random.Generator,
        *,
        statistics: int | None = None,
        size: int | None = None,
    ) -> float:
        """Of a path on the validation images, in %, after batch norm's statistics were computed for it.

        NaN where a logit is no finite number. statistics: on so many training batches; None: on one pass over the
        training images. size: images in a batch of validation. Each of these passes is charged, without gradients. The
        network is left as found, with its mode and the statistics of before.
        """

    @abstractmethod
    def descent(self, network: nn.Module | Supernet) -> Descent:
        """The optimiser of the task's own trainings: its momentum, weight decay, clipping and learning rates."""
