"""Random search (Bergstra and Bengio 2012; as a NAS baseline: Li and Talwalkar 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
import numpy as np

from harness import Architecture, Params, Strategy
from harness_baselines.draws import UNSCORED, draws

if TYPE_CHECKING:
    from harness import Oracle


class RandomSearchParams(Params, frozen=True, kw_only=True):
    law: Annotated[
        str | None, msgspec.Meta(description="how architectures are drawn, one of the space's laws; none: its default")
    ] = None


class RandomSearch(Strategy):
    """Query random architectures until the budget is spent; the best validated one stands.

    Drawn with replacement: a repeat costs nothing and is counted apart.
    """

    name: ClassVar[str] = "random-search"
    summary: ClassVar[str] = "architectures drawn at random, the best validated one kept"
    Params: ClassVar[type[Params]] = RandomSearchParams
    params: RandomSearchParams

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        params = self.params
        query = oracle.query
        self.notes["law"] = params.law or oracle.space.default_law
        archs = draws(oracle.space, rng, params.law)
        while True:
            try:
                query(next(archs))
            except UNSCORED:
                continue
