"""The walk finds final scores however they are hidden, and none where there are none."""

from __future__ import annotations

import functools
import weakref
from collections import deque
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from harness.errors import BudgetExhausted
from harness.registry import Registry
from harness.search.budget import Budget
from harness.search.oracle import Oracle
from harness.testing.reachability import paths_to
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness.testing.synthetic import SyntheticEvaluator

FINAL = np.random.default_rng(0).uniform(40, 95, size=50)


class Slotted:
    __slots__ = ("inner",)

    def __init__(self, inner):
        self.inner = inner

    def method(self):
        return self.inner


class Mangled:
    __slots__ = ("__inner",)

    def __init__(self, inner):
        self.__inner = inner


class Fields(msgspec.Struct, gc=False):
    inner: object


class MoreFields(Fields, gc=False):
    other: int = 1


class OnClass:
    table = {"cora": FINAL.copy()}


class Property:
    def __init__(self, function):
        self._function = function

    @property
    def value(self):
        return self._function()


def _closure(value):
    def function():
        return value

    return function


def _generator(value):
    yield 1
    yield value


def _started(value):
    running = _generator(value)
    next(running)
    return running


def _weak(value):
    holder = Property(value)
    OnClass.alive = holder  # something else keeps it alive
    return weakref.ref(holder)


SHUFFLED = np.random.default_rng(1).permutation(FINAL)
HIDDEN = {
    "attribute": SimpleNamespace(a=SimpleNamespace(b=FINAL)),
    "copy": [FINAL.copy()],
    "float32": [FINAL.astype(np.float32)],
    "list": {"scores": FINAL.tolist()},
    "tuple in a set": {tuple(FINAL.tolist())},
    "dict by architecture": {(i,): v for i, v in enumerate(FINAL.tolist())},
    "another order": [SHUFFLED],
    "fractions": [FINAL / 100],
    "errors": [100 - FINAL],
    "with gaps": [np.concatenate([FINAL, [np.nan] * 3])],
    "column of a table": [np.stack([np.arange(50), FINAL, FINAL**2], axis=1)],
    "records": [("a", i, v) for i, v in enumerate(FINAL.tolist())],
    "view": [FINAL[10:12]],
    "base of a copy's view": [FINAL.copy()[:3]],
    "memory view": memoryview(FINAL),
    "memory view's object": [memoryview(FINAL.copy())[:2]],
    "slots": Slotted(FINAL),
    "mangled slot": Mangled(FINAL),
    "field of a struct": MoreFields(FINAL),
    "class attribute": OnClass(),
    "closure": _closure(FINAL),
    "default argument": lambda x=FINAL: x,
    "keyword default": (lambda *, x=FINAL: x),
    "bound method": Slotted(FINAL).method,
    "built-in bound method": FINAL.copy().tolist,
    "partial": functools.partial(print, end=FINAL),
    "property's closure": Property(_closure(FINAL)),
    "generator": _started(FINAL),
    "map object": map(_closure(FINAL), [1]),
    "object array": np.array([None, {"x": FINAL.copy()}], dtype=object),
    "deque": deque([1, FINAL.copy()]),
    "weak reference": _weak(FINAL.copy()),
    "key of a dict": {functools.partial(print, FINAL): 1},
}


@pytest.mark.parametrize("root", HIDDEN.values(), ids=HIDDEN)
def test_finds(root):
    assert paths_to(root, [FINAL])


def test_names_the_path():
    root = SimpleNamespace(oracle={"answers": Slotted([0, FINAL])})
    assert paths_to(root, [FINAL], name="strategy") == ["strategy.oracle['answers'].inner[1]"]


CLEAN = {
    "nothing": None,
    "other scores": [np.random.default_rng(2).uniform(40, 95, size=50)],
    "correlated scores": [FINAL + np.random.default_rng(3).normal(0, 0.5, size=50)],
    "some of them": [FINAL.tolist()[:20]],
    "one of them": {"best": float(FINAL.max())},
    "module": np,
    "plain function": paths_to,
    "itself in a cycle": (lambda a: (a.append(a), a)[1])([]),
}


@pytest.mark.parametrize("root", CLEAN.values(), ids=CLEAN)
def test_finds_nothing(root):
    assert paths_to(root, [FINAL]) == []


def test_bytes_are_found_by_value():
    assert paths_to({"a": [b"secret" + b"!"]}, [b"secret!"]) == ["root['a'][0]"]
    assert paths_to({"a": [b"other"]}, [b"secret!"]) == []


def test_gives_up_aloud():
    with pytest.raises(RuntimeError, match="more than 50 objects"):
        paths_to([[i] for i in range(100)], [FINAL], limit=50)


@pytest.mark.parametrize("space", [ToyEdgeSpace(3), ToyNodeSpace()], ids=lambda s: s.name)
@pytest.mark.parametrize("lower", [False, True])
def test_no_way_from_the_oracle_to_a_synthetic_final_score(space, lower):
    evaluator = SyntheticEvaluator(space, lower_is_better=lower)
    truth = evaluator.truth()
    oracle = Oracle(evaluator.validator(), Budget(queries=20))
    oracle.query_many(space.sample(np.random.default_rng(0), 5))
    targets = [evaluator, truth, truth.final, evaluator._final_secret]
    assert paths_to(oracle, targets) == []
    assert paths_to(space, targets) == []
    # The walk is not blind: the validator's own scores are there, as is the evaluator on the paper mode's column.
    assert paths_to(oracle, [evaluator.validator()._scores.secret]) == ["root._validator._scores.secret"]
    assert paths_to(Oracle(evaluator.validator("test"), Budget(queries=1)), targets)


def test_no_way_from_a_search_to_a_real_final_score():
    """NAS-Bench-Graph, after a search of 100 queries: oracle, strategy and space hold validation scores alone."""
    pytest.importorskip("nas_bench_graph")
    registry = Registry(only=frozenset({"nasbench", "baselines"}))
    evaluator = registry.protocol("nasbench-graph").open(registry.task("nasbench-graph/cora"))
    truth = evaluator.truth("single")
    oracle = Oracle(evaluator.validator(), Budget(queries=100))
    strategy = registry.load("strategy", "regularized-evolution")()
    with pytest.raises(BudgetExhausted):
        strategy.search(oracle, np.random.default_rng(0))
    targets = [evaluator, truth, truth.final]
    for root in (oracle, strategy, oracle.space, evaluator.validator()):
        assert paths_to(root, targets) == []
    # The walk sees as far as the scores: those of validation, which the oracle answers from, are found.
    assert paths_to(oracle, [truth.valid])
    assert paths_to(evaluator, [truth.final])
