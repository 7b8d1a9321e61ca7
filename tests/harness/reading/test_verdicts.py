"""Verdicts that cannot be bent: each way in which they were, on hand-written runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri
from written_records import ERROR, MATCHED, entry, reference, run, sampling, study

from harness.reading.entries import summarise
from harness.reading.samples import OWN_COST, WHOLE_BUDGET
from harness.reading.summary import Against, EntrySummary
from harness.records.lines import Paid, SamplingRecord
from harness.records.runs import Run

HIGH = [80.0 + 0.1 * k for k in range(8)]
LOW = [60.0 + 0.1 * k for k in range(8)]


def told(runs: list[Run], *samplings: SamplingRecord) -> list[EntrySummary]:
    return [e for s in summarise(study(runs, samplings or None)) for e in s.entries]


def search(of: EntrySummary) -> Against:
    assert of.vs_search is not None
    return of.vs_search


def test_better_takes_both_readings_of_the_reference() -> None:
    """A run that stops at 10 queries beats what random search had by then, and not what it has after all 100."""
    steps = [(1, None, None, 50.0, 60.0), (50, None, None, 60.0, 90.0)]
    others = [run(MATCHED, j, 90.0 + 0.01 * j, role="reference", incumbents=steps) for j in range(40)]
    (stopped,) = told([*entry("alpha", HIGH, paid=Paid(10)), *others])
    assert (stopped.search_mean, stopped.search_whole_mean) == (60.0, pytest.approx(90.195))
    assert (search(stopped).p, search(stopped).verdict) == (1.0, "not shown to be better")
    (whole,) = told([*entry("alpha", HIGH), *others])
    assert search(whole).verdict == "worse"
    best = [99.0 + 0.1 * k for k in range(8)]
    (above,) = told([*entry("alpha", best, paid=Paid(10)), *others])
    assert search(above).verdict == "better"
    assert search(above).n == 40
    assert above.search_weakest in (f"{MATCHED}, {OWN_COST}", f"{MATCHED}, {WHOLE_BUDGET}")
    assert search(above).difference == pytest.approx(99.35 - 90.195)  # the smaller of both


def test_the_strongest_of_several_references_decides() -> None:
    """Random search by another law is the better one here: what beats the first alone is not better."""
    weak, strong = reference([60.0 + 0.01 * j for j in range(40)]), [
        run(f"{MATCHED} [classes]", j, 85.0 + 0.01 * j, role="reference") for j in range(40)
    ]  # fmt: skip
    assert search(told([*entry("alpha", HIGH), *weak])[0]).verdict == "better"
    (found,) = told([*entry("alpha", HIGH), *weak, *strong])
    assert search(found).verdict == "not shown to be better"
    assert found.search_mean == pytest.approx(60.195)  # the first one's, which the table shows


def test_more_reference_runs_tell_more() -> None:
    """Means one standard deviation apart, both sides at the quantiles of a normal: not shown by 8, shown by 200."""

    def normal(mean: float, n: int) -> list[float]:
        return (mean + 0.4 * ndtri((np.arange(n) + 0.5) / n)).tolist()

    few = search(told([*entry("alpha", normal(80.4, 8)), *reference(normal(80.0, 8))])[0])
    many = search(told([*entry("alpha", normal(80.4, 8)), *reference(normal(80.0, 200))])[0])
    assert (few.n, few.verdict) == (8, "not shown to be better")
    assert (many.n, many.verdict) == (200, "better")


def test_failing_does_not_pay() -> None:
    """Three of eight runs fail. At random sampling's mean they would be better; at the worst score they are not."""
    runs: list[float | None] = [52.0, 52.1, 52.2, 52.3, 52.4, None, None, None]
    theirs = [49.0 + 0.001 * k for k in range(200)]
    (found,) = told([*entry("alpha", runs), *reference(theirs)])
    assert found.final_mean == pytest.approx((sum(r or 50.0 for r in runs)) / 8)
    assert found.worst_case_mean == pytest.approx(sum(r or 20.0 for r in runs) / 8)
    assert found.final_mean > np.mean(theirs) > found.worst_case_mean
    assert search(found).verdict == "not shown to be better"
    assert (
        search(told([*entry("alpha", [52.0, 52.1, 52.2, 52.3, 52.4, 52.5, 52.6, 52.7]), *reference(theirs)])[0]).verdict
        == "better"
    )


def test_the_worst_score_known_may_be_another_entrys() -> None:
    (setting,) = summarise(study([*entry("alpha", [80.0, None]), run("beta", 0, 3.0)]))
    assert setting.worst == 3.0
    assert {e.label: e.worst_case_mean for e in setting.entries} == {"alpha": (80 + 3) / 2, "beta": 3.0}


def test_where_lower_is_better_the_worst_is_the_highest() -> None:
    error = sampling(score=ERROR, worst=97.0, best=2.0, draws=[40.0, 60.0] * 10)
    (setting,) = summarise(study(entry("alpha", [10.0, None]), [error]))
    assert (setting.worst, setting.entries[0].worst_case_mean) == (97.0, (10 + 97) / 2)


def test_one_infeasible_reference_run_voids_no_verdict() -> None:
    others = reference([*[60.0 + 0.01 * j for j in range(39)], None])
    for found in told([*entry("alpha", HIGH), *entry("beta", LOW), *others]):
        assert search(found).p is not None
    assert search(told([*entry("alpha", HIGH), *others])[0]).verdict == "better"


def test_a_draw_of_random_sampling_whose_training_failed_stands_at_the_worst_too() -> None:
    """Half of the draws failed. Entries that fail as often are not worse than random sampling."""
    drawn: dict[str, Any] = {"exact": False, "n": 20, "draws": [50.0, 51.0] * 10}
    runs: list[float | None] = [50.0, 51.0, None, None] * 4
    honest = told(entry("alpha", runs), sampling(failed=20, **drawn))[0].vs_sampling
    silent = told(entry("alpha", runs), sampling(failed=0, **drawn))[0].vs_sampling
    assert honest is not None
    assert silent is not None
    assert honest.p is not None
    assert silent.p is not None
    assert honest.p > 0.9 > 0.05 > silent.p


def test_failed_draws_are_as_large_a_share_of_the_sample_as_of_all_draws() -> None:
    """Of 10,500 draws 500 failed; of the 10,000 others 1,000 are stored, so 50 failed ones stand beside them."""
    drawn = {"exact": False, "n": 10_000, "draws": [50.0, 51.0] * 500}
    found = told(entry("alpha", HIGH), sampling(failed=500, **drawn))[0].vs_sampling
    assert found is not None
    assert found.n == 1050
    assert found.difference == pytest.approx(np.mean(HIGH) - (1000 * 50.5 + 50 * 20.0) / 1050)


def test_verdicts_are_corrected_over_the_whole_study_and_each_mode_for_itself() -> None:
    """Of two settings with two strict entries each there are eight hypotheses, two of each entry."""
    runs = [
        r for task in ("toy/a", "toy/b")
        for r in (*entry("alpha", HIGH, task=task), *entry("beta", LOW, task=task), *reference(LOW, task=task))
    ]  # fmt: skip
    alpha = told(runs)[0]
    raw = 2 / 12870
    assert search(alpha).p == pytest.approx(raw)
    assert search(alpha).p_setting == pytest.approx(2 * raw)
    # Four against random sampling have smaller ones, so of those against random search two are left with beta's two.
    assert search(alpha).p_study == pytest.approx(4 * raw)
    assert alpha.valid_vs_search is not None
    assert alpha.valid_vs_search.p_study is None


def test_an_entry_that_many_settings_make_significant_by_chance_is_not() -> None:
    """Raw p .0104 of one entry in one of eight settings; with eight settings and both questions it is not below .05."""
    ours = [60.0, 61.2, 61.3, 61.4, 61.5, 61.6, 61.7, 61.8]
    theirs = [60.1, 60.2, 60.3, 60.4, 60.5, 60.6, 60.7, 61.25]
    alone = search(told([*entry("alpha", ours), *reference(theirs)])[0])
    others = [
        r for k in range(7) for r in (*entry("alpha", theirs, task=f"toy/{k}"), *reference(theirs, task=f"toy/{k}"))
    ]
    among = search(told([*entry("alpha", ours), *reference(theirs), *others])[0])
    assert (alone.p, alone.verdict) == (among.p, "better")
    assert among.verdict == "not shown to be better"
    assert among.p_setting == alone.p_setting


def test_runs_that_end_at_one_value_mark_their_interval() -> None:
    found = told([*entry("alpha", [71.95] * 7 + [71.5]), *entry("beta", HIGH)])
    alpha, beta = sorted(found, key=lambda e: e.label)
    assert (alpha.interval, alpha.most_common, alpha.most_common_runs) == ("tied", 71.95, 7)
    assert (beta.interval, beta.most_common_runs, beta.interval_coverage) == ("covers", 1, None)


def test_bad_runs_that_few_runs_do_not_see_mark_every_interval_of_the_setting() -> None:
    """Of 200 reference runs four end 30 below: studies of eight see none of them in 85 of 100 cases."""
    theirs = [80.0 + 0.001 * k for k in range(196)] + [50.0] * 4
    found = told([*entry("alpha", HIGH), *reference(theirs)])[0]
    assert found.interval == "tails"
    assert found.interval_coverage is not None
    assert found.interval_coverage < 0.3
    smooth = np.random.default_rng(0).normal(80, 1, 200).tolist()
    usual = told([*entry("alpha", HIGH), *reference(smooth)])[0]
    assert usual.interval == "covers"
    assert usual.interval_coverage == pytest.approx(0.95, abs=0.02)
