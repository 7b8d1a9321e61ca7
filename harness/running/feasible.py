"""The feasible rows of a task. Rank, regret and the best known score are among these."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.errors import UnknownArchitecture
from harness.protocol import Evaluator, Floats, Truth, Validator
from harness.search.constraints import Constraint
from harness.spaces import Architecture


def feasible(
    search: Evaluator, archs: Sequence[Architecture], constraints: Sequence[Constraint]
) -> npt.NDArray[np.bool_]:
    """Which satisfy the constraints, bool [n]. The oracle refuses what bounds a quantity that the task does not record.

    Only those that satisfy what is known before a query are asked for what is known after one: it may be a training.
    What a partial table lacks is not feasible then: nothing was measured of it.
    """
    found = np.ones(len(archs), dtype=np.bool_)
    if not constraints or not len(archs):
        return found
    with closing(search.validator()) as validator:
        costs = validator.costs(archs)
        for c in constraints:
            if c.quantity in costs:
                found &= c.hold(costs[c.quantity])
        after = [c for c in constraints if c.quantity not in costs]
        if after:
            found[found] = [row_of(validator, archs[i]) >= 0 for i in np.flatnonzero(found).tolist()]
        left = np.flatnonzero(found)
        if after and len(left):
            full = validator.fidelities[-1]
            measured = validator.validate([archs[i] for i in left.tolist()], fidelity=full).measured
            for c in after:
                found[left] &= c.hold(measured[c.quantity])
    return found


def row_of(validator: Validator, arch: Architecture) -> int:
    """-1 for what the search's table lacks: it cannot be paid for."""
    try:
        return validator.row(arch)
    except UnknownArchitecture:
        return -1


class FeasibleRows:
    """Every feasible row of a recorded task with its final and its validation score.

    The validation score is the search task's, at full fidelity. Both in their own units; NaN where there is none.
    """

    def __init__(
        self, evaluator: Evaluator, search: Evaluator, truth: Truth, constraints: tuple[Constraint, ...]
    ) -> None:
        self.evaluator, self.search, self.truth = evaluator, search, truth
        self.mask: npt.NDArray[np.bool_] = ~np.isnan(truth.final)
        if constraints:
            self.mask &= feasible(search, [truth.architectures[i] for i in range(len(truth.final))], constraints)
        self.final: Floats = truth.final[self.mask]

    @cached_property
    def valid(self) -> Floats | None:
        """Of each feasible row, float64 [rows]; None where the search task does not know its rows."""
        if self.search is self.evaluator:
            return None if self.truth.valid is None else self.truth.valid[self.mask]
        found = self.search.truth(self.search.task.finals[0])
        if found is None or found.valid is None:
            return None
        validator, archs = self.search.validator(), self.truth.architectures
        rows = np.array([row_of(validator, archs[i]) for i in np.flatnonzero(self.mask).tolist()], dtype=np.int64)
        return np.where(rows < 0, np.nan, found.valid[rows])

    @cached_property
    def best_final(self) -> float | None:
        return self.evaluator.score.best(self.final) if len(self.final) else None

    @cached_property
    def best_valid(self) -> float | None:
        valid = self.valid
        return None if valid is None or np.isnan(valid).all() else self.search.score.best(valid)

    @cached_property
    def _ascending(self) -> Floats:
        return np.sort(self.evaluator.score.sign * self.final)

    def rank(self, score: float) -> int:
        """1 + feasible rows with a strictly better final score."""
        above = len(self._ascending) - np.searchsorted(self._ascending, self.evaluator.score.sign * score, side="right")
        return 1 + int(above)

    def best_validated(self) -> tuple[float, int] | None:
        """Mean final score of the rows that tie for the best validation score, and how many tie."""
        if self.best_valid is None or self.valid is None:
            return None
        tied = self.final[self.valid == self.best_valid]
        return float(tied.mean()), len(tied)
