"""What a learned order is measured on: unseen keys, and unseen rows with the twins of paid ones among them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learned_orders import quality
from studies import run, study

from harness.protocol import Truth
from harness.records.identity import stream
from harness.registry import Registry
from harness.running.ranking import drawn_rows, unseen
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


def places(e: SyntheticEvaluator, order: Any, paid: list[Architecture], n: int) -> tuple[list[int], list[int] | None]:
    """Rows of unseen keys, and unseen rows."""
    truth = truth_of(e)
    keys, rows = unseen([truth.architectures[r] for r in order], e.validator(), paid, n)
    return [int(order[i]) for i in keys], None if rows is None else [int(order[i]) for i in rows]


def truth_of(e: SyntheticEvaluator) -> Truth:
    found = e.truth()
    assert found is not None
    return found


def test_rows_are_sampled_beside_keys_where_a_key_has_several_rows() -> None:
    e = evaluator("architecture")
    truth = truth_of(e)
    order = drawn_rows(np.random.default_rng(0), truth, "encodings")
    keys, rows = places(e, order, [], 1000)
    assert len(keys) == KEYS
    assert rows is not None
    assert len(np.unique(rows)) == ROWS
    keys, rows = places(e, order, [], 20)
    assert rows is not None
    assert len(keys) == len(rows) == 20
    assert len(set(SPACE.keys([truth.architectures[r] for r in keys]))) == 20


def test_what_was_paid_is_replaced_by_what_was_drawn_next() -> None:
    """20 of 55 keys are asked for: however many of the first were paid, 20 are found, in the order drawn."""
    e = evaluator("architecture")
    truth = truth_of(e)
    order = drawn_rows(np.random.default_rng(0), truth, "encodings")
    all_keys, _ = places(e, order, [], KEYS)
    paid = [truth.architectures[r] for r in all_keys[:15]]
    keys, rows = places(e, order, paid, 20)
    assert keys == all_keys[15:35]
    assert rows is not None
    assert len(rows) == 20
    assert not set(rows) & set(all_keys[:15])


def test_rows_come_by_the_laws_weights_without_replacement() -> None:
    """Of weights 1, 2 and 5, 1/8, 2/8 and 5/8 come first; after the heaviest, 1/3 and 2/3 second."""
    truth = Truth(
        np.array([1.0, 2.0, 3.0, np.nan, 5.0]), None, [(0,)] * 5, {"law": np.array([1.0, 2.0, 5.0, 9.0, 0.0])}
    )
    draws = [drawn_rows(np.random.default_rng(seed), truth, "law").tolist() for seed in range(4000)]
    assert all(sorted(d) == [0, 1, 2] for d in draws)
    first = np.bincount([d[0] for d in draws], minlength=3) / len(draws)
    np.testing.assert_allclose(first, [1 / 8, 2 / 8, 5 / 8], atol=0.03)  # standard error below .008
    after_last = np.mean([d[1] == 1 for d in draws if d[0] == 2])
    assert after_last == pytest.approx(2 / 3, abs=0.03)


def test_where_a_row_is_its_key_there_is_one_sample() -> None:
    e = evaluator("key")
    truth = truth_of(e)
    order = drawn_rows(np.random.default_rng(0), truth, "encodings")
    assert places(e, order, [truth.architectures[3]], 1000)[1] is None
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
    assert found.test == found.valid == 0.0, "all unseen keys are equal to it: such an order counts, as none"
    assert found.test_rows is not None
    assert ranker.asked == [ROWS - len(paid), KEYS - len(paid)]
    truthful = Known(dict(zip(archs, truth.final, strict=True)), list)
    best = quality(e, paid, truthful)
    assert (best.test, best.test_rows) == (pytest.approx(1.0), pytest.approx(1.0))


def test_an_order_that_is_not_one_number_each_is_refused() -> None:
    class Wrong:
        def __init__(self, said: Callable[[int], Any]) -> None:
            self.said = said

        def rank(self, archs: list[Architecture]) -> Any:
            return self.said(len(archs))

    with pytest.raises(ValueError, match="rank gave shape"):
        quality(evaluator("architecture"), [], Wrong(lambda n: np.zeros(n - 1)))
    with pytest.raises(ValueError, match=r"rank gave 1 of \d+ values that are not finite"):
        quality(evaluator("architecture"), [], Wrong(lambda n: [np.nan, *range(1, n)]))


def test_comparisons_are_asked_for_ctnass_variant() -> None:
    """A comparator that always prefers its first argument agrees where the true order does, whatever `rank` says."""

    class First(Known):
        def compare(self, a: list[Architecture], b: list[Architecture]) -> Any:
            assert len(a) == len(b)
            return np.full(len(a), 0.9)

    e = evaluator("key")
    truth = truth_of(e)
    scores = dict(zip(SPACE.keys(truth.architectures), truth.final, strict=True))
    found, plain = (quality(e, [], ranker(scores, SPACE.keys)) for ranker in (First, Known))
    assert (plain.test, plain.ctnas) == (pytest.approx(1.0), pytest.approx(1.0))
    assert found.test == pytest.approx(1.0)
    order = drawn_rows(stream(0, "ktau", "toy"), truth, "encodings")
    final = truth.final[places(e, order, [], 1000)[0]]
    signs = [1.0 if x >= y else -1.0 for i, x in enumerate(final) for y in final[i + 1 :]]
    assert found.ctnas == pytest.approx(np.mean(signs))


def test_every_run_of_a_study_is_measured_on_one_order_of_the_rows(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the search seed; another study seed has another order."""
    orders: dict[int, set[bytes]] = {0: set(), 1: set()}
    for seed in orders:

        def drawn(*given: Any, seed: int = seed) -> Any:
            order = drawn_rows(*given)
            orders[seed].add(order.tobytes())
            return order

        monkeypatch.setattr("harness.running.scoring.drawn_rows", drawn)
        run(toy, tmp_path / str(seed), study("toy-returner", seeds=3, seed=seed))
    assert [len(found) for found in orders.values()] == [1, 1]
    assert orders[0] != orders[1]
