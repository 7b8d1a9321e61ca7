"""Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search" (ICLR 2019), first order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
import numpy.typing as npt

from harness import Architecture, BudgetExhausted, Params, Strategy
from harness_oneshot.sharing import limit_of, loss_of, said, training_of

if TYPE_CHECKING:
    from torch import Tensor

    from harness import Oracle

_FIRST = 1e-3
"""Standard deviation of the alphas at first, as in the released code."""


class DartsParams(Params):
    lr: Annotated[float, said("learning rate of the alphas, by Adam (paper: 3e-4)", gt=0.0)] = 3e-4
    beta: Annotated[float, said("Adam's first beta (paper: .5)", ge=0.0, lt=1.0)] = 0.5
    weight_decay: Annotated[float, said("of the alphas (paper: 1e-3)", ge=0.0)] = 1e-3


class DifferentiableSearch(Strategy[DartsParams]):
    """DARTS, first order: alphas by gradient on validation batches, in turn with shared weights (Liu et al. 2019).

    Eq. 2: each choice's options are mixed by the softmax of its alphas. Algorithm 1 with xi = 0 (Section 2.3,
    first-order approximation): a step of the alphas on a validation batch, then one of the weights on a training batch.
    Section 2.4: each choice becomes its strongest option that carries anything, so never ``none``.

    Deviations: the weights' optimiser and batches are those of the task's own trainings; batch norm keeps its scale
    and offset; the search lasts as long as the budget, in place of 50 epochs. On spaces with a choice for each edge,
    such as NAS-Bench-201, every edge stays: the paper's two strongest inputs of a node do not apply. Constraints
    are not searched for.
    """

    name: ClassVar[str] = "darts"
    paper: ClassVar[str] = "Liu, Simonyan and Yang, DARTS: Differentiable Architecture Search (ICLR 2019)"
    needs: ClassVar[frozenset[str]] = frozenset({"training"})

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        """The one architecture that the alphas stand for when the budget has ended."""
        import torch

        weights, first, order, held = rng.spawn(4)
        training = training_of(oracle)
        supernet = training.supernet(weights)
        device = next(iter(supernet.parameters())).device
        alphas = [
            torch.tensor(_FIRST * first.standard_normal(radix), dtype=torch.float32, device=device, requires_grad=True)
            for radix in training.space.radices
        ]
        p = self.params
        adam = torch.optim.Adam(alphas, p.lr, betas=(p.beta, 0.999), weight_decay=p.weight_decay)
        descent = training.descent(supernet)
        supernet.train()
        steps = 0
        batches = zip(training.endless("validation", held), training.endless("training", order), strict=False)
        try:
            for validation, train in batches:
                adam.zero_grad()
                loss = loss_of(training, supernet, validation, _mixture(alphas))
                training.backward(loss, alphas)
                adam.step()
                mixture = [weights.detach() for weights in _mixture(alphas)]
                done = oracle.paid.epochs / limit_of(oracle)
                descent.step(loss_of(training, supernet, train, mixture), done)
                steps += 1
        except BudgetExhausted:
            pass
        strengths = [a.detach().cpu().numpy().astype(np.float64) for a in alphas]
        found = strongest(strengths, supernet.options)
        self.notes |= {"steps": steps, "alphas": [[round(float(x), 4) for x in a] for a in strengths]}
        return [found]


def _mixture(alphas: Sequence[Tensor]) -> list[Tensor]:
    return [a.softmax(0) for a in alphas]


def strongest(alphas: Sequence[npt.NDArray[np.float64]], options: Sequence[Sequence[bool]]) -> Architecture:
    """Of each choice the option with the largest alpha, of those that carry anything where there is one."""
    found = []
    for alpha, carries in zip(alphas, options, strict=True):
        counts = np.array(carries) if any(carries) else np.ones(len(alpha), dtype=np.bool_)
        found.append(int(np.where(counts, alpha, -np.inf).argmax()))
    return tuple(found)
