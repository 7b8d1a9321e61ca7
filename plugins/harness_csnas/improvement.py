"""What CSNAS's search maximises: the expected improvement of Nguyen and Chang (2021), Eqs. 4 to 6.

The paper's objective y is a loss, y* the quantile of all y seen so far with p(y < y*) = gamma. Then

    EI(theta) = integral over y < y* of (y* - y) p(y | theta) dy                     (4)
    p(theta | y) = l(theta) where y < y*, g(theta) elsewhere                         (5)
    EI(theta) is proportional to 1 / (gamma + (1 - gamma) g(theta) / l(theta))       (6)

theta is a vector of independent categorical variables: l and g are products over them, and the best theta has the
largest l_i / g_i in every variable i. A proposal is the best of many candidates drawn from l; with the paper's 20,000
every option is among them. The densities are those of Optuna's TPESampler.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_RECENT = 25
"""So many last observations have full weight; that of older ones falls linearly (Bergstra et al. 2013)."""


def split(scores: npt.ArrayLike, good: int) -> npt.NDArray[np.bool_]:
    """Eq. 5: which of the scores are on the good side of y*, bool [n]: the ``good`` best ones, of equal ones the first.
    Here higher is better."""
    chosen = np.zeros(len(np.asarray(scores)), dtype=np.bool_)
    chosen[np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")[:good]] = True
    return chosen


def density(options: npt.NDArray[np.int64], width: int) -> Floats:
    """l or g of one variable, float64 [width], from the options observed, int64 [n], oldest first.

    A mixture of a uniform prior and of n kernels, each an observed option smoothed by a share 1 / (n + 1) of weight for
    every option, as Optuna has it.
    """
    n = len(options)
    kernels = np.full((n + 1, width), 1.0 / (n + 1))
    kernels[np.arange(n), options] += 1.0
    kernels /= kernels.sum(axis=1, keepdims=True)
    weights = np.ones(n + 1)
    weights[: max(n - _RECENT, 0)] = np.linspace(1.0 / max(n, 1), 1.0, num=max(n - _RECENT, 0))
    found: Floats = weights @ kernels / weights.sum()
    return found


def expected_improvement(good: Floats, bad: Floats, share: float) -> Floats:
    """Eq. 6, up to its constant; good, bad: l and g of the same options; share: gamma."""
    return 1.0 / (share + (1.0 - share) * bad / good)
