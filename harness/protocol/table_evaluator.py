"""A task whose scores stand in one table: what a protocol opens that has a score for each key and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from math import isinf, prod
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from harness.errors import DataError, UnknownArchitecture
from harness.protocol import (
    Evaluator,
    Fidelity,
    FinalScores,
    RunContext,
    Score,
    Task,
    Truth,
    Validation,
    Validator,
    weights_of_keys,
)
from harness.spaces import Architecture, RestrictedSpace, SearchSpace
from harness.spaces.base import grouped

_ENUMERATED = 200_000
"""Spaces of at most so many encodings, and restricted ones, are gone through once: random sampling is then exact."""
_DRAWS = 10_000


class TableValidator(Validator):
    """Validation scores by key. It knows no final score."""

    def __init__(self, space: SearchSpace, score: Score, valid: Mapping[str, float]) -> None:
        self.space, self.score, self.rows = space, score, len(valid)
        self.fidelities, self.repeats, self.records_seconds = (Fidelity("full", None),), (), False
        self._row_of = {key: row for row, key in enumerate(valid)}
        self._scores = np.array(list(valid.values()), dtype=np.float64)

    def identity(self, archs: Sequence[Architecture]) -> npt.NDArray[np.int64]:
        rows = [self._row_of.get(key, -1) for key in self.space.keys(archs)]
        if -1 in rows:
            lacking = self.space.describe(archs[rows.index(-1)])
            raise UnknownArchitecture(f"the table has no score for {lacking}")
        return np.array(rows, dtype=np.int64)

    def validate(self, archs: Sequence[Architecture], *, fidelity: Fidelity, repeat: int | None = None) -> Validation:
        return Validation(self._scores[self.identity(archs)])


class TableEvaluator(Evaluator):
    """Scores of a space's rows, by `SearchSpace.key`: what was validated, and what is reported.

    valid, final: key -> score, of the same keys; NaN where a training failed. A key that they lack makes the table
    partial. score: unit and direction; default accuracy in percent. about: what every record is to name, such as the
    benchmark, its version and its licence.

    Raises DataError where the two have other keys, are empty, have an infinite score, or a key that the space does not
    have.
    """

    def __init__(
        self,
        task: Task,
        space: SearchSpace,
        *,
        valid: Mapping[str, float],
        final: Mapping[str, float],
        score: Score | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        _check_keys(task, valid, final)
        self.task, self.space, self.score = task, space, score or Score()
        self.law = space.default_law
        self._final = np.array([final[key] for key in valid], dtype=np.float64)
        self._validator = TableValidator(space, self.score, valid)
        self._about = dict(about or {})
        told = [[key, *(None if value != value else value for value in (valid[key], final[key]))] for key in valid]
        self.data_digest = sha256(msgspec.json.encode(sorted(told, key=lambda line: str(line[0])))).hexdigest()
        self._whole = isinstance(space, RestrictedSpace) or prod(space.radices) <= _ENUMERATED
        self.sampling_draws = None if self._whole else _DRAWS
        if self._whole and (unknown := [key for key in valid if key not in self._members]):
            raise DataError(f"{task.name}: the table has {unknown[0]!r}, which is no key of {space.name}")

    @cached_property
    def _members(self) -> dict[str, list[Architecture]]:
        """The architectures of each key of the space, by key."""
        archs = list(self.space.enumerate())
        return grouped(archs, self.space.keys(archs))

    def validator(self, column: str = "validation", context: RunContext = RunContext()) -> TableValidator:
        self.check_column(column)
        return self._validator

    def final_scores(self, archs: Sequence[Architecture], *, final: str, seed: int | None = None) -> FinalScores:
        self.check_final(final)
        return FinalScores(self._final[self._validator.identity(archs)])

    def truth(self, final: str) -> Truth | None:
        self.check_final(final)
        return self._truth if self._whole else None

    @cached_property
    def _truth(self) -> Truth:
        members = [self._members[key] for key in self._validator._row_of]
        first = [archs[0] for archs in members]
        return Truth(self._final.copy(), self._validator._scores.copy(), first, weights_of_keys(self.space, members))

    def provenance(self) -> dict[str, Any]:
        return {"table": self.data_digest, **self._about}


def _check_keys(task: Task, valid: Mapping[str, float], final: Mapping[str, float]) -> None:
    if not valid:
        raise DataError(f"{task.name}: the table is empty")
    if odd := next((key for key in {**valid, **final} if key not in valid or key not in final), None):
        side = "validation" if odd in valid else "final"
        raise DataError(f"{task.name}: {odd!r} has a {side} score alone")
    if odd := next((key for key in valid if isinf(valid[key]) or isinf(final[key])), None):
        raise DataError(f"{task.name}: {odd!r} has an infinite score; NaN marks a training that failed")


__all__ = ["TableEvaluator", "TableValidator"]
