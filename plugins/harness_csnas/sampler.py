"""The samplers of an Optuna study: CSNAS's, by Eq. 6, and Optuna's own TPE."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from harness_csnas.improvement import density, expected_improvement, split

GammaRule = Literal["linear", "sqrt", "released"]


def gamma(rule: GammaRule, share: float) -> Callable[[int], int]:
    """How many of n trials count as good.

    linear: ``share`` of the trials, one reading of CSNAS's "20 % of best-sampled points". sqrt: hyperopt's rule
    ``min(ceil(share * sqrt(n)), 25)`` with the same number. released: this rule with hyperopt's default .25, as in the
    released code, which never passes its own settings on.
    """
    if rule == "linear":
        return lambda n: max(1, math.ceil(share * n))
    share = 0.25 if rule == "released" else share
    return lambda n: max(1, min(math.ceil(share * math.sqrt(n)), 25))


class ExpectedImprovement(optuna.samplers.BaseSampler):
    """CSNAS's proposals: each categorical variable by itself, uniform at first, then by Eqs. 5 and 6.

    Of ``candidates`` options drawn from l the one with the largest expected improvement is proposed, of equal ones the
    first drawn. Optuna's TPESampler does the same with these settings, which it deprecates. Its time grows with the
    number of candidates times that of trials, since it computes the densities of each candidate anew.
    """

    def __init__(self, *, starts: int, candidates: int, good: Callable[[int], int], seed: int) -> None:
        """starts: trials before the model replaces uniform draws. good: how many of n trials count as good."""
        self.starts, self.candidates, self._good = starts, candidates, good
        self._rng = np.random.default_rng(seed)
        self._scores: list[float] = []
        self._options: dict[str, npt.NDArray[np.int64]] = {}
        self._is_good: npt.NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        width = len(cast(CategoricalDistribution, param_distribution).choices)
        if len(self._scores) < self.starts:
            return int(self._rng.integers(width))
        good, options = self._is_good, self._options[param_name]
        of_good, of_bad = density(options[good], width), density(options[~good], width)
        improvement = expected_improvement(of_good, of_bad, float(good.mean()))
        drawn = self._rng.multinomial(self.candidates, of_good)
        best = np.flatnonzero(improvement == improvement[drawn > 0].max())
        if len(best) == 1:
            return int(best[0])
        return int(self._rng.choice(best, p=drawn[best] / drawn[best].sum()))  # which is drawn first

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Hear of the trials finished since the last proposal; they finish one after the other."""
        told = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        new = told[len(self._scores) :]
        if not new:
            return
        self._scores += [t.values[0] for t in new]
        for name in new[0].params:
            heard = self._options.get(name, np.zeros(0, dtype=np.int64))
            self._options[name] = np.append(heard, [t.params[name] for t in new])
        self._is_good = split(self._scores, self._good(len(told)))


def tpe_starts() -> int:
    """How many trials Optuna's TPESampler needs by default before its model replaces random draws."""
    return int(inspect.signature(optuna.samplers.TPESampler.__init__).parameters["n_startup_trials"].default)
