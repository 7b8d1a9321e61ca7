"""What DARTS and GDAS share: alphas, one for each option of each choice, by gradient in turn with shared weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np
import numpy.typing as npt

from harness import Architecture, BudgetExhausted, Params, said
from harness_oneshot.sharing import limit_of, loss_of, training_of

if TYPE_CHECKING:
    from torch import Tensor

    from harness import Oracle

_FIRST = 1e-3
"""Standard deviation of the alphas at first, as in the released codes."""


class AlphaParams(Params):
    lr: Annotated[float, said("learning rate of the alphas, by Adam (paper: 3e-4)", gt=0.0)] = 3e-4
    beta: Annotated[float, said("Adam's first beta (paper: .5)", ge=0.0, lt=1.0)] = 0.5
    weight_decay: Annotated[float, said("of the alphas (paper: 1e-3)", ge=0.0)] = 1e-3


Routes = Callable[[Sequence["Tensor"], float], list["Tensor"]]
"""Of alphas, float32 [options] each, and the share of the budget that is spent: for each choice the weights of its
options, through which gradients reach the alphas."""


def by_gradient(
    oracle: Oracle, rng: np.random.Generator, params: AlphaParams, routes: Routes
) -> tuple[Architecture, dict[str, object]]:
    """Until the budget ends, a step of the alphas on a validation batch, then one of the weights on a training batch:
    what the alphas then stand for, and notes: how many steps there were, and the alphas.
    """
    import torch

    weights, first, order, held = rng.spawn(4)
    training = training_of(oracle)
    supernet = training.supernet(weights)
    device = next(iter(supernet.parameters())).device
    alphas = [
        torch.tensor(_FIRST * first.standard_normal(radix), dtype=torch.float32, device=device, requires_grad=True)
        for radix in training.space.radices
    ]
    adam = torch.optim.Adam(alphas, params.lr, betas=(params.beta, 0.999), weight_decay=params.weight_decay)
    descent = training.descent(supernet)
    supernet.train()
    kept: Sequence[tuple[Sequence[int], int]] = getattr(supernet, "kept", ())
    limit, steps = limit_of(oracle), 0
    batches = zip(training.endless("validation", held), training.endless("training", order), strict=False)
    try:
        for validation, train in batches:
            adam.zero_grad()
            loss = loss_of(training, supernet, validation, routes(alphas, oracle.paid.epochs / limit))
            training.backward(loss, alphas)
            adam.step()
            done = oracle.paid.epochs / limit
            path = [route.detach() for route in routes(alphas, done)]
            descent.step(loss_of(training, supernet, train, path), done)
            steps += 1
    except BudgetExhausted:
        pass
    strengths = [a.detach().cpu().numpy().astype(np.float64) for a in alphas]
    notes = {"steps": steps, "alphas": [[round(float(x), 4) for x in a] for a in strengths]}
    return strongest(strengths, supernet.options, kept), notes


def strongest(
    alphas: Sequence[npt.NDArray[np.float64]],
    options: Sequence[Sequence[bool]],
    kept: Sequence[tuple[Sequence[int], int]] = (),
) -> Architecture:
    """Of each choice the option with the largest alpha, of those that carry anything where there is one.

    Of each group of ``kept`` only so many choices keep theirs, those where it is most probable (Liu et al. 2019,
    Section 2.4); the others take the option that carries nothing, where there is one.
    """
    from scipy.special import softmax

    found, probable = [], []
    for alpha, carries in zip(alphas, options, strict=True):
        counts = np.array(carries) if any(carries) else np.ones(len(alpha), dtype=np.bool_)
        found.append(int(np.where(counts, alpha, -np.inf).argmax()))
        probable.append(float(softmax(alpha)[found[-1]]))
    for group, most in kept:
        for choice in sorted(group, key=lambda c: -probable[c])[most:]:
            if False in options[choice]:
                found[choice] = list(options[choice]).index(False)
    return tuple(found)
