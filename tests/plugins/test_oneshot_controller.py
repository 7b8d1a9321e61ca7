"""ENAS's controller: a distribution over architectures, and REINFORCE on it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from harness_oneshot.controller import BOUND, Controller

RADICES = (2, 3, 4)


def controller(seed: int = 0) -> Controller:
    return Controller(RADICES, np.random.default_rng(seed))


def test_probabilities_of_all_architectures_sum_to_one() -> None:
    policy = controller()
    with torch.no_grad():
        judged = [policy.judge(arch) for arch in product(*map(range, RADICES))]
    log_p = torch.stack([j.log_p for j in judged]).double()
    assert float(log_p.exp().sum()) == pytest.approx(1.0, abs=1e-5)
    assert float(log_p.min()) > -sum(np.log(r) + 2 * BOUND for r in RADICES), "tanh bounds the logits"


def test_what_is_drawn_is_judged_alike_and_drawn_as_often_as_it_is_probable() -> None:
    policy = controller()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(20.0)  # far from uniform
        drawn = [policy.draw() for _ in range(1000)]
        for one in drawn[:20]:
            again = policy.judge(one.arch)
            assert (again.arch, float(again.log_p), float(again.entropy)) == (
                one.arch, float(one.log_p), float(one.entropy)
            )  # fmt: skip
        archs = list(product(*map(range, RADICES)))
        wanted = np.array([float(policy.judge(a).log_p.exp()) for a in archs])
    counted = np.array([sum(d.arch == a for d in drawn) for a in archs]) / len(drawn)
    assert np.abs(counted - wanted).max() < 4 * np.sqrt(0.25 / len(drawn))
    assert wanted.max() > 3 * wanted.min()


def test_entropy_of_one_choice_is_that_of_its_distribution() -> None:
    policy = Controller((5,), np.random.default_rng(1))
    with torch.no_grad():
        p = np.array([float(policy.judge((option,)).log_p.exp()) for option in range(5)])
        assert float(policy.draw().entropy) == pytest.approx(float(-(p * np.log(p)).sum()), abs=1e-5)


def test_a_step_of_reinforce_makes_the_rewarded_more_probable() -> None:
    policy = controller()
    arch = (1, 2, 3)
    adam = torch.optim.Adam(policy.parameters(), 0.01)
    before = policy.judge(arch)
    torch.autograd.backward(-before.log_p * 1.0)
    adam.step()
    assert float(policy.judge(arch).log_p.detach()) > float(before.log_p.detach())


def test_the_generator_decides_and_torch_is_left_as_found() -> None:
    before = torch.random.get_rng_state()
    assert controller().draw().arch == controller().draw().arch
    assert torch.equal(torch.random.get_rng_state(), before)
    first, again, other = (next(controller(s).parameters()) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
