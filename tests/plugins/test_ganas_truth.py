"""GA-NAS's pool: what is asked once, and which cells are the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from landscapes import Grid, Landscape

from harness.errors import BudgetExhausted
from harness.protocol import Validation
from harness.search.budget import Budget
from harness.search.constraints import Constraint
from harness.search.oracle import Oracle
from harness.testing.spaces import ToyEdgeSpace
from harness_ganas.truth import Pool


class Measured(Landscape):
    """A landscape that also measures ``latency``, known only after training."""

    def __init__(self, space, score, latency) -> None:
        super().__init__(space, score)
        self.latency = latency

    @property
    def known_after(self):
        return ("latency",)

    def validate(self, archs, *, fidelity, repeat=None):
        plain = super().validate(archs, fidelity=fidelity, repeat=repeat)
        return Validation(plain.valid, plain.seconds, measured={"latency": np.array([self.latency(a) for a in archs])})


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


def test_what_breaks_a_constraint_known_only_after_training_is_paid_and_no_truth_beside_two_feasible_cells() -> None:
    """Higher scores are slower: what breaks the constraint least comes first."""
    oracle = Oracle(
        Measured(Grid(9), lambda a: float(a[0]), lambda a: float(a[0])),
        Budget(queries=9),
        constraints=[Constraint.parse("latency <= 4")],
    )
    found = Pool(oracle)
    found.add([(6,), (8,), (5,)])
    assert oracle.paid[0] == 3
    assert found.truth(3) == [(5,), (6,), (8,)]
    found.add([(1,)])
    assert found.truth(3) == [(1,), (5,), (6,)]
    found.add([(2,)])
    assert found.truth(3) == [(2,), (1,)]
    assert found.scores() == [1.0, 2.0]
    assert math.isnan(found.score((8,)))


def test_a_twin_of_what_breaks_such_a_constraint_breaks_it_too() -> None:
    space = ToyEdgeSpace()
    one, twin, fast = (1, 2, 3, 2), (3, 2, 1, 2), (1, 1, 1, 1)
    oracle = Oracle(
        Measured(space, lambda a: float(sum(a)), lambda a: float(sum(a))),
        Budget(queries=9),
        constraints=[Constraint.parse("latency <= 4")],
    )
    found = Pool(oracle)
    found.add([one, fast, twin])
    assert (oracle.paid[0], found.twins) == (2, 1)
    assert math.isnan(found.score(twin))
    assert found.score(fast) == 4.0


def test_what_a_partial_table_lacks_is_no_cell_and_no_twin() -> None:
    found, oracle = pool(Grid(9), lambda a: float(a[0]) if a[0] % 2 else None)
    found.add([(i,) for i in range(8)])
    assert (oracle.paid[0], oracle.asked["missing"], found.twins) == (4, 4, 0)
    assert found.truth(9) == [(7,), (5,), (3,), (1,)]
    assert math.isnan(found.score((2,)))


def test_the_budget_ends_it() -> None:
    found, _ = pool(Grid(9), lambda a: float(a[0]), queries=3)
    with pytest.raises(BudgetExhausted):
        found.add([(i,) for i in range(9)])
    assert len(found) == 3
