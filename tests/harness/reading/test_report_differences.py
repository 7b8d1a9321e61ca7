"""One anytime curve less another: Welch's interval at each point, and from where on it stays above 0."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from written_records import ERROR, TEST_ORACLE, reference, run, sampling, study, write_study

from harness.errors import HarnessError, UnknownName
from harness.reading.report.section import Choice, Source
from harness.reading.report.sections import write_report
from harness.reading.report.sections.curves import curves_of
from harness.reading.report.sections.differences import Difference, differences_of
from harness.records.lines import Paid, SamplingRecord
from harness.records.runs import Run

OURS = [30.02, 29.99, 30.11, 29.97, 30.01, 29.99]
THEIRS = [29.89, 29.93, 29.72, 29.98, 30.02, 29.98]
"""Weights of screws, a textbook example of Welch's test: difference .095, t 1.959, 7.03 degrees of freedom."""


def steps(label: str, *runs: list[tuple[int, float]]) -> list[Run]:
    """A run for each list of (paid, score), the final score equal to the validation score."""
    return [
        run(label, seed, points[-1][1], incumbents=[(paid, None, None, s, s) for paid, s in points])
        for seed, points in enumerate(runs)
    ]


def differences(
    runs: list[Run], against: str = "b", samplings: list[SamplingRecord] | None = None, **choice: Any
) -> list[Difference]:
    return differences_of(Source(study(runs, samplings), Choice(against=against, **choice)))


def test_the_interval_is_welchs(tmp_path: Path) -> None:
    records = [*steps("a", *([(1, s)] for s in OURS)), *steps("b", *([(1, s)] for s in THEIRS))]
    (found,) = differences(records, at=(1.0,))
    assert (found.label, found.against, found.n, found.n_against) == ("a", "b", 6, 6)
    assert found.score == [pytest.approx(0.095)]
    # t(7.03; .975) = 2.3628, standard error .095 / 1.959 = .04849
    assert found.score_low == [pytest.approx(0.095 - 2.3628 * 0.04849, abs=5e-5)]
    assert found.score_high == [pytest.approx(0.095 + 2.3628 * 0.04849, abs=5e-5)]
    assert found.valid == found.score


def test_ahead_from_the_first_cost_after_which_the_interval_stays_above_zero(tmp_path: Path) -> None:
    """Ahead at 2, level at 4, ahead again from 7 on: the costs that are shown do not matter."""
    ours = [[(1, 10.0), (2, 50.0), (7, 80.0)], [(1, 10.0), (2, 50.0), (7, 80.1)]]
    theirs = [[(1, 10.0), (4, 50.0)], [(1, 10.0), (4, 50.1)]]
    records = [*steps("a", *ours), *steps("b", *theirs)]
    (found,) = differences(records, at=(3.0, 100.0))
    assert found.cost == [3.0, 100.0]
    assert found.score == [pytest.approx(40.0), pytest.approx(30.0)]
    assert found.ahead_from == found.ahead_from_valid == 7.0
    (turned,) = differences(records, "a")
    assert (turned.label, turned.ahead_from) == ("b", None)
    assert turned.cost == [1.0, 2.0, 4.0, 7.0, 100.0]


def test_equal_runs_have_a_point_and_single_runs_no_interval(tmp_path: Path) -> None:
    same = [[(1, 60.0)], [(1, 60.0)]]
    (found,) = differences([*steps("a", *same), *steps("b", [(1, 50.0)], [(1, 50.0)])], at=(1.0,))
    assert (found.score, found.score_low, found.score_high) == ([10.0], [10.0], [10.0])
    (one,) = differences([*steps("a", [(1, 60.0)]), *steps("b", [(1, 50.0)], [(1, 51.0)])], at=(1.0,))
    assert (one.score, one.score_low, one.ahead_from) == ([9.5], [None], None)


def test_where_a_run_had_found_nothing_there_is_no_difference(tmp_path: Path) -> None:
    records = [*steps("a", [(1, 60.0)], [(5, 60.0)]), *steps("b", [(1, 50.0)], [(1, 50.0)])]
    (found,) = differences(records, at=(1.0, 5.0))
    assert found.score == [None, 10.0]
    assert found.ahead_from == 5.0


def test_where_lower_is_better_positive_is_still_better(tmp_path: Path) -> None:
    records = [*steps("a", [(1, 5.0)], [(1, 5.0)]), *steps("b", [(1, 9.0)], [(1, 9.0)])]
    (found,) = differences(records, "b", [sampling(score=ERROR)], at=(1.0,))
    assert found.score == [4.0]
    assert found.ahead_from == 1.0


def test_only_rows_of_the_same_mode_settings_are_set_against_each_other(tmp_path: Path) -> None:
    paper = [
        run("p", s, 90.0, mode="paper", scoring=TEST_ORACLE, incumbents=[(1, None, None, 90.0, 90.0)]) for s in range(2)
    ]
    point = [(1, None, None, 40.0, 40.0)]
    strict = reference([40.0, 41.0], incumbents=point)
    cheating = [
        run("matched-random-search", s, 60.0, mode="paper", scoring=TEST_ORACLE, role="reference", incumbents=point)
        for s in range(2)
    ]
    records = [*steps("a", [(1, 60.0)], [(1, 62.0)]), *paper, *strict, *cheating]
    found = differences(records, "matched-random-search", at=(1.0,))
    assert [(d.label, d.mode, d.n_against) for d in found] == [("a", "strict", 2), ("p", "paper", 2)]
    assert found[1].valid == [None]


def test_names_are_checked_and_against_needs_curves(tmp_path: Path) -> None:
    records = steps("alpha", [(1, 60.0)])
    with pytest.raises(UnknownName, match="unknown entry 'alhpa'; did you mean 'alpha'"):
        differences(records, "alhpa")
    with pytest.raises(UnknownName, match="unknown cost"):
        differences(records, "alpha", unit="query")
    with pytest.raises(HarnessError, match="--against is for --section curves"):
        write_report(tmp_path, Choice(against="alpha"), Console(file=io.StringIO()))


def test_json_csv_and_text_hold_the_same_points(tmp_path: Path) -> None:
    records = [*steps("a", *([(1, s)] for s in OURS)), *steps("b", *([(2, s)] for s in THEIRS))]
    folder = write_study(tmp_path, records)

    def section(form: str) -> str:
        text = io.StringIO()
        choice = Choice(sections=("curves",), form=form, against="b", at=(1.0, 2.0))
        write_report(folder, choice, Console(file=text, width=100))
        return text.getvalue()

    (found,) = json.loads(section("json"))["differences"]
    assert found["ahead_from"] is None
    first, second = csv.DictReader(io.StringIO(section("csv")))
    assert (first["cost"], first["score"], first["ahead_from"]) == ("1.0", "", "")
    assert float(second["score_low"]) == found["score_low"][1]
    assert "toy/a: a (n 6) less b (n 6), by queries paid\nfinal ahead nowhere to the end" in section("text")
    assert "+0.10 [-0.02, +0.21]" in " ".join(section("text").split())  # .0950 rounds to .10


def live(label: str, *runs: tuple[float, float]) -> list[Run]:
    """Runs of a task that trains: an early incumbent without a final score, and the reported one, final then known."""
    return [
        run(label, seed, final, incumbents=[(1, None, None, 40.0 + final / 10, None), (late, None, None, 60.0, None)])
        for seed, (late, final) in enumerate(runs)
    ]


def test_ahead_is_said_of_final_scores_only_where_those_of_all_incumbents_are_known(tmp_path: Path) -> None:
    records = [*live("a", (4, 90.0), (4, 91.0)), *live("b", (3, 50.0), (3, 51.0))]
    (found,) = differences(records, at=(1.0, 4.0))
    assert found.score == [None, pytest.approx(40.0)]
    assert found.score_low[1] is not None
    assert found.score_low[1] > 0
    assert found.ahead_from is None
    assert found.valid[0] == pytest.approx(4.0)


def test_the_text_shows_validation_beside_final_scores_where_they_differ(tmp_path: Path) -> None:
    def entry(label: str, final: float, valid: float) -> list[Run]:
        point = [(1, None, None, valid, final)]
        return [run(label, seed, final + seed, incumbents=point) for seed in range(2)]

    folder = write_study(tmp_path, [*entry("a", 60.0, 81.0), *entry("b", 50.0, 80.0)])
    text = io.StringIO()
    write_report(folder, Choice(sections=("curves",), against="b", at=(1.0,)), Console(file=text, width=100))
    said = " ".join(text.getvalue().split())
    assert "final ahead from 1 query, validation ahead from 1 query" in said
    assert "1 +10.00 [+10.00, +10.00] +1.00 [+1.00, +1.00]" in said


def test_a_setting_without_the_entries_that_are_asked_for_refuses_nothing() -> None:
    """Its runs count no epochs, which is nothing to differences on another task."""
    counted = [
        run(label, seed, 80.0, paid=Paid(10, 120.0, None), incumbents=[(10, 120.0, None, 80.0, 80.0)])
        for label in ("a", "b")
        for seed in range(2)
    ]
    others = [run("a", seed, 70.0, task="toy/b", paid=Paid(10, None, None)) for seed in range(2)]
    made = [sampling("toy/a"), sampling("toy/b")]
    (found,) = differences(counted + others, samplings=made, unit="epochs")
    assert (found.title, found.label) == ("toy/a", "a")
    own = Source(study(counted + others, made), Choice(entries=("b",), unit="epochs"))
    assert [c.title for c in curves_of(own)] == ["toy/a"]
