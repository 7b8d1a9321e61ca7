"""One search: what it is told to have returned, and how failures are told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import product
from typing import Any

import numpy as np
import pytest
from landscapes import Grid, Landscape

import harness.search.ledger
from harness import Architecture, Budget, BudgetExhausted, Constraint, InvalidArchitecture, Oracle, Strategy
from harness.running.reference import MatchedRandomSearch
from harness.running.search import Searched, carry_out
from harness.testing import ToyNodeSpace

INFEASIBLE = (Constraint("params", "<", 0.0),)


class Doing(Strategy):
    """Searches by a function."""

    name = "doing"

    def __init__(self, search: Callable[[Oracle], Any]) -> None:
        super().__init__()
        self._search = search

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        found: Sequence[Architecture] = self._search(oracle)
        return found


class Costly(Grid):
    def costs(self, archs: Sequence[Architecture]) -> dict[str, Any]:
        return {"params": np.array([float(a[0]) for a in archs])}


def oracle(
    score: Callable[..., float | None] = lambda a: float(a[0]), constraints: Sequence[Constraint] = (), queries: int = 5
) -> Oracle:
    return Oracle(Landscape(Costly(9), score), Budget(queries=queries), constraints=constraints)


def search(do: Callable[[Oracle], Any], asked: Oracle | None = None, top: int = 1) -> Searched:
    return carry_out(lambda: Doing(do), asked or oracle(), np.random.default_rng(0), top)


def ask(asked: Oracle, n: int = 9) -> Any:
    return [asked.query((i,)) for i in range(n)]


def test_an_answer_is_kept_and_its_options_are_plain_integers() -> None:
    found = search(lambda o: [(np.int64(3),), (1,)])
    assert (found.status, found.error, found.frames, found.raised) == ("ok", None, (), None)
    assert found.returned == [(3,), (1,)]
    assert [type(a) for a in found.returned[0]] == [int]
    assert found.ended_by == "strategy"
    assert len(search(lambda o: [(1,)] * 500).returned) == 100


def test_a_search_that_runs_into_the_end_returns_its_best() -> None:
    found = search(ask, top=3)
    assert (found.status, found.ended_by) == ("ok", "queries")
    assert found.returned == [(4,), (3,), (2,)]
    assert search(ask).returned == [(4,)]


@pytest.mark.parametrize(
    ("asked", "do", "status", "error"),
    [
        (oracle(), lambda o: [], "failed", "search returned no architecture"),
        (oracle(constraints=INFEASIBLE), lambda o: [], "infeasible", "no feasible architecture was found"),
        (
            oracle(constraints=INFEASIBLE),
            lambda o: [o.query((0,)) for _ in range(999)],
            "infeasible",
            "no feasible architecture was found",
        ),
        (oracle(), lambda o: [ask(o, 3), []][1], "failed", "search returned no architecture"),
        (oracle(lambda a: np.nan), ask, "failed", "every training failed"),
        (
            oracle(lambda a: 1.0 if a[0] == 8 else None, queries=1),
            lambda o: [o.query((0,)) for _ in range(99)],
            "failed",
            "nothing that was asked for has a score",
        ),
        (oracle(), lambda o: None, "failed", "search returned NoneType, not a sequence of architectures"),
        (oracle(), lambda o: "best", "failed", "search returned str, not a sequence of architectures"),
        (
            oracle(),
            lambda o: [(1,), (9,)],
            "failed",
            "search returned what is no architecture: (9,) is not an architecture of grid: "
            "option 9 of the choice 'c0' is not between 0 and 8",
        ),
    ],
)
def test_nothing_to_report_is_told_with_its_reason(asked: Oracle, do: Any, status: str, error: str) -> None:
    found = search(do, asked)
    assert found.status == status
    assert found.error == error
    assert found.returned == []


def test_an_end_that_the_oracle_did_not_make_is_no_answer() -> None:
    def end(asked: Oracle) -> Any:
        asked.query((1,))
        raise BudgetExhausted("queries")

    found = search(end)
    assert (found.status, found.ended_by) == ("failed", "error")
    assert found.error == "search raised BudgetExhausted though the oracle had not ended it"
    assert found.frames[-1].endswith('in end: raise BudgetExhausted("queries")')


def test_an_error_names_the_innermost_place_in_the_author_s_code() -> None:
    found = search(lambda o: o.query((99,)))
    assert found.status == "failed"
    assert isinstance(found.raised, ValueError)
    line = sys._getframe().f_lineno - 3
    assert found.error == (
        "InvalidArchitecture: (99,) is not an architecture of grid: option 99 of the choice 'c0' is not between 0 "
        f"and 8 (test_search.py:{line})"
    )
    assert [f.partition(":")[0] for f in found.frames] == ["test_search.py"] * 2
    assert found.frames[-1] == f"test_search.py:{line}, in <lambda>: found = search(lambda o: o.query((99,)))"


def test_a_constructor_that_raises_and_an_exit_fail_the_run_alone() -> None:
    def make() -> Strategy:
        raise KeyError("seed")

    found = carry_out(make, oracle(), np.random.default_rng(0))
    assert (found.status, found.ended_by) == ("failed", "error")
    assert str(found.error).startswith("KeyError: 'seed' (test_search.py:")
    assert found.strategy.notes == {}
    assert found.strategy.ranker is None
    assert str(search(lambda o: sys.exit(3)).error).startswith("SystemExit: 3 (test_search.py:")


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("notes", {"seen": {1}}, "notes: 'seen': set is no JSON value"),
        ("notes", [], "notes: they are a list, not a dict"),
        ("seconds", {"fit": "long"}, "seconds: 'fit': 'long' is no number"),
        ("seconds", {"fit": None}, "seconds: 'fit': None is no number"),
        ("seconds", 1.5, "seconds: they are a float, not a dict"),
    ],
)
def test_notes_and_seconds_that_no_record_can_keep_fail_the_run(name: str, value: Any, error: str) -> None:
    class Telling(Doing):
        def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
            setattr(self, name, value)
            return super().search(oracle, rng)

    found = carry_out(lambda: Telling(ask), oracle(), np.random.default_rng(0))
    assert (found.status, found.error, found.ended_by) == ("failed", error, "queries")
    first = carry_out(lambda: Telling(lambda o: 1 / 0), oracle(), np.random.default_rng(0))
    assert str(first.error).startswith("ZeroDivisionError")


def test_seconds_are_kept_as_plain_numbers() -> None:
    class Timed(Doing):
        def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
            self.seconds |= {"fit": np.float32(0.5), "rank": np.int64(2), "ask": 0.12345678}
            return super().search(oracle, rng)

    found = carry_out(lambda: Timed(ask), oracle(), np.random.default_rng(0))
    assert found.phases == {"fit": 0.5, "rank": 2.0, "ask": 0.123457}


def test_what_is_no_exception_goes_through() -> None:
    def interrupted(asked: Oracle) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(interrupted)


def test_an_error_under_a_strategy_of_the_harness_itself_names_the_first_code_that_is_not() -> None:
    def broken(arch: Architecture) -> float:
        raise ZeroDivisionError("no such score")

    asked = Oracle(Landscape(Grid(9), broken, rows=[]), Budget(queries=1))
    asked._validator._row_of = {str(i): i for i in range(9)}  # type: ignore[attr-defined]
    found = carry_out(MatchedRandomSearch, asked, np.random.default_rng(0))
    assert str(found.error).startswith("ZeroDivisionError: no such score (landscapes.py:")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ([1], r"\[1\] is not an architecture of grid: it is a list, not a tuple of option indices: write tuple\(...\)"),
        (np.array([1]), "it is a ndarray, not a tuple of option indices: write tuple"),
        (3, "it is a int, not a tuple of option indices$"),
        ((1, 2), "it has 2 options, and the space has 1 choices"),
        (((1,), (2,)), "it is a tuple of 2 architectures: pass one, or all of them to query_many"),
        (("x",), "'x' for the choice 'c0' is a str, not the index of an option"),
        ((0.5,), "0.5 for the choice 'c0' is a float, not the index"),
        ((np.int64(9),), "option 9 of the choice 'c0' is not between 0 and 8"),
    ],
    ids=repr,
)
def test_what_is_no_architecture_is_told_why(asked: Any, why: str) -> None:
    with pytest.raises(InvalidArchitecture, match=why):
        oracle().query(asked)
    with pytest.raises(InvalidArchitecture, match=why):
        Costly(9).check(asked)


def test_numpy_integers_are_an_architecture_and_one_row_with_the_plain_ones() -> None:
    asked = oracle()
    assert asked.query((np.int64(3),)) == asked.query((3,)) == 3.0
    assert asked.paid.queries == 1


def test_a_valid_encoding_that_the_space_forbids_is_told_so() -> None:
    space = ToyNodeSpace()
    forbidden = next(a for a in product(*map(range, space.radices)) if not space.is_valid(a))
    with pytest.raises(InvalidArchitecture, match="each option exists, but the space does not allow all of them"):
        space.check(forbidden)


def test_the_name_of_a_fidelity_is_no_fidelity() -> None:
    with pytest.raises(ValueError, match=r"fidelity 'full' is a str, not one of oracle\.fidelities: "):
        oracle().query((1,), fidelity="full")  # type: ignore[arg-type]


def test_one_architecture_is_no_list_of_them() -> None:
    found = search(lambda o: (3,))
    assert (found.status, found.error) == (
        "failed", "search returned one architecture, (3,), not a sequence of them: return [arch]"
    )  # fmt: skip


def test_except_exception_does_not_swallow_the_last_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness.search.ledger, "_CALLS_AFTER_END", 1000)

    def deaf(asked: Oracle) -> Any:
        while True:
            with suppress(Exception):
                asked.query((1,))

    found = search(deaf)
    assert found.status == "failed"
    assert str(found.error).startswith("StillAsking: still asking after 1,000 refusals; the search had ended: calls")
