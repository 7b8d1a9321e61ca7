"""A copy of a task whose scores are dealt out anew among its rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.errors import HarnessError
from harness.protocol import Evaluator, Fidelity, FinalScores, Floats, Reading, RunContext, Truth, Validation, Validator
from harness.spaces import Architecture


class _ShuffledValidator(Validator):
    """Answers for a row with everything that another row scored."""

    def __init__(self, inner: Validator, donors: Sequence[Architecture]) -> None:
        self._inner, self._donors = inner, donors
        self.space, self.fidelities, self.score = inner.space, inner.fidelities, inner.score
        self.rows, self.repeats, self.records_seconds = inner.rows, inner.repeats, inner.records_seconds

    @property
    def known_after(self) -> tuple[str, ...]:
        return self._inner.known_after

    def identity(self, archs: Sequence[Architecture]) -> npt.NDArray[np.int64]:
        return self._inner.identity(archs)

    def _donor(self, row: int) -> Architecture:
        return self._donors[row]

    def validate(self, archs: Sequence[Architecture], *, fidelity: Fidelity, repeat: int | None = None) -> Validation:
        donors = [self._donor(int(row)) for row in self.identity(archs)]
        return self._inner.validate(donors, fidelity=fidelity, repeat=repeat)

    def read(self, arch: Architecture, row: int, fidelity: Fidelity, repeat: int | None) -> Reading:
        donor = self._donor(row)
        return self._inner.read(donor, self._inner.row(donor), fidelity, repeat)


class ShuffledEvaluator(Evaluator):
    """``inner``, a recorded task, with its rows' scores permuted: all validation scores, seconds and final together.

    Nothing about an architecture says anything about its score any more, so that a search can only be as good as the
    number of rows it paid for. Raises HarnessError where not all rows are recorded.
    """

    def __init__(self, inner: Evaluator, seed: int) -> None:
        truth = inner.truth(inner.task.finals[0])
        if truth is None:
            raise HarnessError(f"{inner.task.name} cannot be shuffled: not every row's score is recorded")
        self._inner = inner
        self._order = np.random.default_rng(seed).permutation(len(truth.final))
        donors = [truth.architectures[int(i)] for i in self._order]
        self._validator = _ShuffledValidator(inner.validator(), donors)
        self.task, self.space, self.score, self.law = inner.task, inner.space, inner.score, inner.law
        self.final_split = inner.final_split
        self.data_digest = f"{inner.data_digest}/shuffled/{seed}"

    def validator(self, column: str = "validation", context: RunContext = RunContext()) -> Validator:
        self.check_column(column)
        return self._validator

    def final_scores(self, archs: Sequence[Architecture], *, final: str, seed: int | None = None) -> FinalScores:
        donors = [self._validator._donor(int(row)) for row in self._validator.identity(archs)]
        return self._inner.final_scores(donors, final=final, seed=seed)

    def truth(self, final: str) -> Truth | None:
        truth = self._inner.truth(final)
        assert truth is not None  # checked when it was made
        valid: Floats | None = None if truth.valid is None else truth.valid[self._order]
        return Truth(truth.final[self._order], valid, truth.architectures, truth.weights)
