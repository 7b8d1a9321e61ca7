"""Every rule, held and broken, on hand-written records; and a study that breaks each rule alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from written_records import (
    BEST_OF_TEN,
    MATCHED,
    TEST_ORACLE,
    entry,
    plan_of,
    reference,
    run,
    sampling,
    study,
    write_study,
)

from harness import Evaluator, FinalScores, RunContext, Task, Truth
from harness.errors import DataMissing, InvalidArchitecture
from harness.reading.compliance import Finding, check_compliance
from harness.reading.study import StudyRuns, read_study
from harness.records.lines import Asked, Paid, RankQuality, ReplayRecord
from harness.records.runs import Run
from harness.search.budget import Budget

EIGHT = [80.0, 81.0, 82.0, 83.0, 84.0, 85.0, 86.0, 87.0]
TAU = RankQuality(0.5, 0.6, 0.4, 0.4, 900)
LAST_EPOCH = {"task": {"benchmark": "toy", "epoch": "final"}, "data_digest": "d1"}


def sound(**of_alpha: Any) -> list[Run]:
    """Two data sets, an entry and its reference on each, nothing wrong. of_alpha: changes on the first one."""
    runs = []
    for task in ("toy/a", "toy/b"):
        changes = of_alpha if task == "toy/a" else {}
        runs += entry("alpha", EIGHT, **({"task": task, "ktau": TAU, "provenance": LAST_EPOCH} | changes))
        for seed, score in enumerate(EIGHT):
            step = [(1, None, None, 50.0, score)]
            runs += [run(MATCHED, seed, score, task=task, role="reference", incumbents=step, provenance=LAST_EPOCH)]
    return runs


def with_seed(seed: int, **changes: Any) -> list[Run]:
    """The sound runs, with one run of alpha on toy/a changed."""
    changed = run("alpha", seed, **({"ktau": TAU, "provenance": LAST_EPOCH} | changes))
    return [changed if _is(r, "alpha", seed) else r for r in sound()]


def again(seed: int) -> list[Run]:
    """The sound runs, of which one run of alpha on toy/a was carried out again, otherwise than before."""
    differs = ReplayRecord(search="", differs="its queries differ")
    return [replace(r, replay=differs) if _is(r, "alpha", seed) else r for r in sound()]


def without(label: str, seed: int | None = None) -> list[Run]:
    """The sound runs but for those of one entry on toy/a, or one of them."""
    return [r for r in sound() if not _is(r, label, r.seed if seed is None else seed)]


def _is(r: Run, label: str, seed: int) -> bool:
    return (r.entry.label, r.setting.task, r.seed) == (label, "toy/a", seed)


class Table(Evaluator):
    """The toy table: (0, 1) scores 80 to 87, whichever the records say first; so it says what it is told."""

    def __init__(self, name: str, scores: dict[Any, float], mean: float = 50.0) -> None:
        self.task, self.data_digest = Task(name, "toy"), "d1"
        self.scores, self.mean = scores, mean

    def validator(self, column: str = "validation", context: RunContext = RunContext()) -> Any:
        raise NotImplementedError

    def final_scores(self, archs: Any, *, final: str, seed: int | None = None) -> FinalScores:
        if any(a not in self.scores for a in archs):
            raise InvalidArchitecture("(9, 9) is not of the space")
        return FinalScores(np.array([self.scores[a] for a in archs]))

    def truth(self, final: str) -> Truth:
        return Truth(np.array([self.mean - 10, self.mean + 10]), None, [(0,), (1,)], {"rows": None})

    @property
    def space(self) -> Any:  # type: ignore[override]
        return self

    def describe(self, arch: Any) -> str:
        return str(arch)


def findings(runs: list[Run], *args: Any, open_task: Any = None, **plan: Any) -> list[Finding]:
    return check_compliance(study(runs, *args, **({"declared": {"alpha": ()}} | plan)), open_task)


def verdicts(found: list[Finding], rule: str) -> dict[str, bool | None]:
    return {f.scope: f.ok for f in found if f.rule == rule}


def why(found: list[Finding], rule: str, ok: bool | None = False) -> str:
    return next(f.why for f in found if f.rule == rule and f.ok is ok)


def test_the_page_defines_every_rule_and_no_other() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "compliance.md"
    lines = [x for x in page.read_text(encoding="utf-8").splitlines() if x.startswith("| `")]
    cells = [[c.strip() for c in x.strip("|").split("|")] for x in lines]
    defined = {rule.strip("`"): unless for rule, _, _, unless in cells}
    found = [f for case in CASES for f in findings(*case.runs(), **case.plan)]
    assert len(cells) == len(defined)
    assert defined.keys() == {f.rule for f in found}
    assert {f.rule for f in found if f.ok is None and defined[f.rule] == "never"} == set()


def test_a_sound_study_breaks_no_rule() -> None:
    found = findings(sound())
    assert [f for f in found if f.ok is False] == []
    assert {f.rule for f in found if f.ok is None} == {
        "with-and-without-tricks", "scores-as-in-the-table", "ablations", "deterministic"
    }  # fmt: skip


def test_scopes_are_the_study_a_setting_an_entry_or_a_strategy() -> None:
    found = findings(sound())
    assert set(verdicts(found, "several-data-sets")) == {"study"}
    assert set(verdicts(found, "random-sampling")) == {"toy/a", "toy/b"}
    assert set(verdicts(found, "search-seeds")) == {"toy/a: alpha", "toy/b: alpha"}
    assert set(verdicts(found, "ablations")) == {"alpha"}


class Case(NamedTuple):
    """A study that breaks ``rule`` alone. said: of why. plan: options of `study`."""

    rule: str
    said: str
    runs: Callable[[], tuple[Any, ...]]
    plan: dict[str, Any] = {}


def _live(task: str) -> list[Run]:
    more: dict[str, Any] = {"task": task, "final_seed": 0, "provenance": LAST_EPOCH}
    return [*entry("alpha", EIGHT, **more), *reference(EIGHT, **more)]


def _of_tricks(*tasks: str) -> tuple[Any, ...]:
    return [r for task in tasks for r in _live(task)], [sampling(t, final_seed=0) for t in tasks]


SAME_DATA = {"about": {t: {"data_set": "a"} for t in ("toy/a", "toy/b")}}
KILLED = {"score": None, "paid": None}
EPOCHS: dict[str, Any] = {"budget": Budget(epochs=900.0), "provenance": LAST_EPOCH}
CASES = [
    Case("several-data-sets", "a single data set, a:", lambda: (sound(),), SAME_DATA),
    Case("complete", "1 of 33 planned runs is missing", lambda: (sound(),), {"missing": [run("alpha", 8)]}),
    Case("ablations", "ran: none; not run: no-head", lambda: (sound(),), {"declared": {"alpha": ("no-head",)}}),
    Case("random-sampling", "not in the study's folder", lambda: (sound(), [sampling("toy/b")])),
    Case(
        "one-final-protocol", "2 different versions of the data",
        lambda: (with_seed(3, data_digest="d2"),),
    ),
    Case(
        "final-score-on-test", "no test data exist",
        lambda: (sound(split="valid"), [sampling(split="valid"), sampling("toy/b")]),
    ),
    Case(
        "final-score-on-test", "measured on the test data", lambda: (sound(),),
        {"about": {"toy/a": {"validated_on": "test"}}},
    ),
    Case("protocol-named", "1 run does not say", lambda: (with_seed(3, provenance={"task": {}}),)),
    Case("one-training", "different trainings", lambda: (sound(),), {"about": {"toy/a": {"one_training": False}}}),
    Case(
        "final-epoch", "scores of the best epoch",
        lambda: (
            [
                r for task, epoch in (("toy/a", "best"), ("toy/b", "final"))
                for made in (entry("alpha", EIGHT, task=task, provenance={"task": {"epoch": epoch}}),
                             reference(EIGHT, task=task, provenance={"task": {"epoch": epoch}}))
                for r in made
            ],
        ),
    ),
    Case(
        "with-and-without-tricks", "trained under one protocol only, no tricks", lambda: _of_tricks("toy/a", "toy/b")
    ),
    Case(
        "with-and-without-tricks", "trained with tricks only: C, C+D",
        lambda: _of_tricks("toy/a@C", "toy/a@C+D", "toy/b@C", "toy/b"),
    ),
    Case("search-seeds", "7 search seeds, at least 8", lambda: (without("alpha", 7),)),
    Case("seeds-in-order", "not 0, 1, 2, ...: 3 left out", lambda: ([*without("alpha", 3), _nth(8)],)),
    Case(
        "runs-differ", "seeds 1, 3 paid for the same queries",
        lambda: (with_seed(3, score=83.0, search={"queries_sha256": "alpha 1"}),),
    ),
    Case("matched-random-search", "no random search", lambda: (without("matched-random-search"),)),
    Case(
        "cost-as-reference", "it paid 1000 epochs a run, matched random search 950 epochs",
        lambda: (
            [
                r for task in ("toy/a", "toy/b") for made in (
                    entry("alpha", EIGHT, task=task, paid=Paid(100, 1000.0), **EPOCHS),
                    reference(EIGHT, task=task, paid=Paid(95, 950.0), **EPOCHS),
                ) for r in made
            ],
        ),
    ),
    Case("stopping", "its runs ended at 40 to 100 queries of 100", lambda: (with_seed(3, paid=Paid(40)),)),
    Case("no-failed-run", "1 of 8 runs failed", lambda: (with_seed(3, score=None),)),
    Case("strict-mode", "searched on test scores", lambda: (_of_mode("paper", TEST_ORACLE),)),
    Case("strict-mode", "the best final score among 10", lambda: (_of_mode("paper", BEST_OF_TEN),)),
    Case("tuning-stated", "tuning_queries is not stated", lambda: (sound(tuning=None),)),
    Case("tuning-matched", "45000 queries went into its parameters", lambda: (sound(tuning=45_000),)),
    Case("accounting", "seed 2: the calls do not add up", lambda: (with_seed(2, asked=Asked(130, 20, 0, keys=100)),)),
    Case("accounting", "seed 2: paid 101 of 100 queries", lambda: (with_seed(2, paid=Paid(101)),)),
    Case(
        "accounting", "more distinct architectures than paid",
        lambda: (with_seed(2, asked=Asked(120, 20, 0, keys=101)),),
    ),
    Case("deterministic", "or its record was changed: seed 3 was carried out again", lambda: (again(3),)),
    Case("code-version", "seed 3 names neither", lambda: (with_seed(3, code={"distribution": "toy", "version": ""}),)),
    Case("architectures", "seed 5: the reported architecture is not", lambda: (with_seed(5, arch=None),)),
    Case(
        "ktau-variant", "seed 5: learned an order that was not measured",
        lambda: (with_seed(5, ktau=None, search={"ordered": True}),),
    ),
]  # fmt: skip
"""spread and search-cost cannot break alone: one run is fewer than eight, and a killed one failed."""


def _nth(seed: int) -> Run:
    return run("alpha", seed, ktau=TAU, provenance=LAST_EPOCH)


def _of_mode(mode: str, scoring: Any) -> list[Run]:
    of_mode: dict[str, Any] = {"mode": mode, "scoring": scoring, "provenance": LAST_EPOCH}
    return [*sound(), *entry("beta", EIGHT, **of_mode), *reference(EIGHT, **of_mode)]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.rule}: {c.said}")
def test_a_study_that_breaks_one_rule_alone(case: Case) -> None:
    found = findings(*case.runs(), **case.plan)
    broken = [f for f in found if f.ok is False]
    assert {f.rule for f in broken} == {case.rule}
    assert case.said in broken[0].why
    if broken[0].scope not in ("study", "alpha"):
        assert "toy/a" in broken[0].scope


def test_one_run_has_no_spread_and_the_cost_of_a_killed_one_is_not_known() -> None:
    one = [r for r in sound() if r.seed == 0 or r.entry.role == "reference"]
    assert verdicts(findings(one), "spread") == {"toy/a: alpha": False, "toy/b: alpha": False}
    killed = findings(with_seed(3, **KILLED))
    assert {f.rule for f in killed if f.ok is False} == {"no-failed-run", "search-cost"}
    assert why(killed, "search-cost") == "1 run left no count of what was paid"


def test_a_search_seed_may_be_as_large_as_it_likes() -> None:
    found = findings([*sound(), run("alpha", 2**62, ktau=TAU, provenance=LAST_EPOCH)])
    assert why(found, "seeds-in-order") == "search seeds are not 0, 1, 2, ...: 8, 9, 10, 11, 12, ... left out"


def test_data_sets_are_what_the_tasks_declare() -> None:
    """One data set under two names is one; where a task does not say which, nobody knows."""
    assert findings(sound(), about={})[0].ok is True
    silent = findings(sound(), about={"toy/b": {"data_set": ""}})
    assert verdicts(silent, "several-data-sets") == {"study": None}


def test_protocols_of_one_data_set_with_and_without_tricks() -> None:
    found = findings(*_of_tricks("toy/a@C+D", "toy/a"))
    assert set(verdicts(found, "with-and-without-tricks").values()) == {True}
    assert why(found, "with-and-without-tricks", True) == "protocols of this data set: no tricks, C+D"


def test_a_task_may_say_its_tricks_itself() -> None:
    told: dict[str, list[str]] = {"toy/a@x+base": [], "toy/a@x+base+C": ["C"]}
    runs = [
        r
        for task, tricks in told.items()
        for r in entry("alpha", EIGHT, task=task, final_seed=0, provenance={"task": {"tricks": tricks}})
    ]
    found = findings(runs, [sampling(t, final_seed=0) for t in told])
    assert why(found, "with-and-without-tricks", True) == "protocols of this data set: no tricks, C"


def test_a_search_on_another_task_is_another_training() -> None:
    found = findings(entry("alpha", EIGHT, search_task="toy/b"))
    assert verdicts(found, "one-training") == {"toy/a searched on toy/b": False}


def test_epochs_that_the_same_queries_cost_beyond_the_references_are_told() -> None:
    runs = sound(paid=Paid(100, 2400.0))
    runs = [r if r.entry.role == "entry" else run(**_like(r, paid=Paid(100, 1200.0))) for r in runs]
    told = why(findings(runs), "cost-as-reference", True)
    assert told.endswith("for the same queries it paid 2400 epochs a run, matched random search 1200 epochs")


def test_a_search_that_asked_for_nothing_cost_no_more_than_the_reference() -> None:
    runs = [run(**_like(r, paid=Paid(0, 0.0) if r.entry.role == "entry" else Paid(100, 1200.0))) for r in sound()]
    why(findings(runs), "cost-as-reference", True)


def _like(r: Run, **changes: Any) -> dict[str, Any]:
    same = {"label": r.entry.label, "seed": r.seed, "score": r.score, "task": r.setting.task, "role": r.entry.role}
    return same | {"provenance": LAST_EPOCH} | changes


def test_the_variant_of_ktau_is_stated() -> None:
    assert "tau-b against final scores of 900 rows" in why(findings(sound()), "ktau-variant", True)
    assert why(findings(sound(ktau=None)), "ktau-variant", None) == "it learns no order"


@pytest.mark.parametrize(
    ("ran", "declared", "ok", "said"),
    [
        (["no-head"], ("no-head",), True, "ran: no-head"),
        (["no-head"], ("no-head", "no-tail"), False, "ran: no-head; not run: no-tail"),
        ([], (), None, "it declares no component that can be taken off"),
    ],
)
def test_ablations_that_ran_against_those_declared(
    ran: list[str], declared: tuple[str, ...], ok: bool | None, said: str
) -> None:
    more = [r for name in ran for r in entry(f"alpha [{name}]", EIGHT, strategy="alpha", ablation=name)]
    found = findings(sound() + more, declared={"alpha": declared})
    assert verdicts(found, "ablations") == {"alpha": ok}
    assert why(found, "ablations", ok) == said


def test_study_seeds_that_were_tried_and_given_up_are_told(tmp_path: Path) -> None:
    tried = entry("alpha", EIGHT, study_seed=5)
    first = plan_of(tried, [sampling()], seed=5)
    second = plan_of(sound(), [sampling(), sampling("toy/b")], replaces=[first.id])
    folder = write_study(tmp_path, [*tried, *sound()], plans=[first, second])
    found = check_compliance(read_study(folder))
    assert {f.rule for f in found if f.ok is False} == {"one-study-seed"}
    assert "study seed 5" in why(found, "one-study-seed")


@pytest.mark.parametrize(
    ("before", "shown", "broken"), [(8, 16, True), (20, 16, True), (7, 16, False), (16, 16, False)]
)
def test_another_number_of_seeds_after_a_look_is_told(tmp_path: Path, before: int, shown: int, broken: bool) -> None:
    """From 8 seeds up a study complies, so that results may decide whether it ends there."""
    samplings = [sampling(), sampling("toy/b")]
    first = msgspec.structs.replace(plan_of(sound(), samplings), seeds=before, study="first")
    second = msgspec.structs.replace(plan_of(sound(), samplings, replaces=[first.id]), seeds=shown)
    found = check_compliance(read_study(write_study(tmp_path, sound(), plans=[first, second])))
    assert {f.rule for f in found if f.ok is False} == ({"seeds-fixed"} if broken else set())
    if broken:
        assert f"also had {before} seeds, and {shown} are shown" in why(found, "seeds-fixed")


def test_seeds_of_a_plan_that_shares_no_search_are_of_another_study(tmp_path: Path) -> None:
    other = entry("alpha", [80.0 + seed / 8 for seed in range(20)], task="toy/c")
    first = plan_of(other, [sampling("toy/c")])
    second = plan_of(sound(), [sampling(), sampling("toy/b")], replaces=[first.id])
    found = check_compliance(read_study(write_study(tmp_path, [*other, *sound()], plans=[first, second])))
    assert verdicts(found, "seeds-fixed") == {"study": True}


# -- tampering ------------------------------------------------------------------------------------------------------

ONE = [80.0] * 8


def told(runs: list[Run], table: Table | None, **options: Any) -> tuple[bool | None, str]:
    def opened(_: str) -> Evaluator:
        if table is None:
            raise DataMissing("toy/a: no table; get it with: toy-download")
        return table

    found = findings(runs, [sampling(**options)], open_task=opened)
    return next((f.ok, f.why) for f in found if f.rule == "scores-as-in-the-table")


def test_scores_are_those_of_the_table() -> None:
    runs = entry("alpha", ONE, incumbents=[(1, None, None, 50.0, 60.0), (9, None, None, 70.0, 80.0)])
    table = Table("toy/a", {(0, 1): 80.0, (0, 2): 60.0})
    assert told(runs, table)[0] is True
    assert told(runs, table)[1].startswith("final scores of 2 architectures")
    edited = [run("alpha", 0, 80.5), *runs[1:]]
    assert told(edited, table) == (False, "alpha, seed 0 says 80.5 of (0, 1), the table 80")
    swapped = [run("alpha", 0, 80.0, arch=(0, 2)), *runs[1:]]
    assert told(swapped, table) == (False, "alpha, seed 0 says 80 of (0, 2), the table 60")
    foreign = [run("alpha", 0, 80.0, arch=(9, 9)), *runs[1:]]
    assert told(foreign, table) == (
        False, "an architecture of the records is not of the table: (9, 9) is not of the space"
    )  # fmt: skip
    other = entry("alpha", ONE, incumbents=[(1, None, None, 50.0, 61.0), (9, None, None, 70.0, 80.0)])
    assert told(other, table)[1] == "alpha, seed 0 says 61 of (0, 2), the table 60"


def test_a_lowered_random_sampling_is_found_where_the_table_is_here() -> None:
    table = Table("toy/a", {(0, 1): 80.0})
    assert told(entry("alpha", ONE), table, mean=40.0) == (
        False, "random sampling says 40 +- 10, the table 50 +- 10"
    )  # fmt: skip


def test_a_returned_architecture_is_compared_too_and_a_surrogate_is_not_asked() -> None:
    table = Table("toy/a", {(0, 1): 80.0, (0, 2): 60.0})
    told_of = {"search": {"returned": [(0, 1), (0, 2)]}, "outcome": {"scores": [80.0, 61.0]}}
    assert told([run("alpha", 0, 80.0, **told_of)], table)[1] == "alpha, seed 0 says 61 of (0, 2), the table 60"
    assert told(entry("alpha", ONE), None, exact=False) == (None, "its scores are computed, not recorded in a table")


def test_where_the_table_is_not_here_or_another_one_nothing_is_said() -> None:
    assert told(entry("alpha", ONE), None) == (
        None, "the table is not here: toy/a: no table; get it with: toy-download"
    )  # fmt: skip
    other = Table("toy/a", {(0, 1): 80.0})
    other.data_digest = "d2"
    assert told(entry("alpha", ONE), other) == (None, "the table that is here is not the one of the records")
    assert told(entry("alpha", [None] * 8), other) == (None, "no run has been scored")


def test_an_edited_specification_is_named_and_its_run_missing(tmp_path: Path) -> None:
    folder = write_study(tmp_path, sound())
    searches = folder / "searches.jsonl"
    searches.write_text(searches.read_text().replace('"search_seed":3', '"search_seed":30', 1))
    found: StudyRuns = read_study(folder)
    assert any("searches.jsonl:4: its id is not the digest of its specification" in p for p in found.problems)
    assert verdicts(check_compliance(found), "complete") == {"study": False}
    assert verdicts(check_compliance(found), "seeds-in-order")["toy/a: alpha"] is False
