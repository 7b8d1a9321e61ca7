"""Summaries of hand-written records, against numbers worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from written_records import (
    BEST_OF_TEN,
    DRAWS,
    TEST_ORACLE,
    baseline,
    record,
    reference,
    row,
    write_study,
)

from harness.errors import RecordError
from harness.reading.analysis import TaskSummary, read_results, summarise_task
from harness.reading.analysis.frames import incumbents_frame, rows_frame, runs_frame
from harness.reading.analysis.matched import read_off, unit_of
from harness.reading.analysis.results import group
from harness.records.store import Asked, Baseline, Outcome, Paid, RankQuality, Record
from harness.search.budget import Budget

EIGHT = [80.0, 81.0, 82.0, 83.0, 84.0, 85.0, 86.0, 87.0]  # mean 83.5, sum of squares about it 42
LOWER = [60.0, 61.0, 62.0, 63.0, 64.0, 65.0, 66.0, 67.0]  # mean 63.5
T7 = 2.364624251592785  # Student's t, 7 degrees of freedom, 97.5 %


def summary(records: list[Record], *baselines: Baseline) -> TaskSummary:
    (task,) = group(records, baselines or (baseline(),), [])
    return summarise_task(task)


def test_mean_deviation_best_and_interval_of_a_row() -> None:
    found = summary(row("alpha", EIGHT)).rows[0]
    assert (found.n, found.failed, found.final_mean, found.final_best) == (8, 0, 83.5, 87.0)
    assert found.final_std == pytest.approx(math.sqrt(6), abs=1e-12)
    half = T7 * math.sqrt(6) / math.sqrt(8)
    assert found.final_low == pytest.approx(83.5 - half, abs=1e-9)
    assert found.final_high == pytest.approx(83.5 + half, abs=1e-9)
    assert found.final_iqm == pytest.approx((82 + 83 + 84 + 85) / 4)


def test_ri_is_relative_to_the_exact_mean_of_random_sampling() -> None:
    found = summary(row("alpha", EIGHT)).rows[0]
    half = T7 * math.sqrt(6) / math.sqrt(8)
    assert found.ri == pytest.approx(67.0)
    assert found.ri_low == pytest.approx(100 * (83.5 - half - 50) / 50, abs=1e-9)
    assert found.ri_high == pytest.approx(100 * (83.5 + half - 50) / 50, abs=1e-9)


def test_ri_as_the_paper_has_it_uses_as_many_stored_draws_as_there_are_runs() -> None:
    draws = [40.0] * 6 + [60.0] * 994
    found = summary(row("alpha", EIGHT), baseline(draws=draws)).rows[0]
    assert found.ri_paper == pytest.approx(100 * (83.5 - 45) / 45)  # six of 40 and two of 60: mean 45


def test_the_interval_of_ri_is_wider_where_random_sampling_is_itself_an_estimate() -> None:
    """Fieller's interval on 10,000 draws, of which 1,000 are stored: slightly wider than the exact one's."""
    exact = summary(row("alpha", EIGHT)).rows[0]
    drawn = summary(row("alpha", EIGHT), baseline(exact=False, n=10_000)).rows[0]
    few = summary(row("alpha", EIGHT), baseline(exact=False, n=8, draws=DRAWS[:8])).rows[0]
    assert exact.ri == drawn.ri == few.ri
    widths = [r.ri_high - r.ri_low for r in (exact, drawn, few) if r.ri_high is not None and r.ri_low is not None]
    assert widths[0] < widths[1] < widths[0] * 1.05 < widths[2]


def test_ri_is_null_where_the_score_is_no_ratio_scale() -> None:
    loss = {"name": "log loss", "unit": "nats", "higher_is_better": False, "ratio_scale": False}
    found = summary(row("alpha", EIGHT), baseline(score=loss)).rows[0]
    assert (found.ri, found.ri_low, found.ri_high, found.ri_paper) == (None, None, None, None)
    assert found.final_mean == 83.5


def test_p_values_against_matched_random_search_are_exact_and_adjusted_by_holm() -> None:
    """Complete separation of 8 and 8 runs: 2 of C(16, 8) = 12,870 orders are as extreme. Equal samples: p = 1."""
    task = summary(row("alpha", EIGHT) + row("beta", LOWER) + reference(LOWER))
    alpha, beta = task.rows
    assert (alpha.label, beta.label) == ("alpha", "beta")
    assert alpha.p_vs_search_raw == pytest.approx(2 / 12870)
    assert alpha.p_vs_search == pytest.approx(4 / 12870)
    assert (beta.p_vs_search_raw, beta.p_vs_search) == (1.0, 1.0)
    assert (alpha.verdict_vs_search, beta.verdict_vs_search) == ("better", "not shown to be better")
    assert alpha.search_mean == 63.5


def test_p_value_against_a_thousand_draws_is_the_normal_approximation_with_ties() -> None:
    """All 8 runs above all draws: U = 8,000, 4,000 from its mean; the draws are two groups of 500 ties."""
    found = summary(row("alpha", EIGHT)).rows[0]
    ties = 2 * (500**3 - 500)
    sigma = math.sqrt(8 * 1000 / 12 * (1009 - ties / (1008 * 1007)))
    p = math.erfc((4000 - 0.5) / sigma / math.sqrt(2))
    assert p == pytest.approx(2.0e-8, rel=0.05)
    assert found.p_vs_sampling_raw == pytest.approx(p, rel=1e-9)
    assert found.p_vs_sampling == found.p_vs_sampling_raw  # a family of one
    assert found.verdict_vs_sampling == "better"


def test_below_five_runs_there_is_no_p_value_and_one_run_has_no_spread() -> None:
    four = summary(row("alpha", EIGHT[:4]) + reference(LOWER[:4])).rows[0]
    assert (four.p_vs_search, four.p_vs_search_raw, four.p_vs_sampling) == (None, None, None)
    assert four.verdict_vs_search == four.verdict_vs_sampling == "not shown to be better"
    one = summary(row("alpha", EIGHT[:1])).rows[0]
    assert (one.final_mean, one.final_std, one.final_low, one.ri_low) == (80.0, None, None, None)
    assert one.ri == pytest.approx(60.0)


def test_rows_of_another_mode_stand_apart_and_have_a_family_and_a_reference_of_their_own() -> None:
    paper = {"mode": "paper", "settings": TEST_ORACLE}
    records = row("alpha", LOWER) + row("beta", EIGHT) + reference(LOWER)
    alone = summary(records)
    with_paper = summary(records + row("gamma", [99.0] * 8, **paper) + reference([98.0] * 8, **paper))
    assert [(r.label, r.mode) for r in with_paper.rows] == [("beta", "strict"), ("alpha", "strict"), ("gamma", "paper")]
    assert with_paper.rows[:2] == alone.rows  # p-values included: the paper row is in no family of theirs
    gamma = with_paper.rows[2]
    assert gamma.search_mean == 98.0
    assert gamma.p_vs_search_raw == pytest.approx(2 / 12870)
    assert gamma.p_vs_search == gamma.p_vs_search_raw


def test_a_reference_of_another_mode_is_not_matched() -> None:
    found = summary(row("alpha", EIGHT, mode="paper", settings=TEST_ORACLE) + reference(LOWER)).rows[0]
    assert (found.search_mean, found.p_vs_search_raw, found.verdict_vs_search) == (None, None, "not shown to be better")


def test_failed_runs_score_random_sampling_and_are_named() -> None:
    found = summary(
        row("alpha", [80.0, None, 80.0, 80.0, None, 80.0, 80.0, 80.0], valid=70.0, rank=3, valid_regret=22.0)
    ).rows[0]
    assert (found.n, found.failed) == (8, 2)
    assert found.final_mean == (6 * 80 + 2 * 50) / 8
    assert found.final_best == 80.0
    assert found.valid_mean == (6 * 70 + 2 * 48) / 8
    assert found.valid_regret_mean == (6 * 22 + 2 * (92 - 48)) / 8
    assert found.rank_mean is None  # a failed run has no rank
    assert found.failed_runs == ["seed 1: failed: ValueError: no", "seed 4: failed: ValueError: no"]


def test_a_failed_run_without_random_sampling_leaves_the_row_without_a_mean() -> None:
    found = summary(row("alpha", [80.0, None]), baseline("toy/other")).rows[0]
    assert (found.final_mean, found.ri, found.p_vs_sampling) == (None, None, None)


def test_costs_leave_out_runs_that_were_killed() -> None:
    killed = record("alpha", 1, None, paid=Paid(0), status="timeout", queries_sha256="", asked=Asked(0, 0, 0))
    found = summary([record("alpha", 0, paid=Paid(30, 360.0, 1200.0)), killed]).rows[0]
    assert (found.paid_queries_mean, found.paid_epochs_mean, found.search_seconds_mean) == (30.0, 360.0, 1200.0)
    assert (found.total_queries_mean, found.distinct_keys_mean) == (50.0, 30.0)


def test_a_task_that_records_no_seconds_has_null_seconds() -> None:
    found = summary([record("alpha", 0), record("alpha", 1)]).rows[0]
    assert found.search_seconds_mean is None
    assert found.wall_seconds_mean == 2.0


def test_ktau_is_the_mean_over_runs_that_learned_an_order() -> None:
    learned = [RankQuality(0.5, 0.6, 0.4, 0.3, 900), RankQuality(0.7, 0.8, 0.6, 0.5, 880), None]
    found = summary([record("alpha", i, ktau=k) for i, k in enumerate(learned)]).rows[0]
    assert found.ktau == pytest.approx(0.6)
    assert found.ktau_valid == pytest.approx(0.7)
    assert (found.ktau_eq13, found.ktau_ctnas) == (pytest.approx(0.5), pytest.approx(0.4))
    assert found.ktau_n == 880


def test_lower_is_better_turns_order_best_ri_and_verdicts() -> None:
    error = {"name": "error", "unit": "%", "higher_is_better": False, "ratio_scale": True}
    task = summary(row("worse", EIGHT) + row("good", LOWER) + reference(EIGHT), baseline(score=error, mean=80.0))
    good, worse = task.rows
    assert (good.label, good.final_best, worse.final_best) == ("good", 60.0, 80.0)
    assert good.ri == pytest.approx(100 * (80 - 63.5) / 80)
    assert good.ri_low is not None
    assert good.ri_high is not None
    assert good.ri_low < good.ri < good.ri_high
    assert good.verdict_vs_search == "better"
    assert worse.verdict_vs_search == "not shown to be better"
    assert worse.ri is not None
    assert worse.ri < 0


def test_a_row_below_random_search_is_called_worse() -> None:
    assert summary(row("alpha", LOWER) + reference(EIGHT)).rows[0].verdict_vs_search == "worse"


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
    whole = record("ref", 0, 81.0, paid=Paid(100, 1200.0, 9000.0), incumbents=INCUMBENTS, valid=78.0)
    assert read_off(whole, cost, unit) == (final, valid)


def test_each_run_is_matched_at_its_own_cost_and_a_failed_one_at_the_whole_budget() -> None:
    runs = [record("alpha", 0, 90.0, paid=Paid(10)), record("alpha", 1, 90.0, paid=Paid(60)), record("alpha", 2, None)]
    found = summary(runs + reference([82.0] * 3, incumbents=INCUMBENTS)).rows[0]
    assert found.search_mean == pytest.approx((70 + 80 + 82) / 3)


def test_a_mode_that_reports_the_best_of_several_is_read_off_at_full_cost_only() -> None:
    whole = record("ref", 0, 81.0, settings=BEST_OF_TEN, incumbents=INCUMBENTS, valid=78.0)
    assert read_off(whole, 60, "queries") == (None, None)
    assert read_off(whole, 100, "queries") == (81.0, 78.0)


def test_an_incumbent_chosen_on_test_scores_has_no_validation_score() -> None:
    whole = record("ref", 0, 81.0, settings=TEST_ORACLE, incumbents=INCUMBENTS, valid=78.0)
    assert read_off(whole, 60, "queries") == (80.0, None)


def test_cost_is_counted_in_the_first_limit_of_the_budget() -> None:
    assert unit_of(Budget(queries=3, seconds=10.0)) == "queries"
    assert unit_of(Budget(epochs=3, seconds=10.0)) == "epochs"
    assert unit_of(Budget(seconds=10.0)) == "seconds"


def test_validation_scores_are_tested_against_matched_random_searchs() -> None:
    runs = [record("alpha", i, 80.0, valid=90.0 + i) for i in range(8)]
    found = summary(runs + [r for i in range(8) for r in reference([0.0] * 8, valid=80.0)[i : i + 1]]).rows[0]
    assert found.valid_mean == 93.5
    assert found.search_valid_mean == 80.0
    assert found.p_valid_vs_search_raw == pytest.approx(2 / 12870)


def test_laws_budgets_and_constraints_never_share_a_table() -> None:
    records = [
        record("alpha", 0),
        record("alpha", 1, law="classes"),
        record("alpha", 2, budget=Budget(queries=50), paid=Paid(50)),
        record("alpha", 3, constraints=["params <= 1e+06"]),
        record("alpha", 4, final=Outcome(80.0, "test", "repeat:777")),
    ]
    tasks = group(records, [baseline()], [])
    assert [len(list(t.records)) for t in tasks] == [1] * 5
    assert [t.baseline is not None for t in tasks] == [True, False, True, False, False]


def test_a_baseline_of_other_data_is_not_used() -> None:
    assert summary(row("alpha", EIGHT), baseline(data_digest="d2")).random_sampling.mean is None


def test_runs_of_one_label_with_other_parameters_or_code_are_never_averaged() -> None:
    told: list[str] = []
    old = row("alpha", [10.0] * 3, params={"size": 1})
    (task,) = group(old + row("alpha", EIGHT), [baseline()], told)
    assert summarise_task(task).rows[0].n == 8
    assert summarise_task(task).rows[0].final_mean == 83.5
    assert told == ["alpha (strict) on toy/a: 3 runs of other parameters, code or data than the latest are left out"]


def test_records_that_the_plan_does_not_name_are_left_out(tmp_path: Path) -> None:
    records = row("alpha", EIGHT)
    folder = write_study(tmp_path, records, [baseline()], plan={"ids": [r.id for r in records[:5]]})
    results = read_results(folder)
    assert len(list(results.records)) == 5
    assert results.problems == ["3 older records are not of the study as it last ran and left out"]


def test_a_torn_last_line_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    folder = write_study(tmp_path, row("alpha", EIGHT), [baseline()])
    with (folder / "runs.jsonl").open("ab") as file:
        file.write(b'{"schema":1,"id":"half')
    results = read_results(folder)
    assert len(list(results.records)) == 8
    assert len(results.problems) == 1
    assert "runs.jsonl:9: torn last line, skipped" in results.problems[0]


def test_a_folder_without_a_study_is_refused_and_studies_inside_it_are_named(tmp_path: Path) -> None:
    write_study(tmp_path / "one", row("alpha", EIGHT), [])
    with pytest.raises(RecordError, match="name one of: one"):
        read_results(tmp_path)
    with pytest.raises(RecordError, match=r"holds no runs\.jsonl"):
        read_results(tmp_path / "nothing")


def test_frames_hold_a_line_a_run_an_incumbent_and_a_row() -> None:
    records = [record("alpha", 0, 80.0, incumbents=INCUMBENTS, rank=4), record("alpha", 1, None)]
    runs = runs_frame(records)
    assert runs["score"].tolist()[0] == 80.0
    assert runs["score"].isna().tolist() == [False, True]
    assert runs["status"].tolist() == ["ok", "failed"]
    points = incumbents_frame(records)
    assert points["queries"].tolist() == [1, 10, 50]
    assert points["final"].tolist() == [60.0, 70.0, 80.0]
    rows = rows_frame([summary(row("alpha", EIGHT) + row("beta", LOWER))])
    assert rows["label"].tolist() == ["alpha", "beta"]
    assert rows["ri"].tolist() == pytest.approx([67.0, 27.0])
