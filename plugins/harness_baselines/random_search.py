"""Random search (Bergstra and Bengio 2012; as a NAS baseline: Li and Talwalkar 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness import Architecture, Strategy
from harness_baselines.draws import draws

if TYPE_CHECKING:
    from harness import Oracle


class RandomSearch(Strategy):
    """Architectures drawn at random, the best validated one kept.

    They are drawn by the task's law, with replacement, until the budget is spent. A repeat is free and counted apart.
    """

    name: ClassVar[str] = "random-search"
    paper: ClassVar[str] = "Bergstra and Bengio, Random Search for Hyper-Parameter Optimization (JMLR 2012)"

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        query = oracle.query
        self.notes["law"] = oracle.space.default_law
        archs = draws(oracle.space, rng)
        while True:
            query(next(archs))
