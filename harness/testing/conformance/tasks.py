"""Strategy checks: every kind of space and task."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from harness.registry.source import documentation
from harness.search.budget import Budget
from harness.spaces import RestrictedSpace
from harness.strategy import Params
from harness.testing.conformance.payment import usable
from harness.testing.conformance.report import Skipped, check, expect
from harness.testing.conformance.subjects import StrategySubject
from harness.testing.synthetic import SyntheticEvaluator

_ODD: dict[str, dict[str, Any]] = {
    "half of the trainings fail": {"nan_share": 0.5},
    "every training fails": {"nan_share": 1.0},
    "lower is better": {"lower_is_better": True},
    "half of the second repeats are missing": {"missing_share": 0.5},
    "resumable fidelities": {"resumable": True},
    "no recorded seconds": {"records_seconds": False},
    "every encoding is trained apart": {"rows": "architecture"},
}


@check("strategy", "the class is complete")
def complete(subject: StrategySubject) -> None:
    """Name, summary, typed parameters that survive a record, a strict mode, ablations that differ and are accepted."""
    cls = subject.cls
    expect(isinstance(getattr(cls, "name", None), str) and cls.name, "it has no name")
    expect(documentation(cls), "it has no summary: write one as the first line of its docstring")
    expect(issubclass(cls.Params, Params), "Params is not a subclass of harness.Params")
    expect(isinstance(cls.Params.smallest(), cls.Params), "Params.smallest() does not give its own class")
    for params in (cls.Params(), cls.Params.smallest()):
        again = msgspec.convert(msgspec.json.decode(msgspec.json.encode(params)), cls.Params)
        expect(again == params, f"{params!r} comes back from a record as {again!r}")
    expect("strict" in cls.modes, "it has no mode 'strict'")
    strict = cls.modes["strict"]
    expect((strict.oracle, strict.report) == ("validation", "first"), f"its mode 'strict' is {strict}")
    expect(not strict.params, "its mode 'strict' sets parameters, which are the defaults' matter")
    plain = msgspec.to_builtins(cls.Params())
    for name, mode in cls.modes.items():
        unknown = set(mode.params) - set(plain)
        expect(not unknown, f"its mode {name!r} sets {', '.join(sorted(unknown))}, which it does not have")
        msgspec.convert({**plain, **mode.params}, cls.Params)
    for name, differing in cls.ablations.items():
        changed = msgspec.convert({**plain, **differing}, cls.Params)
        expect(changed != cls.Params(), f"the ablation {name!r} changes nothing")


@check("strategy", "only valid architectures of the space are queried and returned")
def valid(subject: StrategySubject) -> None:
    """On a space with 184 valid of 256 encodings, and closed over 40 of them."""
    whole = subject.task()
    closed = SyntheticEvaluator(RestrictedSpace(whole.space, list(whole.space.enumerate())[::5]))
    for evaluator in (whole, closed):
        trial = subject.trial(evaluator, Budget(queries=20))
        invalid = trial.oracle.asked["invalid"]
        expect(not invalid, f"{invalid} of {trial.oracle.asked['total']} queries were not of the space")
        usable(trial)


@check("strategy", "it copes with the task", cases=lambda subject: _ODD)
def odd_tasks(subject: StrategySubject, case: str) -> None:
    """It raises nothing and returns valid architectures; nothing at all only where every training fails."""
    trial = subject.trial(subject.task(**_ODD[case]))
    usable(trial, empty=case == "every training fails")


@check("strategy", "it copes with a hard constraint", cases=lambda subject: ("params", "train_seconds"))
def constraint(subject: StrategySubject, case: str) -> None:
    """About half of the architectures break the bound. Where it is known before training, they answer NaN unpaid; where
    it is known only after, they are paid. The search goes on, pays for a feasible one, and ends.
    """
    evaluator = subject.task()
    archs, validator = list(evaluator.space.enumerate()), evaluator.validator()
    measured = validator.validate(archs, fidelity=validator.fidelities[-1]).measured
    bound = np.median({**validator.costs(archs), **measured}[case])
    trial = subject.trial(evaluator, constraints=[f"{case} <= {bound:g}"])
    usable(trial, empty=True)
    expect(any(q.feasible for q in trial.oracle.ledger), "not one feasible architecture was paid for")


@check("strategy", "it copes with a partial table")
def partial_table(subject: StrategySubject) -> None:
    """A third of the rows have no score. Asking for one answers NaN unpaid; the search goes on, pays for those that
    there are, and ends.
    """
    trial = subject.trial(subject.task(unknown_share=1 / 3))
    usable(trial)
    expect(trial.oracle.ledger, "not one architecture was paid for")


@check("strategy", "it searches the space", cases=lambda subject: subject.space_names())
def registered_spaces(subject: StrategySubject, case: str) -> None:
    """Eight queries on made-up scores over the space: it ends, within its budget, with valid architectures alone."""
    evaluator = SyntheticEvaluator(subject.space(case), enumerate_up_to=2_000)
    trial = subject.trial(evaluator, Budget(queries=8))
    usable(trial)
    expect(not trial.oracle.asked["invalid"], f"{trial.oracle.asked['invalid']} queries were not of the space")
    expect(trial.oracle.ledger, "not one architecture was paid for")


@check("strategy", "its learned order and notes can be recorded")
def learned(subject: StrategySubject) -> None:
    """`ranker.rank` gives one finite number an architecture, the same each time, and pays for nothing."""
    trial = subject.trial(subject.task())
    ranker = trial.strategy.ranker
    if ranker is None:
        raise Skipped("it keeps no learned order")
    archs = list(trial.oracle.space.enumerate())[::4]
    paid = len(trial.oracle.ledger)
    first, second = np.asarray(ranker.rank(archs)), np.asarray(ranker.rank(archs))
    expect(first.shape == (len(archs),), f"rank of {len(archs)} architectures has shape {first.shape}")
    expect(all(math.isfinite(x) for x in first), "rank is not finite everywhere")
    expect((first == second).all(), "a second call to rank gave another order")
    expect(len(trial.oracle.ledger) == paid and not trial.overspent, "rank queried the oracle")
