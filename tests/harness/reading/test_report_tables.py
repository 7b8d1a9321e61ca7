"""The report of a hand-written study: as one JSON object, on a terminal of 100 columns, as Markdown."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from written_records import TEST_ORACLE, entry, reference, run, sampling, write_study

from harness.errors import HarnessError, UnknownName, counted
from harness.reading import numbers
from harness.reading.compliance import Finding
from harness.reading.report.section import Choice
from harness.reading.report.sections import write_report
from harness.reading.report.sections.compliance import collapsed, compliance_table, held
from harness.records.lines import Paid, RankQuality, SamplingRecord
from harness.records.runs import Run
from harness.search.budget import Budget

EIGHT = [80.0, 81.0, 82.0, 83.0, 84.0, 85.0, 86.0, 87.0]
LOWER = [60.0, 61.0, 62.0, 63.0, 64.0, 65.0, 66.0, 67.0]

ENTRY_KEYS = {
    "strategy", "mode", "n", "failed", "final_mean", "final_std", "final_best", "final_low", "final_high", "ri",
    "ri_low", "ri_high", "ri_paper", "valid_mean", "valid_regret_mean", "rank_mean", "ktau", "vs_sampling", "vs_search",
    "paid_queries_mean", "total_queries_mean", "distinct_keys_mean", "search_seconds_mean",
}  # fmt: skip
SETTING_KEYS = {
    "title",
    "setting",
    "score",
    "split",
    "random_sampling",
    "best_validated",
    "tied",
    "entries",
    "references",
}


def study() -> list[Run]:
    """A strong, a weak and a paper row with their references."""
    ktau = RankQuality(0.5, 0.6, 0.4, 0.3, 900)
    paper: dict[str, Any] = {"mode": "paper", "scoring": TEST_ORACLE}
    return [
        *entry("weak", LOWER, paid=Paid(40, 480.0, 7200.0), valid=70.0, rank=30, valid_regret=22.0),
        *entry("strong", EIGHT, ktau=ktau, valid=90.0, rank=2, valid_regret=2.0),
        *entry("cheat", [94.0] * 8, **paper),
        *reference(LOWER, incumbents=[(1, None, None, 50.0, 55.0)]),
        *reference([93.0] * 8, **paper),
    ]


def written(tmp_path: Path, records: list[Run], *baselines: SamplingRecord, **choice: Any) -> str:
    folder = write_study(tmp_path, records, baselines or (sampling(),))
    text = io.StringIO()
    write_report(folder, Choice(**choice), Console(file=text, width=100, markup=False, highlight=False))
    return text.getvalue()


def test_the_json_object_has_every_key_and_hand_computed_values(tmp_path: Path) -> None:
    found = json.loads(written(tmp_path, study(), form="json"))
    assert set(found) == {"study", "settings", "compliance", "problems"}
    assert found["study"] == "written"
    (task,) = found["settings"]
    assert set(task) >= SETTING_KEYS
    assert task["title"] == "toy/a"
    assert task["setting"] == {
        "task": "toy/a", "search_task": "toy/a", "law": "rows", "final": "mean", "final_seed": None,
        "budget": {"queries": 100}, "constraints": [],
    }  # fmt: skip
    assert task["score"] == {"name": "accuracy", "unit": "%", "higher_is_better": True, "ratio_scale": True}
    assert task["split"] == "test"
    assert task["random_sampling"] == {"mean": 50.0, "std": 10.0, "exact": True, "n": 400, "failed": 0}
    assert (task["best_validated"], task["tied"]) == (90.0, 1)
    strong, weak, cheat = task["entries"]
    assert set(strong) >= ENTRY_KEYS
    assert [(r["strategy"], r["mode"]) for r in task["entries"]] == [
        ("strong", "strict"),
        ("weak", "strict"),
        ("cheat", "paper"),
    ]
    assert (strong["final_mean"], strong["ri"], strong["ktau"]) == (83.5, pytest.approx(67.0), 0.5)
    assert (strong["valid_mean"], strong["valid_regret_mean"], strong["rank_mean"]) == (90.0, 2.0, 2.0)
    assert (strong["paid_queries_mean"], strong["total_queries_mean"], strong["distinct_keys_mean"]) == (100, 120, 100)
    assert (weak["paid_queries_mean"], weak["search_seconds_mean"], strong["search_seconds_mean"]) == (40, 7200.0, None)
    assert strong["vs_search"]["p"] == pytest.approx(2 / 12870)
    assert strong["vs_search"]["p_setting"] == pytest.approx(4 / 12870)  # two strict entries, the other mode is apart
    assert strong["vs_search"]["superiority"] == 1.0
    assert weak["search_mean"] == 55.0  # random search after 40 queries, not after 100
    assert (cheat["final_std"], cheat["vs_search"]["verdict"]) == (0.0, "better")
    assert {frozenset(f) for f in found["compliance"]} == {frozenset({"rule", "ok", "why", "scope"})}


def test_what_does_not_exist_is_null(tmp_path: Path) -> None:
    text = written(tmp_path, [run("alone", 0, 80.0)], sampling("toy/other"), form="json")
    (task,) = json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} in JSON"))["settings"]
    assert task["random_sampling"] == dict.fromkeys(("mean", "std", "exact", "n", "failed"))
    (only,) = task["entries"]
    nulls = {
        "final_std",
        "final_low",
        "ri",
        "ri_paper",
        "valid_mean",
        "rank_mean",
        "ktau",
        "search_mean",
    }
    assert {k for k in nulls if only[k] is not None} == set()
    assert only["vs_search"] == {
        "p": None, "p_setting": None, "p_study": None, "superiority": None, "difference": None, "n": None,
        "verdict": "not shown to be better",
    }  # fmt: skip
    assert only["final_mean"] == 80.0


def test_the_terminal_report_fits_100_columns_and_orders_entries_by_final_score(tmp_path: Path) -> None:
    text = written(tmp_path, study(), sections=("table",))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 100
    lines = text.splitlines()
    table = lines[next(i for i, x in enumerate(lines) if x.startswith("entry")) :]
    order = ["strong", "weak", "matched-random-", "random sampling", "not strict:", "cheat (paper)", "matched-random-"]
    starts = [name for x in table[1:] for name in dict.fromkeys(order) if x.startswith(name)]
    assert starts == order
    assert "random sampling 50.00 ± 10.00 (all 400 rows); best validated 90.00; best 95.00" in text
    strong = next(x for x in table if x.startswith("strong"))
    for cell in ("83.50±2.45", "+67.0", "[+62.9, +71.1]", "better", "<.001", "0.50", " 100"):
        assert cell in strong, strong
    assert "(paper): not strict; never ranked with or tested against strict entries" in text


def test_the_verdict_is_in_words_and_a_failure_is_named(tmp_path: Path) -> None:
    records = [*entry("even", LOWER), *reference(LOWER), *entry("bad", [*EIGHT[:7], None])]
    text = written(tmp_path, records)
    even = next(x for x in text.splitlines() if x.startswith("even"))
    assert "not shown 1.000" in even
    assert "8, 1 failed" in next(x for x in text.splitlines() if x.startswith("bad "))
    told = " ".join(text.split())
    assert "bad: 1 of 8 runs failed and score random sampling's mean; at 20.00, the worst score known," in told
    assert "as verdicts have them, the mean is 75.12: seed 7: failed: ValueError: no" in told


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_what_tuning_cost_stands_beside_what_was_paid(tmp_path: Path, form: str) -> None:
    records = [*entry("tuned", EIGHT, tuning=45_000), *entry("plain", LOWER, tuning=0)]
    text = written(tmp_path, records, form=form)
    assert "100 + 45,000 tuning" in text
    assert "+ 0 tuning" not in text


def test_compliance_shows_what_fails_first_with_why_and_the_rest_in_one_line(tmp_path: Path) -> None:
    text = written(tmp_path, study(), sections=("compliance",))
    lines = text.splitlines()
    assert lines[0] == "compliance"
    marks = [x.split()[0] for x in lines if x.startswith(("fails", "n/a", "holds:"))]
    assert marks == sorted(marks, key=("fails", "n/a", "holds:").index)
    assert "several-data-sets       a single data set, toy/a" in text
    (strict,) = (x.split() for x in lines if "strict-mode" in x)
    assert strict[2:] == ["mode", "paper:", "searched", "on", "test", "scores", "toy/a:", "cheat", "(paper)"]
    holds = " ".join(" ".join(lines[next(i for i, x in enumerate(lines) if x.startswith("holds")) :]).split())
    assert "accounting" in holds
    assert "strict-mode" not in holds


def test_one_is_counted_as_one(tmp_path: Path) -> None:
    one: dict[str, Any] = {"budget": Budget(queries=1), "paid": Paid(1), "tuning": 1}
    text = " ".join(written(tmp_path, [run("alone", 0, None, **one)]).split())
    for said in (
        "budget 1 query random", "alone: 1 of 1 run failed", "1 + 1 tuning",
        "search-seeds 1 search seed, at least 8",
    ):  # fmt: skip
        assert said in text, said


def test_wide_shows_p_values_before_correction(tmp_path: Path) -> None:
    text = written(tmp_path, [*entry("a", EIGHT), *entry("b", EIGHT), *reference(LOWER[:4] + EIGHT[:4])], wide=True)
    header = next(x for x in text.splitlines() if x.startswith("entry"))
    assert "raw p" in header
    assert "search" in header


def test_both_n_stand_in_the_table(tmp_path: Path) -> None:
    runs = [*entry("alpha", EIGHT), *reference([60.0 + k for k in range(20)])]
    lines = written(tmp_path, runs, sections=("table",)).splitlines()
    ends = {line.split()[0]: line.split()[-1] for line in lines if line.startswith(("alpha", "matched-random-search"))}
    assert ends == {"alpha": "8", "matched-random-search": "20"}


def test_of_draws_the_best_is_not_called_the_best_row(tmp_path: Path) -> None:
    drawn = sampling(exact=False, n=20, draws=[50.0] * 20, best=95.0, best_validated=None, ktau_valid=None)
    assert "random sampling 50.00 ± 10.00 (from 20 draws); best of the draws 95.00" in written(
        tmp_path, entry("alpha", EIGHT), drawn
    )


def test_where_every_run_failed_there_is_no_interval(tmp_path: Path) -> None:
    text = written(tmp_path, [*entry("alpha", EIGHT), *entry("bad", [None] * 8)])
    bad = next(x for x in text.splitlines() if x.startswith("bad "))
    assert "8, 8 failed" in bad
    assert "[" not in bad


def test_without_random_sampling_a_failed_run_is_named_and_scores_nothing(tmp_path: Path) -> None:
    text = written(tmp_path, entry("alpha", [80.0, None]), sampling("toy/other"))
    assert "alpha: 1 of 2 runs failed: seed 1: failed: ValueError: no" in text
    assert "score random sampling's mean" not in text


def test_markdown_has_a_table_a_task_with_the_same_cells(tmp_path: Path) -> None:
    text = written(tmp_path, study(), form="markdown")
    table = [x for x in text.splitlines() if x.startswith("|")]
    header = [c.strip() for c in table[0].strip("|").split("|")]
    strong = dict(zip(header, (c.strip() for c in table[2].strip("|").split("|")), strict=True))
    assert strong["entry"] == "strong"
    assert strong["final±std"] == "83.50±2.45"
    assert strong["95 % of RI"] == "[+62.9, +71.1]"
    assert strong["vs search"] == "better <.001"
    assert strong["n"] == "8"
    assert "| fails | several-data-sets | a single data set, toy/a" in text


def test_a_task_and_a_row_can_be_singled_out_and_stay_as_they_are_in_the_whole_study(tmp_path: Path) -> None:
    records = [
        x for task in ("toy/a", "toy/b") for x in (*entry("weak", LOWER, task=task), *entry("strong", EIGHT, task=task))
    ]
    records += [x for task in ("toy/a", "toy/b") for x in reference(LOWER, task=task)]
    both = (sampling(), sampling("toy/b"))
    whole = json.loads(written(tmp_path / "1", records, *both, form="json"))
    found = json.loads(written(tmp_path / "2", records, *both, form="json", tasks=("toy/b",), entries=("strong",)))
    (task,) = found["settings"]
    assert task["title"] == "toy/b"
    assert task["entries"] == [
        r for r in whole["settings"][1]["entries"] if r["label"] == "strong"
    ]  # p-values of two rows
    said = {f["scope"] for f in found["compliance"]}
    assert said == {"study", "toy/b", "toy/b: strong", "strong"}
    kept = [f for f in whole["compliance"] if f["scope"] in said]
    assert found["compliance"] == kept
    text = written(tmp_path / "3", records, *both, tasks=("toy/b",), entries=("strong",))
    assert "toy/a" not in text.split("compliance")[0]
    assert "weak" not in text.split("compliance")[0]
    wrong: dict[str, Any]
    for wrong in ({"tasks": ("toy/c",)}, {"entries": ("week",)}):
        with pytest.raises(UnknownName):
            written(tmp_path / "4", records, *both, **wrong)


def test_options_of_curves_are_refused_where_no_curve_is_asked_for(tmp_path: Path) -> None:
    for option, choice in (
        ("--at", {"at": (1.0,)}),
        ("--cost", {"unit": "epochs"}),
        ("--against", {"against": "weak"}),
    ):
        with pytest.raises(HarnessError, match=f"{option} is for --section curves"):
            written(tmp_path, study(), **choice)


def test_problems_of_the_folder_are_shown(tmp_path: Path) -> None:
    folder = write_study(tmp_path, study(), [sampling()])
    with (folder / "searches.jsonl").open("ab") as file:
        file.write(b"{torn")
    text = io.StringIO()
    write_report(folder, Choice(), Console(file=text, width=100))
    assert "torn last line, left out" in " ".join(text.getvalue().split())


def test_ktau_shows_every_variant_beside_that_of_the_validation_scores(tmp_path: Path) -> None:
    (line,) = json.loads(written(tmp_path / "1", study(), sections=("ktau",), form="json"))["ktau"]
    assert (line["label"], line["ktau"], line["ktau_valid"], line["ktau_eq13"], line["ktau_ctnas"], line["ktau_n"]) == (
        "strong", 0.5, 0.6, 0.4, 0.3, 900,
    )  # fmt: skip
    assert line["ktau_of_validation"] == 0.7
    header, strong = written(tmp_path / "2", study(), sections=("ktau",), form="csv").splitlines()
    assert dict(zip(header.split(","), strong.split(","), strict=True))["ktau_eq13"] == "0.4"
    assert "no entry learns an order" in written(tmp_path / "3", entry("a", EIGHT), sections=("ktau",))


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"sections": ("tabel",)}, "unknown section 'tabel'; did you mean 'table'"),
        ({"form": "jsn"}, "unknown format 'jsn'; did you mean 'json'"),
    ],
)
def test_an_unknown_section_or_format_is_answered_with_the_nearest(
    tmp_path: Path, choice: dict[str, Any], said: str
) -> None:
    with pytest.raises(UnknownName, match=said):
        written(tmp_path, study(), **choice)


def test_csv_is_of_one_section(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="exactly one --section"):
        written(tmp_path, study(), form="csv")


@pytest.mark.parametrize(
    ("written_as", "text"),
    [
        (numbers.number(-0.001, signed=True), "0.00"),
        (numbers.number(1.5, signed=True), "+1.50"),
        (numbers.number(None), "-"),
        (numbers.interval(None, 1.0), "-"),
        (numbers.p_value(0.0009), "<.001"),
        (numbers.p_value(0.05), ".050"),
        (numbers.p_value(1.0), "1.000"),
        (numbers.p_value(None), "-"),
        (numbers.count(100.0), "100"),
        (numbers.count(100.25), "100.2"),
        (numbers.count(250000), "2.50e5"),
        (numbers.seconds(0.004), "4 ms"),
        (numbers.seconds(90), "90.0 s"),
        (numbers.seconds(7200), "2.0 h"),
        (numbers.seconds(12000), "3.3 h"),
        (numbers.budget(Budget(queries=100, seconds=2e4)), "100 queries, 20000 seconds"),
        (numbers.runs(8, 2), "8, 2 failed"),
        (numbers.budget(Budget(queries=1, epochs=1.0, seconds=1.5)), "1 query, 1 epoch, 1.5 seconds"),
        (counted(1, "run"), "1 run"),
        (counted(0, "run"), "0 runs"),
        (counted(2, "query", "queries"), "2 queries"),
    ],
)
def test_how_numbers_are_written(written_as: str, text: str) -> None:
    assert written_as == text


def test_rules_that_do_not_apply_for_one_reason_stand_in_one_line() -> None:
    found = [Finding(rule, None, "not shown", "study") for rule in ("one", "two")]
    table = compliance_table([*found, Finding("three", None, "another reason", "study")])
    assert [row.cells for row in table.rows] == [("n/a", "three", "another reason", "study")]
    assert table.footnotes == ("n/a, not shown (study): one, two",)


def test_a_finding_that_holds_of_every_scope_is_told_once() -> None:
    def found(scope: str, why: str, ok: bool | None = False) -> Finding:
        return Finding("rule", ok, why, scope)

    scopes = [f"task {i}" for i in range(5)]
    assert collapsed([found(s, "same") for s in scopes], False) == [("rule", "same", "everywhere")]
    four = [*(found(s, "same") for s in scopes[:4]), found("task 4", "", True)]
    assert collapsed(four, False) == [("rule", "same", "task 0, task 1, task 2 and 1 more")]
    assert collapsed([found("study", "alone")], False) == [("rule", "alone", "study")]
    assert held(four) == []
    assert held([found(s, "", True) for s in scopes]) == ["rule"]
