"""The ledger by itself: what other metered work pays."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from harness.errors import BudgetExhausted
from harness.protocol import Fidelity, Reading
from harness.search.budget import Budget
from harness.search.ledger import Ledger
from harness.search.oracle import Oracle
from harness.testing import SyntheticEvaluator, ToyEdgeSpace

FULL = (Fidelity("full", 30),)


def pay(ledger: Ledger, i: int, seconds: float = 60.0) -> None:
    ledger.pay((i,), i, 0, None, Reading(float(i), seconds), float(i), 0.0)


def test_training_and_queries_pay_in_one_currency() -> None:
    ledger = Ledger(Budget(epochs=100, seconds=1000), FULL)
    pay(ledger, 1)
    ledger.charge(epochs=20.5, seconds=7.0)
    pay(ledger, 2)
    assert ledger.paid == (2, 80.5, 127.0)
    assert [(q.epochs, q.seconds) for q in ledger] == [(30.0, 60.0), (80.5, 127.0)], "a line holds all paid by then"
    assert ledger.remaining == (None, 19.5, 873.0)


@pytest.mark.parametrize(("budget", "reason"), [(Budget(epochs=10), "epochs"), (Budget(seconds=5), "seconds")])
def test_the_charge_that_crosses_a_limit_is_the_last(budget: Budget, reason: str) -> None:
    ledger = Ledger(budget, FULL)
    for _ in range(3):  # a training in passes of four epochs, two seconds each
        ledger.charge(epochs=4, seconds=2)
    with pytest.raises(BudgetExhausted, match=reason):
        ledger.charge(epochs=4, seconds=2)
    assert ledger.paid == (0, 12.0, 6.0)
    assert ledger.remaining[1:] == ((0.0, None) if reason == "epochs" else (None, 0.0))


def test_many_small_charges_add_up_exactly() -> None:
    """300 images in batches of 64, 20 times: 6,000 images are 20 epochs, and the last batch is the one that ends it."""
    ledger = Ledger(Budget(epochs=50), FULL)
    pay(ledger, 1)
    batches = 20 * [64, 64, 64, 64, 44]
    for images in batches[:-1]:
        ledger.charge(epochs=Fraction(images, 300))
    assert ledger.ended_by is None
    ledger.charge(epochs=Fraction(batches[-1], 300))
    assert (ledger.paid.epochs, ledger.ended_by) == (50.0, "epochs")


def test_a_training_that_ends_the_budget_ends_the_oracle_too() -> None:
    oracle = Oracle(SyntheticEvaluator(ToyEdgeSpace()).validator(), Budget(epochs=100))
    oracle.query((1, 1, 1, 1), repeat=0)  # 36 epochs
    oracle.ledger.charge(epochs=64)
    assert oracle.ended_by == "epochs"
    assert oracle.paid.epochs == 100
    with pytest.raises(BudgetExhausted):
        oracle.query((1, 1, 1, 1), repeat=0)
    assert len(oracle.history) == 1


@pytest.mark.parametrize("amount", [-1.0, math.nan, math.inf])
def test_a_charge_is_finite_and_never_gives_back(amount: float) -> None:
    ledger = Ledger(Budget(epochs=10), FULL)
    for charge in ({"epochs": amount}, {"seconds": amount}):
        with pytest.raises(ValueError, match="a charge is finite and not negative"):
            ledger.charge(**charge)
    assert ledger.paid == (0, 0.0, 0.0)


def test_a_charge_of_nothing_is_refused_after_the_end_and_not_before() -> None:
    ledger = Ledger(Budget(queries=1), FULL)
    ledger.charge()
    pay(ledger, 1, math.nan)
    assert ledger.paid == (1, 30.0, 0.0)
    with pytest.raises(BudgetExhausted, match="queries"):
        ledger.charge()


def test_the_first_reason_stands() -> None:
    ledger = Ledger(Budget(queries=1), FULL)
    ledger.end("space")
    ledger.end("calls")
    assert (ledger.ended_by, ledger.cap) == ("space", 0)


def test_it_reads_as_a_sequence_of_paid_queries() -> None:
    ledger = Ledger(Budget(queries=9), FULL)
    assert not ledger
    for i in (3, 1, 2):
        pay(ledger, i)
    assert len(ledger) == 3
    assert [q.row for q in ledger] == [q.row for q in ledger[:]] == [3, 1, 2]
    assert ledger[-1].arch == (2,)
    assert [i.place for i in ledger.incumbents] == [0]


def bought(*scores: tuple[int, int | None, float]) -> Ledger:
    """A ledger in which (row, repeat, score) were paid in this order."""
    ledger = Ledger(Budget(queries=99), FULL)
    for row, repeat, score in scores:
        ledger.pay((row,), row, 0, repeat, Reading(score, 60.0), score, 0.0)
    return ledger


def test_a_row_stands_for_the_mean_of_its_repeats_not_for_the_luckiest() -> None:
    """Row 1 leads with 95, falls to 91 with its next repeat, row 2 leads with the 92 that was paid for it before."""
    ledger = bought((2, 0, 92.0), (1, 0, 95.0), (1, 1, 87.0), (2, 1, 93.0))
    assert [(i.place, i.row, i.score) for i in ledger.incumbents] == [
        (0, 2, 92.0),
        (1, 1, 95.0),
        (2, 2, 92.0),
        (3, 2, 92.5),
    ]
    assert ledger.standings(9) == [((2,), 92.5), ((1,), 91.0)]


def test_an_incumbent_that_falls_and_still_leads_is_named_with_its_lower_score() -> None:
    ledger = bought((1, 0, 95.0), (2, 0, 90.0), (1, 1, 93.0))
    assert [(i.place, i.row, i.score) for i in ledger.incumbents] == [(0, 1, 95.0), (2, 1, 94.0)]


def test_the_mean_of_all_repeats_takes_the_place_of_single_ones() -> None:
    before, after = bought((1, 0, 95.0), (1, None, 90.0)), bought((1, None, 90.0), (1, 0, 95.0))
    assert before.standings(9) == after.standings(9) == [((1,), 90.0)]
    assert [i.score for i in before.incumbents] == [95.0, 90.0]


def test_a_row_stands_by_the_architecture_that_was_asked_first() -> None:
    """Whatever spelling of it its other repeats, or their mean, were paid by."""
    for repeat in (1, None):
        ledger = Ledger(Budget(queries=9), FULL)
        for arch, which in (((7,), 0), ((8,), repeat)):
            ledger.pay(arch, 1, 0, which, Reading(90.0, 0.0), 90.0, 0.0)
        assert ledger.standings(9) == [((7,), 90.0)]


def test_single_repeats_tie_with_an_equal_mean_to_the_last_bit() -> None:
    """A mean of .1, .2 and .3 by addition is .20000000000000004."""
    ledger = bought((1, None, 0.2), (2, 0, 0.1), (2, 1, 0.2), (2, 2, 0.3))
    assert [(i.place, i.row) for i in ledger.incumbents] == [(0, 1)]
    assert ledger.standings(9) == [((1,), 0.2), ((2,), 0.2)]


@pytest.mark.parametrize("seed", range(20))
def test_the_incumbent_is_the_first_best_mean_after_every_query(seed: int) -> None:
    """Against the definition, computed anew from all that was paid."""
    rng = np.random.default_rng(seed)
    ledger = Ledger(Budget(queries=99), FULL)
    means: dict[int, float] = {}
    singles: dict[int, list[float]] = {}
    for _ in range(60):
        row, repeat = int(rng.integers(6)), [None, 0, 1, 2][rng.integers(4)]
        if any((q.row, q.repeat) == (row, repeat) for q in ledger):
            continue
        score = float(rng.integers(80, 90))
        ledger.pay((row,), row, 0, repeat, Reading(score, 60.0), score, 0.0)
        if repeat is None:
            means[row] = score
        else:
            singles.setdefault(row, []).append(score)
        standing = {r: means.get(r, round(float(np.mean(singles.get(r, [0.0]))), 9)) for r in {*means, *singles}}
        lead = ledger.incumbents[-1]
        assert lead.score == standing[lead.row] == max(standing.values())
        assert {(r,): s for r, s in standing.items()} == dict(ledger.standings(9))
