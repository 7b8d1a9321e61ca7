"""GA-NAS's pool: what is asked once, and which cells are the truth."""

from __future__ import annotations

import math

import pytest
from landscapes import Grid, Landscape

from harness.constraints import Constraint
from harness.errors import BudgetExhausted
from harness.oracle import Budget, Oracle
from harness.testing.spaces import ToyEdgeSpace
from harness_ganas.truth import Pool


def pool(space, score, queries=100, constraints=()):
    oracle = Oracle(
        Landscape(space, score), Budget(queries=queries), constraints=[Constraint.parse(c) for c in constraints]
    )
    return Pool(oracle), oracle


def test_the_truth_is_the_best_k_best_first() -> None:
    found, _ = pool(Grid(9), lambda a: float(-abs(a[0] - 5)))
    found.add([(i,) for i in range(9)])
    assert set(found.truth(3)[1:]) == {(4,), (6,)}
    assert found.truth(3)[0] == found.best()[0] == (5,)
    assert len(found.truth(100)) == 9


def test_a_share_bounds_the_truth_where_few_cells_are_known() -> None:
    found, _ = pool(Grid(9), lambda a: float(a[0]))
    found.add([(i,) for i in range(8)])
    assert found.truth(5, 0.5) == [(7,), (6,), (5,), (4,)]
    assert found.truth(3, 0.5) == [(7,), (6,), (5,)]
    assert found.truth(5, 0.01) == [(7,), (6,)], "two at least"


def test_a_known_cell_is_not_asked_for_again() -> None:
    found, oracle = pool(Grid(9), lambda a: float(a[0]))
    found.add([(1,), (2,), (1,)])
    found.add([(2,), (3,)])
    assert oracle.asked["total"] == oracle.paid[0] == 3
    assert (found.generated, found.repeats, found.twins) == (5, 2, 0)


def test_a_twin_is_free_and_never_truth() -> None:
    space = ToyEdgeSpace()
    one, twin = (1, 2, 3, 2), (3, 2, 1, 2)
    assert space.key(one) == space.key(twin)
    found, oracle = pool(space, lambda a: float(sum(a)))
    found.add([one, twin, (1, 1, 1, 1)])
    assert oracle.paid[0] == 2
    assert found.twins == 1
    assert twin not in found.truth(10)
    assert found.score(twin) == found.score(one)


def test_a_failed_training_is_paid_and_never_truth() -> None:
    found, oracle = pool(Grid(9), lambda a: math.nan if a[0] == 8 else float(a[0]))
    found.add([(8,), (1,)])
    assert oracle.paid[0] == 2
    assert found.truth(10) == [(1,)]


def test_constraints_are_applied_in_the_truth_set_and_nothing_infeasible_is_paid() -> None:
    space = ToyEdgeSpace()
    archs = list(space.enumerate())
    params = dict(zip(archs, space.costs(archs)["params"].tolist(), strict=True))
    bound = sorted(params.values())[200]
    found, oracle = pool(space, lambda a: params[a], queries=300, constraints=[f"params <= {bound}"])
    found.add(archs)
    assert found.truth(5)[0] == max((a for a in archs if params[a] <= bound), key=lambda a: (params[a], 0))
    assert all(params[a] <= bound for a in found.truth(1000))
    assert found.refused == sum(p > bound for p in params.values())
    assert all(o.feasible for o in oracle.history)


def test_an_infeasible_start_takes_what_breaks_the_constraints_least() -> None:
    space = ToyEdgeSpace()
    found, oracle = pool(space, lambda a: 1.0, constraints=["params <= 1"])
    heavy, light = (3, 3, 3, 3), (2, 2, 1, 1)
    cost = dict(zip([heavy, light], space.costs([heavy, light])["params"].tolist(), strict=True))
    assert cost[heavy] > cost[light] > 1
    found.add([heavy, light])
    assert oracle.paid[0] == 0
    assert found.truth(5) == [light, heavy]
    found.add([(1, 1, 1, 1)])
    assert found.truth(5) == [(1, 1, 1, 1), light, heavy], "one feasible cell is filled up"
    found.add([(0, 0, 1, 1)])
    assert sorted(found.truth(5)) == [(0, 0, 1, 1), (1, 1, 1, 1)], "two feasible cells are enough"


def test_the_budget_ends_it() -> None:
    found, _ = pool(Grid(9), lambda a: float(a[0]), queries=3)
    with pytest.raises(BudgetExhausted):
        found.add([(i,) for i in range(9)])
    assert len(found) == 3
