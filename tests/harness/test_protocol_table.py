"""A task whose scores stand in one table: it conforms, and says what is wrong with a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from landscapes import Grid

from harness import RestrictedSpace, Score, TableEvaluator, Task, TrainingProtocol, UnknownArchitecture
from harness.errors import DataError, HarnessError, PluginError, StudyError
from harness.records.specs import SamplingSpec
from harness.records.store import Folder
from harness.running.plan import OpenTask
from harness.running.sampling import sampled_of
from harness.testing import ToyNodeSpace, assert_conforms

SPACE = ToyNodeSpace()
KEYS = sorted({SPACE.key(a) for a in SPACE.enumerate()})
VALID = {key: 50.0 + i for i, key in enumerate(KEYS)}
FINAL = {key: 40.0 + ((7 * i) % 39) ** 1.1 for i, key in enumerate(KEYS)}
TASK = Task("one-table/made-up", "one-table", "made-up scores", ("single",))


class OneTable(TrainingProtocol):
    """The whole of a protocol."""

    name = "one-table"

    def tasks(self):
        return [TASK]

    def open(self, task):
        return TableEvaluator(task, ToyNodeSpace(), valid=VALID, final=FINAL, about={"version": "1"})


class Partial(OneTable):
    def open(self, task):
        some = KEYS[::2]
        return TableEvaluator(
            task, ToyNodeSpace(), valid={k: VALID[k] for k in some}, final={k: FINAL[k] for k in some}
        )


def test_a_protocol_of_one_table_is_ten_lines_and_conforms() -> None:
    assert not assert_conforms(OneTable).not_run
    source = Path(__file__).read_text(encoding="utf-8")
    lines = source.partition("class OneTable")[2].partition("class Partial")[0].splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 10


def test_a_partial_table_conforms() -> None:
    assert not assert_conforms(Partial).failed


def test_an_opened_task_shows_its_name() -> None:
    assert repr(OneTable().open(TASK)) == "<TableEvaluator of one-table/made-up>"


def test_random_sampling_goes_by_the_encodings_of_each_key() -> None:
    evaluator = OneTable().open(TASK)
    truth = evaluator.truth("single")
    assert truth is not None
    archs = list(SPACE.enumerate())
    by_hand = np.mean([FINAL[SPACE.key(a)] for a in archs])
    assert truth.mean_std("encodings")[0] == pytest.approx(by_hand)
    assert [SPACE.key(a) for a in truth.architectures] == KEYS
    assert evaluator.final_scores(archs, final="single").scores.tolist() == [FINAL[SPACE.key(a)] for a in archs]


def test_the_digest_is_of_the_scores_whatever_their_order() -> None:
    def digest(**changed: dict[str, float]) -> str:
        return TableEvaluator(TASK, SPACE, **{"valid": VALID, "final": FINAL, **changed}).data_digest

    backwards = dict(reversed(VALID.items()))
    assert digest() == digest(valid=backwards) != digest(final={**FINAL, KEYS[0]: 1.0})
    assert digest(final={**FINAL, KEYS[0]: float("nan")}) != digest()


def test_what_a_table_lacks_and_what_a_task_has_not_is_refused() -> None:
    evaluator = Partial().open(TASK)
    absent = next(a for a in SPACE.enumerate() if SPACE.key(a) == KEYS[1])
    with pytest.raises(UnknownArchitecture, match="the table has no score for"):
        evaluator.final_scores([absent], final="single")
    with pytest.raises(HarnessError, match="no final 'mean'; it has single"):
        evaluator.truth("mean")
    with pytest.raises(HarnessError, match="cannot be searched on 'test'"):
        evaluator.validator("test")


@pytest.mark.parametrize(
    ("valid", "final", "why"),
    [
        ({}, {}, "the table is empty"),
        (VALID, {k: FINAL[k] for k in KEYS[1:]}, "has a validation score alone"),
        ({k: VALID[k] for k in KEYS[1:]}, FINAL, "has a final score alone"),
        ({**VALID, KEYS[3]: float("inf")}, FINAL, "has an infinite score; NaN marks a training that failed"),
        ({**VALID, "no such": 1.0}, {**FINAL, "no such": 1.0}, "the table has 'no such', which is no key of toy-nodes"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(valid: dict[str, float], final: dict[str, float], why: str) -> None:
    with pytest.raises(DataError, match=why):
        TableEvaluator(TASK, SPACE, valid=valid, final=final)


def test_a_space_too_large_to_go_through_is_sampled() -> None:
    space = Grid(100, 100, 100)
    archs = space.sample(np.random.default_rng(0), 50)
    scores = {space.key(a): float(i) for i, a in enumerate(archs)}
    evaluator = TableEvaluator(TASK, space, valid=scores, final=scores, score=Score("loss", "", higher_is_better=False))
    assert evaluator.truth("single") is None
    assert evaluator.sampling_draws == 10_000
    assert not evaluator.score.higher_is_better


def test_over_a_restricted_space_a_table_is_of_its_members() -> None:
    members = list(SPACE.enumerate())[::5]
    keys = {SPACE.key(a) for a in members}
    evaluator = TableEvaluator(
        TASK, RestrictedSpace(SPACE, members), valid={k: VALID[k] for k in keys}, final={k: FINAL[k] for k in keys}
    )
    truth = evaluator.truth("single")
    assert truth is not None
    assert len(truth.final) == len(keys)
    # Its law draws members, of which several may have one key.
    draws = evaluator.space.sample(np.random.default_rng(0), 20_000)
    mean = evaluator.final_scores(draws, final="single").scores.mean()
    assert truth.mean_std("rows")[0] == pytest.approx(mean, abs=4 * truth.mean_std("rows")[1] / 20_000**0.5)


def test_a_part_of_a_large_space_is_sampled_exactly_where_the_space_is_restricted_to_it(tmp_path: Path) -> None:
    space = Grid(100, 100, 100)
    archs = space.sample(np.random.default_rng(0), 50)
    scores = {space.key(a): float(i) for i, a in enumerate(archs)}
    restricted = TableEvaluator(TASK, RestrictedSpace(space, archs), valid=scores, final=scores)
    truth = restricted.truth("single")
    assert truth is not None
    assert truth.mean_std("rows")[0] == pytest.approx(np.mean(list(scores.values())))
    partial = TableEvaluator(TASK, space, valid=scores, final=scores)
    name = TASK.name
    spec = SamplingSpec(
        task=name, search_task=name, law="encodings", final="single", final_seed=None, constraints=(), study_seed=0,
        draws=100, data_digest="", search_data_digest="",
    )  # fmt: skip
    with pytest.raises(StudyError, match="the table has no score for .*; restrict its space to the architectures that"):
        sampled_of(OpenTask(partial, partial, spec), Folder(tmp_path), {}, again=False)


@pytest.mark.parametrize("finals", ["single", ()])
def test_the_finals_of_a_task_are_a_tuple_of_at_least_one(finals: Any) -> None:
    with pytest.raises(PluginError, match=r"task 'one-table/x': finals is .*: write a tuple, such as \('single',\)"):
        Task("one-table/x", "one-table", "made-up scores", finals)
