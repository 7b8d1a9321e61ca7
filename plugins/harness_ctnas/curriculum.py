"""The baseline that architectures are compared with, and how it rises (poster, Alg. 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from harness import Architecture
from harness_ctnas.comparator import Comparator

Rule = Literal["curriculum", "released", "random", "fixed"]


def best_of(comparator: Comparator, archs: Sequence[Architecture]) -> Architecture:
    """The architecture of H that NAC prefers on average to the others of H; the later among equals (Alg. 2).

    s_i = mean over j != i of NAC(a_i, a_j) = sigmoid(u_i + v_j + c). With j = i the argmax would be that of u, by
    which `Comparator.rank` orders. Without j = i it may be another architecture with nearly the same u.
    """
    if len(archs) == 1:
        return archs[0]
    halves = comparator.halves(archs)
    p = comparator.probability(halves[:, :1], halves[None, :, 1])
    np.fill_diagonal(p, 0.0)
    s = p.sum(axis=1).round(12)  # twins are equal, whatever the order of summation
    return archs[len(s) - 1 - int(np.argmax(s[::-1]))]


@dataclass
class Baseline:
    """beta.

    ``curriculum``: Alg. 2 over all baselines so far (B) and new samples (S). ``released``: over the new samples alone.
    ``random``: one of the new samples. ``fixed``: never changed. Under every rule the best of the history is kept too,
    as in the released code (policy_learning.py, derive): Alg. 2 over the best so far, the new baseline and S.
    """

    comparator: Comparator
    rule: Rule
    beta: Architecture
    earlier: list[Architecture] = field(default_factory=list)
    """B."""
    best: Architecture | None = None
    """The best of the history; the search returns it."""
    changes: int = 0

    def update(self, samples: Sequence[Architecture], rng: np.random.Generator) -> None:
        """Take in the new samples S: B <- B + {beta}; beta <- Alg. 2."""
        self.earlier = list(dict.fromkeys([*self.earlier, self.beta]))
        before = self.beta
        if self.rule == "curriculum":
            self.beta = best_of(self.comparator, [*self.earlier, *samples])
        elif self.rule == "released":
            self.beta = best_of(self.comparator, samples)
        elif self.rule == "random":
            self.beta = samples[int(rng.integers(len(samples)))]
        self.changes += self.beta != before
        history = self.best if self.best is not None else before
        self.best = best_of(self.comparator, [history, self.beta, *samples])
