"""Random search: what it draws, and that it copes with repeats, partial tables and spaces it can exhaust."""

from __future__ import annotations

import pytest
from landscapes import Grid, Landscape, run

from harness.testing.spaces import ToyEdgeSpace
from harness_baselines.random_search import RandomSearch


def test_draws_every_option_equally_often():
    oracle = run(RandomSearch(), Landscape(Grid(4, 3, 10, 10, 10), sum), queries=6000)
    drawn = [arch for arch, _ in oracle.calls]
    for choice, options in ((0, 4), (1, 3)):
        for option in range(options):
            share = sum(a[choice] == option for a in drawn) / len(drawn)
            assert share == pytest.approx(1 / options, abs=5 * (0.25 / len(drawn)) ** 0.5)


def test_budgets_share_their_draws():
    task = Landscape(Grid(9, 9, 9), sum)
    short, long = (run(RandomSearch(), task, queries=n).calls for n in (100, 300))
    assert long[: len(short)] == short


def test_exhausts_a_space_smaller_than_the_budget():
    strategy = RandomSearch()
    oracle = run(strategy, Landscape(ToyEdgeSpace(), lambda a: float(sum(a))), queries=1000)
    assert (oracle.ended_by, oracle.paid[0]) == ("space", 55)
    assert strategy.notes == {"law": "encodings"}


def test_passes_over_what_a_partial_table_does_not_hold():
    oracle = run(RandomSearch(), Landscape(Grid(6, 6), lambda a: None if a[0] == 5 else float(sum(a))), queries=1000)
    assert (oracle.ended_by, oracle.paid[0]) == ("space", 30)
    assert oracle.asked["missing"] > 0
    assert oracle.incumbent.arch == (4, 5)


@pytest.mark.parametrize(("budget", "paid"), [({"epochs": 95}, 10), ({"seconds": 100}, 5), ({"queries": 1}, 1)])
def test_ends_with_any_limit(budget, paid):
    oracle = run(RandomSearch(), Landscape(Grid(9, 9, 9), sum), **budget)
    assert oracle.paid[0] == paid
    assert [oracle.ended_by] == list(budget)
