"""Searches that a constraint or a partial table leaves next to nothing, or nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from studies import run, study

from harness import Architecture, Budget, Oracle
from harness.reading.results import read_results
from harness.registry import Registry
from harness.running.reference import MatchedParams, MatchedRandomSearch
from harness.running.search import carry_out
from harness.running.study import MATCHED
from harness.testing.spaces import ToyEdgeSpace
from harness.testing.synthetic import SyntheticEvaluator


class Rare:
    """An oracle and its space: two of 2,000 architectures are feasible; a known one is answered from memory."""

    def __init__(self) -> None:
        self.space, self.ended_by, self.drawn = self, None, 0
        self.history: list[Architecture] = []
        self.ledger = SimpleNamespace(standings=lambda n: [])

    def sample(self, rng: np.random.Generator, n: int, law: str | None = None) -> list[Architecture]:
        self.drawn += n
        assert self.drawn < 1_000_000, "it does not give up"
        return [(int(k),) for k in rng.integers(2000, size=n)]

    def violation(self, archs: list[Architecture]) -> Any:
        return np.array([0.0 if arch[0] < 2 else 1.0 for arch in archs])

    @property
    def paid(self) -> tuple[int, float, float]:
        return len(self.history), 0.0, 0.0

    def query(self, arch: Architecture, *, repeat: int | None) -> float:
        assert repeat is None
        assert arch[0] < 2, "a constraint that is known before training was not heeded"
        if arch not in self.history:
            self.history.append(arch)
        return 1.0


def test_it_ends_when_all_that_is_feasible_has_been_paid() -> None:
    """The second of two comes after 2,000 draws in the mean; from then on 64,000 draws in a row bring nothing."""
    oracle = Rare()
    MatchedRandomSearch().search(oracle, np.random.default_rng(0))  # type: ignore[arg-type]
    assert sorted(oracle.history) == [(0,), (1,)]
    assert 64_000 <= oracle.drawn < 64_000 + 30_000


def test_it_ends_where_a_table_has_next_to_nothing() -> None:
    """Draws that the table lacks count towards the end by calls; it pays for what it meets and returns the best."""
    evaluator = SyntheticEvaluator(ToyEdgeSpace(), unknown_share=0.99)
    oracle = Oracle(evaluator.validator(), Budget(queries=5))
    found = carry_out(MatchedRandomSearch, oracle, np.random.default_rng(1))
    assert oracle.ledger.missing > 100
    assert (found.status, found.returned) == ("ok", [oracle.incumbent.arch] if oracle.incumbent else None)


def test_it_ends_where_a_table_has_nothing() -> None:
    oracle = Oracle(SyntheticEvaluator(ToyEdgeSpace(), unknown_share=1.0).validator(), Budget(epochs=500))
    found = carry_out(MatchedRandomSearch, oracle, np.random.default_rng(1))
    assert (found.status, found.ended_by) == ("failed", "calls")
    assert found.error == "nothing that was asked for has a score"
    assert oracle.asked["total"] == oracle.asked["missing"] == 5_000


def test_it_draws_by_every_law_that_tells_rows_apart(toy: Registry, tmp_path: Path) -> None:
    """No strategy wins by the law that it draws by: each reading of each reference stands in the verdict."""
    _, runs = run(toy, tmp_path, study("toy-sampler", tasks=("toy/laws",), seeds=5))
    references = {r.entry.label: r.entry.params["law"] for r in runs if r.entry.role == "reference"}
    assert references == {MATCHED: None, f"{MATCHED} by classes": "classes"}
    queries = {(r.entry.label, r.seed): r.search.queries_sha256 for r in runs}
    assert queries[MATCHED, 0] != queries[f"{MATCHED} by classes", 0]
    (entry,) = read_results(tmp_path / "s").summaries[0].entries
    assert entry.search_weakest is not None


def test_where_epochs_are_counted_another_one_buys_single_repeats(toy: Registry, tmp_path: Path) -> None:
    """A mean of two repeats costs 72 epochs, one repeat 36: the same epochs buy about twice the architectures."""
    asked = study("toy-sampler", budget=(Budget(epochs=432), Budget(queries=12)), seeds=5)
    _, runs = run(toy, tmp_path, asked)
    single = [r for r in runs if r.entry.params.get("single")]
    means = [r for r in runs if r.entry.label == MATCHED and r.setting.budget.epochs]
    assert {r.entry.label for r in single} == {f"{MATCHED} by single repeats"}
    assert {r.setting.budget for r in single} == {Budget(epochs=432)}, (
        "by queries a single repeat costs as much as a mean"
    )
    assert all(r.search.paid.queries == 12 for r in single)
    assert all(6 <= r.search.paid.queries < 12 for r in means)
    assert all(r.search.paid.epochs is not None and r.search.paid.epochs >= 432 for r in [*single, *means])


def test_a_single_repeat_that_a_table_lacks_is_not_paid_and_the_next_one_is() -> None:
    """Of two repeats some rows have only one: every row is paid for once, by the repeat that it has."""
    validator = SyntheticEvaluator(ToyEdgeSpace(), missing_share=0.5).validator()
    validator.repeats = (1, 0)
    oracle = Oracle(validator, Budget(queries=30))
    carry_out(lambda: MatchedRandomSearch(MatchedParams(single=True)), oracle, np.random.default_rng(0))
    rows = [q.row for q in oracle.ledger]
    assert len(set(rows)) == len(rows) == 30
    assert {q.repeat for q in oracle.ledger} == {0, 1}
    full = validator.fidelities[-1]
    assert all(validator.read(q.arch, q.row, full, 1).missing == (q.repeat == 0) for q in oracle.ledger)
