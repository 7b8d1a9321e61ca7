"""The synthetic evaluator: what it promises to plugin authors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.protocol import Fidelity
from harness.spaces import Choice, SearchSpace
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness.testing.synthetic import SyntheticEvaluator

ROOT = Path(__file__).resolve().parents[3]


def _validate(evaluator, archs, level=-1, **options):
    validator = evaluator.validator()
    return validator.validate(archs, fidelity=validator.fidelities[level], **options)


def test_same_scores_in_another_process_and_under_another_hash_seed():
    code = (
        "from harness.testing.spaces import ToyNodeSpace;"
        "from harness.testing.synthetic import SyntheticEvaluator as E;"
        "t = E(ToyNodeSpace(), seed=7).truth(); print(t.final.tobytes().hex(), t.valid.tobytes().hex())"
    )
    out = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True,
            cwd=ROOT, text=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    truth = SyntheticEvaluator(ToyNodeSpace(), seed=7).truth()
    assert out[0] == out[1] == f"{truth.final.tobytes().hex()} {truth.valid.tobytes().hex()}\n"


def test_another_seed_gives_other_scores_and_another_digest():
    a, b = (SyntheticEvaluator(ToyEdgeSpace(3), seed=s) for s in (1, 2))
    assert abs(np.corrcoef(a.truth().final, b.truth().final)[0, 1]) < 0.25
    assert a.data_digest != b.data_digest


def test_fidelities_and_final_correlate_and_differ():
    space = ToyEdgeSpace(4)
    evaluator = SyntheticEvaluator(space, rows="architecture")
    archs = list(space.enumerate())
    assert len(archs) == 1296
    low, mid, full = (_validate(evaluator, archs, level).valid for level in range(3))
    final = evaluator.final_scores(archs).scores
    r = [np.corrcoef(x, full)[0, 1] for x in (low, mid, final)]
    assert 0.8 < r[0] < r[1] < r[2] < 1.0
    assert not (full == final).any()


def test_mean_and_missing_repeats():
    evaluator = SyntheticEvaluator(ToyEdgeSpace(), missing_share=0.3, rows="architecture")
    archs = list(evaluator.space.enumerate())
    first, second, mean = (_validate(evaluator, archs, repeat=r) for r in (0, 1, None))
    gone = second.missing
    assert 0.15 < gone.mean() < 0.45
    assert not first.missing.any()
    assert not mean.missing.any()
    assert np.isnan(second.valid[gone]).all()
    np.testing.assert_array_equal(mean.valid[gone], first.valid[gone])
    np.testing.assert_allclose(mean.valid[~gone], (first.valid + second.valid)[~gone] / 2)
    assert mean.trainings.tolist() == np.where(gone, 1, 2).tolist()
    np.testing.assert_allclose(mean.seconds, first.seconds + np.where(gone, 0, second.seconds))


def test_failed_trainings_fail_everywhere():
    evaluator = SyntheticEvaluator(ToyEdgeSpace(), nan_share=0.5, rows="architecture")
    archs = list(evaluator.space.enumerate())
    failed = np.isnan(evaluator.final_scores(archs).scores)
    assert 0.35 < failed.mean() < 0.65
    for level in range(3):
        found = _validate(evaluator, archs, level)
        np.testing.assert_array_equal(np.isnan(found.valid), failed)
        assert not found.missing.any()
        assert (found.seconds > 0).all()


def test_lower_is_better_mirrors_the_same_scores():
    up, down = (SyntheticEvaluator(ToyNodeSpace(), lower_is_better=x) for x in (False, True))
    np.testing.assert_allclose(down.truth().final, 100 - up.truth().final)
    assert not down.score.higher_is_better
    assert up.optimum[0] == down.optimum[0]
    assert down.optimum[1] == down.truth().final.min()


def test_truth_and_optimum_of_an_enumerable_space():
    space = ToyNodeSpace()
    evaluator = SyntheticEvaluator(space)
    truth = evaluator.truth()
    assert len(truth.final) == len(truth.architectures) == evaluator.validator().rows == 39
    everything = evaluator.final_scores(list(space.enumerate())).scores
    arch, best = evaluator.optimum
    assert best == everything.max() == evaluator.final_scores([arch]).scores[0]
    # Under the law `encodings` every valid architecture counts once, however many twins it has.
    assert truth.mean_std("encodings")[0] == pytest.approx(everything.mean(), rel=1e-12)
    assert evaluator.validator().identity(truth.architectures).tolist() == list(range(39))


def test_isomorphic_architectures_share_a_row_unless_rows_are_encodings():
    space = ToyEdgeSpace()
    twins = [(1, 2, 3, 3), (3, 3, 1, 2)]
    assert len(set(SyntheticEvaluator(space).validator().identity(twins))) == 1
    apart = SyntheticEvaluator(space, rows="architecture")
    assert len(set(apart.validator().identity(twins))) == 2
    assert apart.validator().rows == 256


class Huge(SearchSpace):
    name, choices, operations, max_nodes = "huge", (Choice("c", tuple("abcdefghij")),) * 30, ("c",), 2

    def key(self, arch):
        return "".join(map(str, arch))

    def describe(self, arch):
        return self.key(arch)

    def parse(self, text):
        return tuple(map(int, text))

    def graph(self, arch, *, pruned=True):
        raise NotImplementedError


def test_unbounded_space_is_scored_on_demand():
    evaluator = SyntheticEvaluator(Huge())
    archs = Huge().sample(np.random.default_rng(0), 200)
    assert evaluator.validator().rows is None
    assert evaluator.truth() is None
    with pytest.raises(HarnessError, match="optimum"):
        _ = evaluator.optimum
    rows = evaluator.validator().identity(archs)
    assert len(set(rows.tolist())) == 200
    assert rows.dtype == np.int64
    assert rows.min() >= 0
    assert np.corrcoef(_validate(evaluator, archs).valid, evaluator.final_scores(archs).scores)[0, 1] > 0.9


def test_read_is_validate_of_one():
    evaluator = SyntheticEvaluator(ToyNodeSpace(), nan_share=0.2, missing_share=0.4)
    validator = evaluator.validator()
    for arch in list(evaluator.space.enumerate())[::7]:
        for fidelity in validator.fidelities:
            for repeat in (None, 0, 1):
                one = validator.read(arch, validator.row(arch), fidelity, repeat)
                many = validator.validate([arch], fidelity=fidelity, repeat=repeat)
                np.testing.assert_equal(
                    [one.valid, one.seconds, one.trainings, one.missing],
                    [many.valid[0], many.seconds[0], many.trainings[0], many.missing[0]],
                )


def test_test_column_answers_final_scores():
    evaluator = SyntheticEvaluator(ToyEdgeSpace())
    column = evaluator.validator("test")
    archs = list(evaluator.space.enumerate())[:20]
    found = column.validate(archs, fidelity=column.fidelities[-1])
    np.testing.assert_array_equal(found.valid, evaluator.final_scores(archs).scores)
    with pytest.raises(HarnessError, match="cannot be searched on 'train'; it has validation, test"):
        evaluator.validator("train")


def test_resumable_fidelities():
    evaluator = SyntheticEvaluator(ToyEdgeSpace(), resumable=True)
    assert evaluator.validator().fidelities == (
        Fidelity("low", 4, True), Fidelity("mid", 12, True), Fidelity("full", 36, True),
    )  # fmt: skip
