"""CTNAS's controller: the released code's sizes and decisions, its probabilities, and what a reward does to it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harness import Architecture
from harness.search.budget import Budget
from harness.search.oracle import Oracle
from harness.spaces import SearchSpace
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness.testing.synthetic import SyntheticEvaluator
from harness_ctnas.controller import Controller, family, survey
from harness_ctnas.params import CTNASParams
from harness_ctnas.policy import PolicySearch
from harness_nasbench.spaces.chain import ChainSpace
from harness_nasbench.spaces.darts import DartsSpace
from harness_nasbench.spaces.nasbench101 import NASBench101Space
from harness_nasbench.spaces.nasbench201 import NASBench201Space

SPACE = NASBench201Space()


def controller(space: SearchSpace, script: str = "default", seed: int = 0) -> Controller:
    return Controller(space.scripts[script], torch.Generator().manual_seed(seed))


def silenced(found: Controller) -> Controller:
    """All parameters zero: every decision is uniform over what is legal."""
    with torch.no_grad():
        for p in found.parameters():
            p.zero_()
    return found


def test_on_nasbench101_it_has_the_released_number_of_parameters() -> None:
    found = controller(NASBench101Space(), "ctnas")
    assert sum(p.numel() for p in found.parameters()) == 43_016
    assert max(p.abs().max().item() for p in found.parameters()) <= 0.1


def test_on_nasbench101_a_uniform_policy_has_the_probabilities_of_its_18_decisions() -> None:
    """5 counts; a predecessor among i + 1; 3 operations; 2 (8 - n) endpoints among n + 2 nodes."""
    expected = {
        n: math.log(5) + math.lgamma(n + 2) + n * math.log(3) + 2 * (8 - n) * math.log(n + 2) for n in range(1, 6)
    }
    with torch.inference_mode():
        drawn = silenced(controller(NASBench101Space(), "ctnas")).roll_out(200)
    torch.testing.assert_close(drawn.entropy, -drawn.log_p)
    counts = {n: int((abs(-drawn.log_p - e) < 1e-3).sum()) for n, e in expected.items()}
    assert sum(counts.values()) == 200
    assert min(counts.values()) > 20  # 40 expected, standard deviation 5.7


@pytest.mark.parametrize(
    ("space", "script", "families"),
    [
        (SPACE, "default", 1), (ChainSpace(), "default", 1), (DartsSpace(), "default", 5),
        (NASBench101Space(), "default", 2),
    ],
)  # fmt: skip
def test_decisions_of_one_kind_share_their_output(space: SearchSpace, script: str, families: int) -> None:
    """Of DARTS: one list of operations, and pointers at 2 to 5 states. Of NAS-Bench-101: operations, edges."""
    assert len({family(d) for d in survey(space.scripts[script])}) == families


def test_each_cell_has_a_controller_of_its_own() -> None:
    found = controller(DartsSpace())
    sizes = [sum(p.numel() for p in cell.parameters()) for cell in found.cells.values()]
    assert len(sizes) == 2
    assert sizes[0] == sizes[1]


def test_probabilities_of_all_architectures_add_up_to_one() -> None:
    space = ToyEdgeSpace()
    with torch.inference_mode():
        drawn = controller(space, seed=3).roll_out(8000)
    said: dict[Architecture, set[float]] = {}
    for arch, log_p in zip(drawn.archs, drawn.log_p.tolist(), strict=True):
        said.setdefault(arch, set()).add(round(math.exp(log_p), 7))
    assert all(len(p) == 1 for p in said.values())
    assert len(said) == space.size == 256
    assert sum(p.pop() for p in said.values()) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("space", "script", "most"), [(SPACE, "default", 6 * math.log(5)), (NASBench101Space(), "ctnas", 23.1)]
)
def test_draws_follow_their_probabilities(space: SearchSpace, script: str, most: float) -> None:
    """The expected log p of a draw is minus the entropy, both estimated from the same 2,000 draws.

    On NAS-Bench-101 cells of few vertices wait while others decide on theirs. ``most``: of a uniform policy.
    """
    found = controller(space, script, seed=1)
    with torch.no_grad():
        for p in found.parameters():
            p *= 8  # away from uniform
        drawn = found.roll_out(2000)
    gap = drawn.log_p + drawn.entropy
    assert abs(gap.mean().item()) < 5 * gap.std().item() / math.sqrt(2000)
    assert drawn.entropy.mean().item() < 0.9 * most


@pytest.mark.parametrize(
    "space", [ToyNodeSpace(), NASBench101Space(), DartsSpace()], ids=["toy-nodes", "nasbench101", "darts"]
)
def test_every_draw_is_valid(space: SearchSpace) -> None:
    for script in space.scripts:
        assert all(space.is_valid(a) for a in controller(space, script).sample(100))


def test_it_comes_from_its_generator_alone() -> None:
    before = torch.get_rng_state()
    a, b, c = (controller(SPACE, seed=s).sample(20) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert a == b
    assert a != c


def policy(oracle: Oracle, **changes: object) -> PolicySearch:
    return PolicySearch(oracle, CTNASParams(**changes), torch.Generator().manual_seed(0))  # type: ignore[arg-type]


def test_a_reward_draws_the_policy_to_it() -> None:
    """One where the cell holds no 3 x 3 convolution is rewarded 0, else their share."""
    found = policy(Oracle(SyntheticEvaluator(SPACE).validator(), Budget(queries=10)), controller_lr=1e-2)
    reward = lambda archs: np.array([sum(op == 3 for op in a) / 6 for a in archs])  # noqa: E731
    first = reward(found.sample(200)).mean()
    for _ in range(80):
        found.update(20, reward)
    assert first < 0.3
    assert reward(found.sample(200)).mean() > 0.7
    assert found.entropy < 6 * math.log(5)


def test_the_policy_gradient_is_reward_times_score_function() -> None:
    """Zero reward and zero entropy weight: Adam has nothing but its L2 penalty to follow."""
    space = SPACE
    oracle = Oracle(SyntheticEvaluator(space).validator(), Budget(queries=10))
    found = PolicySearch(
        oracle, CTNASParams(entropy=0.0, weight_decay=0.0, controller_lr=1e-2), torch.Generator().manual_seed(0)
    )
    before = [p.detach().clone() for p in found._controller.parameters()]
    found.update(10, lambda archs: np.zeros(len(archs)))
    assert all(torch.equal(a, b) for a, b in zip(before, found._controller.parameters(), strict=True))
    found.update(10, lambda archs: np.ones(len(archs)))
    assert any(not torch.equal(a, b) for a, b in zip(before, found._controller.parameters(), strict=True))


def test_the_best_are_distinct_new_and_in_order() -> None:
    space = ToyEdgeSpace()
    found = policy(Oracle(SyntheticEvaluator(space).validator(), Budget(queries=10)))
    drawn = found.sample(500)
    rank = lambda archs: np.array([float(np.dot(a, [1, 5, 25, 125][: len(a)])) for a in archs])  # noqa: E731
    excluded = {space.key(max(drawn, key=lambda a: rank([a])[0]))}
    best = found.best(rank, 8, excluded)
    values = rank(best).tolist()
    assert len(best) == 8
    assert values == sorted(values, reverse=True)
    keys = space.keys(best)
    assert len(set(keys)) == 8
    assert not excluded & set(keys)
    others = [a for a in drawn if space.key(a) not in excluded | set(keys)]
    assert max(rank(others)) <= values[-1]
    assert sum(found.vertices().values()) == len(found.drawn)
