"""Surrogate tasks: a published model predicts the scores of the whole DARTS space, so that nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from harness import (
    Architecture,
    Evaluator,
    Fidelity,
    FinalScores,
    Reading,
    RunContext,
    Score,
    Task,
    Validation,
    Validator,
)
from harness.data.tables import TableMeta
from harness.protocol import Floats
from harness_nasbench.recorded import origin
from harness_nasbench.spaces.darts import CELL_GENES, DartsSpace, canonical_cell

REMEMBERED: Final = 1 << 17
"""Predictions kept in a process (about 50 MB): strategies and seeds ask for many of the same."""
_NAN = float("nan")
_PAIR_RADICES, _OPERATIONS = (3, 6, 10), 7


class Predictor(Protocol):
    """A published model: accuracy in percent, and training seconds where it predicts them."""

    fidelities: tuple[Fidelity, ...]
    timed: bool

    def predict(self, archs: Sequence[Architecture], level: int) -> tuple[Floats, Floats | None]:
        """Validation accuracy [n] and training seconds [n] at ``fidelities[level]``, whatever the batch."""
        ...

    def expected(self, archs: Sequence[Architecture]) -> Floats:
        """Validation accuracy [n] at the full fidelity, without noise."""
        ...


def row_of(arch: Architecture) -> int:
    """The canonical cells of ``arch`` as one number below (180 x 7^8)^2 < 2^63: equal for isomorphic ones, and only
    for them; no hash, so there are no collisions."""
    code = 0
    for genes in (arch[:CELL_GENES], arch[CELL_GENES:]):
        cell = canonical_cell(genes)
        for digit, radix in zip(cell, _PAIR_RADICES, strict=False):
            code = code * radix + digit
        for digit in cell[3:]:
            code = code * _OPERATIONS + digit
    return code


class SurrogateValidator(Validator):
    """Predicted validation scores.

    A row is a pair of cells up to isomorphism. A published model takes encodings, and its answers for two encodings of
    one network differ a little (YAHPO's: 0.1 points on average). `validate` gives the model's own answer for each
    encoding, as the official interface does. Within a search, the encoding that was asked first stands for the network.
    """

    def __init__(self, space: DartsSpace, score: Score, predictor: Predictor, memory: dict[Any, Reading]) -> None:
        """memory: what has been predicted in this process; all validators of one model share it."""
        self.space, self.score = space, score
        self.fidelities = predictor.fidelities
        self.records_seconds = predictor.timed
        self._predictor, self._memory = predictor, memory
        self._levels = {fidelity: level for level, fidelity in enumerate(predictor.fidelities)}

    def row(self, arch: Architecture) -> int:
        return row_of(self.space.check(arch))

    def identity(self, archs: Sequence[Architecture]) -> npt.NDArray[np.int64]:
        return np.fromiter((self.row(arch) for arch in archs), dtype=np.int64, count=len(archs))

    def read(self, arch: Architecture, row: int, fidelity: Fidelity, repeat: int | None) -> Reading:
        level = self._level(fidelity, repeat)
        asked = (arch, level)
        found = self._memory.get(asked)
        if found is None:
            valid, seconds = self._predictor.predict([arch], level)
            found = Reading(float(valid[0]), _NAN if seconds is None else float(seconds[0]))
            if len(self._memory) >= REMEMBERED:
                self._memory.clear()
            self._memory[asked] = found
        return found

    def validate(self, archs: Sequence[Architecture], *, fidelity: Fidelity, repeat: int | None = None) -> Validation:
        valid, seconds = self._predictor.predict([self.space.check(a) for a in archs], self._level(fidelity, repeat))
        return Validation(valid, seconds, measured={} if seconds is None else {"train_seconds": seconds})

    @property
    def known_after(self) -> tuple[str, ...]:
        return ("train_seconds",) if self.records_seconds else ()

    def _level(self, fidelity: Fidelity, repeat: int | None) -> int:
        if repeat is not None:
            raise ValueError(f"unknown repeat {repeat!r}; a surrogate has one answer")
        try:
            return self._levels[fidelity]
        except KeyError:
            names = ", ".join(f.name for f in self.fidelities)
            raise ValueError(f"unknown fidelity {fidelity!r}; the task has {names}") from None


class SurrogateEvaluator(Evaluator):
    """A task that a surrogate answers. There is no test score: the validation score is reported."""

    final_split = "valid"
    sampling_draws = 10_000

    space: DartsSpace

    def __init__(self, task: Task, predictor: Predictor, meta: TableMeta, about: Mapping[str, Any]) -> None:
        self.task, self.space, self.score = task, DartsSpace(), Score()
        self.law = DartsSpace.default_law
        self.data_digest = meta.digest
        self._predictor, self._meta, self._about = predictor, meta, dict(about)
        self._memory: dict[Any, Reading] = {}

    def validator(self, column: str = "validation", context: RunContext = RunContext()) -> SurrogateValidator:
        self.check_column(column)
        return SurrogateValidator(self.space, self.score, self._predictor, self._memory)

    def final_scores(self, archs: Sequence[Architecture], *, final: str, seed: int | None = None) -> FinalScores:
        self.check_final(final)
        return FinalScores(self._predictor.expected([self.space.check(a) for a in archs]))

    def provenance(self) -> dict[str, Any]:
        return {**origin(self._meta), **self._about}
