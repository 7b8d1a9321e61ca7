"""Recorded tasks: a validator over validation columns, and an evaluator that keeps the final ones to itself.

Every protocol whose scores stand in a table shares it. A query costs two look-ups: the architecture's row in a dict,
and the value in a memory view of the column's mapped file. Each column is a file of its own. A validator gets only the
columns from which it answers, never the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import (
    Architecture,
    DataError,
    DataMissing,
    Evaluator,
    Fidelity,
    FinalScores,
    HarnessError,
    Reading,
    RunContext,
    Score,
    SearchSpace,
    Task,
    Truth,
    UnknownArchitecture,
    Validation,
    Validator,
)
from harness.data.tables import Table, TableMeta, open_table
from harness.protocol import Floats, weights_of_keys
from harness.spaces.base import grouped
from harness_nasbench.spaces.enumerated import EnumeratedSpace

_NAN = float("nan")
_MOST_EQUAL = 0.2


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one split at one fidelity, by name.

    value: the mean of the repeats that exist. repeats: one column each, NaN where that repeat was never run.
    seconds: what all the trainings averaged in ``value`` took; trainings: how many they are (default: one).
    """

    value: str
    repeats: Mapping[int, str] = field(default_factory=dict)
    seconds: str | None = None
    repeat_seconds: Mapping[int, str] = field(default_factory=dict)
    trainings: str | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Which row of a table belongs to each architecture of a space.

    of: the row of one architecture; KeyError where the table has none. architectures: one for each row. weights: for
    each law the probability of each row, None where it is uniform.
    """

    of: Callable[[Architecture], int]
    architectures: Sequence[Architecture]
    weights: Mapping[str, Floats | None]

    @classmethod
    def of_space(cls, space: EnumeratedSpace) -> Rows:
        """The rows of a table that holds a whole enumerated space, in the space's own order."""
        weights = {law: space.law_weights(law) for law in space.laws}
        return cls(space.row_index.__getitem__, space.row_architectures, weights)

    @classmethod
    def of_keys(cls, space: SearchSpace) -> Rows:
        """One row for each key of a small space, in the order in which `SearchSpace.enumerate` first meets it."""
        archs = list(space.enumerate())
        members = list(grouped(archs, space.keys(archs)).values())
        rows = {arch: row for row, of in enumerate(members) for arch in of}
        return cls(rows.__getitem__, [of[0] for of in members], weights_of_keys(space, members))


class _Level:
    """The opened columns of one fidelity."""

    __slots__ = ("repeat_seconds", "repeats", "seconds", "trainings", "value")

    def __init__(self, table: Table, columns: Columns) -> None:
        self.value = table[columns.value].data
        self.repeats = {repeat: table[name].data for repeat, name in columns.repeats.items()}
        self.seconds = None if columns.seconds is None else table[columns.seconds].data
        self.repeat_seconds = {repeat: table[name].data for repeat, name in columns.repeat_seconds.items()}
        self.trainings = None if columns.trainings is None else table[columns.trainings].data


class RecordedValidator(Validator):
    """Validation scores (or, for paper modes, test scores) read from columns."""

    def __init__(
        self,
        space: SearchSpace,
        score: Score,
        table: Table,
        levels: Mapping[Fidelity, Columns],
        rows: Rows,
        *,
        measured: Mapping[str, str],
        costs: Mapping[str, str],
    ) -> None:
        """measured, costs: columns [rows] known after and before a query, by quantity."""
        self.space, self.score = space, score
        self.fidelities = tuple(levels)
        self.rows = len(rows.architectures)
        self._levels = {fidelity: _Level(table, columns) for fidelity, columns in levels.items()}
        self._last = self.fidelities[-1]
        self._full = self._levels[self._last]
        self.repeats = tuple(dict.fromkeys(r for level in self._levels.values() for r in level.repeats))
        self.records_seconds = all(level.seconds is not None for level in self._levels.values())
        self._row_of = rows.of
        self._measured = {name: table[column] for name, column in measured.items()}
        self._costs = {name: table[column] for name, column in costs.items()}

    def row(self, arch: Architecture) -> int:
        try:
            return self._row_of(arch)
        except (KeyError, TypeError):
            self.space.check(arch)
            raise UnknownArchitecture(f"the table has no score for {self.space.describe(arch)}") from None

    def identity(self, archs: Sequence[Architecture]) -> npt.NDArray[np.int64]:
        try:
            return np.fromiter(map(self._row_of, archs), dtype=np.int64, count=len(archs))
        except (KeyError, TypeError):
            return np.array([self.row(arch) for arch in archs], dtype=np.int64)

    def read(self, arch: Architecture, row: int, fidelity: Fidelity, repeat: int | None) -> Reading:
        level = self._full if fidelity is self._last else self._level(fidelity)
        if repeat is None:
            seconds = _NAN if level.seconds is None else level.seconds[row]
            return Reading(level.value[row], seconds, 1 if level.trainings is None else level.trainings[row])
        self._check_repeat(repeat)
        column = level.repeats.get(repeat)
        if column is None or column[row] != column[row]:
            return Reading(_NAN, _NAN, 1, True)
        timed = level.repeat_seconds.get(repeat)
        return Reading(column[row], _NAN if timed is None else timed[row])

    def validate(self, archs: Sequence[Architecture], *, fidelity: Fidelity, repeat: int | None = None) -> Validation:
        level, rows = self._level(fidelity), self.identity(archs)
        measured = {name: _take(column, rows) for name, column in self._measured.items()}
        if repeat is None:
            seconds = None if level.seconds is None else _take(level.seconds, rows)
            trainings = None if level.trainings is None else np.asarray(level.trainings)[rows].astype(np.int64)
            if seconds is not None:
                measured["train_seconds"] = seconds if trainings is None else seconds / np.maximum(trainings, 1)
            return Validation(_take(level.value, rows), seconds, trainings, None, measured)
        self._check_repeat(repeat)
        column = level.repeats.get(repeat)
        valid = np.full(len(rows), np.nan) if column is None else _take(column, rows)
        timed = level.repeat_seconds.get(repeat)
        seconds = None if level.seconds is None else np.full(len(rows), np.nan)
        if timed is not None:
            seconds = _take(timed, rows)
        if seconds is not None:
            measured["train_seconds"] = seconds
        return Validation(valid, seconds, None, np.isnan(valid), measured)

    def _level(self, fidelity: Fidelity) -> _Level:
        try:
            return self._levels[fidelity]
        except KeyError:
            names = ", ".join(f.name for f in self.fidelities)
            raise ValueError(f"unknown fidelity {fidelity!r}; the task has {names}") from None

    def _check_repeat(self, repeat: int) -> None:
        if repeat not in self.repeats:
            raise ValueError(f"unknown repeat {repeat!r}; the task has {list(self.repeats)}")

    def costs(self, archs: Sequence[Architecture]) -> Mapping[str, Floats]:
        """The table's costs; where it lacks the architecture, the space's, or NaN."""
        known = self.space.costs(archs)
        if not self._costs:
            return known
        try:
            rows = self.identity(archs)
        except UnknownArchitecture:
            if len(archs) == 1:
                return {**dict.fromkeys(self._costs, np.array([np.nan])), **known}
            each = [self.costs([arch]) for arch in archs]
            return {name: np.concatenate([costs[name] for costs in each]) for name in each[0]}
        return {**known, **{name: _take(column, rows) for name, column in self._costs.items()}}

    @property
    def known_after(self) -> tuple[str, ...]:
        return (*self._measured, *(("train_seconds",) if self.records_seconds else ()))


def _take(column: npt.NDArray[Any] | memoryview, rows: npt.NDArray[np.int64]) -> Floats:
    return np.asarray(column)[rows].astype(np.float64)


def finals_here(folder: Path, otherwise: Any) -> Any:
    """What the importer noted of finals in the table at ``folder``; `otherwise` where it is not here.

    Or where it is damaged: that is reported when it is opened.
    """
    try:
        return open_table(folder).meta.facts["finals"]
    except (DataError, DataMissing):
        return otherwise


def equal_share(valid: npt.NDArray[Any], test: npt.NDArray[Any], place: str) -> float:
    """Share of rows whose validation equals their test score, by chance about .02. Raises DataError above .2: published
    tables exist in which one split is labelled as the other."""
    share = float((valid == test).mean())
    if share > _MOST_EQUAL:
        raise DataError(
            f"{place}: validation equals test accuracy in {share:.0%} of the rows, so one of the two is mislabelled"
        )
    return round(share, 6)


def origin(meta: TableMeta) -> dict[str, Any]:
    """What every record must name of the table that its scores come from."""
    return {
        "benchmark": meta.benchmark, "source": meta.source, "source_sha256": meta.source_sha256,
        "version": meta.version, "licence": meta.licence, "importer": meta.importer,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """What a task reads from its table.

    validation, test: the columns of each fidelity, from cheap to full; ``test`` where a paper's mode may search on it.
    finals: the column of each final. measured, costs: columns known after, and before, a query, by quantity.
    """

    validation: Mapping[Fidelity, Columns]
    finals: Mapping[str, str]
    test: Mapping[Fidelity, Columns] = field(default_factory=dict)
    measured: Mapping[str, str] = field(default_factory=dict)
    costs: Mapping[str, str] = field(default_factory=dict)


class RecordedEvaluator(Evaluator):
    """A task whose every score stands in a table."""

    def __init__(
        self,
        task: Task,
        space: SearchSpace,
        table: Table,
        layout: Layout,
        rows: Rows,
        *,
        about: Mapping[str, Any],
    ) -> None:
        """about: what records must state besides the table's origin, such as the names of the splits."""
        self.task, self.space, self.score = task, space, Score()
        self.law = space.default_law
        self.data_digest = table.digest
        self.columns = ("validation", "test") if layout.test else ("validation",)
        self._table, self._layout, self._rows = table, layout, rows
        self._about = about

    def validator(self, column: str = "validation", context: RunContext = RunContext()) -> RecordedValidator:
        self.check_column(column)
        layout = self._layout
        return RecordedValidator(
            self.space, self.score, self._table, layout.test if column == "test" else layout.validation, self._rows,
            measured=layout.measured, costs=layout.costs,
        )  # fmt: skip

    def final_scores(self, archs: Sequence[Architecture], *, final: str, seed: int | None = None) -> FinalScores:
        rows = self.validator().identity(archs)
        return FinalScores(_take(self._final_column(final), rows))

    def _final_column(self, final: str) -> npt.NDArray[Any]:
        name = self._layout.finals.get(final)
        if name is None:
            raise HarnessError(f"{self.task.name} has no final {final!r}; it has {', '.join(self._layout.finals)}")
        return self._table[name]

    def truth(self, final: str) -> Truth:
        full = list(self._layout.validation.values())[-1]
        return Truth(
            np.array(self._final_column(final), dtype=np.float64),
            np.array(self._table[full.value], dtype=np.float64),
            self._rows.architectures,
            self._rows.weights,
        )

    def provenance(self) -> dict[str, Any]:
        return {**origin(self._table.meta), **self._about}
