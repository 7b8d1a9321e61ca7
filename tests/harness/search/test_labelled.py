"""The labelled set: what is drawn, what is paid, what a failed training counts as."""

from __future__ import annotations

import numpy as np
import pytest

from harness import Budget, Constraint, Labelled, Oracle, StudyError
from harness.search.labelled import collect, distinct, evenly_spaced, labelled, mean_ranks
from harness.search.oracle import best_first
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness.testing.synthetic import SyntheticEvaluator

EVALUATOR = SyntheticEvaluator(ToyNodeSpace())


def oracle(budget: Budget, evaluator: SyntheticEvaluator = EVALUATOR, constraints: tuple[str, ...] = ()) -> Oracle:
    return Oracle(evaluator.validator(), budget, constraints=[Constraint.parse(c) for c in constraints])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_distinct_draws_every_key_once_and_ends() -> None:
    o = oracle(Budget(queries=5))
    keys = o.space.keys(list(distinct(o, rng())))
    assert len(keys) == len(set(keys)) == 39
    assert len(o.history) == 0


@pytest.mark.parametrize(
    ("queries", "reserve", "labels"), [(30, 10, 20), (12, 10, 6), (1, 10, 1), (2, 10, 1), (30, 0, 30)]
)
def test_labels_leave_the_reserve_but_take_half(queries: int, reserve: int, labels: int) -> None:
    o = oracle(Budget(queries=queries))
    assert len(collect(o, rng(), reserve=reserve)) == labels
    assert o.paid[0] == labels


def test_number_of_labels_can_be_named() -> None:
    o = oracle(Budget(queries=30))
    assert len(collect(o, rng(), labels=7, reserve=10)) == 7


def test_budgets_share_their_draws() -> None:
    few, many = collect(oracle(Budget(queries=5)), rng(3)), collect(oracle(Budget(queries=25)), rng(3))
    assert many.archs[:5] == few.archs


@pytest.mark.parametrize("budget", [Budget(epochs=36 * 2 * 20), Budget(seconds=36 * 2 * 1.5 * 20)])
def test_a_budget_without_queries_leaves_the_reserve_by_mean_cost(budget: Budget) -> None:
    """Each query costs two trainings of 36 epochs, at 1 to 2 seconds an epoch: 20 queries, or about that."""
    o = oracle(budget)
    found = collect(o, rng(), reserve=5)
    if budget.epochs is not None:
        assert len(found) == 15
    assert 12 <= len(found) <= 18
    assert o.ended_by is None


def test_failed_trainings_are_the_worst_labels() -> None:
    o = oracle(Budget(queries=30), SyntheticEvaluator(ToyNodeSpace(), nan_share=0.5))
    found = collect(o, rng())
    failed = np.array([obs.score != obs.score for obs in o.history])
    assert failed.any()
    assert found.scores[failed].max() < found.scores[~failed].min()
    assert all(obs.score == obs.score for obs in o.history if obs.arch in best_first(o, 30))


def test_nothing_but_failures_teaches_nothing() -> None:
    found = collect(oracle(Budget(queries=5), SyntheticEvaluator(ToyNodeSpace(), nan_share=1.0)), rng())
    assert len(found) == 5
    assert not found.informative


def test_lower_fidelities_are_no_labels() -> None:
    o = oracle(Budget(queries=9))
    archs = list(distinct(o, rng()))[:3]
    o.query_many(archs, fidelity=o.fidelities[0])
    o.query(archs[1])
    assert labelled(o).archs == [archs[1]]


def test_twins_are_one_label() -> None:
    space = ToyEdgeSpace()
    o = oracle(Budget(queries=9), SyntheticEvaluator(space, rows="architecture"))
    o.query_many([(1, 2, 2, 3), (2, 3, 1, 2)])
    assert space.key((1, 2, 2, 3)) == space.key((2, 3, 1, 2))
    found = labelled(o)
    assert found.archs == [(1, 2, 2, 3)]
    assert found.scores[0] == o.history[0].score


def test_evenly_spaced_labels_span_the_costs() -> None:
    """The smallest and the largest, and what lies at equal distances of rank between them."""
    o = oracle(Budget(queries=30))
    every = list(distinct(o, rng()))
    values = np.sort(o.space.costs(every)["params"])
    chosen = evenly_spaced(o, rng(), 5, "params")
    found = np.sort(o.space.costs(chosen)["params"])
    np.testing.assert_array_equal(found, values[np.linspace(0, 38, 5).round().astype(int)])
    assert len(collect(oracle(Budget(queries=15)), rng(), reserve=5, choose="flops")) == 10


def test_even_spacing_needs_a_number_and_a_cost() -> None:
    with pytest.raises(StudyError, match="number of labels"):
        collect(oracle(Budget(epochs=100)), rng(), choose="params")
    with pytest.raises(StudyError, match="does not know the latency"):
        evenly_spaced(oracle(Budget(queries=5)), rng(), 5, "latency")


def test_infeasible_architectures_are_not_asked() -> None:
    space = EVALUATOR.space
    every = list(space.enumerate())
    limit = float(np.median(space.costs(every)["params"]))
    feasible = {space.key(a) for a in every if space.costs([a])["params"][0] <= limit}
    o = oracle(Budget(queries=10), constraints=(f"params <= {limit}",))
    found = collect(o, rng())
    assert set(space.keys(found.archs)) == feasible
    assert len(found) == len(feasible) < 10
    assert o.asked["infeasible"] == 0


def test_scores_are_scaled_by_value_or_by_mean_rank() -> None:
    known = Labelled([], np.array([10.0, 90.0, 91.0, 90.0]))
    np.testing.assert_allclose(known.scaled(), [0, 80 / 81, 1, 80 / 81])
    np.testing.assert_allclose(known.scaled("ranks"), [0, 0.5, 1, 0.5])
    np.testing.assert_allclose(mean_ranks(known.scores), [0, 1.5, 3, 1.5])
