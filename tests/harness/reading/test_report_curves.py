"""Anytime curves of hand-written incumbents, point by point."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from written_records import TEST_ORACLE, reference, run, study, write_study

from harness.errors import HarnessError, UnknownName
from harness.reading.along import MOST_POINTS
from harness.reading.report.section import Choice, Source
from harness.reading.report.sections import write_report
from harness.reading.report.sections.curves import Curve, curves_of
from harness.records.lines import Paid
from harness.records.runs import Run
from harness.search.budget import Budget

FIRST = [(1, 12.0, 10.0, 50.0, 40.0), (4, 48.0, 40.0, 60.0, 70.0)]
SECOND = [(2, 24.0, 20.0, 54.0, 60.0), (8, 96.0, 80.0, 70.0, 80.0)]


def two_runs(**options: Any) -> list[Run]:
    """Two runs of ten paid queries, improving at 1 and 4, at 2 and 8."""
    paid = Paid(10, 120.0, 100.0)
    return [
        run("alpha", 0, 70.0, incumbents=FIRST, paid=paid, **options),
        run("alpha", 1, 80.0, incumbents=SECOND, paid=paid, **options),
    ]


def curves(runs: list[Run], **choice: Any) -> list[Curve]:
    return curves_of(Source(study(runs), Choice(**choice)))


def test_a_curve_is_the_mean_of_the_step_functions(tmp_path: Path) -> None:
    (curve,) = curves(two_runs())
    assert curve.cost == [1.0, 2.0, 4.0, 8.0, 10.0]
    assert curve.score == [None, 50.0, 65.0, 75.0, 75.0]  # at 1 the second run had found nothing
    assert curve.valid == [None, 52.0, 57.0, 65.0, 65.0]
    assert (curve.n, curve.unit, curve.searched_on, curve.role) == (2, "queries", "validation", "entry")


def test_its_interval_is_students_at_every_point(tmp_path: Path) -> None:
    (curve,) = curves(two_runs())
    half = 12.706204736432095 * math.sqrt(200) / math.sqrt(2)  # t of 1 degree of freedom; 40 and 60: std sqrt(200)
    assert curve.score_low[1] == pytest.approx(50 - half)
    assert curve.score_high[1] == pytest.approx(50 + half)
    assert curve.score_low[0] is None


@pytest.mark.parametrize(("unit", "costs"), [("epochs", [12, 24, 48, 96, 120]), ("seconds", [10, 20, 40, 80, 100])])
def test_a_curve_can_be_drawn_over_epochs_and_seconds(tmp_path: Path, unit: str, costs: list[float]) -> None:
    (curve,) = curves(two_runs(), unit=unit)
    assert curve.cost == costs
    assert curve.score == [None, 50.0, 65.0, 75.0, 75.0]


def test_costs_can_be_chosen_and_a_run_that_ended_keeps_what_it_had(tmp_path: Path) -> None:
    (curve,) = curves(two_runs(), at=(100.0, 3.0))
    assert curve.cost == [3.0, 100.0]
    assert curve.score == [50.0, 75.0]


@pytest.mark.parametrize("against", [None, "alpha"])
def test_costs_above_the_budget_are_refused_and_where_it_has_no_such_limit_are_not(
    tmp_path: Path, against: str | None
) -> None:
    """A budget of 100 queries, and no limit of seconds."""
    folder = write_study(tmp_path, [*two_runs(), run("beta", 0, 70.0, incumbents=FIRST)])

    def section(**choice: Any) -> str:
        text = io.StringIO()
        write_report(folder, Choice(sections=("curves",), against=against, **choice), Console(file=text, width=100))
        return text.getvalue()

    section(at=(10.0, 100.0))
    section(at=(5000.0,), unit="seconds", entries=("alpha",))
    with pytest.raises(HarnessError, match="--at 101: the budget of toy/a ends at 100 queries"):
        section(at=(10.0, 101.0))
    for cost in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(HarnessError, match="a cost is positive and finite"):
            section(at=(cost,))


def test_of_several_budgets_each_setting_shows_the_costs_within_its_own() -> None:
    runs = [*two_runs(), *two_runs(budget=Budget(queries=300))]
    assert [c.cost for c in curves(runs, at=(300.0, 50.0, 100.0))] == [[50.0, 100.0], [50.0, 100.0, 300.0]]
    assert [c.title for c in curves(runs, at=(300.0,))] == ["toy/a, 300 queries"]
    with pytest.raises(HarnessError, match="--at 301: the budget of toy/a, 300 queries ends at 300 queries"):
        curves(runs, at=(301.0,))


def test_the_query_that_crosses_the_budget_is_on_the_curve() -> None:
    """A budget of 100 epochs, of which the last training of the runs made 120."""
    runs = two_runs(budget=Budget(epochs=100.0))
    assert curves(runs, unit="epochs", at=(120.0,))[0].score == [75.0]
    with pytest.raises(HarnessError, match="--at 121: the budget of toy/a ends at 120 epochs"):
        curves(runs, unit="epochs", at=(121.0,))


def test_a_failed_run_stands_at_random_sampling_throughout(tmp_path: Path) -> None:
    (curve,) = curves([*two_runs(), run("alpha", 2, None, paid=Paid(3, 36.0, 30.0))], at=(2.0, 10.0))
    assert curve.score == [pytest.approx((40 + 60 + 50) / 3), pytest.approx((70 + 80 + 50) / 3)]
    assert curve.valid == [pytest.approx((50 + 54 + 48) / 3), pytest.approx((60 + 70 + 48) / 3)]
    assert curve.failed == 1


def test_incumbents_chosen_on_test_scores_have_no_validation_curve(tmp_path: Path) -> None:
    (curve,) = curves([run("alpha", 0, 70.0, incumbents=FIRST, scoring=TEST_ORACLE, mode="paper")])
    assert curve.searched_on == "test"
    assert curve.score == [40.0, 70.0, 70.0]
    assert curve.valid == [None, None, None]
    assert curve.score_low == [None, None, None]  # one run


def test_where_only_the_reported_architecture_was_scored_the_last_point_has_its_score(tmp_path: Path) -> None:
    live = [(1, 12.0, None, 50.0, None), (4, 48.0, None, 60.0, None)]
    (curve,) = curves([run("alpha", 0, 77.0, incumbents=live)])
    assert curve.score == [None, 77.0, 77.0]


def test_matched_random_search_has_a_curve_on_the_same_grid(tmp_path: Path) -> None:
    other = reference([65.0], incumbents=[(1, None, None, 45.0, 62.0), (6, None, None, 46.0, 65.0)])
    alpha, random = curves([*two_runs(), *other])
    assert random.role == "reference"
    assert alpha.cost == random.cost == [1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 100.0]
    assert random.score == [62.0, 62.0, 62.0, 65.0, 65.0, 65.0, 65.0]


def test_a_long_grid_is_thinned_and_keeps_both_ends(tmp_path: Path) -> None:
    steps = [(k, None, None, float(k), float(k)) for k in range(1, 3001)]
    (curve,) = curves([run("alpha", 0, 3000.0, incumbents=steps, paid=Paid(3000))])
    assert len(curve.cost) <= MOST_POINTS
    assert (curve.cost[0], curve.cost[-1]) == (1.0, 3000.0)
    assert curve.score == curve.cost


def test_units_that_do_not_exist_or_are_not_counted_are_refused() -> None:
    with pytest.raises(UnknownName, match="unknown cost 'query'; did you mean 'queries'"):
        curves(two_runs(), unit="query")
    with pytest.raises(HarnessError, match="do not count seconds"):
        curves([run("alpha", 0, 70.0, incumbents=[(1, None, None, 1.0, 2.0)])], unit="seconds")


def test_json_and_csv_hold_the_same_points(tmp_path: Path) -> None:
    folder = write_study(tmp_path, two_runs())

    def section(form: str) -> str:
        text = io.StringIO()
        write_report(folder, Choice(sections=("curves",), form=form), Console(file=text, width=100))
        return text.getvalue()

    (curve,) = json.loads(section("json"))["curves"]
    lines = list(csv.DictReader(io.StringIO(section("csv"))))
    assert [float(line["cost"]) for line in lines] == curve["cost"]
    assert [float(line["score"]) if line["score"] else None for line in lines] == curve["score"]
    assert [float(line["valid_high"]) if line["valid_high"] else None for line in lines] == curve["valid_high"]
    assert {line["label"] for line in lines} == {"alpha"}
    shown = section("text")
    assert "toy/a: mean final score after queries paid" in shown
    assert "75.00±63.53" in shown  # 70 and 80: 12.706 * 7.0711 / 1.4142


def test_the_text_has_a_table_of_validation_scores_only_where_they_are_others(tmp_path: Path) -> None:
    def said(name: str, final: float) -> str:
        records = [run("alpha", seed, final, incumbents=[(1, None, None, 70.0, final)]) for seed in range(2)]
        text = io.StringIO()
        folder = write_study(tmp_path / name, records)
        write_report(folder, Choice(sections=("curves",), at=(1.0,)), Console(file=text, width=100))
        return " ".join(text.getvalue().split())

    assert "mean validation score after queries paid entry 1 alpha 70.00±0.00" in said("test", 60.0)
    assert "mean final score after queries paid entry 1 alpha 60.00±0.00" in said("test", 60.0)
    assert "validation" not in said("surrogate", 70.0)
