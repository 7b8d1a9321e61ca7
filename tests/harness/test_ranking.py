"""What a learned order is measured on: unseen keys, and unseen rows with the twins of paid ones among them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.ranking import ktau_rows, rank_quality
from harness.records import RankQuality
from harness.spaces import Architecture
from harness.testing.spaces import ToyEdgeSpace
from harness.testing.synthetic import SyntheticEvaluator

SPACE = ToyEdgeSpace()
ROWS, KEYS = 256, 55
"""Encodings of the toy space, and its isomorphism classes."""


def evaluator(rows: Any) -> SyntheticEvaluator:
    return SyntheticEvaluator(SPACE, rows=rows, noise=0.0)


class Known:
    """The true order of what it was told, all else equal and below."""

    def __init__(self, scores: dict[Any, float], by: Any) -> None:
        self.scores, self.by, self.asked = scores, by, []

    def rank(self, archs: list[Architecture]) -> Any:
        self.asked.append(len(archs))
        return np.array([self.scores.get(key, 0.0) for key in self.by(archs)])


def quality(e: SyntheticEvaluator, paid: list[Architecture], ranker: Any, n: int = 1000) -> RankQuality:
    spec = SimpleNamespace(study_seed=0, task="toy", law="encodings", ktau_sample=n)
    oracle = SimpleNamespace(ledger=[SimpleNamespace(arch=a) for a in paid])
    found = rank_quality(spec, e, e.truth(), ranker, oracle)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_rows_are_sampled_beside_keys_where_a_key_has_several_rows() -> None:
    e = evaluator("architecture")
    truth = e.truth()
    assert truth is not None
    found = ktau_rows(0, "toy", "encodings", truth, e, 1000)
    assert len(found.keys) == KEYS
    assert found.rows is not None
    assert len(np.unique(found.rows)) == ROWS
    few = ktau_rows(0, "toy", "encodings", truth, e, 20)
    assert few.rows is not None
    assert len(few.keys) == len(few.rows) == 20
    assert len(set(SPACE.keys([truth.architectures[r] for r in few.keys]))) == 20


def test_where_a_row_is_its_key_there_is_one_sample() -> None:
    e = evaluator("key")
    truth = e.truth()
    assert truth is not None
    assert ktau_rows(0, "toy", "encodings", truth, e, 1000).rows is None
    perfect = Known(dict(zip(SPACE.keys(truth.architectures), truth.final, strict=True)), SPACE.keys)
    found = quality(e, [truth.architectures[0]], perfect)
    assert (found.test, found.n, found.test_rows, found.n_rows) == (pytest.approx(1.0), KEYS - 1, None, None)


def test_twins_of_paid_cells_are_unseen_rows_but_not_unseen_keys() -> None:
    """All cells of half the classes but one each are known by their twins; of the other half nothing is."""
    e = evaluator("architecture")
    truth = e.truth()
    assert truth is not None
    archs = list(truth.architectures)
    first: dict[str, Architecture] = {}
    for key, arch in zip(SPACE.keys(archs), archs, strict=True):
        first.setdefault(key, arch)
    paid = [arch for i, arch in enumerate(first.values()) if i % 2]
    of_class = {key: float(i) for i, key in enumerate(sorted(SPACE.keys(paid)))}
    ranker = Known(of_class, SPACE.keys)
    found = quality(e, paid, ranker)
    assert found.n == KEYS - len(paid)
    assert found.n_rows == ROWS - len(paid)
    assert found.test is None  # all unseen keys are equal to it
    assert found.test_rows is not None
    assert ranker.asked == [ROWS - len(paid), KEYS - len(paid)]
    truthful = Known(dict(zip(archs, truth.final, strict=True)), list)
    best = quality(e, paid, truthful)
    assert (best.test, best.test_rows) == (pytest.approx(1.0), pytest.approx(1.0))


def test_an_order_that_is_not_one_number_each_is_refused() -> None:
    class Wrong:
        def rank(self, archs: list[Architecture]) -> Any:
            return np.zeros(len(archs) - 1)

    with pytest.raises(ValueError, match="rank gave shape"):
        quality(evaluator("architecture"), [], Wrong())


def test_records_of_before_have_no_rows() -> None:
    old = b'{"test":0.5,"valid":0.6,"eq13":0.4,"ctnas":0.3,"n":900}'
    assert msgspec.json.decode(old, type=RankQuality) == RankQuality(0.5, 0.6, 0.4, 0.3, 900, None, None)
