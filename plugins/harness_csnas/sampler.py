"""Optuna's TPESampler with every setting stated, whatever the installed version still takes."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any, Literal

import optuna

GammaRule = Literal["linear", "sqrt", "released"]


def gamma(rule: GammaRule, share: float) -> Callable[[int], int]:
    """How many of n trials count as good.

    linear: ``share`` of the trials, the reading of CSNAS's "20 % of best-sampled points". sqrt: hyperopt's rule
    ``min(ceil(share * sqrt(n)), 25)`` with the same number. released: the same with hyperopt's default .25, which the
    released code ran with, its own settings never being passed on.
    """
    if rule == "linear":
        return lambda n: max(1, math.ceil(share * n))
    share = 0.25 if rule == "released" else share
    return lambda n: max(1, min(math.ceil(share * math.sqrt(n)), 25))


def make_sampler(settings: dict[str, Any]) -> tuple[optuna.samplers.TPESampler, list[str]]:
    """The sampler, and the names of settings that the installed Optuna no longer takes (its own rule stands in)."""
    known = inspect.signature(optuna.samplers.TPESampler.__init__).parameters
    gone = sorted(set(settings) - set(known))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # gamma is deprecated since 4.9, and removed in 6
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(**{k: v for k, v in settings.items() if k in known}), gone


def random_starts(settings: dict[str, Any]) -> int:
    """How many trials are told before the model of a sampler with these settings replaces random draws."""
    default = inspect.signature(optuna.samplers.TPESampler.__init__).parameters["n_startup_trials"].default
    return int(settings.get("n_startup_trials", default))
