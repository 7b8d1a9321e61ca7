"""The ledger by itself: what other metered work pays, and what is beyond a limit."""

from __future__ import annotations

import math

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
    assert ledger.beyond == (0, 0.0, 0.0)


@pytest.mark.parametrize(("budget", "reason"), [(Budget(epochs=10), "epochs"), (Budget(seconds=5), "seconds")])
def test_the_charge_that_crosses_a_limit_is_the_last(budget: Budget, reason: str) -> None:
    ledger = Ledger(budget, FULL)
    for _ in range(3):  # a training in passes of four epochs, two seconds each
        ledger.charge(epochs=4, seconds=2)
    with pytest.raises(BudgetExhausted, match=reason):
        ledger.charge(epochs=4, seconds=2)
    assert ledger.paid == (0, 12.0, 6.0)
    assert ledger.beyond == ((0, 2.0, 0.0) if reason == "epochs" else (0, 0.0, 1.0))
    assert ledger.remaining[1:] == ((0.0, None) if reason == "epochs" else (None, 0.0))


def test_a_training_that_ends_the_budget_ends_the_oracle_too() -> None:
    oracle = Oracle(SyntheticEvaluator(ToyEdgeSpace()).validator(), Budget(epochs=100))
    oracle.query((1, 1, 1, 1), repeat=0)  # 36 epochs
    oracle.ledger.charge(epochs=64)
    assert oracle.ended_by == "epochs"
    assert oracle.paid.epochs == 100
    with pytest.raises(BudgetExhausted):
        oracle.query((1, 1, 1, 1), repeat=0)
    assert len(oracle.history) == 1


def test_the_query_that_crosses_a_limit_says_how_far() -> None:
    ledger = Ledger(Budget(queries=2, epochs=45, seconds=200), FULL)
    pay(ledger, 1)
    pay(ledger, 2)
    assert ledger.ended_by == "queries"
    assert ledger.beyond == (0, 15.0, 0.0)


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
    assert ledger.incumbents == [0]
