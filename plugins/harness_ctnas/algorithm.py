"""The steps of Algorithm 1 (poster) and their shared state: C, NAC, the policy pi and the baseline beta."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

from harness import Architecture
from harness_ctnas.comparator import Comparator, Pairs, joined
from harness_ctnas.curriculum import Baseline
from harness_ctnas.encoder import Inputs
from harness_ctnas.exploration import pseudo_labelled
from harness_ctnas.policy import PolicySearch


@dataclass
class Algorithm1:
    """labelled, scores: the M labelled architectures; C starts with their pairs. pseudo: pairs that D added to C."""

    comparator: Comparator
    policy: PolicySearch
    baseline: Baseline
    labelled: Inputs
    scores: Tensor
    pseudo_labels: Literal["confident", "released", "off"]
    rng: np.random.Generator
    pseudo: Pairs | None = None

    def train_comparator(self) -> None:
        """One epoch of NAC on C."""
        self.comparator.fit(self.labelled, self.scores, 1, self.pseudo)

    def train_policy(self, n: int) -> None:
        """a_1, ..., a_N ~ pi; one step of policy gradient with NAC(a_j, beta) as reward (line 10)."""
        self.policy.update(n, self.comparator.against(self.baseline.beta))

    def explore(self, s: Sequence[Architecture], k: int) -> None:
        """D: the K pairs of S of which NAC is surest, with their most probable labels; C <- C u D."""
        if self.pseudo_labels != "off" and len(set(s)) > 1:
            found = pseudo_labelled(self.comparator, s, k, self.pseudo_labels, self.rng)
            self.pseudo = joined(self.pseudo, found)

    def update_baseline(self, s: Sequence[Architecture]) -> None:
        """B <- B u {beta}; beta <- Algorithm 2 on B and S."""
        if s:
            self.baseline.update(s, self.rng)
