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
def task(toy: Registry) -> OpenTask:
    return make_plan(study("toy-sampler", tasks=("toy/trained",)), toy).tasks[0]


def limit(t: OpenTask, archs: Sequence[Architecture], quantity: str) -> Constraint:
    """Half of the architectures satisfy it."""
    validator = t.search.validator()
    measured = validator.validate(archs, fidelity=validator.fidelities[-1]).measured
    return Constraint(quantity, "<=", float(np.median({**validator.costs(archs), **measured}[quantity])))


def changed(t: OpenTask, **spec: Any) -> OpenTask:
    return replace(t, spec=msgspec.structs.replace(t.spec, **spec))


def test_no_more_is_trained_than_it_takes_to_find_the_draws(task: OpenTask) -> None:
    t = task
    space = t.evaluator.space
    order = space.sample(stream(0, "random sampling", space.name, t.spec.law), 200)
    cheap, short = limit(t, order, "params"), limit(t, order, "train_seconds")
    counting = Counting(t.search)
    found = draws_of(changed(replace(t, search=counting), constraints=(cheap, short)))  # type: ignore[arg-type]
    validator = t.search.validator()
    small = [a for a in order if cheap.hold(validator.costs([a])["params"])[0]]

    def fits(arch: Architecture) -> bool:
        measured = validator.validate([arch], fidelity=validator.fidelities[-1]).measured
        return bool(short.hold(measured["train_seconds"])[0])

    fitting = [i for i, arch in enumerate(small) if fits(arch)][:8]
    assert found == [small[i] for i in fitting]
    assert counting.trained == small[: fitting[-1] + 1]
    assert counting.opened == counting.closed


def test_every_task_of_a_space_that_trains_draws_the_same(task: OpenTask) -> None:
    assert draws_of(task) == draws_of(changed(task, task="toy/other"))
    evaluator = copy(task.evaluator)
    evaluator.task = replace(task.task, recorded=True)
    recorded = replace(task, evaluator=evaluator)
    assert draws_of(recorded) != draws_of(changed(recorded, task="toy/other"))
