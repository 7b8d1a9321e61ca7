"""Local search: every climb ends where no neighbour is better, and the next one starts somewhere new."""

from __future__ import annotations

import math
import random

import pytest
from landscapes import Grid, Landscape, run

from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness_baselines.local_search import LocalSearch, LocalSearchParams, climb


def rugged(arch, seed=0):
    return random.Random(repr((seed, arch))).random()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("space", [Grid(3, 4, 3), ToyNodeSpace()], ids=lambda s: s.name)
def test_a_climb_ends_at_a_local_optimum(space, full):
    archs = list(space.enumerate())
    ends = set()
    for seed in range(40):
        draw = random.Random(seed)
        start = draw.choice(archs)
        value, end = climb((rugged(start), start), space, rugged, draw, full=full)
        assert value == rugged(end) >= max(rugged(a) for a in space.neighbours(end))
        ends.add(end)
    assert len(ends) > 1


def test_the_first_better_neighbour_is_taken_and_the_order_is_random():
    space, seen = Grid(9, 9), []

    def score(arch):
        seen.append(arch)
        return float(sum(arch))

    climb((0.0, (0, 0)), space, score, random.Random(1), full=False)
    assert sum(x != y for x, y in zip(seen[1], seen[0], strict=True)) == 1, "the second is tried from the first"
    firsts = set()
    for seed in range(50):
        seen.clear()
        climb((0.0, (0, 0)), space, score, random.Random(seed), full=False)
        firsts.add(seen[0])
    assert len(firsts) > 10


def test_the_full_neighbourhood_moves_to_its_best():
    space, seen = Grid(9, 9), []

    def score(arch):
        seen.append(arch)
        return float(sum(arch))

    assert climb((0.0, (0, 0)), space, score, random.Random(1), full=True) == (16.0, (8, 8))
    assert set(seen[:16]) == set(space.neighbours((0, 0)))
    assert set(seen[16:32]) in (set(space.neighbours((8, 0))), set(space.neighbours((0, 8))))
    assert len(seen) == 3 * 16


def test_what_is_known_is_climbed_over_free_of_charge():
    """A ridge of known architectures leads to the top: a search that only looks at new ones would stop before it."""
    oracle = run(LocalSearch(LocalSearchParams(num_init=3)), Landscape(Grid(5, 5, 5), sum), queries=60)
    assert oracle.incumbent.score == 12.0
    assert oracle.asked["cached"] > 0


def test_isomorphic_twins_on_a_plateau_lead_nowhere_and_the_whole_space_is_covered():
    strategy = LocalSearch()
    oracle = run(strategy, Landscape(ToyEdgeSpace(), lambda a: 1.0), queries=1000)
    assert (oracle.ended_by, oracle.paid[0]) == ("space", 55)
    assert strategy.notes["climbs"] >= 1


def test_each_climb_starts_at_the_best_of_new_architectures():
    """On a plateau a climb tries all neighbours of the first start and ends."""
    space, n = Grid(9, 9, 9), 4
    oracle = run(LocalSearch(LocalSearchParams(num_init=n)), Landscape(space, lambda a: 1.0), queries=300)
    calls = [arch for arch, _ in oracle.calls]
    known, at, climbs = set(), 0, 0
    while at + 60 < len(calls):
        fresh = []
        while len(fresh) < n:
            if calls[at] not in known:
                fresh.append(calls[at])
            known.add(calls[at])
            at += 1
        near = set(space.neighbours(fresh[0]))
        assert set(calls[at : at + len(near)]) == near
        known |= near
        at += len(near)
        climbs += 1
    assert climbs > 8


def test_climbs_away_from_failed_trainings():
    top = {(3, 3, 3): 1.0}
    task = Landscape(Grid(4, 4, 4), lambda a: top.get(a, math.nan if sum(a) < 6 else sum(a) / 100))
    oracle = run(LocalSearch(LocalSearchParams(num_init=1)), task, queries=64)
    assert oracle.incumbent.arch == (3, 3, 3)


def test_passes_over_what_a_partial_table_does_not_hold():
    oracle = run(LocalSearch(), Landscape(Grid(6, 6), lambda a: None if a[0] == 5 else float(sum(a))), queries=1000)
    assert (oracle.ended_by, oracle.paid[0]) == ("space", 30)


def test_a_budget_of_one():
    assert run(LocalSearch(), Landscape(Grid(4, 4), sum), queries=1).paid[0] == 1
