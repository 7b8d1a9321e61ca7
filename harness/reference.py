"""Matched random search: the reference that the protocol puts beside every row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np

from harness.oracle import Oracle
from harness.spaces import Architecture
from harness.strategy import Params, Strategy


def best_first(oracle: Oracle, n: int) -> list[Architecture]:
    """The n best distinct feasible architectures at the highest fidelity paid, best first; earlier among equals."""
    ledger = oracle.ledger
    if not oracle.incumbents:
        return []
    level = ledger[oracle.incumbents[-1]].fidelity
    scored = [e for e in ledger if e.fidelity == level and e.feasible and e.score == e.score]
    scored.sort(key=lambda e: -e.score)
    return list(dict.fromkeys(e.arch for e in scored))[:n]


class MatchedParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    returned: Annotated[int, msgspec.Meta(ge=1, description="How many to return, for modes that choose among them")] = 1


class MatchedRandomSearch(Strategy):
    """Query architectures drawn by the task's law until the budget ends; the best validated stands."""

    name = "matched-random-search"
    Params = MatchedParams

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        while oracle.ended_by is None:
            for arch in oracle.space.sample(rng, 64):
                if oracle.ended_by is not None:
                    break
                oracle.query(arch)
        params: MatchedParams = self.params
        return best_first(oracle, params.returned)
