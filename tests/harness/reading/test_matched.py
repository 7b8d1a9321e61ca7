"""Matched random search, read off hand-written incumbents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from written_records import BEST_OF_TEN, TEST_ORACLE, reference, run, study

from harness.reading.entries import summarise
from harness.reading.matched import read_off, steps_of
from harness.reading.summary import SettingSummary
from harness.records.lines import Paid
from harness.records.runs import Run


def summary(runs: list[Run]) -> SettingSummary:
    (setting,) = study(runs).settings
    return summarise(setting)


INCUMBENTS = [(1, 12.0, 100.0, 55.0, 60.0), (10, 120.0, 900.0, 66.0, 70.0), (50, 600.0, 4000.0, 77.0, 80.0)]


@pytest.mark.parametrize(
    ("cost", "unit", "final", "valid"),
    [
        (1, "queries", 60.0, 55.0),
        (9, "queries", 60.0, 55.0),
        (10, "queries", 70.0, 66.0),
        (99, "queries", 80.0, 77.0),
        (119.9, "epochs", 60.0, 55.0),
        (600.0, "epochs", 80.0, 77.0),
        (50.0, "seconds", None, None),
        (899.0, "seconds", 60.0, 55.0),
        (100, "queries", 81.0, 78.0),  # its whole cost: its own outcome
        (float("inf"), "queries", 81.0, 78.0),
    ],
)
def test_the_reference_is_read_off_at_a_cost(cost: float, unit: Any, final: float | None, valid: float | None) -> None:
    whole = run("ref", 0, 81.0, paid=Paid(100, 1200.0, 9000.0), incumbents=INCUMBENTS, valid=78.0)
    assert read_off(whole, cost, unit) == (final, valid)


def test_each_run_is_matched_at_its_own_cost_and_a_failed_one_at_the_whole_budget() -> None:
    runs = [run("alpha", 0, 90.0, paid=Paid(10)), run("alpha", 1, 90.0, paid=Paid(60)), run("alpha", 2, None)]
    found = summary(runs + reference([82.0] * 3, incumbents=INCUMBENTS)).entries[0]
    assert found.search_mean == pytest.approx((70 + 80 + 82) / 3)


def test_a_mode_that_reports_the_best_of_several_is_read_off_at_full_cost_only() -> None:
    whole = run("ref", 0, 81.0, scoring=BEST_OF_TEN, incumbents=INCUMBENTS, valid=78.0)
    assert read_off(whole, 60, "queries") == (None, None)
    assert read_off(whole, 100, "queries") == (81.0, 78.0)


def test_an_incumbent_chosen_on_test_scores_has_no_validation_score() -> None:
    whole = run("ref", 0, 81.0, scoring=TEST_ORACLE, incumbents=INCUMBENTS, valid=78.0)
    assert read_off(whole, 60, "queries") == (80.0, None)


def test_the_last_incumbent_has_the_final_score_of_the_run_where_it_is_reported() -> None:
    live = [(1, 12.0, None, 50.0, None), (4, 48.0, None, 60.0, None)]
    assert read_off(run("ref", 0, 77.0, incumbents=live), 50, "queries") == (77.0, 60.0)
    other = run("ref", 0, 77.0, incumbents=live, outcome={"arch": (9, 9)})
    assert read_off(other, 50, "queries") == (None, 60.0)
    assert np.isnan(steps_of(run("ref", 0, None, incumbents=live), "queries").finals).all()
