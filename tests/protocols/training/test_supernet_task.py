"""Tasks that answer from a supernet: trained once a seed, kept, and without a part in final scores."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from shared_trainings import PLAIN, SHARED, write_small
from studies import comparable, run

from harness import Budget, Evaluator, HarnessError, Oracle, RunContext, StudyError
from harness.registry import Registry
from harness.running.study import StrategySpec, Study, TaskSpec
from harness.testing import assert_conforms
from harness_training.networks.supernet import SharedNetwork
from harness_training.protocol import LiveTraining
from harness_training.protocol_files import load_recipe
from harness_training.store import WEIGHTS, kept, prune, stock
from harness_training.supernet_task import SharedPaths, SupernetEvaluator

ARCHS = [(3,) * 6, (1, 2, 0, 4, 3, 2), (0,) * 6, (2, 2, 1, 1, 3, 3)]


@pytest.fixture
def small(data_folder: Path) -> Path:
    write_small(data_folder)
    return data_folder


def opened(registry: Registry, name: str = SHARED) -> Evaluator:
    return registry.protocol("train").open(registry.task(name))


def scores(evaluator: Evaluator, seed: int = 0, archs: list[tuple[int, ...]] = ARCHS) -> list[float]:
    validator = evaluator.validator(context=RunContext(seed=seed))
    found: list[float] = validator.validate(archs, fidelity=validator.fidelities[-1]).valid.tolist()
    return found


def test_a_supernet_is_trained_once_for_a_seed(
    registry: Registry, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[int] = []
    ordinary = SharedPaths._fit

    def counted(self: SharedPaths, network: object) -> None:
        fits.append(self._seed)
        ordinary(self, network)  # type: ignore[arg-type]

    monkeypatch.setattr(SharedPaths, "_fit", counted)
    first = scores(opened(registry))
    assert fits == [0]
    assert scores(opened(registry), archs=ARCHS[::-1]) == first[::-1], "from the store, in any order of asking"
    assert fits == [0]
    other = scores(opened(registry), seed=1)
    assert fits == [0, 1]
    assert other != first
    assert all(0 <= x <= 100 for x in first + other)
    assert [(s.kind, s.trainings) for s in stock()] == [("validation, supernets", 2)]
    (damaged, _) = (k.path for k in kept() if k.path.suffix == WEIGHTS)
    damaged.write_bytes(damaged.read_bytes()[:100])
    again = [scores(opened(registry), seed=s) for s in (0, 1)]
    assert again == [first, other], "a damaged file is trained anew, to the same bits"
    assert len(fits) == 3
    assert prune(most_bytes=0)[0] == 2


def test_isomorphic_cells_are_one_row_and_cells_that_carry_nothing_are_at_chance(
    registry: Registry, small: Path
) -> None:
    one, twin, dead, dead_too = scores(
        opened(registry), archs=[(1, 0, 0, 0, 3, 0), (1, 0, 0, 3, 0, 0), (0,) * 6, (3, 3, 3, 0, 0, 0)]
    )
    assert one == twin
    assert dead == dead_too
    assert dead < 25


def test_queries_cost_no_epochs_and_no_weights_are_shared_further(registry: Registry, small: Path) -> None:
    evaluator = opened(registry)
    assert evaluator.provenance()["supernet_epochs"] == 3
    assert evaluator.data_digest != opened(registry, PLAIN).data_digest
    oracle = Oracle(evaluator.validator(), Budget(queries=2))
    assert oracle.training is None
    oracle.query(ARCHS[0])
    assert (oracle.paid.queries, oracle.paid.epochs, oracle.fidelities[-1].epochs) == (1, 0.0, None)
    with pytest.raises(StudyError, match="limits epochs, but the task records none"):
        Oracle(evaluator.validator(), Budget(epochs=10))


def test_final_scores_are_those_of_the_task_without_it(registry: Registry, small: Path) -> None:
    finals = [opened(registry, n).final_scores(ARCHS[:1], final="trained", seed=0).scores for n in (PLAIN, SHARED)]
    np.testing.assert_array_equal(*finals)
    assert len(kept()) == 1, "one training, which the other task found in the store"


def test_a_path_whose_weights_overflow_is_a_failed_training(
    registry: Registry, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflown(self: SharedPaths, network: SharedNetwork) -> None:
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if ".options.3." in name:
                    parameter.fill_(math.inf)

    monkeypatch.setattr(SharedPaths, "_fit", overflown)
    oracle = Oracle(opened(registry).validator(), Budget(queries=2))
    assert math.isnan(oracle.query((3,) * 6))
    oracle.query((2,) * 6)
    assert oracle.incumbent is not None
    assert (oracle.incumbent.arch, oracle.paid.queries) == ((2,) * 6, 2)


def test_it_conforms(registry: Registry, small: Path) -> None:
    assert_conforms(LiveTraining, tasks=[SHARED])


def test_networks_without_a_supernet_are_refused_when_the_task_is_opened(registry: Registry, small: Path) -> None:
    file = small / "protocols" / "digits" / "shared.toml"
    file.write_text(file.read_text().replace("[data]", "[network.darts]\nlayers = 2\n[data]"))
    with pytest.raises(HarnessError, match=r"digits@darts\+shared: the networks of darts have no supernet"):
        opened(registry, SHARED.replace("nasbench201", "darts"))


@pytest.mark.parametrize(("data", "plain"), [("digits", "smoke"), ("cluttered-digits", "base")])
def test_shipped_ones_train_finally_as_the_protocol_that_they_name(data: str, plain: str) -> None:
    alone, shared = (load_recipe(data, p) for p in (plain, "supernet"))
    assert shared.supernet is not None
    assert (alone.train, alone.augment, alone.data) == (shared.train, shared.augment, shared.data)
    assert shared.network.items() <= alone.network.items()


def test_other_strategies_search_on_it_and_are_scored_from_scratch(
    registry: Registry, small: Path, tmp_path: Path
) -> None:
    given = Study(
        name="s", budget=Budget(queries=4), seeds=2, reference_seeds=2,
        strategies=(StrategySpec(name="regularized-evolution", params={"population": 2, "sample": 2}),),
        tasks=(TaskSpec(name=PLAIN, search_task=SHARED),),
    )  # fmt: skip
    _, cold = run(registry, tmp_path / "cold", given)
    _, warm = run(registry, tmp_path / "warm", given)
    assert comparable(cold) == comparable(warm)
    assert all(not r.failed and r.paid is not None and r.paid.epochs is None for r in cold)
    assert {r.search.provenance["search_task"]["supernet_epochs"] for r in cold if r.search} == {3}
    assert isinstance(opened(registry), SupernetEvaluator)
