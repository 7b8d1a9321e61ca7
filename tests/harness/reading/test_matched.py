"""Matched random search, read off hand-written incumbents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from written_records import BEST_OF_TEN, MATCHED, TEST_ORACLE, entry, run

from harness.reading import matched
from harness.reading.matched import NOTHING, Answer, read_off, steps_of
from harness.reading.study import EntryRuns
from harness.records.lines import Paid
from harness.records.runs import Run
from harness.search.budget import Budget, Unit

INCUMBENTS = [(1, 12.0, 100.0, 55.0, 60.0), (10, 120.0, 900.0, 66.0, 70.0), (50, 600.0, 4000.0, 77.0, 80.0)]
HUNDRED = Budget(queries=100)


def searched(seed: int = 0, score: float | None = 81.0, **options: Any) -> Run:
    full: dict[str, Any] = {"role": "reference", "incumbents": INCUMBENTS, "valid": 78.0}
    return run(MATCHED, seed, score, **(full | {"paid": Paid(100, 1200.0, 9000.0)} | options))


@pytest.mark.parametrize(
    ("cost", "unit", "answer"),
    [
        (1, "queries", Answer(60.0, 55.0)),
        (9, "queries", Answer(60.0, 55.0)),
        (10, "queries", Answer(70.0, 66.0)),
        (99, "queries", Answer(80.0, 77.0)),
        (119.9, "epochs", Answer(60.0, 55.0)),
        (600.0, "epochs", Answer(80.0, 77.0)),
        (50.0, "seconds", NOTHING),
        (899.0, "seconds", Answer(60.0, 55.0)),
        (100, "queries", Answer(81.0, 78.0)),  # its whole cost: its own outcome
        (float("inf"), "queries", Answer(81.0, 78.0)),
    ],
)
def test_the_reference_is_read_off_at_a_cost(cost: float, unit: Unit, answer: Answer) -> None:
    assert read_off(searched(), cost, unit) == answer


def test_a_mode_that_reports_the_best_of_several_is_read_off_at_full_cost_only() -> None:
    assert read_off(searched(scoring=BEST_OF_TEN), 60, "queries") is None
    assert read_off(searched(scoring=BEST_OF_TEN), 100, "queries") == Answer(81.0, 78.0)


def test_an_incumbent_chosen_on_test_scores_has_no_validation_score() -> None:
    assert read_off(searched(scoring=TEST_ORACLE), 60, "queries") == Answer(80.0, None)


def test_the_last_incumbent_has_the_final_score_of_the_run_where_it_is_reported() -> None:
    live = [(1, 12.0, None, 50.0, None), (4, 48.0, None, 60.0, None)]
    unscored: dict[str, Any] = {"incumbents": []}
    other = searched(score=77.0, incumbents=live, outcome=unscored | {"arch": (9, 9)})
    assert read_off(searched(score=77.0, incumbents=live), 50, "queries") == Answer(77.0, 60.0)
    assert read_off(other, 50, "queries") is None
    assert read_off(searched(score=77.0, incumbents=live, outcome=unscored), 50, "queries") == Answer(77.0, 60.0)
    assert read_off(searched(score=77.0, incumbents=live, outcome=unscored), 3, "queries") is None
    assert np.isnan(steps_of(searched(score=None, incumbents=live), "queries").final_scores).all()


def test_an_incumbent_whose_final_training_failed_is_a_failed_answer() -> None:
    """As at the whole budget: it does not take the verdict from every entry of the setting."""
    lacking = [(1, 12.0, 100.0, 55.0, None), *INCUMBENTS[1:]]
    assert read_off(searched(incumbents=lacking), 9, "queries") == NOTHING
    assert read_off(searched(incumbents=lacking), 10, "queries") == Answer(70.0, 66.0)


def beside(entries: list[Run], *runs: Run, budget: Budget = HUNDRED) -> list[float | None] | None:
    answers = matched.beside(EntryRuns(runs[0].entry, runs), EntryRuns(entries[0].entry, tuple(entries)), budget)
    return None if answers is None else [a.score for a in answers]


def test_each_run_of_the_reference_stands_against_a_run_of_the_entry_at_its_cost() -> None:
    """Five reference runs beside two runs that paid 10 and 60: the costs are used in turn."""
    entries = [run("alpha", 0, 90.0, paid=Paid(10)), run("alpha", 1, 90.0, paid=Paid(60))]
    assert beside(entries, *(searched(seed) for seed in range(5))) == [70.0, 80.0, 70.0, 80.0, 70.0]


def test_a_failed_run_is_matched_at_the_whole_budget_whatever_it_paid() -> None:
    entries = [run("alpha", 0, 90.0, paid=Paid(10)), run("alpha", 1, None, paid=Paid(10))]
    assert beside(entries, searched(0), searched(1)) == [70.0, 81.0]
    killed = [run("alpha", 0, 90.0, paid=Paid(10)), run("alpha", 1, None, paid=None)]
    assert beside(killed, searched(0), searched(1)) == [70.0, 81.0]


def test_the_query_that_crosses_the_limit_counts_on_both_sides() -> None:
    """Under 100 epochs one run paid 104; the reference's paid 118 and would be cut short at 104 by its cost alone."""
    crossed = [(1, 12.0, None, 55.0, 60.0), (10, 118.0, None, 66.0, 70.0)]
    reference = searched(score=70.0, paid=Paid(10, 118.0), incumbents=crossed)
    budget = Budget(epochs=100.0)
    assert beside([run("alpha", 0, paid=Paid(9, 104.0))], reference, budget=budget) == [70.0]
    assert beside([run("alpha", 0, paid=Paid(9, 99.0))], reference, budget=budget) == [60.0]


def test_where_one_answer_is_not_known_none_is() -> None:
    early = [run("alpha", 0, 90.0, paid=Paid(10))]
    assert beside(early, searched(scoring=BEST_OF_TEN)) is None
    assert beside(entry("alpha", [90.0]), searched(scoring=BEST_OF_TEN)) == [81.0]
    assert beside(early, searched(), budget=Budget(seconds=9000.0)) is None  # the entry's seconds are not recorded


def test_cost_is_counted_in_the_first_limit_of_the_budget() -> None:
    assert Budget(queries=3, seconds=10.0).unit == "queries"
    assert Budget(epochs=3, seconds=10.0).unit == "epochs"
    assert Budget(seconds=10.0).unit == "seconds"
