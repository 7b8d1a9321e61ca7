"""Dong and Yang, "Searching for A Robust Neural Architecture in Four GPU Hours" (CVPR 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from harness import Architecture, Strategy, said
from harness_oneshot.gradient import AlphaParams, by_gradient

if TYPE_CHECKING:
    from torch import Tensor

    from harness import Oracle


class GdasParams(AlphaParams):
    hottest: Annotated[float, said("temperature of the softmax at first (released code: 10)", ge=1e-3)] = 10.0
    coldest: Annotated[float, said("temperature at the end, fallen linearly (released code: .1)", ge=1e-3)] = 0.1


class GumbelSearch(Strategy[GdasParams]):
    """GDAS: DARTS on one drawn path a batch, gradients through a Gumbel softmax (Dong and Yang 2019).

    Section 3.2: each choice takes the option that is largest after Gumbel noise is added to its log-probabilities,
    so that a pass evaluates one path; gradients are those of the softmax of the same sums over a temperature that falls
    linearly. Each batch draws a path of its own. Each choice becomes its strongest option that carries anything,
    so never ``none``; inputs of a node stay as in ``darts``.

    Deviations: those of ``darts``, whose loop this is: the alphas' step comes before the weights'. The released code
    also adds, for options that were not drawn, a term whose value is 0 and whose gradient is not; here they are not
    evaluated at all, and where ``none`` is drawn, that choice's alphas stay as they are. The released code may answer
    with ``none`` on NAS-Bench-201. There is no fixed reduction cell.
    """

    name: ClassVar[str] = "gdas"
    paper: ClassVar[str] = "Dong and Yang, Searching for A Robust Neural Architecture in Four GPU Hours (CVPR 2019)"
    needs: ClassVar[frozenset[str]] = frozenset({"training"})

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        """The one architecture that the alphas stand for when the budget has ended."""
        p, (noise,) = self.params, rng.spawn(1)

        def drawn(alphas: Sequence[Tensor], done: float) -> list[Tensor]:
            temperature = p.hottest + (p.coldest - p.hottest) * min(done, 1.0)
            return [one_drawn(a, temperature, noise) for a in alphas]

        found, notes = by_gradient(oracle, rng, p, drawn)
        self.notes |= notes
        return [found]


def one_drawn(alphas: Tensor, temperature: float, rng: np.random.Generator) -> Tensor:
    """Float32 [options]: 1 for the option that is drawn and 0 for the others, with the softmax's gradients."""
    import torch

    gumbel = torch.tensor(rng.gumbel(size=len(alphas)), dtype=alphas.dtype, device=alphas.device)
    soft = ((alphas.log_softmax(0) + gumbel) / temperature).softmax(0)
    hard = torch.zeros_like(soft)
    hard[soft.argmax()] = 1.0
    return hard - soft.detach() + soft
