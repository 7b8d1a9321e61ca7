"""Every rule, held and broken, on hand-written records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from written_records import BEST_OF_TEN, TEST_ORACLE, baseline, record, reference, row, write_study

from harness.reading.analysis import read_results
from harness.reading.compliance import Finding, check_compliance
from harness.records.store import Asked, Baseline, Outcome, Paid, RankQuality, Record, Seeds
from harness.search.budget import Budget

EIGHT = [80.0, 81.0, 82.0, 83.0, 84.0, 85.0, 86.0, 87.0]


def sound() -> list[Record]:
    """Two data sets, a strategy and its reference on each, nothing wrong."""
    return [
        r for task in ("toy/a", "toy/b") for r in (*row("alpha", EIGHT, task=task), *reference(EIGHT, task=task))
    ]  # fmt: skip


def findings(
    tmp_path: Path, records: list[Record], baselines: list[Baseline] | None = None, **plan: Any
) -> list[Finding]:
    known = [baseline("toy/a"), baseline("toy/b")] if baselines is None else baselines
    return check_compliance(read_results(write_study(tmp_path, records, known, plan=plan)))


def verdicts(found: list[Finding], rule: str) -> dict[str, bool | None]:
    return {f.scope: f.ok for f in found if f.rule == rule}


def why(found: list[Finding], rule: str) -> str:
    return next(f.why for f in found if f.rule == rule)


def edited(
    change: dict[str, Any], *, label: str = "alpha", task: str = "toy/a", seed: int | None = None
) -> list[Record]:
    """The sound records, with some fields of one row's runs changed."""
    return [
        msgspec.structs.replace(r, **change)
        if (r.label, r.task) == (label, task) and seed in (None, r.seeds.search)
        else r
        for r in sound()
    ]


def test_the_page_defines_every_rule_and_no_other(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "compliance.md"
    lines = [x for x in page.read_text(encoding="utf-8").splitlines() if x.startswith("| `")]
    cells = [[c.strip() for c in x.strip("|").split("|")] for x in lines]
    defined = {rule.strip("`"): unless for rule, _, _, unless in cells}
    found = findings(tmp_path, sound())
    assert len(cells) == len(defined)
    assert defined.keys() == {f.rule for f in found}
    assert "never" not in {defined[f.rule] for f in found if f.ok is None}


def test_a_sound_study_breaks_no_rule(tmp_path: Path) -> None:
    found = findings(tmp_path, sound(), ablations_declared={"alpha": []})
    assert [f for f in found if f.ok is False] == []
    assert {f.rule for f in found if f.ok is None} == {
        "with-and-without-tricks", "final-epoch", "ktau-variant", "ablations",
    }  # fmt: skip


def test_scopes_are_the_study_a_task_or_a_row(tmp_path: Path) -> None:
    found = findings(tmp_path, sound())
    assert set(verdicts(found, "several-data-sets")) == {"study"}
    assert set(verdicts(found, "random-sampling")) == {"toy/a", "toy/b"}
    assert set(verdicts(found, "search-seeds")) == {"toy/a: alpha", "toy/b: alpha"}


def test_fewer_than_eight_search_seeds(tmp_path: Path) -> None:
    records = [r for r in sound() if not (r.task == "toy/a" and r.label == "alpha" and r.seeds.search == 7)]
    found = findings(tmp_path, records)
    assert verdicts(found, "search-seeds") == {"toy/a: alpha": False, "toy/b: alpha": True}
    assert why(found, "search-seeds").startswith("7 search seeds, at least 8")


def test_a_single_data_set_is_warned_of_and_variants_of_one_are_not_several(tmp_path: Path) -> None:
    one = [*row("alpha", EIGHT, task="toy/a@C"), *row("alpha", EIGHT, task="toy/a@C+D")]
    assert verdicts(findings(tmp_path, one), "several-data-sets") == {"study": False}


def test_no_random_sampling(tmp_path: Path) -> None:
    found = findings(tmp_path, sound(), [baseline("toy/b")])
    assert verdicts(found, "random-sampling") == {"toy/a": False, "toy/b": True}


def test_no_matched_random_search(tmp_path: Path) -> None:
    records = [r for r in sound() if r.task == "toy/b" or r.role == "row"]
    assert verdicts(findings(tmp_path, records), "matched-random-search") == {
        "toy/a: alpha": False,
        "toy/b: alpha": True,
    }


def test_a_reference_run_missing_for_one_seed(tmp_path: Path) -> None:
    records = [r for r in sound() if not (r.task == "toy/a" and r.role == "reference" and r.seeds.search == 3)]
    found = findings(tmp_path, records)
    assert verdicts(found, "matched-random-search")["toy/a: alpha"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"provenance": {"task": {"benchmark": "toy"}, "data_digest": "d2", "code": {"version": "1"}}},
        {"seeds": Seeds(0, 3, final=5)},
    ],
)
def test_two_final_protocols_in_one_task(tmp_path: Path, change: dict[str, Any]) -> None:
    records = [*edited({}), record("beta", 3, 80.0, **change)]
    assert verdicts(findings(tmp_path, records), "one-final-protocol") == {"toy/a": False, "toy/b": True}


def test_a_final_score_that_is_the_validation_score(tmp_path: Path) -> None:
    records = [
        msgspec.structs.replace(r, final=msgspec.structs.replace(r.final, split="valid")) if r.task == "toy/a" else r
        for r in sound()
    ]
    assert verdicts(findings(tmp_path, records), "final-score-on-test") == {"toy/a": False, "toy/b": True}


def test_protocol_or_digest_not_named(tmp_path: Path) -> None:
    nameless = {"provenance": {"data_digest": "d1", "code": {"version": "1.0"}}}
    assert verdicts(findings(tmp_path / "1", edited(nameless)), "protocol-named")["toy/a"] is False
    digestless = {"provenance": {"task": {"benchmark": "toy"}, "data_digest": "", "code": {"version": "1.0"}}}
    assert verdicts(findings(tmp_path / "2", edited(digestless)), "protocol-named")["toy/a"] is False


def test_with_and_without_tricks_is_for_tasks_that_train(tmp_path: Path) -> None:
    def live(task: str) -> list[Record]:
        return [record("alpha", s, 80.0, task=task, seeds=Seeds(0, s, final=0)) for s in range(8)]

    rule = "with-and-without-tricks"
    assert verdicts(findings(tmp_path / "1", live("toy/a@C+D")), rule) == {"toy/a@C+D": False}
    both = findings(tmp_path / "2", live("toy/a@C+D") + live("toy/a"))
    assert verdicts(both, rule) == {"toy/a@C+D": True, "toy/a": True}
    assert why(both, rule) == "protocols of this data set: C+D, no tricks"
    assert set(verdicts(findings(tmp_path / "3", sound()), rule).values()) == {None}


def test_a_search_task_that_differs_leaves_the_depth_open(tmp_path: Path) -> None:
    found = findings(tmp_path, [r for s in range(8) for r in [record("alpha", s, search_task="toy/b")]])
    assert verdicts(found, "same-depth") == {"toy/a searched on toy/b": None}


def test_final_epoch_is_what_the_protocol_states(tmp_path: Path) -> None:
    for position, (epoch, ok) in enumerate([("final", True), ("best", False)]):
        provenance = {"task": {"benchmark": "toy", "epoch": epoch}, "data_digest": "d1", "code": {"version": "1"}}
        records = row("alpha", EIGHT, provenance=provenance)
        assert verdicts(findings(tmp_path / str(position), records), "final-epoch") == {"toy/a": ok}


def test_a_failed_run_makes_its_row_non_compliant_and_is_named(tmp_path: Path) -> None:
    records = [record("alpha", 3, None) if r.id == "toy/a alpha strict row 3" else r for r in sound()]
    found = findings(tmp_path, records)
    assert verdicts(found, "no-failed-run") == {"toy/a: alpha": False, "toy/b: alpha": True}
    assert "1 of 8 runs failed" in why(found, "no-failed-run")
    assert "seed 3 failed: ValueError: no" in why(found, "no-failed-run")


@pytest.mark.parametrize(
    ("settings", "said"),
    [(TEST_ORACLE, "searched on test scores"), (BEST_OF_TEN, "reports the best final score among 10 returned")],
)
def test_paper_mode_is_flagged(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    found = findings(tmp_path, [*sound(), *row("alpha", EIGHT, mode="paper", settings=settings)])
    assert verdicts(found, "strict-mode") == {"toy/a: alpha": True, "toy/a: alpha (paper)": False, "toy/b: alpha": True}
    assert said in next(f.why for f in found if f.rule == "strict-mode" and f.ok is False)
    assert verdicts(found, "modes-apart") == {"study": True}


def test_tuning_queries_absent_fails_and_nought_is_a_statement(tmp_path: Path) -> None:
    found = findings(tmp_path, edited({"tuning_queries": None}))
    assert verdicts(found, "tuning-stated") == {"toy/a: alpha": False, "toy/b: alpha": True}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"asked": Asked(130, 20, 0, keys=100)}, "do not add up"),
        ({"paid": Paid(101), "asked": Asked(121, 20, 0, keys=100)}, "paid 101 of 100 queries"),
        ({"asked": Asked(120, 20, 0, keys=101)}, "more distinct architectures than paid queries"),
    ],
)
def test_a_ledger_that_does_not_add_up(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    found = findings(tmp_path, edited(change, seed=2))
    assert verdicts(found, "accounting") == {"toy/a: alpha": False, "toy/b: alpha": True}
    assert said in why(found, "accounting")
    assert "seed 2" in why(found, "accounting")


def test_a_budget_in_seconds_may_be_crossed_by_its_last_query(tmp_path: Path) -> None:
    seconds = {"budget": Budget(seconds=100.0), "paid": Paid(7, 84.0, 112.0), "asked": Asked(7, 0, 0, keys=7)}
    assert verdicts(findings(tmp_path, row("alpha", EIGHT, **seconds)), "accounting") == {"toy/a: alpha": True}


def test_the_cost_of_a_killed_run_is_not_known(tmp_path: Path) -> None:
    killed = record("alpha", 3, None, queries_sha256="", paid=Paid(0), status="timeout", asked=Asked(0, 0, 0))
    records = [killed if r.id == killed.id else r for r in sound()]
    assert verdicts(findings(tmp_path, records), "search-cost") == {"toy/a: alpha": False, "toy/b: alpha": True}


def test_one_run_has_no_spread(tmp_path: Path) -> None:
    assert verdicts(findings(tmp_path, row("alpha", EIGHT[:1])), "spread") == {"toy/a: alpha": False}


def test_code_without_a_version(tmp_path: Path) -> None:
    provenance = {"task": {"benchmark": "toy"}, "data_digest": "d1", "code": {"distribution": "toy", "version": ""}}
    found = findings(tmp_path, edited({"provenance": provenance}))
    assert verdicts(found, "code-version") == {"toy/a: alpha": False, "toy/b: alpha": True}


def test_a_run_that_does_not_say_what_it_reports(tmp_path: Path) -> None:
    found = findings(tmp_path, edited({"returned": []}, seed=5))
    assert verdicts(found, "architectures") == {"toy/a: alpha": False, "toy/b: alpha": True}
    assert why(found, "architectures") == "seed 5: the reported architecture is not named"


def test_the_variant_of_ktau_is_stated(tmp_path: Path) -> None:
    records = row("alpha", EIGHT, ktau=RankQuality(0.5, 0.6, 0.4, 0.4, 900))
    found = findings(tmp_path, records)
    assert verdicts(found, "ktau-variant") == {"toy/a: alpha": True}
    assert "tau-b against final scores of 900 rows" in why(found, "ktau-variant")


def test_planned_runs_that_are_missing(tmp_path: Path) -> None:
    records = sound()
    found = findings(tmp_path / "1", records, ids=[*(r.id for r in records), "one more"])
    assert verdicts(found, "complete") == {"study": False}
    assert why(found, "complete").startswith(f"1 of {len(records) + 1} planned runs is missing")
    assert verdicts(findings(tmp_path / "2", records), "complete") == {"study": True}


def test_without_a_plan_completeness_is_unknown(tmp_path: Path) -> None:
    results = read_results(write_study(tmp_path, sound(), []))
    assert verdicts(check_compliance(results), "complete") == {"study": None}


@pytest.mark.parametrize(
    ("ran", "declared", "ok", "said"),
    [
        (["no-head"], ["no-head"], True, "ran: no-head"),
        (["no-head"], ["no-head", "no-tail"], False, "ran: no-head; not run: no-tail"),
        ([], ["no-head"], False, "ran: none; not run: no-head"),
        ([], [], None, "it declares no component that can be taken off"),
    ],
)
def test_ablations_that_ran_against_those_declared(
    tmp_path: Path, ran: list[str], declared: list[str], ok: bool | None, said: str
) -> None:
    more = [r for name in ran for r in row(f"alpha [{name}]", EIGHT, strategy="alpha", ablation=name)]
    found = findings(tmp_path, sound() + more, ablations_declared={"alpha": declared})
    assert verdicts(found, "ablations") == {"alpha": ok}
    assert why(found, "ablations") == said


def test_a_final_split_of_its_own_makes_a_task_of_its_own(tmp_path: Path) -> None:
    odd = record("alpha", 9, 80.0, final=Outcome(80.0, "valid", "mean"))
    found = findings(tmp_path, [*sound(), odd])
    assert sorted(f.ok for f in found if f.rule == "final-score-on-test" and f.scope == "toy/a") == [False, True]
