"""Data exploration (poster, Alg. 1): pairs of unlabelled architectures with labels of which the NAC is sure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from harness import Architecture
from harness_ctnas.comparator import Comparator, Pairs

Rule = Literal["confident", "released"]


def pseudo_labelled(
    comparator: Comparator, archs: Sequence[Architecture], k: int, rule: Rule, rng: np.random.Generator
) -> Pairs:
    """D: of the pairs (a_i, a_perm(i)) of one random permutation, the K best with their most probable label.

    ``confident``: the K with the largest max(p, 1 - p), so that both labels occur. ``released``: the K with the
    largest p, as in the released code: nearly all labels are 1. Pairs of an architecture with itself are left out.
    """
    other = rng.permutation(len(archs))
    first = np.array([i for i, j in enumerate(other) if archs[i] != archs[j]], dtype=np.int64)
    second = other[first]
    halves = comparator.halves(archs)
    p = comparator.probability(halves[first, 0], halves[second, 1])
    worth = np.maximum(p, 1.0 - p) if rule == "confident" else p
    kept = np.argsort(-worth, kind="stable")[:k]
    inputs = comparator.encode(archs)
    return Pairs(
        inputs.take(torch.from_numpy(first[kept])),
        inputs.take(torch.from_numpy(second[kept])),
        torch.from_numpy((p[kept] >= 0.5).astype(np.float32)),
    )
