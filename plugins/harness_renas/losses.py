"""ReNAS's losses: pairwise ranking (Eq. 3) and the continuity of the feature space (Eq. 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

Phi = Literal["hinge", "logistic", "exponential"]


def phi(kind: Phi, margin: float = 1.0) -> Callable[[Tensor], Tensor]:
    """phi(z): max(0, a - z), log(1 + e^-z) or e^-z. The hinge's a is ``margin``; the paper does not give it."""
    if kind == "hinge":
        return lambda z: torch.relu(margin - z)
    if kind == "logistic":
        return lambda z: softplus(-z)
    return lambda z: torch.exp(-z)


def ranking(e: Tensor, y: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
    """L1 = sum over i < j of phi((e_i - e_j) * sign(y_i - y_j)) (Eq. 3), as the mean over pairs with y_i != y_j.

    e: predictions [n]. y: labels [n]. Pairs of equal labels have no gradient in the paper's sum either.
    """
    order = torch.sign(y[:, None] - y[None, :])
    z = (e[:, None] - e[None, :])[order > 0]
    return of(z).mean() if len(z) else e.sum() * 0.0


def distances(eta: Tensor) -> Tensor:
    """Euclidean distances between the rows of ``eta`` [n, d]: [n, n]; no gradient where two rows are equal."""
    square = eta.square().sum(dim=1)
    return (square[:, None] + square[None, :] - 2.0 * eta @ eta.T).clamp_min(1e-12).sqrt()


def continuity(eta: Tensor, y: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
    """L2 = sum over i < j < k of phi((d_ij - d_ik) * sign(l_ij - l_ik)) (Eq. 4), as the mean over triplets.

    d: distances of the features eta [n, d] before the last layer; l_ij = |y_i - y_j|. Computed for one anchor i at a
    time, as an outer difference.
    """
    n = len(y)
    d, gap = distances(eta), (y[:, None] - y[None, :]).abs()
    total = eta.sum() * 0.0
    for i in range(n - 2):
        j, k = torch.triu_indices(n - i - 1, n - i - 1, offset=1) + i + 1
        total = total + of((d[i, j] - d[i, k]) * torch.sign(gap[i, j] - gap[i, k])).sum()
    return total / max(n * (n - 1) * (n - 2) // 6, 1)


def sampled_continuity(
    eta: Tensor, y: Tensor, of: Callable[[Tensor], Tensor], triplets: int, generator: torch.Generator
) -> Tensor:
    """`continuity` over ``triplets`` triplets i < j < k drawn uniformly with replacement: the same in expectation."""
    n = len(y)
    if n < 3:
        return eta.sum() * 0.0
    # three distinct places, uniformly: each later draw skips those before it
    a = torch.randint(n, (triplets,), generator=generator)
    b = torch.randint(n - 1, (triplets,), generator=generator)
    c = torch.randint(n - 2, (triplets,), generator=generator)
    b = b + (b >= a)
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    c = c + (c >= low)
    c = c + (c >= high)
    i, k = torch.minimum(low, c), torch.maximum(high, c)
    j = a + b + c - i - k
    d = distances(eta).reshape(-1)
    near = (y[i] - y[j]).abs() - (y[i] - y[k]).abs()
    return of((d[i * n + j] - d[i * n + k]) * torch.sign(near)).mean()
