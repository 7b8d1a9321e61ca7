"""Protocol checks: tasks, what a search may see, what is reported, and that they are kept apart."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from harness.errors import DataMissing, HarnessError, UnknownArchitecture
from harness.protocol import Evaluator, Fidelity, RunContext, Task, TrainingProtocol, Truth, Validator, misfit
from harness.search.budget import Budget
from harness.search.oracle import Oracle
from harness.spaces import LAWS, Architecture
from harness.testing.conformance.report import NotRun, Skipped, check, expect, expect_refusal
from harness.testing.reachability import paths_to

_ARCHS = 40


class OpenedTask:
    """One task of the protocol, opened, with architectures that have a score."""

    def __init__(self, task: Task, evaluator: Evaluator) -> None:
        self.task, self.evaluator = task, evaluator
        self.validator: Validator = evaluator.validator(context=RunContext())

    @cached_property
    def archs(self) -> list[Architecture]:
        """Forty, drawn under the task's law; those without a row are left out."""
        law = self.evaluator.law
        found = []
        for arch in dict.fromkeys(self.evaluator.space.sample(np.random.default_rng(0), _ARCHS, law)):
            try:
                self.validator.row(arch)
            except UnknownArchitecture:
                continue
            found.append(arch)
        expect(found, f"none of {_ARCHS} drawn architectures has a row")
        return found

    @cached_property
    def truth(self) -> Truth | None:
        return self.evaluator.truth(self.task.finals[0])

    @property
    def questions(self) -> list[tuple[Fidelity, int | None]]:
        """Every fidelity with the mean and each repeat."""
        return [(f, r) for f in self.validator.fidelities for r in (None, *self.validator.repeats)]

    def recorded(self) -> None:
        """Raises Skipped where an answer would be a training."""
        if not self.task.recorded:
            raise Skipped("a live task: nothing is trained for a check")


class ProtocolSubject:
    """A protocol under check. ``only``: the names of the tasks to open; None: all."""

    def __init__(self, protocol: TrainingProtocol, only: frozenset[str] | None = None) -> None:
        self.protocol = protocol
        expect(hasattr(protocol, "name"), "it sets no name")
        found = list(protocol.tasks() if only is None else filter(None, map(protocol.task, sorted(only))))
        for task in found:
            expect(isinstance(task, Task), f"it lists {task!r}, which is no Task")
        self.tasks = {t.name: t for t in found}
        self._opened: dict[str, OpenedTask | str] = {}

    def opened(self, name: str) -> OpenedTask:
        """Raises NotRun, with the reason, where the task's data is not here."""
        if name not in self._opened:
            reason = self.protocol.missing(self.tasks[name])
            try:
                evaluator = self.protocol.open(self.tasks[name])
                expect(not misfit(evaluator), f"it opens {misfit(evaluator)}")
                expect(reason is None, f"it opens, though missing() says: {reason}")
                self._opened[name] = OpenedTask(self.tasks[name], evaluator)
            except DataMissing as error:
                expect(reason is not None, f"missing() gives None, and opening it raises: {error}")
                self._opened[name] = f"{reason or error}"
        found = self._opened[name]
        if isinstance(found, str):
            raise NotRun(found)
        return found


def _tasks(subject: ProtocolSubject) -> list[str]:
    return list(subject.tasks)


@check("protocol", "its tasks are named")
def tasks(subject: ProtocolSubject) -> str:
    """Each task is ``<protocol>/<data set>[@variant]``, once."""
    protocol = subject.protocol
    listed = list(protocol.tasks())
    expect(listed, "it lists no task")
    expect(len({t.name for t in listed}) == len(listed), "two tasks have the same name")
    for task in listed:
        expect(task.name.startswith(f"{protocol.name}/"), f"task {task.name!r} does not begin with {protocol.name!r}/")
        expect(task.protocol == protocol.name, f"task {task.name!r} says its protocol is {task.protocol!r}")
    return f"{len(listed)} tasks"


@check("protocol", "it opens, or says what is missing", cases=_tasks)
def opens(subject: ProtocolSubject, case: str) -> None:
    """`missing` and `open` agree; what is opened has a space, a law of it, a score, validation scores and a digest."""
    opened = subject.opened(case)
    evaluator = opened.evaluator
    expect(evaluator.task.name == case, f"it opens as {evaluator.task.name!r}")
    expect(evaluator.law in LAWS, f"its law {evaluator.law!r} is none of {LAWS}")
    expect(evaluator.law in evaluator.space.laws, f"its law {evaluator.law!r} is not its space's")
    expect("validation" in evaluator.columns, f"its columns are {evaluator.columns}")
    expect(evaluator.final_split in ("test", "valid"), f"final_split is {evaluator.final_split!r}")
    expect(opened.validator.space.name == evaluator.space.name, "its validator is over another space")
    expect(opened.validator.score == evaluator.score, "its validator has another score")
    if opened.task.recorded:
        expect(evaluator.data_digest, "a recorded task has no data_digest")
    expect(evaluator.provenance(), "provenance is empty")
    msgspec.json.encode(evaluator.provenance())


@check("protocol", "opening it again gives the same data", cases=_tasks)
def digests(subject: ProtocolSubject, case: str) -> None:
    """The digest, the rows and the validation scores of a second opening are those of the first."""
    opened = subject.opened(case)
    again = OpenedTask(opened.task, subject.protocol.open(opened.task))
    expect(again.evaluator.data_digest == opened.evaluator.data_digest, "another data_digest")
    opened.recorded()
    for one, two in zip(_answers(opened, opened.archs), _answers(again, opened.archs), strict=True):
        _same(one, two, "a second opening")


@check("protocol", "fidelities go from cheap to full", cases=_tasks)
def fidelities(subject: ProtocolSubject, case: str) -> str:
    """At least one, of distinct names, with epochs that do not fall."""
    found = subject.opened(case).validator.fidelities
    expect(found, "no fidelity")
    expect(len({f.name for f in found}) == len(found), "two fidelities have the same name")
    epochs = [f.epochs for f in found if f.epochs is not None]
    expect(epochs == sorted(epochs), f"epochs are {epochs}")
    return ", ".join(f.name for f in found[:8]) + (", ..." if len(found) > 8 else "")


@check("protocol", "a batch equals its architectures one by one", cases=_tasks)
def batches(subject: ProtocolSubject, case: str) -> str:
    """identity and row, validate and read, in any order and for none, at every fidelity and repeat (at most 12)."""
    opened = subject.opened(case)
    validator, archs = opened.validator, opened.archs
    rows = validator.identity(archs)
    expect(rows.shape == (len(archs),) and rows.dtype.kind == "i", f"identity gives {rows.dtype} {rows.shape}")
    expect(rows.tolist() == [validator.row(a) for a in archs], "identity and row differ")
    expect(validator.identity([]).shape == (0,), "identity of none is not empty")
    opened.recorded()
    asked = opened.questions[-12:]
    for fidelity, repeat in asked:
        many = _arrays(opened, archs, fidelity, repeat)
        backwards = _arrays(opened, archs[::-1], fidelity, repeat)
        _same(many, {k: v[::-1] for k, v in backwards.items()}, f"{fidelity.name}, repeat {repeat}: another order")
        found = [validator.read(a, int(r), fidelity, repeat) for a, r in zip(archs, rows, strict=True)]
        single = {name: np.array([getattr(r, name) for r in found], dtype=np.float64) for name in many}
        _same(many, single, f"{fidelity.name}, repeat {repeat}: read")
        absent = set(validator.known_after) - set(validator.measure(archs[0], fidelity, repeat).measured or {})
        expect(not absent, f"{fidelity.name}, repeat {repeat}: known_after, but not measured: {', '.join(absent)}")
    return f"{len(archs)} architectures, {len(asked)} of {len(opened.questions)} pairs of fidelity and repeat"


def _arrays(opened: OpenedTask, archs: list[Architecture], fidelity: Fidelity, repeat: int | None) -> dict[str, Any]:
    """A `Validation` with its defaults filled in: float64 [n] each."""
    found = opened.validator.validate(archs, fidelity=fidelity, repeat=repeat)
    n = len(archs)
    return {
        "valid": found.valid.astype(np.float64),
        "seconds": np.full(n, np.nan) if found.seconds is None else found.seconds.astype(np.float64),
        "trainings": np.ones(n) if found.trainings is None else found.trainings.astype(np.float64),
        "missing": np.zeros(n) if found.missing is None else found.missing.astype(np.float64),
    }


def _answers(opened: OpenedTask, archs: list[Architecture]) -> list[dict[str, Any]]:
    return [_arrays(opened, archs, f, r) for f, r in opened.questions[-12:]]


def _same(one: dict[str, Any], two: dict[str, Any], what: str) -> None:
    gone = one["missing"] > 0
    for name, values in one.items():
        if name == "missing":
            expect((values == two[name]).all(), f"{what}: other repeats are missing")
            continue
        a, b = values[~gone], two[name][~gone]
        expect(np.allclose(a, b, rtol=1e-6, atol=1e-9, equal_nan=True), f"{what}: {name} differs")


@check("protocol", "repeats, seconds and missing values say what they are", cases=_tasks)
def values(subject: ProtocolSubject, case: str) -> None:
    """A missing repeat is NaN; the mean is the mean of the repeats that exist and charges for each; seconds are
    positive numbers where they are recorded, and None where they are not.
    """
    opened = subject.opened(case)
    opened.recorded()
    validator, archs = opened.validator, opened.archs
    for fidelity in validator.fidelities[-4:]:
        found = validator.validate(archs, fidelity=fidelity)
        expect((found.seconds is not None) == validator.records_seconds, "seconds and records_seconds disagree")
        if found.seconds is not None:
            expect((found.seconds[~np.isnan(found.seconds)] > 0).all(), "a training took no time")
        repeats = [_arrays(opened, archs, fidelity, r) for r in validator.repeats]
        for one in repeats:
            expect(np.isnan(one["valid"][one["missing"] > 0]).all(), "a missing repeat has a score")
        if len(repeats) < 2:
            continue
        stacked = np.array([r["valid"] for r in repeats])
        exist = np.array([r["missing"] == 0 for r in repeats])
        known = exist.any(axis=0) & ~np.isnan(np.where(exist, stacked, 0.0)).any(axis=0)
        mean = np.where(exist, stacked, 0.0).sum(axis=0) / np.maximum(exist.sum(axis=0), 1)
        expect(np.allclose(found.valid[known], mean[known], rtol=1e-4), f"{fidelity.name}: not the mean of the repeats")
        if found.trainings is not None:
            counted = (found.trainings == exist.sum(axis=0))[known]
            expect(counted.all(), f"{fidelity.name}: trainings are not the number of repeats")


@check("protocol", "the truth is what is reported", cases=_tasks)
def truth(subject: ProtocolSubject, case: str) -> str:
    """Rows of the truth are those of `identity`; its final and validation scores are those of `final` and of `validate`
    at the full fidelity; weights of every law are a distribution; every way to read the final score works.
    """
    opened = subject.opened(case)
    opened.recorded()
    evaluator, validator, archs = opened.evaluator, opened.validator, opened.archs
    for final in opened.task.finals:
        scores = evaluator.final_scores(archs, final=final).scores
        expect(scores.shape == (len(archs),), f"final {final!r} has shape {scores.shape}")
        expect(not np.isinf(scores).any(), f"final {final!r} has an infinite score, where NaN marks a failed training")
    found = opened.truth
    if found is None:
        raise Skipped("it does not record every row")
    n = len(found.final)
    expect(validator.rows == n == len(found.architectures), f"{n} final scores, {validator.rows} rows")
    some = np.random.default_rng(1).choice(n, size=min(n, 200), replace=False)
    picked = [found.architectures[int(i)] for i in some]
    rows = validator.identity(picked)
    expect((rows == some).all(), "identity of the truth's architectures is not their place in it")
    reported = evaluator.final_scores(picked, final=opened.task.finals[0]).scores
    expect(np.allclose(reported, found.final[some], equal_nan=True, rtol=1e-6), "final differs from the truth")
    if found.valid is not None:
        valid = validator.validate(picked, fidelity=validator.fidelities[-1]).valid
        expect(np.allclose(valid, found.valid[some], equal_nan=True, rtol=1e-6), "validate differs from the truth")
    expect(evaluator.law in found.weights, f"no weights for its law {evaluator.law!r}")
    for law, weights in found.weights.items():
        if weights is not None:
            expect(weights.shape == (n,) and (weights >= 0).all(), f"weights of {law!r} are no distribution")
            expect(math.isclose(weights.sum(), 1.0, rel_tol=1e-6), f"weights of {law!r} sum to {weights.sum():g}")
    mean, _ = found.mean_std(evaluator.law)
    return f"{n} rows, mean {mean:.4g} {evaluator.score.unit} under {evaluator.law}"


@check("protocol", "validation is free of final scores", cases=_tasks)
def free_of_test(subject: ProtocolSubject, case: str) -> None:
    """No attribute path from the validator or the space leads to the evaluator or the final scores, in any order or
    scale; and validation scores are not the final scores, unless the task says that it has no others.
    """
    opened = subject.opened(case)
    evaluator = opened.evaluator
    if not opened.task.searchable:
        raise Skipped("the task has no validation split: it only says the final score of searches on another task")
    targets: list[Any] = [evaluator]
    if opened.truth is not None and evaluator.final_split == "test":
        targets += [opened.truth, opened.truth.final]
    oracle = Oracle(opened.validator, Budget(queries=3))
    if opened.task.recorded:
        oracle.query_many(opened.archs[:2])
    for name, root in (("validator", opened.validator), ("oracle", oracle), ("space", evaluator.space)):
        paths = paths_to(root, targets, name=name)
        expect(not paths, f"final scores are reachable: {', '.join(paths[:3])}")
    if not opened.task.recorded or evaluator.final_split == "valid":
        return
    valid = opened.validator.validate(opened.archs, fidelity=opened.validator.fidelities[-1]).valid
    final = evaluator.final_scores(opened.archs, final=opened.task.finals[0]).scores
    both = ~np.isnan(valid) & ~np.isnan(final)
    expect(not both.any() or not np.allclose(valid[both], final[both]), "validation scores are the final scores")


@check("protocol", "unknown columns and finals are refused", cases=_tasks)
def refusals(subject: ProtocolSubject, case: str) -> None:
    """`validator` and `final` raise a HarnessError for a name that the task does not list."""
    opened = subject.opened(case)
    validator, final_scores = opened.evaluator.validator, opened.evaluator.final_scores
    expect_refusal(HarnessError, "validator('no such column') does not raise HarnessError", validator, "no such column")
    if opened.task.recorded:
        why = "final='no such final' does not raise HarnessError"
        expect_refusal(HarnessError, why, final_scores, opened.archs[:1], final="no such final")
