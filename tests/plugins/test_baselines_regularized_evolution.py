"""Regularized evolution, held against Algorithm 1 of Real et al. (2019) trial by trial."""

from __future__ import annotations

import math
import random
from collections import deque

import numpy as np
import pytest
from landscapes import Grid, Landscape, run

from harness.errors import HarnessError
from harness.search.constraints import Constraint
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness_baselines.regularized_evolution import RegularizedEvolution, RegularizedEvolutionParams


def rugged(arch, fails=0.0):
    """A made-up score without structure, NaN for a share of ``fails`` of the architectures."""
    draw = random.Random(repr(arch))
    return math.nan if draw.random() < fails else draw.random()


def search(validator, *, population, sample, **options):
    strategy = RegularizedEvolution(RegularizedEvolutionParams(population=population, sample=sample))
    return run(strategy, validator, **options)


def distance(a, b):
    return sum(x != y for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("fails", [0.0, 0.3])
def test_each_child_mutates_the_best_of_the_last_p_trials(fails):
    """With the whole population in the tournament nothing is left to chance but the mutation."""
    p = 5
    oracle = search(Landscape(Grid(3, 3, 3, 3), lambda a: rugged(a, fails)), population=p, sample=p, queries=70)
    alive = deque(oracle.calls[:p], maxlen=p)
    parents = []
    for child, score in oracle.calls[p:]:
        best = max(-math.inf if s != s else s for _, s in alive)
        winners = [arch for arch, s in alive if (-math.inf if s != s else s) == best]
        assert any(distance(child, w) == 1 for w in winners)
        parents.append(best)
        alive.append((child, score))
    repeats = len(oracle.calls) - oracle.paid[0]
    assert repeats > 10, "repeats join the population too, or the window above would not fit"
    assert min(np.diff(parents)) < 0, "even the best dies of age"
    assert (fails > 0) == any(s != s for _, s in oracle.calls)


def test_the_tournament_draws_without_replacement():
    """The worst of the population can never win a tournament of two."""
    p = 4
    oracle = search(Landscape(Grid(50, 50, 50), rugged), population=p, sample=2, queries=400)
    alive = deque(oracle.calls[:p], maxlen=p)
    by_rank = [0] * p
    for child, score in oracle.calls[p:]:
        ranked = sorted(alive, key=lambda c: -c[1])
        parents = [i for i, (arch, _) in enumerate(ranked) if distance(child, arch) == 1]
        assert parents != [p - 1]
        if len(parents) == 1:
            by_rank[parents[0]] += 1
        alive.append((child, score))
    # Two drawn of four: ranks 1, 2, 3 win with probability 3/6, 2/6, 1/6.
    n = sum(by_rank)
    assert n > 100
    for wins, share in zip(by_rank, (3 / 6, 2 / 6, 1 / 6, 0.0), strict=True):
        assert abs(wins - n * share) <= 4 * math.sqrt(n * share * (1 - share))


def test_passes_over_what_a_partial_table_does_not_hold():
    held = Landscape(Grid(6, 6, 6), lambda a: None if a[0] in (2, 5) else float(sum(a)))
    oracle = search(held, population=4, sample=2, queries=60)
    assert (oracle.ended_by, oracle.paid[0]) == ("queries", 60)
    assert oracle.asked["missing"] > 0


class Costly(ToyEdgeSpace):
    def costs(self, archs):
        return {"params": np.array([float(sum(a)) for a in archs])}


def test_infeasible_architectures_join_as_the_worst():
    limit = Constraint.parse("params <= 4")
    task = Landscape(Costly(), lambda a: float(sum(a)))
    oracle = search(task, population=6, sample=3, queries=1000, constraints=[limit])
    assert oracle.ended_by in ("space", "calls")
    assert oracle.asked["infeasible"] > 0
    assert sum(oracle.incumbent.arch) == 4


def test_only_failed_trainings_do_not_stop_it():
    oracle = search(Landscape(Grid(5, 5, 5), lambda a: math.nan), population=4, sample=2, queries=50)
    assert (oracle.ended_by, oracle.incumbent) == ("queries", None)


def test_finds_valid_architectures_where_most_encodings_are_not():
    oracle = search(Landscape(ToyNodeSpace(), rugged), population=4, sample=2, queries=1000)
    assert oracle.asked["invalid"] == 0


@pytest.mark.parametrize(
    ("space", "params", "sizes"),
    [
        ("nasbench101", {}, (50, 10)),
        ("nasbench201", {}, (10, 3)),
        ("somewhere", {}, (50, 10)),
        ("nasbench201", {"population": 50, "sample": 10}, (50, 10)),
        ("somewhere", {"population": 7}, (7, 7)),
    ],
)
def test_published_sizes_per_space(space, params, sizes):
    strategy = RegularizedEvolution(RegularizedEvolutionParams(**params))
    run(strategy, Landscape(Grid(4, 4, name=space), sum), queries=1)
    assert (strategy.notes["population"], strategy.notes["sample"]) == sizes


def test_a_tournament_larger_than_the_population_is_refused():
    with pytest.raises(ValueError, match="sample .4. exceeds population .3."):
        RegularizedEvolutionParams(population=3, sample=4)
    with pytest.raises(HarnessError, match="sample .20. exceeds population .10., the default on nasbench201"):
        search(Landscape(Grid(4, 4, name="nasbench201"), sum), population=None, sample=20, queries=5)
