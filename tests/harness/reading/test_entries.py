"""Summaries of hand-written runs, against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
from written_records import DRAWS, ERROR, TEST_ORACLE, entry, reference, run, sampling, study

from harness.protocol import Score
from harness.reading.entries import summarise
from harness.reading.summary import SettingSummary
from harness.records.lines import Paid, RankQuality, SamplingRecord
from harness.records.runs import Run
from harness.running.study import MATCHED

EIGHT = [80.0, 81.0, 82.0, 83.0, 84.0, 85.0, 86.0, 87.0]  # mean 83.5, sum of squares about it 42
LOWER = [60.0, 61.0, 62.0, 63.0, 64.0, 65.0, 66.0, 67.0]  # mean 63.5
T7 = 2.364624251592785  # Student's t, 7 degrees of freedom, 97.5 %


def summary(runs: list[Run], *samplings: SamplingRecord) -> SettingSummary:
    (setting,) = summarise(study(runs, samplings or None))
    return setting


def test_mean_deviation_best_and_interval_of_a_row() -> None:
    found = summary(entry("alpha", EIGHT)).entries[0]
    assert (found.n, found.failed, found.final_mean, found.final_best) == (8, 0, 83.5, 87.0)
    assert found.final_std == pytest.approx(math.sqrt(6), abs=1e-12)
    half = T7 * math.sqrt(6) / math.sqrt(8)
    assert found.final_low == pytest.approx(83.5 - half, abs=1e-9)
    assert found.final_high == pytest.approx(83.5 + half, abs=1e-9)
    assert found.final_iqm == pytest.approx((82 + 83 + 84 + 85) / 4)


def test_ri_is_relative_to_the_exact_mean_of_random_sampling() -> None:
    found = summary(entry("alpha", EIGHT)).entries[0]
    half = T7 * math.sqrt(6) / math.sqrt(8)
    assert found.ri == pytest.approx(67.0)
    assert found.ri_low == pytest.approx(100 * (83.5 - half - 50) / 50, abs=1e-9)
    assert found.ri_high == pytest.approx(100 * (83.5 + half - 50) / 50, abs=1e-9)


def test_ri_as_the_paper_has_it_uses_as_many_stored_draws_as_there_are_runs() -> None:
    draws = [40.0] * 6 + [60.0] * 994
    found = summary(entry("alpha", EIGHT), sampling(draws=draws)).entries[0]
    assert found.ri_paper == pytest.approx(100 * (83.5 - 45) / 45)  # six of 40 and two of 60: mean 45


def test_the_interval_of_ri_is_wider_where_random_sampling_is_itself_an_estimate() -> None:
    """Fieller's interval on 10,000 draws, of which 1,000 are stored: slightly wider than the exact one's."""
    exact = summary(entry("alpha", EIGHT)).entries[0]
    drawn = summary(entry("alpha", EIGHT), sampling(exact=False, n=10_000)).entries[0]
    few = summary(entry("alpha", EIGHT), sampling(exact=False, n=8, draws=DRAWS[:8])).entries[0]
    assert exact.ri == drawn.ri == few.ri
    widths = [r.ri_high - r.ri_low for r in (exact, drawn, few) if r.ri_high is not None and r.ri_low is not None]
    assert widths[0] < widths[1] < widths[0] * 1.05 < widths[2]


def test_ri_is_null_where_the_score_is_no_ratio_scale() -> None:
    loss = Score("log loss", "nats", higher_is_better=False, ratio_scale=False)
    found = summary(entry("alpha", EIGHT), sampling(score=loss)).entries[0]
    assert (found.ri, found.ri_low, found.ri_high, found.ri_paper) == (None, None, None, None)
    assert found.final_mean == 83.5


def test_p_values_against_matched_random_search_are_exact_and_adjusted_by_holm() -> None:
    """Complete separation of 8 and 8 runs: 2 of C(16, 8) = 12,870 orders are as extreme. Equal samples: p = 1."""
    task = summary(entry("alpha", EIGHT) + entry("beta", LOWER) + reference(LOWER))
    alpha, beta = task.entries
    assert (alpha.label, beta.label) == ("alpha", "beta")
    assert alpha.vs_search.p == pytest.approx(2 / 12870)
    assert alpha.vs_search.p_setting == pytest.approx(4 / 12870)
    assert (beta.vs_search.p, beta.vs_search.p_setting) == (1.0, 1.0)
    assert (alpha.vs_search.verdict, beta.vs_search.verdict) == ("better", "not shown to be better")
    assert alpha.search_mean == 63.5


def test_p_value_against_a_thousand_draws_is_the_normal_approximation_with_ties() -> None:
    """All 8 runs above all draws: U = 8,000, 4,000 from its mean; the draws are two groups of 500 ties."""
    found = summary(entry("alpha", EIGHT)).entries[0]
    ties = 2 * (500**3 - 500)
    sigma = math.sqrt(8 * 1000 / 12 * (1009 - ties / (1008 * 1007)))
    p = math.erfc((4000 - 0.5) / sigma / math.sqrt(2))
    assert p == pytest.approx(2.0e-8, rel=0.05)
    assert found.vs_sampling.p == pytest.approx(p, rel=1e-9)
    assert found.vs_sampling.p_setting == found.vs_sampling.p  # a family of one
    assert found.vs_sampling.verdict == "better"


def test_below_five_runs_there_is_no_p_value_and_one_run_has_no_spread() -> None:
    four = summary(entry("alpha", EIGHT[:4]) + reference(LOWER[:4])).entries[0]
    assert (four.vs_search.p_setting, four.vs_search.p, four.vs_sampling.p_setting) == (None, None, None)
    assert four.vs_search.verdict == four.vs_sampling.verdict == "not shown to be better"
    one = summary(entry("alpha", EIGHT[:1])).entries[0]
    assert (one.final_mean, one.final_std, one.final_low, one.ri_low) == (80.0, None, None, None)
    assert one.ri == pytest.approx(60.0)


def test_rows_of_another_mode_stand_apart_and_have_a_family_and_a_reference_of_their_own() -> None:
    paper = {"mode": "paper", "scoring": TEST_ORACLE}
    records = entry("alpha", LOWER) + entry("beta", EIGHT) + reference(LOWER)
    alone = summary(records)
    with_paper = summary(records + entry("gamma", [99.0] * 8, **paper) + reference([98.0] * 8, **paper))
    assert [(r.label, r.mode) for r in with_paper.entries] == [
        ("beta", "strict"),
        ("alpha", "strict"),
        ("gamma", "paper"),
    ]
    assert with_paper.entries[:2] == alone.entries  # p-values included: the paper row is in no family of theirs
    gamma = with_paper.entries[2]
    assert gamma.search_mean == 98.0
    assert gamma.vs_search.p == pytest.approx(2 / 12870)
    assert gamma.vs_search.p_setting == gamma.vs_search.p


def test_a_reference_of_another_mode_is_not_matched() -> None:
    found = summary(entry("alpha", EIGHT, mode="paper", scoring=TEST_ORACLE) + reference(LOWER)).entries[0]
    assert (found.search_mean, found.vs_search.p, found.vs_search.verdict) == (None, None, "not shown to be better")


def test_failed_runs_score_random_sampling_and_are_named() -> None:
    found = summary(
        entry("alpha", [80.0, None, 80.0, 80.0, None, 80.0, 80.0, 80.0], valid=70.0, rank=3, valid_regret=22.0)
    ).entries[0]
    assert (found.n, found.failed) == (8, 2)
    assert found.final_mean == (6 * 80 + 2 * 50) / 8
    assert found.final_best == 80.0
    assert found.valid_mean == (6 * 70 + 2 * 48) / 8
    assert found.valid_regret_mean == (6 * 22 + 2 * (92 - 48)) / 8
    assert found.rank_mean is None  # a failed run has no rank
    assert found.failed_runs == ["seeds 1, 4: failed: ValueError: no"]


def test_the_reasons_of_failed_runs_are_told_once_each_and_short() -> None:
    long = f"RuntimeError: one\n\x1b[31mtwo {'x' * 5000} (search.py:40)"
    runs = [run("alpha", k, None, search={"error": why}) for k, why in enumerate([long, "ValueError: no", long])]
    first, second = summary(runs).entries[0].failed_runs
    assert first.startswith("seeds 0, 2: failed: RuntimeError: one \\u001b[31mtwo xxx")
    assert first.endswith("xxx (search.py:40)")
    assert len(first) < 350
    assert second == "seed 1: failed: ValueError: no"


def test_a_failed_run_without_random_sampling_leaves_the_row_without_a_mean() -> None:
    found = summary(entry("alpha", [80.0, None]), sampling("toy/other")).entries[0]
    assert (found.final_mean, found.ri, found.vs_sampling.p_setting) == (None, None, None)


def test_costs_leave_out_runs_that_were_killed() -> None:
    killed = run("alpha", 1, None, paid=None)
    found = summary([run("alpha", 0, paid=Paid(30, 360.0, 1200.0)), killed]).entries[0]
    assert (found.paid_queries_mean, found.paid_epochs_mean, found.search_seconds_mean) == (30.0, 360.0, 1200.0)
    assert (found.total_queries_mean, found.distinct_keys_mean) == (50.0, 30.0)


def test_a_task_that_records_no_seconds_has_null_seconds() -> None:
    found = summary([run("alpha", 0), run("alpha", 1)]).entries[0]
    assert found.search_seconds_mean is None
    assert found.wall_seconds_mean == 2.0


def test_ktau_is_the_mean_over_runs_that_learned_an_order() -> None:
    learned = [RankQuality(0.5, 0.6, 0.4, 0.3, 900), RankQuality(0.7, 0.8, 0.6, 0.5, 880), None]
    found = summary([run("alpha", i, ktau=k) for i, k in enumerate(learned)]).entries[0]
    assert found.ktau == pytest.approx(0.6)
    assert found.ktau_valid == pytest.approx(0.7)
    assert (found.ktau_eq13, found.ktau_ctnas) == (pytest.approx(0.5), pytest.approx(0.4))
    assert found.ktau_n == 880


def test_lower_is_better_turns_order_best_ri_and_verdicts() -> None:
    task = summary(entry("worse", EIGHT) + entry("good", LOWER) + reference(EIGHT), sampling(score=ERROR, mean=80.0))
    good, worse = task.entries
    assert (good.label, good.final_best, worse.final_best) == ("good", 60.0, 80.0)
    assert good.ri == pytest.approx(100 * (80 - 63.5) / 80)
    assert good.ri_low is not None
    assert good.ri_high is not None
    assert good.ri_low < good.ri < good.ri_high
    assert good.vs_search.verdict == "better"
    assert worse.vs_search.verdict == "not shown to be better"
    assert worse.ri is not None
    assert worse.ri < 0


def test_a_row_below_random_search_is_called_worse() -> None:
    assert summary(entry("alpha", LOWER) + reference(EIGHT)).entries[0].vs_search.verdict == "worse"


def test_validation_scores_are_tested_against_matched_random_searchs() -> None:
    runs = [run("alpha", i, 80.0, valid=90.0 + i) for i in range(8)]
    found = summary(runs + reference([0.0] * 8, valid=80.0)).entries[0]
    assert found.valid_mean == 93.5
    assert found.search_valid_mean == 80.0
    assert found.valid_vs_search.p == pytest.approx(2 / 12870)


def test_a_validation_score_that_is_not_known_is_not_made_up() -> None:
    """As of an architecture that only the task's own table has, not that of its search task."""
    runs = [run("alpha", i, 80.0, valid=None if i == 3 else 90.0) for i in range(8)]
    lacking = [run(MATCHED, i, 70.0, valid=None if i == 5 else 80.0, role="reference") for i in range(8)]
    found = summary(runs + lacking).entries[0]
    assert (found.valid_mean, found.valid_regret_mean, found.search_valid_mean) == (None, None, None)
    assert found.search_mean == 70.0


def test_where_random_sampling_is_missing_nothing_says_which_way_is_up() -> None:
    found = summary(entry("alpha", EIGHT) + reference(LOWER), sampling("toy/other"))
    assert found.score is None
    assert (found.entries[0].final_mean, found.entries[0].final_best) == (83.5, None)
    assert (found.entries[0].vs_search.p_setting, found.entries[0].vs_search.verdict) == (
        None,
        "not shown to be better",
    )


def test_regret_of_validation_scores_has_the_sign_of_the_search_task() -> None:
    """Searched by a loss, scored by accuracy. A failed run's: random sampling's mean of 48 against a best of 12."""
    opposite = sampling(search_score=ERROR, best_valid=12.0)
    found = summary([run("alpha", 0, None), run("alpha", 1, 80.0, valid=14.0, valid_regret=2.0)], opposite).entries[0]
    assert found.valid_regret_mean == pytest.approx((36 + 2) / 2)


def test_where_rows_are_not_known_there_is_no_regret_though_all_runs_failed() -> None:
    """Of draws the best is not the best row."""
    drawn = sampling(exact=False, n=20, draws=[50.0] * 20, best=60.0)
    assert summary(entry("alpha", [None] * 3), drawn).entries[0].regret_mean is None
    assert summary(entry("alpha", [None] * 3)).entries[0].regret_mean == 95 - 50
