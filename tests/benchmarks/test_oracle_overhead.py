"""What the harness costs: regularized evolution through it, against the same algorithm with nothing around it.

Trials per second, repeats included, over a whole search; processor time, bare and harness by
turns with fresh seeds, the median of the ratios. The harness's side opens nothing but does all that a run does:
oracle, ledger, and the record with its final score, rank, regret, keys and digest.
"""

from __future__ import annotations

import importlib.util
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
from benchmarks.bare_rea import bare_rea

from harness.errors import BudgetExhausted
from harness.protocol import Evaluator
from harness.registry import Registry
from harness.running.items import SearchPart
from harness.running.plan import make_plan
from harness.running.runner import Runner
from harness.running.study import Study
from harness.search.budget import Budget
from harness.search.oracle import Oracle
from harness.spaces import scalar_rng
from harness_baselines.regularized_evolution import GENERAL, SETTINGS, RegularizedEvolution
from harness_nasbench.nasbench201_import import import_table

REPEATS = 25
FLOORS = {2_000: 0.5, 445: 0.42}
"""Of bare speed, by paid queries: the record weighs more where there are few."""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory):
    """A data folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        where = tmp_path_factory.mktemp("tables")
        patch.setenv("NAS_HARNESS_DATA", str(where))
        yield where


@pytest.fixture(scope="module")
def runner(tables: Path):
    return Runner(Registry())


@pytest.fixture(scope="module")
def graph(runner: Runner):
    if importlib.util.find_spec("nas_bench_graph") is None:
        pytest.skip("the extra 'graph' is not installed")
    return runner.evaluators("nasbench-graph/cora")


@pytest.fixture(scope="module")
def nasbench201(runner: Runner, tables: Path, shared_data: Path):
    import_table(shared_data / "nasbench201.csv", tables)
    return runner.evaluators("nasbench201/cifar10")


def scores_of(evaluator: Evaluator) -> dict[tuple[int, ...], float]:
    validator, archs = evaluator.validator(), list(evaluator.space.enumerate())
    return dict(zip(archs, validator.validate(archs, fidelity=validator.fidelities[-1]).valid.tolist(), strict=True))


def sizes(evaluator: Evaluator) -> dict[str, int]:
    population, sample = SETTINGS.get(evaluator.space.name, GENERAL)
    return {"population": population, "sample": sample}


def test_bare_and_harness_are_the_same_algorithm(nasbench201):
    """From the same first population and generator they make the same trials."""
    oracle = Oracle(nasbench201.validator(), Budget(queries=1_000))
    with pytest.raises(BudgetExhausted):
        RegularizedEvolution().search(oracle, np.random.default_rng(7))
    rng = np.random.default_rng(7)
    draw = scalar_rng(rng)
    initial = nasbench201.space.sample(rng, 10)
    known, trials = bare_rea(
        scores_of(nasbench201), (5,) * 6, queries=1_000, rng=draw, initial=initial, **sizes(nasbench201)
    )
    assert [e.arch for e in oracle.ledger] == list(known)
    assert [e.score for e in oracle.ledger] == list(known.values())
    # The call that finds the budget spent is not counted.
    assert oracle.asked["total"] == trials


def seconds_per_trial(search: Callable[[], int]) -> float:
    started = time.process_time()
    trials = search()
    return (time.process_time() - started) / trials


@pytest.mark.parametrize("queries", FLOORS)
@pytest.mark.parametrize("task", ["graph", "nasbench201"])
def test_regularized_evolution_keeps_half_of_bare_speed(task, queries, request, runner, benchmark):
    evaluator = request.getfixturevalue(task)
    study = msgspec.convert(
        {
            "name": "overhead", "seeds": REPEATS, "budget": {"queries": queries},
            "tasks": [{"name": evaluator.task.name}], "strategies": [{"name": "regularized-evolution"}],
        },
        Study,
    )  # fmt: skip
    plan = make_plan(study, runner.registry, runner.evaluators)
    items = [
        SearchPart(spec=spec, outcomes=tuple(plan.outcomes[spec.id]), title="")
        for spec in plan.searches.values()
        if spec.strategy == "regularized-evolution"
    ]
    scores, radices = scores_of(evaluator), evaluator.space.radices
    records = []

    def bare(seed: int) -> int:
        return bare_rea(scores, radices, queries=queries, rng=random.Random(seed), **sizes(evaluator))[1]

    def searched(seed: int) -> int:
        oracle = Oracle(evaluator.validator(), Budget(queries=queries))
        with pytest.raises(BudgetExhausted):
            RegularizedEvolution().search(oracle, np.random.default_rng(seed))
        return oracle.asked["total"]

    def whole(seed: int) -> int:
        found = runner.carry_out(items[seed])
        assert found.search is not None
        assert found.search.status == "ok"
        records.append(found.search)
        return found.search.asked.total

    def by_turns() -> list[list[float]]:
        return [[seconds_per_trial(partial(side, i)) for side in (bare, searched, whole)] for i in range(REPEATS)]

    bare(0), whole(0)  # nothing is measured cold
    times = benchmark.pedantic(by_turns, rounds=1)
    assert all(r.status == "ok" and r.paid.queries == queries for r in records)
    ratio = {side: statistics.median(t[0] / t[i] for t in times) for i, side in ((1, "search"), (2, "whole"))}
    benchmark.extra_info |= {
        "task": evaluator.task.name, "queries": queries, "repeats": REPEATS,
        "trials": statistics.median(r.asked.total for r in records),
        "microseconds_per_trial": [round(1e6 * statistics.median(side), 2) for side in zip(*times, strict=True)],
        "ratio": ratio,
    }  # fmt: skip
    print(benchmark.extra_info)
    assert ratio["whole"] >= FLOORS[queries], benchmark.extra_info
