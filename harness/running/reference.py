"""Matched random search: the reference that the harness puts beside every entry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np

from harness.search.oracle import Oracle, best_first
from harness.spaces import Architecture
from harness.strategy import Params, Strategy

_BLOCK = 64
_STALE_BLOCKS = 1000


class MatchedParams(Params):
    returned: Annotated[int, msgspec.Meta(ge=1, description="How many to return, for modes that choose among them")] = 1
    law: Annotated[str | None, msgspec.Meta(description="How to draw; default: by the task's law")] = None
    single: Annotated[bool, msgspec.Meta(description="Buy one repeat of each, not the mean of all")] = False


class MatchedRandomSearch(Strategy[MatchedParams]):
    """The harness's own random search, beside the entries of every study.

    It runs on the same task, with the same budget and constraints, so that entries are compared at the same paid cost.
    It always runs; a study cannot name it. It queries architectures drawn by the task's law, or by another law of the
    space, until the budget ends; it reports the best validated one. With ``single`` it buys the first repeat that the
    task has of each, and so more architectures for the same epochs.

    It does not query what breaks a constraint known before training, so that under a tight constraint it has as many
    paid queries as the strategies beside it. It gives up where 64,000 draws in a row bring nothing to pay for.
    """

    name = "matched-random-search"

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        stale = 0
        while oracle.ended_by is None and stale < _STALE_BLOCKS:
            block = oracle.space.sample(rng, _BLOCK, self.params.law)
            stale += 1
            for arch, excess in zip(block, oracle.violation(block).tolist(), strict=True):
                if oracle.ended_by is not None:
                    break
                if excess == 0.0:
                    before = len(oracle.history)
                    self._pay(oracle, arch)
                    stale = 0 if len(oracle.history) > before else stale
        return best_first(oracle, self.params.returned)

    def _pay(self, oracle: Oracle, arch: Architecture) -> None:
        """Pay for the mean of its repeats, or for the first repeat that it has: some tables lack some repeats."""
        for repeat in oracle.repeats if self.params.single else (None,):
            if not math.isnan(oracle.query(arch, repeat=repeat)):
                return
