"""Protocol conformance: a sound protocol passes, and every check fails on one that breaks its rule."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from harness.errors import DataMissing, PluginError, UnknownArchitecture, UnknownName
from harness.protocol import Fidelity, FinalScores, Task, TrainingProtocol, Truth, Validation
from harness.testing import ToyEdgeSpace, ToyNodeSpace, assert_conforms, check_protocol
from harness.testing.conformance import CHECKS
from harness.testing.synthetic import SyntheticEvaluator, SyntheticValidator


class Sound(TrainingProtocol):
    """Made-up scores as a protocol: three fidelities, two repeats, one of them sometimes missing."""

    name = "sound"
    data_sets = ("one", "two")

    def tasks(self):
        return [Task(f"{self.name}/{d}", self.name, finals=("single",)) for d in self.data_sets]

    def evaluator(self, task):
        return SyntheticEvaluator(ToyNodeSpace(), name=task.name, missing_share=0.3, nan_share=0.1)

    def open(self, task):
        evaluator = self.evaluator(task)
        evaluator.task = task
        return evaluator


class Swapped(Sound):
    """Opens a task with some methods of its evaluator or validator replaced."""

    data_sets = ("one",)
    of_evaluator: dict = {}
    of_validator: dict = {}

    def open(self, task):
        evaluator = super().open(task)
        evaluator.__class__ = type("Broken", (SyntheticEvaluator,), self.of_evaluator)
        evaluator._validator.__class__ = type("BrokenValidator", (SyntheticValidator,), self.of_validator)
        return evaluator


def swapped(of_evaluator=None, of_validator=None, base=Swapped, **attributes):
    name = {"of_evaluator": of_evaluator or {}, "of_validator": of_validator or {}}
    return type("Broken", (base,), name | attributes)


class Nameless(Sound):
    def tasks(self):
        return [replace(t, name=t.name.replace("sound/", "")) for t in super().tasks()]


class Twice(Sound):
    data_sets = ("one", "one")


class SaysMissingAndOpens(Sound):
    def missing(self, task):
        return "sound is not downloaded: get it"


class SaysNothingAndIsMissing(Sound):
    def open(self, task):
        raise DataMissing("gone")


class OpensAnother(Sound):
    def open(self, task):
        return super().open(self.tasks()[0])


class NewDigest(Sound):
    opened = 0

    def open(self, task):
        evaluator = super().open(task)
        NewDigest.opened += 1
        evaluator.data_digest += str(self.opened)
        return evaluator


class NewScores(Sound):
    opened = 0

    def open(self, task):
        NewScores.opened += 1
        evaluator = SyntheticEvaluator(ToyNodeSpace(), name=task.name, seed=self.opened)
        evaluator.task, evaluator.data_digest = task, "same"
        return evaluator


class UnsortedFidelities(Sound):
    def open(self, task):
        evaluator = super().open(task)
        full = evaluator._validator.fidelities[-1]
        evaluator._validator.fidelities = (full, Fidelity("low", 4), replace(full, name="last"))
        return evaluator


def _read_half(self, arch, row, fidelity, repeat):
    found = SyntheticValidator.read(self, arch, row, fidelity, repeat)
    return msgspec.structs.replace(found, valid=found.valid / 2)


def _validate_by_place(self, archs, *, fidelity, repeat=None):
    found = SyntheticValidator.validate(self, archs, fidelity=fidelity, repeat=repeat)
    return replace(found, valid=found.valid + 0.01 * np.arange(len(archs)))


def _validate_fills(self, archs, *, fidelity, repeat=None):
    found = SyntheticValidator.validate(self, archs, fidelity=fidelity, repeat=repeat)
    return replace(found, valid=np.nan_to_num(found.valid, nan=50.0))


def _validate_best_repeat(self, archs, *, fidelity, repeat=None):
    if repeat is not None:
        return SyntheticValidator.validate(self, archs, fidelity=fidelity, repeat=repeat)
    found = [SyntheticValidator.validate(self, archs, fidelity=fidelity, repeat=r) for r in (0, 1)]
    mean = SyntheticValidator.validate(self, archs, fidelity=fidelity)
    return replace(mean, valid=np.fmax(found[0].valid, found[1].valid))


def _validate_without_seconds(self, archs, *, fidelity, repeat=None):
    found = SyntheticValidator.validate(self, archs, fidelity=fidelity, repeat=repeat)
    return Validation(found.valid, None, found.trainings, found.missing)


def _final_of_another(self, archs, *, final="single", seed=None):
    self.check_final(final)
    return FinalScores(SyntheticEvaluator.final_scores(self, archs).scores + 1.0)


def _truth_backwards(self, final="single"):
    t = SyntheticEvaluator.truth(self, final)
    return Truth(t.final[::-1], t.valid[::-1], t.architectures[::-1], t.weights)


def _truth_overweight(self, final="single"):
    t = SyntheticEvaluator.truth(self, final)
    return replace(t, weights={"encodings": np.ones(len(t.final))})


def _final_is_validation(self, archs, *, final="single", seed=None):
    self.check_final(final)
    return FinalScores(self._validator.validate(archs, fidelity=self._validator.fidelities[-1]).valid)


def _final_infinite(self, archs, *, final="single", seed=None):
    self.check_final(final)
    return FinalScores(np.full(len(archs), np.inf))


def _truth_is_validation(self, final="single"):
    t = SyntheticEvaluator.truth(self, final)
    return replace(t, final=t.valid.copy())


def _any_final(self, final):
    return None


def _any_column(self, column="validation", context=None):
    return self._validator


class HoldsItsEvaluator(Sound):
    def open(self, task):
        evaluator = super().open(task)
        evaluator._validator.owner = lambda: evaluator
        return evaluator


class HoldsFinalsInSpace(Sound):
    def open(self, task):
        evaluator = super().open(task)
        table = evaluator.truth().final.tolist()
        evaluator.space.hint = {a: s / 100 for a, s in zip(evaluator.truth().architectures, table, strict=True)}
        return evaluator


CAUGHT_BY = {
    "no prefix": (Nameless, "its tasks are named"),
    "twice": (Twice, "its tasks are named"),
    "missing and there": (SaysMissingAndOpens, "it opens"),
    "there and missing": (SaysNothingAndIsMissing, "it opens"),
    "another task": (OpensAnother, "it opens"),
    "no provenance": (swapped({"provenance": lambda self: {}}), "it opens"),
    "new digest": (NewDigest, "opening it again"),
    "new scores": (NewScores, "opening it again"),
    "unsorted": (UnsortedFidelities, "fidelities go"),
    "another read": (swapped(None, {"read": _read_half}), "a batch equals"),
    "not measured": (swapped(None, {"known_after": ("latency",)}), "a batch equals"),
    "by place": (swapped(None, {"validate": _validate_by_place}), "a batch equals"),
    "filled gaps": (swapped(None, {"validate": _validate_fills}), "repeats, seconds"),
    "best repeat": (swapped(None, {"validate": _validate_best_repeat}), "repeats, seconds"),
    "no seconds": (swapped(None, {"validate": _validate_without_seconds}), "repeats, seconds"),
    "another final": (swapped({"final_scores": _final_of_another}), "the truth is"),
    "backwards": (swapped({"truth": _truth_backwards}), "the truth is"),
    "overweight": (swapped({"truth": _truth_overweight}), "the truth is"),
    "holds its evaluator": (HoldsItsEvaluator, "validation is free"),
    "holds finals": (HoldsFinalsInSpace, "validation is free"),
    "final is validation": (
        swapped({"final_scores": _final_is_validation, "truth": _truth_is_validation}),
        "validation is free",
    ),
    "any final": (swapped({"check_final": _any_final}), "unknown columns"),
    "any column": (swapped({"validator": _any_column}), "unknown columns"),
}


def test_an_infinite_final_score_is_told_as_such():
    report = check_protocol(swapped({"final_scores": _final_infinite}), only=["the truth is"])
    assert report.failed
    assert all("has an infinite score" in result.why for result in report.failed), str(report)


def test_a_partial_table_conforms(toy):
    report = check_protocol(toy.protocol("toy"), tasks=["toy/partial"])
    assert report.ok, str(report)
    assert "the truth is what is reported [toy/partial]" in {r.check for r in report.ran}
    evaluator = toy.protocol("toy").open(toy.task("toy/partial"))
    assert evaluator.validator().rows == len(evaluator.truth("single").final) == 40
    assert SyntheticEvaluator(ToyEdgeSpace()).validator().rows == 55
    archs, validator = list(evaluator.space.enumerate()), evaluator.validator()
    with pytest.raises(UnknownArchitecture):
        validator.identity(archs)
    with pytest.raises(UnknownArchitecture):
        validator.validate(archs, fidelity=validator.fidelities[-1])
    with pytest.raises(UnknownArchitecture):
        evaluator.final_scores(archs)


def test_an_evaluator_of_the_earlier_contract_is_refused_in_one_sentence():
    with pytest.raises(PluginError, match=r"Earlier\.validator takes no context: write it as validator\(self, column="):
        type("Earlier", (SyntheticEvaluator,), {"validator": lambda self, column="validation": None})


def test_a_sound_protocol_conforms():
    report = assert_conforms(Sound)
    assert len(report.ran) == 1 + 8 * 2
    assert not report.skipped


@pytest.mark.parametrize(("protocol", "check"), CAUGHT_BY.values(), ids=CAUGHT_BY)
def test_catches(protocol, check):
    report = check_protocol(protocol, only=[check])
    assert report.failed, str(report)
    assert not any("Error:" in r.why for r in report.failed), str(report)


def test_every_check_is_shown_to_fail():
    names = {c.name for c in CHECKS if c.kind == "protocol"}
    assert len(names) == 9
    assert all(any(name.startswith(start) for _, start in CAUGHT_BY.values()) for name in names)


class Absent(Sound):
    def missing(self, task):
        return "sound is not here: pip install sound"

    def open(self, task):
        raise DataMissing("sound is not here: pip install sound")


def test_without_its_data_a_protocol_is_not_checked():
    report = check_protocol(Absent)
    assert not report.ok
    assert "protocol sound is not checked: 8 of its checks could not be run on anything (" in report.summary
    assert [r.check for r in report.ran] == ["its tasks are named"]
    assert {r.why for r in report.not_run} == {"sound is not here: pip install sound"}
    with pytest.raises(AssertionError, match="is not checked"):
        assert_conforms(Absent)


class HalfAbsent(Absent):
    def missing(self, task):
        return super().missing(task) if task.name == "sound/two" else None

    def open(self, task):
        return super().open(task) if task.name == "sound/two" else Sound.open(self, task)


def test_with_the_data_of_some_tasks_it_conforms_as_far_as_it_could_be_checked():
    report = check_protocol(HalfAbsent)
    assert report.ok
    assert "conforms as far as it could be checked" in report.summary
    assert len(report.not_run) == 8


def test_a_misspelt_task_is_refused():
    with pytest.raises(UnknownName, match="unknown task 'sound/tow'; did you mean 'sound/two'"):
        check_protocol(Sound, tasks=["sound/tow"])


def test_tasks_can_be_chosen():
    report = check_protocol(Sound, tasks=["sound/two"])
    assert {r.check.partition("[")[2] for r in report.results} == {"", "sound/two]"}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"tasks": lambda self: ["sound/one"]}, "it lists 'sound/one', which is no Task"),
        ({"tasks": lambda self: None}, "TypeError: 'NoneType' object is not iterable (protocols.py:"),
        ({"__init__": lambda self: 1 / 0}, "ZeroDivisionError: division by zero (test_conformance_protocol.py:"),
    ],
)
def test_what_cannot_be_made_has_one_failed_check(changed, why):
    heard = []
    report = check_protocol(type("Broken", (Sound,), changed), heard=heard.append)
    assert not report.ok
    assert [(r.check, r.status) for r in report.results] == [("it can be made", "failed")]
    assert report.results[0].why.startswith(why)
    assert heard == list(report.results)
    assert "protocol sound does not conform" in report.summary


def test_what_is_opened_is_an_evaluator():
    report = check_protocol(type("Broken", (Sound,), {"open": lambda self, task: None}))
    assert {r.why for r in report.failed} == {"it opens as None, which is no Evaluator"}


class FinalOnly(Sound):
    """No validation split: its validator answers with final scores, and no search may ask it."""

    def tasks(self):
        return [replace(t, searchable=False) for t in super().tasks()]

    def evaluator(self, task):
        evaluator = super().evaluator(task)
        evaluator._validator = evaluator.validator("test")
        return evaluator


def test_a_task_that_cannot_be_searched_may_answer_with_final_scores():
    report = check_protocol(FinalOnly, only=["validation is free"])
    assert not report.failed
    assert len(report.skipped) == 2
    assert "no validation split" in report.skipped[0].why


class Live(Sound):
    """Whoever validates here, trains."""

    data_sets = ("one",)

    def tasks(self):
        return [replace(t, recorded=False) for t in super().tasks()]

    def open(self, task):
        def train(*args, **options):
            raise AssertionError("a check started a training")

        evaluator = super().open(task)
        for name in ("validate", "read"):
            setattr(evaluator._validator, name, train)
        evaluator.final = train
        evaluator.truth = lambda final: None
        return evaluator


def test_nothing_is_trained_for_a_live_task():
    report = check_protocol(Live)
    assert report.ok, str(report)
    assert {r.why for r in report.skipped} == {"a live task: nothing is trained for a check"}
