"""SPOS, DARTS, GDAS and ENAS: on a task whose best architecture is known, and as runs of a study."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import pytest
import torch
from shared_trainings import BEST, GAINS, PLAIN, SHARED, dense_validator, known_task, validator, write_small
from studies import comparable, run, study

from harness import Budget, Constraint, Oracle, Provides, Strategy, StudyError
from harness.records.store import read_folder
from harness.registry import Registry
from harness.registry.source import Said, read
from harness.testing import SyntheticEvaluator, ToyEdgeSpace, check_strategy
from harness_oneshot.darts import DifferentiableSearch
from harness_oneshot.enas import EfficientSearch
from harness_oneshot.gdas import GumbelSearch, one_drawn
from harness_oneshot.gradient import strongest
from harness_oneshot.plugin import nas_harness_strategies
from harness_oneshot.sharing import most_accurate_first, right_of
from harness_oneshot.spos import SinglePathOneShot, crossed, mutated
from harness_training.shared_weights import SharedWeights

STRATEGIES: list[type[Strategy]] = [SinglePathOneShot, DifferentiableSearch, GumbelSearch, EfficientSearch]
NAMES = [cls.name for cls in STRATEGIES]
QUICK: dict[str, dict[str, Any]] = {
    "spos": {"population": 16, "statistics": 1},
    "darts": {"lr": 0.05},
    "gdas": {"lr": 0.05},
    "enas": {"lr": 0.01, "steps": 10, "entropy": 0.0, "decay": 0.9},
}


def search(cls: type[Strategy], oracle: Oracle, seed: int = 0, **params: Any) -> tuple[Strategy, list[Any]]:
    strategy = cls(cls.Params(**params))
    return strategy, list(strategy.search(oracle, np.random.default_rng(seed)))


@pytest.mark.parametrize("provides", nas_harness_strategies(), ids=lambda p: p.load)
def test_the_source_says_what_the_class_says(provides: Provides) -> None:
    cls = resolve_name(provides.load)
    assert read(provides.load) == Said(cls.name, str(inspect.getdoc(cls)).splitlines()[0].removesuffix("."))
    assert check_strategy(cls).failed == ()


def test_all_that_the_plugin_provides_is_tested_here() -> None:
    assert [resolve_name(p.load) for p in nas_harness_strategies()] == STRATEGIES


def test_naming_and_describing_them_imports_no_torch() -> None:
    modules = ", ".join(provides.load.partition(":")[0] for provides in nas_harness_strategies())
    code = f"import {modules}, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" not in loaded


@pytest.mark.parametrize("cls", STRATEGIES, ids=NAMES)
def test_the_budget_is_spent_the_seed_decides_and_torch_is_left_as_found(cls: type[Strategy]) -> None:
    before = torch.random.get_rng_state()
    oracle, again, other = (Oracle(validator(), Budget(epochs=6)) for _ in range(3))
    quick = QUICK[cls.name]
    first, found = search(cls, oracle, **quick)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(1)
    second, found_again = search(cls, again, **quick)
    third, others = search(cls, other, seed=1, **quick)
    assert (found, first.notes) == (found_again, second.notes)
    assert (found, first.notes) != (others, third.notes)
    assert all(oracle.space.is_valid(arch) for arch in found)
    assert len(oracle.history) == 0
    assert 6.0 - 0.1 < oracle.paid.epochs < 6.0 + 4 * 8 / 40
    assert oracle.paid.epochs == again.paid.epochs


@pytest.mark.parametrize("cls", STRATEGIES, ids=NAMES)
def test_gradients_are_deterministic_and_torch_is_left_as_found(
    cls: type[Strategy], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    ordinary = SharedWeights.forward

    def watched(self: SharedWeights, *given: Any) -> torch.Tensor:
        logits = ordinary(self, *given)
        if logits.requires_grad:
            logits.register_hook(lambda _: seen.append(torch.are_deterministic_algorithms_enabled()))
        return logits

    monkeypatch.setattr(SharedWeights, "forward", watched)
    search(cls, Oracle(validator(), Budget(epochs=4)), **QUICK[cls.name])
    assert seen
    assert all(seen)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("cls", STRATEGIES, ids=NAMES)
def test_a_budget_that_ends_at_once_still_has_an_answer(cls: type[Strategy]) -> None:
    oracle = Oracle(validator(), Budget(epochs=0.01))
    _, found = search(cls, oracle)
    assert oracle.ended_by == "epochs"
    assert oracle.space.is_valid(found[0])


@pytest.mark.parametrize("cls", STRATEGIES, ids=NAMES)
def test_it_is_refused_where_nothing_is_trained(cls: type[Strategy]) -> None:
    with pytest.raises(StudyError, match="weights are shared only where networks are trained"):
        search(cls, Oracle(SyntheticEvaluator(ToyEdgeSpace()).validator(), Budget(queries=3)))
    with pytest.raises(StudyError, match="set epochs in it"):
        search(cls, Oracle(validator(), Budget(queries=3)))


def test_darts_finds_the_best_options_where_they_are_known() -> None:
    for seed in range(2):
        _, found = search(DifferentiableSearch, Oracle(known_task(), Budget(epochs=150)), seed, **QUICK["darts"])
        assert found == [BEST]


def test_gdas_finds_the_best_options_where_they_are_known() -> None:
    for seed in range(2):
        _, found = search(GumbelSearch, Oracle(known_task(), Budget(epochs=150)), seed, **QUICK["gdas"])
        assert found == [BEST]


def test_a_step_of_gdas_costs_two_single_paths() -> None:
    oracle = Oracle(validator(held=24), Budget(epochs=6))
    strategy, _ = search(GumbelSearch, oracle)
    n, batch = 40, 8
    assert oracle.paid.epochs == pytest.approx(strategy.notes["steps"] * 2 * batch / n, abs=batch / n)


def test_gdas_draws_one_option_by_its_probability_with_gradients_of_the_softmax() -> None:
    rng = np.random.default_rng(0)
    alphas = torch.tensor([1.0, 0.0, -1.0, 0.5], requires_grad=True)
    drawn = torch.stack([one_drawn(alphas, 1.0, rng).detach() for _ in range(4000)])
    assert torch.allclose(drawn.sum(1), torch.ones(4000))
    assert ((drawn == 0).sum(1) == 3).all(), "what was not drawn is exactly 0, so that it is not evaluated"
    assert torch.allclose(drawn.mean(0), alphas.detach().softmax(0), atol=0.03)
    for temperature in (0.5, 5.0):
        route = one_drawn(alphas, temperature, np.random.default_rng(3))
        noise = torch.tensor(np.random.default_rng(3).gumbel(size=4), dtype=torch.float32)
        soft = ((alphas.log_softmax(0) + noise) / temperature).softmax(0)
        chosen = int(route.argmax())
        (ours,) = torch.autograd.grad(route[chosen], alphas)
        (theirs,) = torch.autograd.grad(soft[chosen], alphas)
        assert torch.allclose(ours, theirs)


def test_enas_learns_to_draw_what_classifies_right() -> None:
    """Uniform options add up to more than nothing in some 55 of 100 architectures; only these are right."""
    strategy, found = search(EfficientSearch, Oracle(known_task(), Budget(epochs=80)), **QUICK["enas"])
    assert strategy.notes["baseline"] > 0.85
    assert sum(GAINS[option] or 0.0 for option in found[0]) > 0


@pytest.mark.parametrize("epochs", np.linspace(2.0, 3.0, 16).tolist())
def test_enas_judges_all_that_it_derives(epochs: float) -> None:
    strategy, found = search(EfficientSearch, Oracle(validator(), Budget(epochs=epochs)), **QUICK["enas"])
    assert strategy.notes["judged"] == len(found) > 5


def test_enas_ranks_what_it_judged_before_the_budget_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 of 10 are paid for, and their images are right as often as their options have large numbers."""
    drawn: list[tuple[int, ...]] = []

    def right(training: Any, supernet: Any, batch: Any, path: tuple[int, ...]) -> float:
        with torch.no_grad():
            training.forward(supernet, batch, path)
        drawn.append(path)
        return math.nan if len(drawn) == 1 else sum(path)

    monkeypatch.setattr("harness_oneshot.enas.right_of", right)
    strategy, found = search(EfficientSearch, Oracle(validator(), Budget(epochs=4 / 15 - 0.01)))
    assert strategy.notes["judged"] == len(drawn) == 4
    assert found[:4] == [*sorted(drawn[1:], key=sum, reverse=True), drawn[0]]
    assert len(set(found)) == len(found) > 4


def test_what_is_no_number_is_ranked_last() -> None:
    scores = {(0,): 1.0, (1,): math.nan, (2,): 3.0, (3,): 0.0, (4,): math.nan, (5,): 3.0}
    assert most_accurate_first(scores) == [(2,), (5,), (0,), (3,), (1,), (4,)]


def test_logits_that_are_no_number_are_not_counted_as_right() -> None:
    task = known_task()
    training = task.training(lambda **_: None)
    assert training is not None
    supernet = training.supernet(np.random.default_rng(0))
    batch = next(training.batches("validation", np.random.default_rng(0)))
    assert right_of(training, supernet, batch, BEST) > 0
    with torch.no_grad():
        next(iter(supernet.parameters())).fill_(math.inf)
    assert math.isnan(right_of(training, supernet, batch, BEST))


def test_spos_returns_the_best_of_what_it_judged() -> None:
    strategy, found = search(SinglePathOneShot, Oracle(known_task(), Budget(epochs=60)), **QUICK["spos"])
    assert isinstance(strategy, SinglePathOneShot)
    assert strategy.notes["train_epochs"] == 30.0
    judged = strategy.accuracies
    assert judged[found[0]] == max(judged.values()) == strategy.notes["supernet_accuracy"] > 95
    assert [judged[a] for a in found] == sorted(judged.values(), reverse=True)[:10]


def test_spos_keeps_known_constraints() -> None:
    costs = validator().costs([(3,) * 6, (2,) * 6])["params"]
    oracle = Oracle(validator(), Budget(epochs=6), constraints=[Constraint("params", "<=", float(costs[1]))])
    strategy, found = search(SinglePathOneShot, oracle, **QUICK["spos"])
    assert isinstance(strategy, SinglePathOneShot)
    assert strategy.accuracies
    assert all(oracle.feasible(arch) for arch in (*strategy.accuracies, *found))


def test_spos_answers_within_known_constraints_where_it_judged_nothing() -> None:
    bound = float(validator().costs([(1,) * 6])["params"][0])
    for seed in range(5):
        oracle = Oracle(validator(), Budget(epochs=0.01), constraints=[Constraint("params", "<=", bound)])
        _, found = search(SinglePathOneShot, oracle, seed)
        assert [oracle.feasible(arch) for arch in found] == [True]


@pytest.fixture
def free_judging(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """What was judged, in order: an architecture is the better the larger its options' numbers are."""
    judged: list[tuple[int, ...]] = []

    def accuracy(self: SharedWeights, network: Any, path: tuple[int, ...], *_: Any, **__: Any) -> float:
        judged.append(path)
        return float(sum(path))

    monkeypatch.setattr(SharedWeights, "accuracy", accuracy)
    return judged


def test_spos_fills_every_generation(free_judging: list[tuple[int, ...]]) -> None:
    strategy, _ = search(SinglePathOneShot, Oracle(validator(), Budget(epochs=1)))
    assert strategy.notes["judged"] == len(set(free_judging)) == 20 * 50


def test_spos_mutates_where_crossover_gives_nothing_new(free_judging: list[tuple[int, ...]]) -> None:
    """Of one parent there is but one child by crossover, itself."""
    search(SinglePathOneShot, Oracle(validator(), Budget(epochs=1)), parents=1, population=40, generations=2)
    best, children = max(free_judging[:40], key=sum), free_judging[40:]
    assert len(children) == 40
    changed = [sum(x != y for x, y in zip(child, best, strict=True)) for child in children]
    assert sum(n <= 2 for n in changed[:20]) >= 12, "mutants"
    assert sum(n <= 2 for n in changed[20:]) <= 5, "uniform draws"


def test_spos_judges_a_small_space_whole(free_judging: list[tuple[int, ...]]) -> None:
    search(SinglePathOneShot, Oracle(known_task(), Budget(epochs=1)))
    assert len(free_judging) == len(set(free_judging)) == 4**4


def test_spos_children_come_from_their_parents() -> None:
    rng = np.random.default_rng(0)
    a, b = (0, 0, 0, 0, 0, 0), (1, 2, 3, 4, 1, 2)
    children = {crossed(a, b, rng) for _ in range(200)}
    assert all(x in (p, q) for child in children for x, p, q in zip(child, a, b, strict=True))
    assert len(children) > 40
    changed = [sum(x != y for x, y in zip(b, mutated(b, (5,) * 6, 0.1, rng), strict=True)) for _ in range(2000)]
    assert np.mean(changed) == pytest.approx(6 * 0.1 * 4 / 5, abs=0.05)


def test_spos_judges_a_path_by_its_own_statistics() -> None:
    """So that what was judged before has no part in it."""
    training = validator().training(lambda **_: None)
    assert training is not None
    supernet = training.supernet(np.random.default_rng(0))
    one, two = (3,) * 6, (1, 2, 3, 4, 1, 2)

    def judged(arch: tuple[int, ...]) -> float:
        return training.accuracy(supernet, arch, np.random.default_rng(1), statistics=4, size=20)

    first = judged(one)
    judged(two)
    assert judged(one) == first


def test_darts_takes_the_strongest_option_that_carries_anything() -> None:
    alphas = [
        np.array(row) for row in ([9.0, 0.1, 0.2, 0.3, 0.1], [0.0, -1.0, -0.5, -2.0, -0.6], [1.0, 5.0, 2.0, 0.0, 0.0])
    ]
    assert strongest(alphas, [(False, True, True, True, True)] * 3) == (3, 2, 1)
    assert strongest(alphas, [(True,) * 5] * 3) == (0, 0, 1)
    assert strongest([np.array([1.0, 2.0])], [(False, False)]) == (1,)


def test_darts_keeps_the_inputs_that_are_most_probable() -> None:
    """By the probability of the option that they would have, ``none`` counted in it."""
    alphas = [np.array(row) for row in ([9.0, 5.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0], [0.0, 2.0, 0.0])]
    options = [(False, True, True)] * 4
    assert strongest(alphas, options) == (1, 1, 2, 1)
    assert strongest(alphas, options, [((0, 1, 2), 2), ((3,), 2)]) == (0, 1, 2, 1)
    assert strongest(alphas, options, [((0, 1, 2, 3), 1)]) == (0, 0, 2, 0)
    assert strongest(alphas, [(True, True, True)] * 4, [((0, 1, 2, 3), 1)]) == (0, 1, 2, 1), "nothing to become"


@pytest.mark.parametrize("cls", [DifferentiableSearch, GumbelSearch])
def test_on_cells_of_darts_a_node_has_two_inputs(cls: type[Strategy]) -> None:
    oracle = Oracle(dense_validator(), Budget(epochs=10))
    strategy, (found,) = search(cls, oracle)
    assert strategy.notes["steps"] >= 1
    edges = [j for _ in range(2) for j in range(2, 7) for _ in range(j)]
    inputs = Counter((place // 20, j) for place, j in enumerate(edges) if found[place])
    assert inputs == {(cell, j): 2 for cell in range(2) for j in range(2, 7)}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path / "data"))
    write_small(tmp_path / "data")
    return Registry()


def test_records_are_the_same_in_this_process_and_in_others(small: Registry, tmp_path: Path) -> None:
    given = study(*NAMES, tasks=(PLAIN,), seeds=1, budget=Budget(epochs=3))
    summary, here = run(small, tmp_path / "here", given)
    assert not [r.error for r in here if r.failed]
    _, others = run(small, tmp_path / "others", given, executor="process", jobs=2)
    assert comparable(here) == comparable(others)
    own = [r for r in read_folder(summary.folder).searches.values() if r.spec.strategy in NAMES]
    assert len(own) == len(STRATEGIES)
    assert all(r.ended_by == "epochs" and r.paid.queries == 0 and 3 <= r.paid.epochs < 5 for r in own)


def test_a_study_with_another_budget_or_task_is_refused_before_it_starts(small: Registry, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="shared weights are paid for in epochs"):
        run(small, tmp_path, study("spos", tasks=(PLAIN,), queries=3))
    with pytest.raises(StudyError, match="spos trains networks itself, for which .*shared' offers no images"):
        run(small, tmp_path, study("spos", tasks=(SHARED,), queries=3))
