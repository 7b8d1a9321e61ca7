"""Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search" (ICLR 2019), first order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness import Architecture, Strategy
from harness_oneshot.gradient import AlphaParams, by_gradient

if TYPE_CHECKING:
    from torch import Tensor

    from harness import Oracle


class DifferentiableSearch(Strategy[AlphaParams]):
    """DARTS, first order: alphas by gradient on validation batches, in turn with shared weights (Liu et al. 2019).

    Eq. 2: each choice's options are mixed by the softmax of its alphas. Algorithm 1 with xi = 0 (Section 2.3,
    first-order approximation): a step of the alphas on a validation batch, then one of the weights on a training batch.
    Section 2.4: each choice becomes its strongest option that carries anything, so never ``none``; of a node's inputs
    the two strongest stay, where the space has DARTS's edges (``darts-dense-5``).

    Deviations: the weights' optimiser and batches are those of the task's own trainings; batch norm keeps its scale
    and offset; the search lasts as long as the budget, in place of 50 epochs. On NAS-Bench-201 every edge stays, as its
    paper has it. Constraints are not searched for.
    """

    name: ClassVar[str] = "darts"
    paper: ClassVar[str] = "Liu, Simonyan and Yang, DARTS: Differentiable Architecture Search (ICLR 2019)"
    needs: ClassVar[frozenset[str]] = frozenset({"training"})

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        """The one architecture that the alphas stand for when the budget has ended."""

        def mixture(alphas: Sequence[Tensor], done: float) -> list[Tensor]:
            return [a.softmax(0) for a in alphas]

        found, notes = by_gradient(oracle, rng, self.params, mixture)
        self.notes |= notes
        return [found]
