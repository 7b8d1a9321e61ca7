"""A recorded training protocol: what `harness_example.measure` measured, read from ``scores.csv``."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import (
    Architecture,
    DataMissing,
    Evaluator,
    Fidelity,
    FinalScores,
    HarnessError,
    RunContext,
    Score,
    Task,
    TrainingProtocol,
    Truth,
    Validation,
    Validator,
)
from harness_example.space import StackSpace

Floats = npt.NDArray[np.float64]
TABLE = Path(__file__).with_name("scores.csv")
_EPOCHS = (5, 20, 80)
_REPEATS = (0, 1)
# One training goes through all three fidelities: after 20 epochs, 80 cost 60 more.
_FIDELITIES = tuple(Fidelity(f"{e} epochs", e, resumable=True) for e in _EPOCHS)


def _columns(text: str, keys: Sequence[str], column: str) -> Floats:
    """One column of the table, float64 [row, fidelity, repeat]; NaN where a repeat was never run."""
    place = {key: i for i, key in enumerate(keys)}
    found = np.full((len(keys), len(_EPOCHS), len(_REPEATS)), np.nan)
    for line in csv.DictReader(text.splitlines()):
        found[place[line["key"]], _EPOCHS.index(int(line["epochs"])), int(line["repeat"])] = float(line[column])
    return found


class DenoisingValidator(Validator):
    """What a search may see. It is given the validation scores alone: no way leads from here to a test score."""

    fidelities = _FIDELITIES
    score = Score("explained variance", "%")
    repeats = _REPEATS
    records_seconds = True

    def __init__(self, space: StackSpace, keys: Sequence[str], valid: Floats, seconds: Floats) -> None:
        self.space, self.rows = space, len(keys)
        self._row = {key: i for i, key in enumerate(keys)}
        self._valid, self._seconds = valid, seconds

    def identity(self, archs: Sequence[Architecture]) -> npt.NDArray[np.int64]:
        return np.array([self._row[k] for k in self.space.keys(archs)], dtype=np.int64)

    def validate(self, archs: Sequence[Architecture], *, fidelity: Fidelity, repeat: int | None = None) -> Validation:
        rows, level = self.identity(archs), self.fidelities.index(fidelity)
        chosen = list(_REPEATS) if repeat is None else [repeat]
        valid, seconds = (table[rows, level][:, chosen] for table in (self._valid, self._seconds))
        exist = ~np.isnan(valid)
        trainings = exist.sum(axis=1)
        with np.errstate(invalid="ignore"):
            mean = np.where(exist, valid, 0.0).sum(axis=1) / np.where(trainings > 0, trainings, np.nan)
        return Validation(
            mean,
            np.where(exist, seconds, 0.0).sum(axis=1),
            np.maximum(trainings, 1),
            trainings == 0,
        )


class DenoisingEvaluator(Evaluator):
    """The opened task. The test scores stay here: the runner reads them once, after the search."""

    law = "encodings"

    def __init__(self, task: Task, text: str) -> None:
        self.task, self.space = task, StackSpace()
        self.score = DenoisingValidator.score
        self.data_digest = hashlib.sha256(text.encode()).hexdigest()
        members: dict[str, list[Architecture]] = {}
        for arch in self.space.enumerate():
            members.setdefault(self.space.key(arch), []).append(arch)
        keys = list(members)
        self._validator = DenoisingValidator(
            self.space, keys, _columns(text, keys, "valid"), _columns(text, keys, "seconds")
        )
        self._test = _columns(text, keys, "test")[:, -1]
        self._members = list(members.values())

    def validator(self, column: str = "validation", context: RunContext = RunContext()) -> Validator:
        if column != "validation":
            raise HarnessError(f"{self.task.name} has no column {column!r}; it has validation")
        return self._validator

    def _finals(self, final: str) -> Floats:
        """Test scores at the full fidelity, float64 [rows]."""
        if final == "mean":
            return np.asarray(np.nanmean(self._test, axis=1))
        if final == "repeat:0":
            return self._test[:, 0]
        raise HarnessError(f"{self.task.name} has no final {final!r}; it has {', '.join(self.task.finals)}")

    def final_scores(self, archs: Sequence[Architecture], *, final: str, seed: int | None = None) -> FinalScores:
        return FinalScores(self._finals(final)[self._validator.identity(archs)])

    def truth(self, final: str) -> Truth:
        archs = [m[0] for m in self._members]
        counts = np.array([len(m) for m in self._members], dtype=np.float64)
        valid = self._validator.validate(archs, fidelity=_FIDELITIES[-1]).valid
        # under the law "encodings", a row is drawn as often as it has encodings
        return Truth(self._finals(final), valid, archs, {"encodings": counts / counts.sum()})

    def provenance(self) -> dict[str, Any]:
        return {
            "file": TABLE.name, "sha256": self.data_digest, "version": "1", "licence": "Apache-2.0",
            "splits": {"validation": "signals of seed 2", "test": "signals of seed 3"},
        }  # fmt: skip


class Denoising(TrainingProtocol):
    """Recorded trainings of small networks that take the noise out of signals.

    Every network of `StackSpace` was trained: three fidelities, two repeats (one missing), seconds.
    """

    name = "example-denoising"

    def tasks(self) -> Iterable[Task]:
        return (Task(f"{self.name}/sines", self.name, "noise out of sums of three sines", finals=("mean", "repeat:0")),)

    def missing(self, task: Task) -> str | None:
        return None if TABLE.is_file() else f"no {TABLE.name}: python -m harness_example.measure > {TABLE}"

    def open(self, task: Task) -> Evaluator:
        reason = self.missing(task)
        if reason is not None:
            raise DataMissing(reason)
        return DenoisingEvaluator(task, TABLE.read_text())
