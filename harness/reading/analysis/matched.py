"""Matched random search, read off at what each run itself paid."""

from __future__ import annotations

from typing import Literal

from harness.reading.analysis.results import Runs
from harness.records.store import Incumbent, Paid, Record
from harness.search.budget import Budget

Unit = Literal["queries", "epochs", "seconds"]


def unit_of(budget: Budget) -> Unit:
    """What cost is counted in: queries where the budget limits them, else epochs, else seconds."""
    if budget.queries is not None:
        return "queries"
    return "epochs" if budget.epochs is not None else "seconds"


def cost_of(paid: Paid | Incumbent, unit: Unit) -> float | None:
    value: float | None = getattr(paid, unit)
    return value


def incumbent_at(record: Record, cost: float, unit: Unit) -> Incumbent | None:
    """What a run had found for at most ``cost``."""
    found = None
    for incumbent in record.incumbents:
        spent = cost_of(incumbent, unit)
        if spent is None or spent > cost:
            break
        found = incumbent
    return found


def read_off(reference: Record, cost: float, unit: Unit) -> tuple[float | None, float | None]:
    """Final and validation score of what ``reference`` would report after ``cost``; None where it is not known.

    At its full cost that is its own outcome. Before, it is its incumbent, save where the mode reports the best of
    several by final score: which that would have been is not in the record.
    """
    total = cost_of(reference.paid, unit)
    if total is not None and cost >= total:
        return reference.final.score, reference.final.valid
    if reference.mode_settings.get("report") == "best_of_returned":
        return None, None
    found = incumbent_at(reference, cost, unit)
    if found is None:
        return None, None
    searched_on_test = reference.mode_settings.get("oracle") == "test"
    return found.final, None if searched_on_test else found.valid


def matched_scores(row: Runs, reference: Runs | None, budget: Budget) -> tuple[list[float] | None, list[float] | None]:
    """Final and validation scores of matched random search, one for each run of ``row`` that has the same seed.

    A failed run is matched at the whole budget: what it paid is not known, and it was free to spend all of it. None
    where one of them does not exist.
    """
    if reference is None:
        return None, None
    unit = unit_of(budget)
    by_seed = {r.seeds.search: r for r in reference.records}
    finals: list[float | None] = []
    valids: list[float | None] = []
    for run in row.records:
        cost = cost_of(run.paid, unit) if run.final.score is not None else float("inf")
        partner = by_seed.get(run.seeds.search)
        final, valid = read_off(partner, cost, unit) if partner is not None and cost is not None else (None, None)
        finals.append(final)
        valids.append(valid)
    return _whole(finals), _whole(valids)


def _whole(values: list[float | None]) -> list[float] | None:
    known = [v for v in values if v is not None]
    return known if len(known) == len(values) else None
