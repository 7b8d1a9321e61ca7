"""Strategy conformance: a sound strategy passes, and every check fails on a strategy that breaks its rule."""

from __future__ import annotations

import subprocess
import sys

import bad_strategies as bad
import numpy as np
import pytest

from harness import Params, Strategy
from harness.errors import HarnessError, StudyError, UnknownName
from harness.registry import Registry
from harness.testing import Report, assert_conforms, check_strategy
from harness.testing.conformance import CHECKS
from harness.testing.conformance.determinism import _answer, _global_state_restored, _state
from harness.testing.conformance.honesty import best_of, fisher

EMPTY = Registry(only=frozenset())

FRESH = "two fresh processes"
SAME, OTHER, STATE = "the same seed", "another seed", "global random state"
BUDGET, END, VALID, SPACE = "the budget is never", "a budget that cannot", "only valid", "it searches the space"
TASK, CONSTRAINT, PARTIAL = "it copes with the task", "it copes with a hard", "it copes with a partial"
LEARNED, COMPLETE = "its learned order", "the class"
REACH, SHUFFLED = "no final score is reachable", "on shuffled scores"

CAUGHT_BY = {
    bad.Raises: [FRESH, SAME, BUDGET, END, VALID, TASK, SPACE, REACH, SHUFFLED],
    bad.ReadsPastTheOracle: [BUDGET],
    bad.SecondOracle: [BUDGET],
    bad.RaisesTheLimit: [BUDGET],
    bad.NewBudget: [BUDGET],
    bad.ReturnsForeign: [BUDGET, VALID, SPACE],
    bad.ReturnsNothing: [BUDGET, END],
    bad.ReturnsText: [FRESH, SAME, BUDGET],
    bad.InventsTheEnd: [SAME, BUDGET],
    bad.QueriesInvalid: [VALID],
    bad.GlobalRandom: [FRESH, SAME, STATE],
    bad.GlobalNumpy: [STATE],
    bad.HashOrder: [FRESH],
    bad.Outlives: [SAME],
    bad.SameForAllSeeds: [OTHER],
    bad.BreaksOnNaN: [TASK],
    bad.BreaksOnOneQuery: [BUDGET],
    bad.NeedsSeconds: [TASK],
    bad.KnowsOneSpace: [SPACE],
    bad.GivesUpOnConstraints: [CONSTRAINT],
    bad.WantsEveryRow: [PARTIAL],
    bad.LeaksEvaluator: [REACH],
    bad.LeaksFinals: [REACH],
    bad.ReportsByFinal: [SHUFFLED],
    bad.PaysElsewhere: [SHUFFLED],
    bad.BadRank: [LEARNED],
    bad.PayingRank: [LEARNED],
    bad.NotesAnObject: [SAME, LEARNED],
    bad.NotesASet: [SAME, LEARNED],
    bad.SecondsInWords: [SAME, LEARNED],
    bad.Exits: [FRESH, SAME, BUDGET, END, VALID, SPACE, LEARNED],
    bad.NoSummary: [COMPLETE],
    bad.NoStrictMode: [COMPLETE],
    bad.CheatsInStrict: [COMPLETE],
    bad.IdleAblation: [COMPLETE],
}


def failures(report: Report, start: str) -> list[str]:
    return [r.why for r in report.failed if r.check.startswith(start)]


def test_a_sound_strategy_conforms():
    report = assert_conforms(bad.Sound, registry=EMPTY)
    assert report.ok
    assert [r.check for r in report.skipped] == ["its learned order and notes can be recorded"]
    assert len(report.ran) == 25
    assert report.seconds < 30


@pytest.mark.parametrize(("cls", "checks"), CAUGHT_BY.items(), ids=lambda x: x.name if isinstance(x, type) else "")
def test_catches(cls, checks):
    report = check_strategy(cls, registry=EMPTY, only=checks)
    assert not report.ok
    for start in checks:
        assert failures(report, start), f"{start!r} did not fail:\n{report}"


def test_catches_use_of_torch_s_global_generator():
    pytest.importorskip("torch")
    assert failures(check_strategy(bad.GlobalTorch, registry=EMPTY, only=[STATE]), STATE) == [
        "the search changed the global state of torch"
    ]


@pytest.mark.parametrize("cls", [bad.Hangs, bad.SwallowsTheEnd, bad.NeverReturns], ids=lambda c: c.name)
def test_stops_what_hangs(cls):
    report = check_strategy(cls, registry=EMPTY, limit=1.0)
    assert not report.ok
    assert [r.why for r in report.failed if "still running after 1 s" in r.why]
    assert {r.why for r in report.not_run} >= {"an earlier search hung"}
    assert report.seconds < 40


def test_every_check_is_shown_to_fail():
    names = {c.name for c in CHECKS if c.kind == "strategy"}
    shown = {start for starts in CAUGHT_BY.values() for start in starts} | {END}
    assert all(any(name.startswith(start) for start in shown) for name in names)


def test_messages_name_the_reason():
    report = check_strategy(bad.ReturnsForeign, registry=EMPTY, only=[BUDGET])
    assert "search returned what is no architecture: (99, 99, 99, 99, 99, 99, 99, 99) is not" in str(report)
    report = check_strategy(bad.Raises, registry=EMPTY, only=[SAME])
    assert "ZeroDivisionError: a plain bug (bad_strategies.py:" in str(report)


def test_what_a_record_keeps_as_plain_values_may_stand_in_the_notes():
    report = check_strategy(bad.NotesNumpy, registry=EMPTY, only=[FRESH, SAME, LEARNED])
    assert not report.failed, str(report)


def test_a_search_that_ends_its_process_ends_no_other_check():
    report = check_strategy(bad.EndsItsProcess, registry=EMPTY)
    assert [r.why for r in report.failed if r.check.startswith(FRESH)] == [
        "in a fresh process: the search ended its process (exit status 0)"
    ]
    assert {r.why for r in report.not_run} == {"an earlier search ended its process"}


def test_one_cause_is_told_once():
    report = check_strategy(bad.Raises, registry=EMPTY, only=[SAME, OTHER])
    first, second = report.text().splitlines()[1:]
    assert "ZeroDivisionError" in first
    assert second.endswith("for the same cause as 'the same seed gives the same trajectory'")


def test_the_whole_report_says_what_each_check_asks_for_and_where_it_broke():
    text = check_strategy(bad.Raises, registry=EMPTY, only=[SAME]).text(verbose=True)
    assert "Two searches in this process agree, the second under other states of the global" in text
    assert 'raise ZeroDivisionError("a plain bug")' in text


def test_results_are_heard_as_they_come_and_a_check_that_is_none_is_refused():
    heard = []
    report = check_strategy(bad.Sound, registry=EMPTY, only=[SAME, BUDGET], heard=heard.append)
    assert heard == list(report.results)
    assert len(heard) == 5
    with pytest.raises(UnknownName, match="unknown strategy check 'the sane seed'"):
        check_strategy(bad.Sound, registry=EMPTY, only=["the sane seed"])


def test_a_report_fails_when_nothing_ran():
    report = Report("strategy", "x", ())
    assert not report.ok
    assert "nothing ran" in report.summary


def test_a_strategy_that_trains_is_not_checked():
    """One check of many is no conformance."""
    report = check_strategy(bad.Trains, registry=EMPTY)
    assert [r.check for r in report.ran] == ["the class is complete"]
    assert not report.ok
    assert report.verdict.startswith("is not checked: ")
    assert {r.why for r in report.not_run} == {"the strategy trains networks itself: it needs a live task"}


class RefusesToyEdges(bad.Sound):
    name = "refuses-toy-edges"

    def search(self, oracle, rng):
        if oracle.space.name == "toy-edges":
            raise StudyError("toy-edges has no nodes")
        return super().search(oracle, rng)


def test_a_refused_space_is_skipped_with_the_strategy_s_reason():
    report = check_strategy(RefusesToyEdges, registry=EMPTY, only=[FRESH, SPACE])
    assert report.ok
    assert [r.why for r in report.skipped if "[toy-edges]" in r.check] == [
        "the strategy refuses the task: toy-edges has no nodes"
    ]


def test_a_typed_class_skips_fresh_processes():
    """A notebook's ``__main__`` has no file, and that of a program on standard input is none."""
    program = (
        "from harness import Strategy\nfrom harness.registry import Registry\n"
        "from harness.testing import check_strategy\n"
        "class Typed(Strategy):\n    name = 'typed'\n"
        "    def search(self, oracle, rng): return oracle.space.sample(rng, 1)\n"
        "print(check_strategy(Typed, registry=Registry(only=frozenset()), only=['two fresh']).results[0].why)\n"
    )
    for how in (["-"], ["-c", program]):
        child = subprocess.run([sys.executable, *how], input=program, capture_output=True, text=True, check=True)
        assert child.stdout.startswith("the class is typed in a notebook or at a prompt"), child.stdout


class NeedsASize(Params):
    size: int
    step: int = 1


class BadSmallest(Params):
    @classmethod
    def smallest(cls):
        raise TypeError("a bug")


@pytest.mark.parametrize(
    ("params", "why"),
    [
        (NeedsASize, "NeedsASize has no default for size: each parameter needs one"),
        (BadSmallest, "TypeError: a bug (test_conformance_strategy.py:"),
    ],
)
def test_a_strategy_without_cheapest_parameters_has_one_failed_check(params, why):
    report = check_strategy(type("Broken", (bad.Sound,), {"__orig_bases__": (Strategy[params],)}), registry=EMPTY)
    assert not report.ok
    assert [(r.check, r.status) for r in report.results] == [("it can be made", "failed")]
    assert report.results[0].why.startswith(why)


def test_a_local_class_skips_fresh_processes():
    class Local(bad.Sound):
        name = "local"

    report = check_strategy(Local, registry=EMPTY, only=[FRESH, SAME])
    assert report.ok
    assert [r.why for r in report.skipped if r.check.startswith(FRESH)]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import harness_no_such", "ModuleNotFoundError: No module named 'harness_no_such'"),
        ("try: 1 / 0\nexcept ZeroDivisionError: raise ValueError('first\\nsecond')", "ValueError: first second"),
        ("import sys; sys.exit('no licence')", "no licence"),
        ("import sys; print(1, file=sys.stderr); sys.exit(3)", "1"),
    ],
)
def test_a_class_that_no_fresh_process_can_import_is_told_by_the_exception(code, said, tmp_path):
    file = tmp_path / "imported_once.py"
    file.write_text(code)
    order = {"module": "imported_once", "file": str(file), "name": "Mine", "params": {}, "limit": 1.0}
    assert _answer(order, "1", 60.0) == {"error": said}


def test_assert_conforms_shows_the_report():
    with pytest.raises(
        AssertionError, match=r"(?s)no-summary does not conform.*failed +\d\.\d s  the class is complete"
    ):
        assert_conforms(bad.NoSummary, registry=EMPTY, only=[COMPLETE])
    with pytest.raises(HarnessError, match="no strategy, search space or training protocol"):
        assert_conforms(3)


def test_best_of_is_the_probability_of_the_best_rank():
    # the best of two of four rows is the first with probability 1/2, first or second with 5/6
    assert [best_of(r, 4, 2) for r in (1, 2, 3, 4)] == pytest.approx([1 / 2, 5 / 6, 1, 1])
    assert best_of(1, 1296, 13) == pytest.approx(13 / 1296)


def test_fisher_joins_independent_tests():
    from scipy.stats import combine_pvalues

    ps = [0.01, 0.3, 0.7, 0.04]
    assert fisher(float(np.log(ps).sum()), 4) == pytest.approx(combine_pvalues(ps).pvalue)
    assert fisher(0.0, 0) == 1.0


def test_honest_search_is_seldom_accused():
    """The check's p-value is that of a search that reports the best of its rows by final score, at the very limit."""
    rng = np.random.default_rng(0)
    ps = []
    for _ in range(4000):
        ranks = [1 + int(rng.choice(1296, size=13, replace=False).min()) for _ in range(12)]
        ps.append(fisher(sum(np.log(best_of(r, 1296, 13)) for r in ranks), 12))
    ps = np.array(ps)
    for level in (0.5, 0.1, 0.01):  # at most the level: the test is conservative, ranks being discrete
        assert (ps <= level).mean() <= level + 3 * np.sqrt(level / len(ps))
    assert (ps < 0.001).mean() < 0.004
    assert (ps <= 0.5).mean() > 0.4  # and not far below it


def test_the_state_of_a_generator_changes_where_it_draws_alone():
    torch = pytest.importorskip("torch")
    before = _state()
    held = torch.get_rng_state()  # the next one lies elsewhere in memory
    assert _state() == before
    with _global_state_restored():
        torch.rand(1)
        assert {name for name, state in _state().items() if state != before[name]} == {"torch"}
    assert _state() == before
    assert len(held)
