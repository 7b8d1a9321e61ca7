"""What random sampling draws on tasks that train, and that it trains no more than it takes to draw."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from studies import study

from harness import Architecture, Evaluator, Fidelity, RunContext, Validation, Validator
from harness.records.identity import stream
from harness.registry import Registry
from harness.running.plan import OpenTask, make_plan
from harness.running.sampling import draws_of
from harness.search.constraints import Constraint


class Counting:
    """An evaluator whose validators count what they train, and what is closed."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator, self.trained, self.opened, self.closed = evaluator, [], 0, 0  # type: tuple[Any, list[Architecture], int, int]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.evaluator, name)

    def validator(self, column: str = "validation", context: RunContext = RunContext()) -> Validator:
        made = copy(self.evaluator.validator(column, context))  # it hands out the same one each time
        validate, close = made.validate, made.close
        self.opened += 1

        def counted(archs: Sequence[Architecture], *, fidelity: Fidelity, repeat: int | None = None) -> Validation:
            self.trained += archs
            return validate(archs, fidelity=fidelity, repeat=repeat)

        def closed() -> None:
            self.closed += 1
            close()

        made.validate, made.close = counted, closed  # type: ignore[method-assign]
        return made


@pytest.fixture
def task(toy: Registry) -> tuple[OpenTask, Any]:
    plan = make_plan(study("toy-sampler", tasks=("toy/trained",)), toy)
    return plan.tasks[0], plan.samplings[0]


def limit(t: OpenTask, archs: Sequence[Architecture], quantity: str) -> Constraint:
    """Half of the architectures satisfy it."""
    validator = t.search.validator()
    measured = validator.validate(archs, fidelity=validator.fidelities[-1]).measured
    return Constraint(quantity, "<=", float(np.median({**validator.costs(archs), **measured}[quantity])))


def test_no_more_is_trained_than_it_takes_to_find_the_draws(task: tuple[OpenTask, Any]) -> None:
    t, spec = task
    space = t.evaluator.space
    order = space.sample(stream(0, "random sampling", space.name, spec.law), 200)
    cheap, short = limit(t, order, "params"), limit(t, order, "train_seconds")
    counting = Counting(t.search)
    found = draws_of(replace(t, search=counting), msgspec.structs.replace(spec, constraints=(cheap, short)))  # type: ignore[arg-type]
    validator = t.search.validator()
    small = [a for a in order if cheap.hold(validator.costs([a])["params"])[0]]

    def fits(arch: Architecture) -> bool:
        measured = validator.validate([arch], fidelity=validator.fidelities[-1]).measured
        return bool(short.hold(measured["train_seconds"])[0])

    fitting = [i for i, arch in enumerate(small) if fits(arch)][:8]
    assert found == [small[i] for i in fitting]
    assert counting.trained == small[: fitting[-1] + 1]
    assert counting.opened == counting.closed


def test_every_task_of_a_space_that_trains_draws_the_same(task: tuple[OpenTask, Any]) -> None:
    t, spec = task
    other = msgspec.structs.replace(spec, task="toy/other")
    assert draws_of(t, spec) == draws_of(t, other)
    recorded = replace(t, task=replace(t.task, recorded=True))
    assert draws_of(recorded, spec) != draws_of(recorded, other)
