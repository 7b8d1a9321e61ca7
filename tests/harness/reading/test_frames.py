"""Data frames, figure and notebook view of hand-written studies."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from written_records import MATCHED, RankQuality, entry, reference, run, write_study

from harness import read_results
from harness.errors import HarnessError, StudyError, UnknownName
from harness.reading.entries import summarise
from harness.reading.figure import draw_curves
from harness.reading.notebook import open_task, run_study
from harness.reading.report.section import Choice, Source
from harness.reading.report.sections.curves import curves_of
from harness.reading.results import Results
from harness.records.lines import Paid
from harness.records.runs import Run
from harness.running.study import StrategySpec, Study, TaskSpec
from harness.search.budget import Budget

EIGHT = [80.0, 81.0, 82.0, 83.0, 84.0, 85.0, 86.0, 87.0]
STEPS = [(1, 12.0, None, 50.0, 60.0), (10, 120.0, None, 55.0, 70.0)]


def results(tmp_path: Path, runs: list[Run] | None = None) -> Results:
    more: dict[str, Any] = {"incumbents": STEPS, "constraints": ["params <= 200"]}
    usual = [*entry("alpha", EIGHT, ktau=RankQuality(0.5, 0.6, 0.4, 0.3, 900), **more), *reference(EIGHT, **more)]
    return read_results(write_study(tmp_path, runs or usual))


def test_runs_are_as_they_were_recorded(tmp_path: Path) -> None:
    runs = [
        run("alpha", 0, 80.0, rank=4, outcome={"scores": [80.0, None, 82.0, *[1.0] * 8, 99.0]}, paid=Paid(90, 1080.0)),
        run("alpha", 1, None, search={"timing": {"search_seconds": 3.0, "cpu_seconds": 2.5}}),
        run(MATCHED, 0, 70.0, role="reference"),
    ]
    frame = results(tmp_path, runs).runs
    assert frame["label"].tolist() == ["alpha", "alpha", MATCHED]
    assert frame["score"].tolist()[::2] == [80.0, 70.0]
    assert frame["score"].isna().tolist() == [False, True, False]
    assert frame["status"].tolist() == ["ok", "failed", "ok"]
    assert frame["best_of_ten"].tolist()[0] == 82.0  # the twelfth is not of the first ten
    assert frame["paid_queries"].tolist() == [90, 100, 100]
    assert frame["cpu_seconds"].tolist()[1] == 2.5
    assert frame["task"].unique().tolist() == ["toy/a"]


def test_rows_are_the_entries_of_the_report(tmp_path: Path) -> None:
    found = results(tmp_path)
    rows = found.rows
    assert rows[["label", "role"]].values.tolist() == [["alpha", "entry"], [MATCHED, "reference"]]
    assert rows["title"].tolist() == ["toy/a, params <= 200"] * 2
    assert rows["constraints"].tolist() == ["params <= 200"] * 2
    assert rows["budget_queries"].tolist() == [100, 100]
    assert rows["final_mean"].tolist() == [83.5, 83.5]
    assert rows["vs_search_p"].tolist()[0] == 1.0
    assert rows["ri_paper"].tolist()[0] == pytest.approx(67.0)
    assert found.rows is rows


def test_curves_have_a_line_a_point_and_tests_a_line_a_question(tmp_path: Path) -> None:
    found = results(tmp_path)
    alpha = found.curves[found.curves["label"] == "alpha"]
    assert alpha[["cost", "score", "valid"]].values.tolist() == [
        [1.0, 60.0, 50.0],
        [10.0, 70.0, 55.0],
        [100.0, 70.0, 55.0],
    ]
    assert set(found.curves["final"]) == {"mean"}  # how a final score comes about
    tests = found.tests
    assert tests["question"].tolist() == ["vs_sampling", "vs_search", "valid_vs_search"]
    assert tests["verdict"].tolist() == ["better", "not shown to be better", "not shown to be better"]
    assert {"p", "p_setting", "p_study", "superiority", "difference", "n"} <= set(tests.columns)


def test_every_documented_column_of_runs_is_there(tmp_path: Path) -> None:

    text = str(Results.runs.__doc__).partition("\n\n")[2]
    named = set(re.findall(r"\b([a-z_]+)(?=[,;:. ])", text)) & set(results(tmp_path).runs.columns)
    undocumented = set(results(tmp_path).runs.columns) - named
    setting = {"title", "task", "search_task", "law", "final", "final_seed", "constraints", "strategy", "ablation"}
    assert undocumented - setting == {"budget_queries", "budget_epochs", "budget_seconds"}


def test_a_column_is_a_value_and_no_empty_place_for_others(tmp_path: Path) -> None:
    """A reference has no test of itself: its line lacks ``vs_search_p``, and gives no column ``vs_search``."""
    rows = results(tmp_path).rows
    assert rows.set_index("label")["vs_search_p"].isna().tolist() == [False, True]
    assert not {"vs_sampling", "vs_search", "valid_vs_search", "random_sampling"} & set(rows.columns)


def test_results_are_called_by_a_line_and_printed_as_the_report(tmp_path: Path) -> None:
    found = results(tmp_path)
    assert repr(found).startswith("<study ")
    assert repr(found).count("\n") == 0
    assert str(found).startswith("study written\n")
    assert "83.50±2.45" in str(found)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"job": 2}, "unknown setting of run_study 'job'; did you mean 'jobs'"), ({"jobs": "2"}, "Expected `int | null`")],
)
def test_a_wrong_setting_is_told_before_anything_runs(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(HarnessError, match=re.escape(said)):
        run_study({"name": "x"}, results=tmp_path, **settings)


@pytest.mark.parametrize(
    ("seeds", "said"), [(0, r"Expected `int` >= 1; .*\(field seeds\)"), (np.int64(8), "not a study: .*numpy.int64")]
)
def test_a_study_made_in_python_is_checked_as_a_file_is(seeds: Any, said: str, tmp_path: Path) -> None:
    study = Study(
        name="x",
        budget=Budget(queries=2),
        tasks=(TaskSpec(name="toy"),),
        strategies=(StrategySpec(name="random-search"),),
        seeds=seeds,
    )
    with pytest.raises(StudyError, match=said):
        run_study(study, results=tmp_path)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (run_study, "run_study(None): give a study file, or what stands in it as a mapping"),
        (read_results, "read_results(None): name the study's folder"),
        (open_task, "open_task(None): name a task"),
    ],
)
def test_what_is_of_another_type_is_told_in_one_sentence(call: Callable[[Any], Any], said: str) -> None:
    for given in (None, [1]):
        with pytest.raises(HarnessError, match=re.escape(said.replace("None", repr(given)))):
            call(given)


def test_a_notebook_shows_the_tables(tmp_path: Path) -> None:
    text = results(tmp_path)._repr_html_()
    assert text.count("<table>") == 1
    assert '<td style="text-align:right">83.50±2.45</td>' in text
    assert "toy/a, params &lt;= 200" in text


@pytest.fixture
def agg(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLBACKEND", "agg")


def two_settings(tmp_path: Path) -> Results:
    runs = [
        r for task in ("toy/a", "toy/b") for made in (
            entry("alpha", EIGHT, task=task, incumbents=STEPS), entry("beta", EIGHT[:4], task=task, incumbents=STEPS),
            reference(EIGHT, task=task, incumbents=STEPS),
        ) for r in made
    ]  # fmt: skip
    return results(tmp_path, runs)


def test_the_figure_of_curves_has_a_panel_a_setting_and_a_line_an_entry(agg: None, tmp_path: Path) -> None:
    found = two_settings(tmp_path)
    figure = found.figure()
    assert [panel.get_title() for panel in figure.axes] == ["toy/a", "toy/b"]
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert set(lines) == {"alpha", "beta", MATCHED}
    assert lines["alpha"].get_ydata().tolist() == [60.0, 70.0, 70.0]
    assert lines[MATCHED].get_linestyle() == "--"
    assert figure.axes[0].get_xlabel() == "queries paid"
    assert figure.axes[0].get_ylabel() == "final accuracy (%)"
    assert figure.get_size_inches()[0] <= 11
    figure.savefig(tmp_path / "curves.png")
    one = found.figure(tasks=["toy/b"], entries=["alpha"])
    assert [line.get_label() for line in one.axes[0].get_lines()] == ["alpha"]


def test_curves_show_their_end_whole_and_each_reference_in_its_own_dashes(agg: None, tmp_path: Path) -> None:
    steps = [(k, None, None, 50.0, 20.0 if k == 1 else 70.0) for k in range(1, 100)] + [(100, None, None, 55.0, 90.0)]
    runs = [r for k, label in enumerate(("alpha", MATCHED, f"{MATCHED} by keys")) for r in entry(
        label, [90.0] * 8, incumbents=steps, role="reference" if k else "entry"
    )]  # fmt: skip
    panel = results(tmp_path, runs).figure().axes[0]
    low, high = panel.get_ylim()
    assert 60 < low < 70
    assert high > 90
    assert [line.get_linestyle() for line in panel.get_lines()][:3] == ["-", "--", "-."]


def test_a_setting_whose_budget_ends_before_the_costs_asked_for_has_no_panel(agg: None, tmp_path: Path) -> None:
    runs = [*entry("alpha", EIGHT, incumbents=STEPS), *entry("alpha", EIGHT, budget=Budget(queries=300))]
    found = results(tmp_path, runs)
    curves = curves_of(Source(found, Choice(at=(300.0,))))
    assert [panel.get_title() for panel in draw_curves(summarise(found), curves).axes] == ["toy/a, 300 queries"]


def test_a_long_title_does_not_run_into_the_next_panels(agg: None, tmp_path: Path) -> None:
    runs = [
        r for bound in (200_000, 300_000)
        for r in entry("alpha", EIGHT, task="toy/of-a-rather-long-name", constraints=[f"params <= {bound}"])
    ]  # fmt: skip
    figure = results(tmp_path, runs).figure("scores")
    figure.canvas.draw()
    first, second = (panel.title.get_window_extent() for panel in figure.axes)
    assert first.x1 < second.x0


def test_the_figure_of_scores_has_a_dot_a_run(agg: None, tmp_path: Path) -> None:
    figure = two_settings(tmp_path).figure("scores")
    panel = figure.axes[0]
    assert [label.get_text().replace("\n", "") for label in panel.get_yticklabels()] == ["alpha", "beta", MATCHED]
    dots, mean = panel.get_lines()[:2]
    assert sorted(dots.get_xdata()) == EIGHT
    assert list(mean.get_xdata()) == [83.5, 83.5]
    figure.savefig(tmp_path / "scores.png")


def test_where_trainings_have_no_final_scores_of_incumbents_validation_is_drawn(agg: None, tmp_path: Path) -> None:
    live = [(1, 12.0, None, 50.0, None), (10, 120.0, None, 55.0, None)]
    figure = results(tmp_path, entry("alpha", EIGHT, incumbents=live, final_seed=0)).figure()
    assert figure.axes[0].get_ylabel().startswith("validation")


def test_wrong_names_and_a_missing_library_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = results(tmp_path)
    with pytest.raises(UnknownName, match="did you mean 'curves'"):
        found.figure("curve")  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="unknown entry 'alfa'"):
        found.figure(entries=["alfa"])
    real = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(HarnessError, match=r"nas-harness\[plot\]"):
        found.figure()
