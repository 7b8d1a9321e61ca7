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
    """The architecture of H that NAC prefers on average to those of H; the later among equals.

    Alg. 2 maximises s_i = mean_j NAC(a_i, a_j) = mean_j sigmoid(u_i + v_j + c). All terms rise with u_i, so the
    argmax is that of u. (The poster leaves j = i out, a comparison that is a constant 1/2 for a faithful NAC.)
    """
    u = comparator.rank(archs)
    return archs[len(u) - 1 - int(np.argmax(u[::-1]))]


@dataclass
class Baseline:
    """beta.

    ``curriculum``: Alg. 2 over all baselines so far (B) and new samples (S). ``released``: over the new samples alone,
    with the best ever kept apart for the end. ``random``: one of the new samples. ``fixed``: never changed.
    """

    comparator: Comparator
    rule: Rule
    beta: Architecture
    earlier: list[Architecture] = field(default_factory=list)
    """B."""
    best: Architecture | None = None
    """What the search ends with."""
    changes: int = 0

    def update(self, samples: Sequence[Architecture], rng: np.random.Generator) -> None:
        """S is in; B <- B + {beta}; beta <- Alg. 2."""
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
