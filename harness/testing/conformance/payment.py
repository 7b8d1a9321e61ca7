"""Strategy checks: what a search may spend, and how it ends."""

from __future__ import annotations

from harness.search.budget import Budget
from harness.testing.conformance.report import check, expect
from harness.testing.conformance.subjects import StrategySubject
from harness.testing.conformance.trial import Trial

_BUDGETS = {
    "12 queries": Budget(queries=12),
    "400 epochs": Budget(epochs=400),
    "600 seconds": Budget(seconds=600),
    "1 query": Budget(queries=1),
}


@check("strategy", "the budget is never exceeded", cases=lambda subject: _BUDGETS)
def budget(subject: StrategySubject, case: str) -> None:
    """No validation score is read that is not paid for, and no query is paid after the limit was reached."""
    limit = _BUDGETS[case]
    trial = subject.trial(subject.task(), limit)
    expect(trial.oracle.budget == limit, f"the search changed its budget to {trial.oracle.budget}")
    ledger = trial.oracle.ledger
    if limit.queries is not None:
        expect(len(ledger) <= limit.queries, f"{len(ledger)} queries were paid")
    if len(ledger) > 1:
        before = ledger[-2]
        expect(limit.epochs is None or before.epochs < limit.epochs, f"{before.epochs:g} epochs were paid, then more")
        expect(limit.seconds is None or before.seconds < limit.seconds, f"{before.seconds:g} s were paid, then more")
    usable(trial)


@check("strategy", "a budget that cannot be filled ends the search")
def unfillable(subject: StrategySubject) -> None:
    """On a space of 39 rows, 45 queries: the search returns, or goes on until the oracle ends it."""
    evaluator = subject.task()
    rows = evaluator.validator().rows
    assert rows == 39
    trial = subject.trial(evaluator, Budget(queries=rows + 6))
    full = sum(e.level == len(trial.oracle.fidelities) - 1 and e.repeat is None for e in trial.oracle.ledger)
    expect(full <= rows, f"{full} rows were paid at the full fidelity; there are {rows}")
    usable(trial)


def usable(trial: Trial, *, empty: bool = False) -> None:
    """Raises Failed where a score was read unpaid, or nothing was returned that the runner could report."""
    expect(not trial.overspent, f"{trial.overspent} validation scores were read past the oracle, unpaid")
    expect(trial.returned or empty, f"{trial.searched.error}")
