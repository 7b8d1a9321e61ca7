"""Successive halving and Hyperband: the ladder, the brackets and who goes on, by hand."""

from __future__ import annotations

import math
import random
from itertools import islice

import pytest
from landscapes import Grid, Landscape, run

from harness.protocol import Fidelity
from harness_baselines.random_search import RandomSearch
from harness_baselines.successive_halving import Hyperband, SuccessiveHalving, SuccessiveHalvingParams, rungs

LADDER = tuple(Fidelity(f"{e} epochs", e) for e in (4, 12, 36))


def noisy(arch, fidelity):
    draw = random.Random(repr((arch, fidelity.name)))
    return sum(arch) + draw.gauss(0.0, 3.0)


@pytest.mark.parametrize(
    ("epochs", "climbed"),
    [
        ([4, 12, 36, 108], [4, 12, 36, 108]),  # NAS-Bench-101
        ([12, 200], [12, 200]),
        ([100, 200], [200]),
        (list(range(1, 201)), [2, 7, 22, 66, 200]),
        ([200], [200]),
    ],
)
def test_rungs_are_eta_apart(epochs, climbed):
    assert [f.epochs for f in rungs([Fidelity(str(e), e) for e in epochs], 3)] == climbed


def test_fidelities_without_epochs_are_all_climbed():
    assert len(rungs([Fidelity("proxy"), Fidelity("half"), Fidelity("full")], 3)) == 3


def test_a_bracket_promotes_the_best_third():
    oracle = run(SuccessiveHalving(), Landscape(Grid(9, 9, 9), noisy, LADDER), queries=13)
    ledger = oracle.ledger
    assert [e.level for e in ledger] == [0] * 9 + [1] * 3 + [2]
    for below, above in ((ledger[:9], ledger[9:12]), (ledger[9:12], ledger[12:])):
        best = sorted(below, key=lambda e: -e.score)[: len(above)]
        assert [e.arch for e in above] == [e.arch for e in best]
    assert oracle.paid[1] == 9 * 4 + 3 * 12 + 36
    assert oracle.incumbent.arch == ledger[12].arch


def test_brackets_follow_each_other_until_the_budget_of_epochs_is_spent():
    oracle = run(SuccessiveHalving(), Landscape(Grid(20, 20, 20), noisy, LADDER), epochs=1080)
    assert oracle.ended_by == "epochs"
    assert oracle.paid[:2] == (130, 1080)


def test_the_start_of_a_bracket_can_be_set():
    strategy = SuccessiveHalving(SuccessiveHalvingParams(eta=2, initial=5))
    ledger = run(strategy, Landscape(Grid(9, 9, 9), noisy, LADDER), queries=8).ledger
    assert [e.level for e in ledger] == [0] * 5 + [1] * 2 + [2]


def test_failures_do_not_go_on():
    task = Landscape(Grid(9, 9, 9), lambda a, f: math.nan if sum(a) > 5 else noisy(a, f), LADDER)
    ledger = run(SuccessiveHalving(), task, queries=120).ledger
    assert any(e.score != e.score for e in ledger)
    assert all(sum(e.arch) <= 5 for e in ledger if e.level)


def test_what_is_refused_unpaid_takes_no_place_in_a_bracket():
    """Of five architectures the table has one: nine that it has compete, not the one or two of nine draws."""
    task = Landscape(Grid(30, 30, 30), lambda a, f: noisy(a, f) if sum(a) % 5 == 0 else None, LADDER)
    ledger = run(SuccessiveHalving(), task, queries=13).ledger
    assert ledger.missing > 9
    assert [e.level for e in ledger] == [0] * 9 + [1] * 3 + [2]


def test_with_one_fidelity_it_is_random_search_and_says_so():
    task = Landscape(Grid(9, 9, 9), sum)
    for strategy in (SuccessiveHalving(), Hyperband()):
        assert run(strategy, task, queries=100).calls == run(RandomSearch(), task, queries=100).calls
        assert "random search" in strategy.notes["degenerate"]
    strategy = SuccessiveHalving()
    run(strategy, Landscape(Grid(9, 9), noisy, LADDER), queries=5)
    assert strategy.notes == {"rungs": ["4 epochs", "12 epochs", "36 epochs"]}


def test_hyperband_s_brackets_are_those_of_its_algorithm():
    """R = 81, eta = 3, by line 3 of Algorithm 1: n = ceil(5 * 3**s / (s + 1)), r = 81 / 3**s."""
    brackets = list(islice(Hyperband().brackets(4), 10))
    assert brackets == [(81, 0), (34, 1), (15, 2), (8, 3), (5, 4)] * 2


def test_hyperband_runs_each_bracket_from_its_rung():
    ledger = run(Hyperband(), Landscape(Grid(30, 30, 30), noisy, LADDER), queries=23).ledger
    assert [e.level for e in ledger] == [0] * 9 + [1] * 3 + [2] + [1] * 5 + [2] + [2] * 3 + [0]


@pytest.mark.parametrize("cls", [SuccessiveHalving, Hyperband])
def test_a_space_smaller_than_the_budget(cls):
    oracle = run(cls(), Landscape(Grid(3, 3), noisy, LADDER), queries=500)
    assert oracle.ended_by in ("space", "calls")
    assert oracle.paid[0] <= 27


def test_a_budget_of_one_reports_the_cheap_query():
    oracle = run(SuccessiveHalving(), Landscape(Grid(3, 3), noisy, LADDER), queries=1)
    assert oracle.history[oracle.incumbent.place].fidelity.epochs == 4
