"""The oracle's payment, limits and accounting, on tables small enough to count by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from landscapes import Grid, Landscape

from harness.errors import BudgetExhausted, InvalidArchitecture, StudyError, UnknownArchitecture
from harness.protocol import Fidelity, Reading, Score, Validation, Validator
from harness.search.budget import Budget, Remaining
from harness.search.constraints import Constraint
from harness.search.oracle import Oracle, best_first
from harness.spaces import CellGraph, Choice, SearchSpace

NAN = math.nan


class Digits(SearchSpace):
    """(i, twin): ten rows, each written in two ways; the encoding (9, 1) is invalid."""

    name = "digits"
    choices = (Choice("digit", tuple("0123456789")), Choice("twin", ("a", "b")))
    operations = ("x",)
    max_nodes = 1
    all_valid = False

    def is_valid(self, arch):
        return self._is_encoding(arch) and tuple(arch) != (9, 1)

    def key(self, arch):
        return str(arch[0])

    def describe(self, arch):
        return f"{arch[0]}{'ab'[arch[1]]}"

    def parse(self, text):
        return int(text[0]), "ab".index(text[1])

    def graph(self, arch, *, pruned=True):
        return (CellGraph(np.zeros(1, dtype=np.int64), np.zeros((1, 1), dtype=np.bool_)),)

    def costs(self, archs):
        return {"params": np.array([100.0 * a[0] for a in archs])}


LOW, FULL = Fidelity("low", 10), Fidelity("full", 30)
RESUMABLE = (Fidelity("low", 10, True), Fidelity("full", 30, True))


class Table(Validator):
    """Row i scores 10 + i (low: i); repeat 1 is 2 more. Row 4 fails; row 5 lacks repeat 1; row 8 is not there."""

    space = Digits()
    rows = 9
    repeats = (0, 1)
    records_seconds = True
    known_after = ("latency",)

    def __init__(self, fidelities=(LOW, FULL), score=None, *, seconds=True, rows=9):
        self.fidelities, self.score, self.records_seconds, self.rows = fidelities, score or Score(), seconds, rows
        self.reads = self.calls = 0

    def identity(self, archs):
        if any(a[0] == 8 for a in archs):
            raise UnknownArchitecture("digit 8 was never trained")
        return np.array([a[0] for a in archs], dtype=np.int64)

    def validate(self, archs, *, fidelity, repeat=None):
        self.reads += len(archs)
        self.calls += 1
        digits = [a[0] for a in archs]
        base = 0.0 if fidelity.name == "low" else 10.0
        repeats = [[r for r in ((0, 1) if repeat is None else (repeat,)) if (d, r) != (5, 1)] for d in digits]
        valid = [
            NAN if d == 4 or not rs else sum(base + d + 2 * r for r in rs) / len(rs)
            for d, rs in zip(digits, repeats, strict=True)
        ]
        return Validation(
            np.array(valid),
            np.array([fidelity.epochs * 2.0 * len(rs) for rs in repeats]) if self.records_seconds else None,
            np.array([len(rs) for rs in repeats]),
            np.array([not rs for rs in repeats]),
            {"latency": np.array([float(d) for d in digits])},
        )


def oracle(budget=None, *, constraints=(), validator=None, **options):
    parsed = [Constraint.parse(c) for c in constraints]
    return Oracle(validator or Table(**options), budget or Budget(queries=100), constraints=parsed)


def ends(asked, arch=(0, 0), **options):
    with pytest.raises(BudgetExhausted) as end:
        asked.query(arch, **options)
    return end.value.ended_by


# -- budgets ----------------------------------------------------------------------------------------------------------


def test_budget_needs_a_limit():
    with pytest.raises(ValueError, match="at least one of queries, epochs, seconds"):
        Budget()


@pytest.mark.parametrize("limit", [{"queries": 0}, {"queries": -1}, {"epochs": NAN}, {"seconds": math.inf}])
def test_budget_limits_are_positive_and_finite(limit):
    with pytest.raises(ValueError, match="positive and below 1e18"):
        Budget(**limit)


def test_queries_end_the_search():
    o = oracle(Budget(queries=2))
    assert o.query((1, 0)) == 12.0  # mean of 11 and 13
    assert o.ended_by is None
    assert o.query((2, 0)) == 13.0
    assert o.ended_by == "queries"
    assert ends(o, (3, 0)) == "queries"
    assert ends(o, (1, 0)) == "queries"  # what is known is not answered either, once the search is over
    assert o.paid[0] == 2
    assert o.asked["total"] == 2


def test_the_query_that_crosses_a_cost_limit_is_answered_and_is_the_last():
    # a mean of two repeats at 30 epochs costs 60; 100 is crossed by the second
    o = oracle(Budget(epochs=100))
    assert [o.query((1, 0)), o.query((2, 0))] == [12.0, 13.0]
    assert o.paid[1] == 120
    assert o.ended_by == "epochs"
    assert ends(o, (3, 0)) == "epochs"
    assert len(o.history) == 2


@pytest.mark.parametrize(("budget", "ended_by"), [(Budget(epochs=120), "epochs"), (Budget(seconds=240), "seconds")])
def test_a_limit_that_is_met_exactly_ends_the_search(budget, ended_by):
    o = oracle(budget)
    o.query_many([(1, 0), (2, 0)])
    assert o.ended_by == ended_by


def test_seconds_end_the_search():
    o = oracle(Budget(seconds=130))  # 120 s each
    o.query((1, 0))
    assert o.remaining == Remaining(None, None, 10.0)
    o.query((2, 0))
    assert o.ended_by == "seconds"
    assert o.paid == (2, 120.0, 240.0)


@pytest.mark.parametrize(
    ("budget", "ended_by", "queries"),
    [
        (Budget(queries=3, epochs=10_000, seconds=10_000), "queries", 3),
        (Budget(queries=50, epochs=121, seconds=10_000), "epochs", 3),
        (Budget(queries=50, epochs=10_000, seconds=1), "seconds", 1),
    ],
)
def test_the_first_limit_reached_ends_the_search(budget, ended_by, queries):
    o = oracle(budget)
    with pytest.raises(BudgetExhausted) as end:
        o.query_many([(i, 0) for i in (0, 1, 2, 3, 6, 7)])
    assert end.value.ended_by == o.ended_by == ended_by
    assert len(end.value.scores) == o.paid[0] == queries


def test_remaining_counts_down():
    o = oracle(Budget(queries=5, epochs=100))
    assert o.remaining == Remaining(5, 100, None)
    o.query((1, 0), fidelity=LOW, repeat=0)
    assert o.remaining == Remaining(4, 90, None)
    o.query_many([(2, 0), (3, 0)])
    assert o.remaining == Remaining(2, 0, None)


def test_a_task_without_seconds_refuses_a_limit_on_them_and_records_none():
    with pytest.raises(StudyError, match="seconds"):
        oracle(Budget(seconds=5), seconds=False)
    o = oracle(seconds=False)
    o.query((1, 0))
    assert o.paid == (1, 60.0, 0.0)


def test_a_task_without_epochs_refuses_a_limit_on_them():
    with pytest.raises(StudyError, match="epochs"):
        oracle(Budget(epochs=5), fidelities=(Fidelity("only"),))


# -- what is paid -----------------------------------------------------------------------------------------------------


def test_asking_again_is_free_and_counted_apart():
    o = oracle(Budget(queries=3))
    first = o.query((1, 0))
    assert [o.query((1, 0)) for _ in range(5)] == [first] * 5
    assert o.paid[0] == 1
    assert o.asked == {"total": 6, "cached": 5, "invalid": 0, "infeasible": 0, "missing": 0}


def test_payment_goes_by_row():
    o = oracle()
    assert o.query((1, 0)) == o.query((1, 1)) == o.query((1, 1))
    assert o.paid[0] == 1
    assert o.asked["cached"] == 2
    assert [h.arch for h in o.history] == [(1, 0)]


def test_each_row_fidelity_and_repeat_is_a_query_of_its_own():
    o = oracle()
    scores = [
        o.query((1, 0), fidelity=LOW), o.query((1, 0), fidelity=LOW, repeat=0), o.query((1, 0), fidelity=LOW, repeat=1),
        o.query((1, 0), repeat=0), o.query((1, 0), repeat=1), o.query((1, 0)), o.query((1, 0), fidelity=FULL),
    ]  # fmt: skip
    assert scores == [2.0, 1.0, 3.0, 11.0, 13.0, 12.0, 12.0]
    assert o.paid[0] == 6  # the full fidelity is the default: asking for it by name is asking again
    assert o.asked["cached"] == 1
    # epochs: 10 * (2 + 1 + 1) + 30 * (1 + 1 + 2)
    assert o.paid[1] == 160


def test_a_lower_fidelity_that_can_be_resumed_leaves_only_the_difference():
    low, full = RESUMABLE
    o = oracle(fidelities=RESUMABLE)
    o.query((1, 0), fidelity=low, repeat=0)
    assert o.paid[1:] == (10.0, 20.0)
    o.query((1, 0), fidelity=full, repeat=0)
    assert o.paid[1:] == (30.0, 60.0)
    o.query((1, 0), fidelity=low, repeat=1)  # another training
    assert o.paid[1:] == (40.0, 80.0)
    o.query((2, 0), fidelity=full, repeat=0)
    o.query((2, 0), fidelity=low, repeat=0)  # on the way, already paid
    assert o.paid[1:] == (70.0, 140.0)
    assert o.paid[0] == 5


def test_a_lower_fidelity_of_another_training_is_paid_in_full():
    o = oracle()
    o.query((1, 0), fidelity=LOW, repeat=0)
    o.query((1, 0), fidelity=FULL, repeat=0)
    assert o.paid[1:] == (40.0, 80.0)


def test_a_mean_is_charged_for_the_repeats_that_exist():
    o = oracle()
    assert o.query((5, 0)) == 15.0
    assert o.paid == (1, 30.0, 60.0)


def test_a_failed_training_answers_nan_and_is_paid_once():
    o = oracle(Budget(queries=2))
    assert math.isnan(o.query((4, 0)))
    assert math.isnan(o.query((4, 0)))
    assert o.paid == (1, 60.0, 120.0)
    assert o.asked["cached"] == 1
    assert o.incumbent is None


@pytest.mark.parametrize("infinite", [math.inf, -math.inf])
def test_a_training_with_an_infinite_score_has_failed(infinite):
    class Diverging(Table):
        def validate(self, archs, *, fidelity, repeat=None):
            found = super().validate(archs, fidelity=fidelity, repeat=repeat)
            return replace(found, valid=np.where([a[0] == 0 for a in archs], infinite, found.valid))

    o = oracle(validator=Diverging())
    assert math.isnan(o.query((0, 0)))
    assert o.query((1, 0)) == 12.0
    assert o.paid.queries == 2
    assert o.incumbent.arch == (1, 0)


def test_a_repeat_that_was_never_run_answers_nan_unpaid():
    o = oracle()
    assert math.isnan(o.query((5, 0), repeat=1))
    assert o.paid == (0, 0.0, 0.0)
    assert o.asked == {"total": 1, "cached": 0, "invalid": 0, "infeasible": 0, "missing": 1}


def test_unknown_repeat_and_fidelity_are_refused():
    o = oracle()
    with pytest.raises(ValueError, match=r"unknown repeat 2.*\[0, 1\]"):
        o.query((1, 0), repeat=2)
    with pytest.raises(ValueError, match="unknown fidelity.*low, full"):
        o.query((1, 0), fidelity=Fidelity("mid", 20))
    assert o.asked["total"] == 0


@pytest.mark.parametrize("arch", [(9, 1), (10, 0), (-1, 0), (1,), (1, 0, 0), (0.5, 0), "1a", None, 7, [1, 0], ([1], 0)])
def test_an_architecture_that_is_not_of_the_space_is_refused_unpaid(arch):
    o = oracle()
    with pytest.raises(InvalidArchitecture, match="digits"):
        o.query(arch)
    assert o.paid == (0, 0.0, 0.0)
    assert o.asked == {"total": 1, "cached": 0, "invalid": 1, "infeasible": 0, "missing": 0}


def test_what_a_partial_table_lacks_answers_nan_unpaid():
    o = oracle()
    assert math.isnan(o.query((8, 0)))
    assert math.isnan(o.query((8, 0), fidelity=LOW, repeat=0))
    assert o.paid == (0, 0.0, 0.0)
    assert o.asked == {"total": 2, "cached": 0, "invalid": 0, "infeasible": 0, "missing": 2}
    np.testing.assert_array_equal(o.query_many([(7, 0), (8, 1), (1, 0)]), [18.0, NAN, 12.0])
    assert len(o.history) == 2


def test_what_has_no_recorded_seconds_is_lacking_where_these_are_limited():
    """It would be free there."""

    class Untimed(Table):
        def validate(self, archs, *, fidelity, repeat=None):
            found = super().validate(archs, fidelity=fidelity, repeat=repeat)
            return replace(found, seconds=np.array([NAN if a[0] == 1 else 60.0 for a in archs]))

    o = oracle(Budget(seconds=100), validator=Untimed())
    assert math.isnan(o.query((1, 0)))
    assert (o.paid, o.asked["missing"]) == ((0, 0.0, 0.0), 1)
    assert o.query((2, 0)) == 13.0
    assert o.paid == (1, 60.0, 60.0)
    assert oracle(Budget(queries=9), validator=Untimed()).query((1, 0)) == 12.0


def test_what_a_partial_table_lacks_counts_towards_the_end_by_calls():
    o = oracle(Budget(queries=1))
    for _ in range(50):
        o.query((8, 0))
    assert ends(o, (1, 0)) == "calls"


def test_numpy_integers_are_plain_integers():
    o = oracle()
    assert o.query(tuple(np.array([1, 0]))) == 12.0
    assert [type(x) for x in o.history[0].arch] == [int, int]


# -- query_many -------------------------------------------------------------------------------------------------------


def test_query_many_answers_in_order():
    scores = oracle().query_many([(3, 0), (1, 1), (4, 0), (3, 1)])
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(scores, [14, 12, NAN, 14])
    assert oracle().query_many([]).shape == (0,)


def test_query_many_pays_in_order_and_raises_with_what_was_paid():
    o = oracle(Budget(queries=2))
    with pytest.raises(BudgetExhausted) as end:
        o.query_many([(3, 0), (3, 1), (1, 0), (2, 0)])
    assert end.value.scores == [14.0, 14.0, 12.0]
    assert end.value.ended_by == "queries"
    assert [e.row for e in o.ledger] == [3, 1]


def test_query_many_that_just_fits_returns():
    o = oracle(Budget(queries=2))
    assert o.query_many([(3, 0), (1, 0)]).tolist() == [14.0, 12.0]
    with pytest.raises(BudgetExhausted) as end:
        o.query_many([(2, 0)])
    assert end.value.scores == []


def test_query_many_at_a_fidelity():
    assert oracle().query_many([(3, 0), (5, 0)], fidelity=LOW, repeat=0).tolist() == [3.0, 5.0]


# -- the end without the budget ---------------------------------------------------------------------------------------


def test_the_search_ends_when_every_row_is_known():
    o = oracle(rows=8)
    o.query_many([(i, 0) for i in (0, 1, 2, 3, 4, 5, 6)])
    o.query((7, 0), fidelity=LOW)  # not at the full fidelity: its score is not known yet
    assert o.ended_by is None
    o.query((7, 0))
    assert o.ended_by == "space"
    assert ends(o) == "space"


def test_refused_rows_count_as_known():
    o = oracle(constraints=["params <= 450"], rows=8)
    o.query_many([(i, 0) for i in range(5)])
    assert o.ended_by is None
    assert np.isnan(o.query_many([(5, 0), (6, 0), (7, 0)])).all()
    assert o.ended_by == "space"
    assert o.paid[0] == 5


def test_the_search_ends_after_fifty_calls_a_budgeted_query():
    o = oracle(Budget(queries=2))
    for _ in range(99):
        o.query((1, 0))
    assert o.ended_by is None
    assert o.query((1, 1)) == 12.0  # the hundredth
    assert o.ended_by is None
    assert ends(o, (2, 0)) == "calls"
    assert o.asked["total"] == 100
    assert o.paid[0] == 1


def test_the_last_call_may_be_a_paid_one():
    o = oracle(Budget(queries=2))
    for _ in range(99):
        o.query((1, 0))
    assert o.query((2, 0)) == 13.0
    assert o.ended_by == "queries"


def test_invalid_calls_count_towards_the_end():
    o = oracle(Budget(queries=1))
    for _ in range(50):
        with pytest.raises(InvalidArchitecture):
            o.query((9, 1))
    assert ends(o, (9, 1)) == "calls"


@pytest.mark.parametrize("limit", [{"epochs": 1e6}, {"seconds": 1e6}])
@pytest.mark.parametrize(("paid", "calls"), [(1, 5_000), (100, 5_000), (101, 5_050), (160, 8_000)])
def test_without_a_query_budget_calls_are_fifty_a_paid_query_and_at_least_5000(limit, paid, calls):
    o = Oracle(Landscape(Grid(200), lambda a: float(a[0])), Budget(**limit))
    o.query_many([(i,) for i in range(paid)])
    for _ in range(calls - paid):
        o.query((0,))
    assert o.ended_by is None
    assert ends(o, (0,)) == "calls"
    assert o.asked["total"] == calls


# -- orientation, incumbents ------------------------------------------------------------------------------------------


def test_where_lower_is_better_the_oracle_answers_the_negative():
    o = oracle(score=Score("error", "%", higher_is_better=False))
    assert o.query_many([(3, 0), (1, 0), (2, 0)]).tolist() == [-14.0, -12.0, -13.0]
    assert o.query((3, 1)) == -14.0  # from memory, too
    assert o.incumbent is not None
    assert o.incumbent.arch == (1, 0)
    assert [i.place for i in o.incumbents] == [0, 1]
    assert [h.score for h in o.history] == [-14.0, -12.0, -13.0]


def test_the_incumbent_is_the_best_at_the_highest_fidelity_asked():
    o = oracle()
    o.query((7, 0), fidelity=LOW)
    o.query((3, 0), fidelity=LOW)
    assert o.incumbent.arch == (7, 0)
    o.query((1, 0))
    assert o.incumbent.arch == (1, 0)
    o.query((6, 0), fidelity=LOW)
    o.query((2, 0))
    o.query((0, 0))
    assert o.incumbent.arch == (2, 0)
    assert [i.place for i in o.incumbents] == [0, 2, 4]


def test_the_first_among_equals_stays_the_incumbent():
    o = oracle()
    o.query((5, 0))  # 15, one repeat
    o.query((5, 0), repeat=0)  # 15 again, a query of its own
    assert [i.place for i in o.incumbents] == [0]


def test_history_is_live_and_no_item_of_it_can_be_set():
    o = oracle()
    history = o.history
    assert len(history) == 0
    o.query_many([(1, 0), (2, 0)], fidelity=LOW)
    assert len(history) == 2
    last = history[-1]
    assert (last.arch, last.score, last.fidelity, last.repeat, last.excess) == ((2, 0), 3.0, LOW, None, 0.0)
    assert history[-1].feasible
    assert [h.arch for h in history[0:2]] == [(1, 0), (2, 0)]
    with pytest.raises(TypeError):
        history[0] = None


# -- constraints ------------------------------------------------------------------------------------------------------


def test_a_broken_constraint_known_before_is_answered_nan_unpaid():
    validator = Table()
    o = oracle(constraints=["params <= 250"], validator=validator)
    assert math.isnan(o.query((3, 0)))
    assert validator.reads == 0
    assert o.query((2, 0)) == 13.0
    assert o.paid[0] == 1
    assert o.asked == {"total": 2, "cached": 0, "invalid": 0, "infeasible": 1, "missing": 0}


def test_a_constraint_known_only_after_is_paid_and_bars_the_incumbent():
    o = oracle(constraints=["latency <= 2"])
    assert o.query((3, 0)) == 14.0
    assert o.paid[0] == 1
    assert o.incumbent is None
    assert not o.history[0].feasible
    o.query((2, 0))
    assert o.incumbent.arch == (2, 0)


def test_a_constraint_known_only_after_costs_no_second_validation():
    validator = Table()
    o = oracle(constraints=["latency <= 4"], validator=validator)
    o.query_many([(i, twin) for i in (0, 1, 2, 3, 6) for twin in (0, 1)])
    o.query_many([(i, 0) for i in (0, 1, 2, 3, 6)], fidelity=LOW)
    assert (o.paid[0], validator.calls, validator.reads) == (10, 10, 10)
    assert [o.feasible((i, 1)) for i in (0, 1, 2, 3, 6)] == [True] * 4 + [False]
    assert best_first(o, 9) == [(3, 0), (2, 0), (1, 0), (0, 0)]
    assert validator.calls == 10, "what was measured is remembered"


def test_a_paid_query_says_what_was_measured_and_by_how_much_it_is_infeasible():
    o = oracle(constraints=["latency <= 4", "latency <= 2"])
    o.query_many([(6, 0), (3, 0), (2, 0)])
    assert [h.measured["latency"] for h in o.history] == [6.0, 3.0, 2.0]
    assert [h.excess for h in o.history] == [0.5 + 2.0, 0.5, 0.0]
    assert [q.feasible for q in o.ledger] == [False, False, True]


def test_feasibility_is_told_from_memory_and_is_unknown_of_what_was_not_paid():
    validator = Table()
    o = oracle(constraints=["params <= 500", "latency <= 2"], validator=validator)
    assert o.feasible((6, 0)) is False
    assert o.feasible((3, 0)) is None
    assert o.feasible((8, 0)) is False  # 800 parameters, be it in the table or not
    o.query((3, 0))
    assert (o.feasible((3, 0)), o.feasible((3, 1)), o.feasible((2, 0))) == (False, False, None)
    assert (validator.calls, o.asked["total"]) == (1, 1)
    assert oracle(constraints=["latency <= 2"]).feasible((8, 0)) is None
    assert oracle(constraints=["params <= 500"]).feasible((3, 0)) is True
    assert oracle().feasible((3, 0)) is True


class LookedUp(Table):
    """A single score is a look-up, which leaves out what was measured, as in recorded tasks."""

    def read(self, arch, row, fidelity, repeat):
        return Reading(10.0 + row, 1.0)


def test_a_look_up_that_leaves_out_what_was_measured_serves_where_no_constraint_needs_it():
    validator = LookedUp()
    o = oracle(validator=validator, constraints=["params <= 700"])
    assert (o.query((3, 0)), validator.calls, o.history[0].measured) == (13.0, 0, None)
    o = oracle(validator=validator, constraints=["latency <= 2"])
    assert (o.query((3, 0)), validator.calls, o.history[0].measured) == (14.0, 1, {"latency": 3.0})
    assert o.history[0].excess == 0.5


class Slower(Table):
    """Latency is a tenth at the low fidelity."""

    def validate(self, archs, *, fidelity, repeat=None):
        found = super().validate(archs, fidelity=fidelity, repeat=repeat)
        pace = 0.1 if fidelity.name == "low" else 1.0
        return replace(found, measured={"latency": pace * found.measured["latency"]})


def test_feasibility_goes_by_the_highest_fidelity_paid():
    o = oracle(constraints=["latency <= 2"], validator=Slower())
    o.query((6, 0), fidelity=LOW)
    assert o.feasible((6, 0)) is True
    o.query((6, 0))
    assert o.feasible((6, 0)) is False
    o.query((6, 0), fidelity=LOW, repeat=0)
    assert o.feasible((6, 0)) is False


def test_an_unknown_quantity_is_refused_with_the_known_ones():
    with pytest.raises(StudyError, match=r"'flops'.*latency, params"):
        oracle(constraints=["flops <= 1"])


def test_violation_is_free_and_relative():
    o = oracle(constraints=["params <= 200", "params >= 100"])
    assert o.violation([(3, 0), (2, 0), (0, 0)]).tolist() == [0.5, 0.0, 1.0]
    assert o.asked["total"] == 0


# -- best first -------------------------------------------------------------------------------------------------------


def test_best_first_takes_the_highest_fidelity_paid_and_the_earlier_among_equals():
    o = oracle()
    assert best_first(o, 3) == []
    o.query_many([(4, 0)])  # fails
    assert best_first(o, 3) == []
    o.query_many([(7, 0), (3, 0)], fidelity=LOW)
    assert best_first(o, 3) == [(7, 0), (3, 0)]
    o.query_many([(1, 0), (5, 0), (2, 0)])
    o.query((5, 1), repeat=0)  # the same row, written the other way
    assert best_first(o, 9) == [(5, 0), (2, 0), (1, 0)]
    assert best_first(o, 1) == [o.incumbent.arch] == [(5, 0)]


# -- accounting -------------------------------------------------------------------------------------------------------


def test_every_call_is_counted_once():
    o = oracle(constraints=["params <= 650"])
    o.query_many([(1, 0), (1, 1), (2, 0), (4, 0), (4, 0)])  # 3 paid, 2 cached
    o.query((7, 0))  # infeasible
    o.query((5, 0), repeat=1)  # missing
    with pytest.raises(InvalidArchitecture):
        o.query((9, 1))
    assert o.asked == {"total": 8, "cached": 2, "invalid": 1, "infeasible": 1, "missing": 1}
    assert o.paid[0] == 3
    assert [(e.row, e.epochs, e.seconds) for e in o.ledger] == [(1, 60.0, 120.0), (2, 120.0, 240.0), (4, 180.0, 360.0)]


def test_the_digest_depends_on_order_and_answers_alone():
    a, b, c = oracle(), oracle(), oracle()
    a.query_many([(1, 0), (2, 0), (1, 0)])
    b.query_many([(1, 0), (1, 1), (2, 0)])
    c.query_many([(2, 0), (1, 0)])
    assert a.ledger.digest() == b.ledger.digest() != c.ledger.digest()


def test_the_exception_survives_pickling():
    import pickle

    end = pickle.loads(pickle.dumps(BudgetExhausted("queries", [1.0])))
    assert (end.ended_by, end.scores) == ("queries", [1.0])


def test_fidelities_are_compared_by_value():
    assert oracle().query((1, 0), fidelity=replace(LOW)) == 2.0
