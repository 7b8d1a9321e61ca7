"""REINFORCE: its policy, gradient and optimiser against independent computations, and that it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
from landscapes import Grid, Landscape, run

from harness.spaces import RestrictedSpace
from harness.testing.spaces import ToyNodeSpace
from harness_baselines.policy import SGD, Adam, MovingAverage, Policy
from harness_baselines.reinforce import Reinforce, ReinforceParams

UNEVEN = Grid(2, 5, 3)


def policy(space=UNEVEN, scale=1.0, seed=0):
    return Policy(space, np.random.default_rng(seed), scale)


def test_log_p_sums_to_one_over_the_space():
    archs = list(UNEVEN.enumerate())
    assert np.exp(policy().rank(archs)).sum() == pytest.approx(1.0)


def test_draws_follow_the_probabilities():
    rng, p, n = np.random.default_rng(1), policy(), 20_000
    archs = list(UNEVEN.enumerate())
    counts = dict.fromkeys(archs, 0)
    for _ in range(n):
        arch, own = p.draw(rng)
        assert own
        counts[arch] += 1
    expected = np.exp(p.rank(archs))
    sigma = np.sqrt(n * expected * (1 - expected))
    assert (np.abs([counts[a] for a in archs] - n * expected) < 5 * sigma + 1).all()


def test_the_score_function_is_the_gradient_of_log_p():
    p, arch, h = policy(), (1, 3, 0), 1e-6
    gradient = p.score_function(arch)
    for place in zip(*np.nonzero(np.isfinite(p.logits)), strict=True):
        before = p.rank([arch])[0]
        p.logits[place] += h
        assert gradient[place] == pytest.approx((p.rank([arch])[0] - before) / h, abs=1e-5)
        p.logits[place] -= h
    assert (gradient[~np.isfinite(p.logits)] == 0).all()


def test_adam_agrees_with_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(4, 5))
    theirs = torch.tensor(logits.copy(), requires_grad=True)
    reference = torch.optim.Adam([theirs], lr=0.05, maximize=True)
    mine = Adam(0.05)
    for _ in range(50):
        gradient = rng.normal(size=(4, 5)) * rng.choice([1e-3, 1.0, 100.0])
        mine.step(logits, gradient)
        theirs.grad = torch.tensor(gradient)
        reference.step()
    np.testing.assert_allclose(logits, theirs.detach().numpy(), rtol=1e-10)


def test_sgd_ascends():
    logits = np.zeros(3)
    SGD(0.1).step(logits, np.array([1.0, -2.0, 0.0]))
    np.testing.assert_allclose(logits, [0.1, -0.2, 0.0])


def test_the_moving_average_is_corrected_for_its_start():
    average = MovingAverage(0.9)
    assert [average.update(7.0) for _ in range(3)] == pytest.approx([7.0, 7.0, 7.0])
    # (0.9 * 10 + 20) / 1.9: weights 0.09 and 0.1, over 0.19.
    average = MovingAverage(0.9)
    average.update(10.0)
    assert average.update(20.0) == pytest.approx(29.0 / 1.9)


def test_invalid_encodings_are_drawn_again():
    space, rng = ToyNodeSpace(), np.random.default_rng(0)
    p = policy(space, 1e-3)
    drawn = [p.draw(rng) for _ in range(300)]
    assert all(own and space.is_valid(arch) for arch, own in drawn)
    assert len({arch for arch, _ in drawn}) > 50


def test_the_space_draws_where_the_policy_finds_nothing_valid():
    only = (1, 2, 3, 4, 5, 6, 7, 8)
    space = RestrictedSpace(Grid(*[9] * 8), [only])
    assert policy(space).draw(np.random.default_rng(0)) == (only, False)
    strategy = Reinforce()
    oracle = run(strategy, Landscape(space, sum, rows=[only]), queries=5)
    assert oracle.paid[0] == 1
    assert strategy.notes["not_of_the_policy"] >= 1


def test_learns_where_choices_matter_one_by_one():
    """Its learned order puts the optimum of a separable landscape first, and it queries better and better."""
    space = Grid(5, 5, 5, 5, 5, 5)
    task = Landscape(space, lambda a: 90.0 + sum(a) / 4)
    strategy = Reinforce(ReinforceParams(lr=0.1))
    oracle = run(strategy, task, queries=300)
    archs = list(space.enumerate())
    assert archs[int(strategy.ranker.rank(archs).argmax())] == (4, 4, 4, 4, 4, 4)
    scores = [score for _, score in oracle.calls]
    assert np.mean(scores[200:300]) > np.mean(scores[:100]) + 1.0


def test_a_failure_teaches_like_the_worst_score():
    """Architectures with option 0 of the first choice fail: the policy leaves them."""
    space = Grid(2, 50, 50)
    strategy = Reinforce(ReinforceParams(lr=0.05))
    run(strategy, Landscape(space, lambda a: math.nan if a[0] == 0 else 50.0 + a[1] / 50), queries=300)
    assert strategy.ranker.probabilities()[0, 1] > 0.9


def test_failures_alone_teach_nothing():
    strategy = Reinforce(ReinforceParams(init_scale=0.0))
    oracle = run(strategy, Landscape(Grid(6, 6), lambda a: math.nan), queries=20)
    assert oracle.paid[0] == 20
    np.testing.assert_allclose(strategy.ranker.probabilities(), 1 / 6)


def test_a_converged_policy_ends_by_calls():
    strategy = Reinforce(ReinforceParams(lr=1.0))
    oracle = run(strategy, Landscape(Grid(5, 5, 5, 5), lambda a: float(sum(a))), queries=100)
    assert oracle.ended_by in ("queries", "calls")
    assert oracle.asked["total"] <= 5000


@pytest.mark.parametrize(
    ("space", "params", "settings"),
    [
        ("nasbench101", {}, ("sgd", 0.1, 0.01)),
        ("nasbench201", {}, ("adam", 0.01, 1.0)),
        ("somewhere", {"lr": 0.5}, ("adam", 0.5, 1.0)),
    ],
)
def test_published_settings_per_space(space, params, settings):
    strategy = Reinforce(ReinforceParams(**params))
    run(strategy, Landscape(Grid(4, 4, name=space), sum), queries=1)
    assert tuple(strategy.notes[k] for k in ("optimizer", "lr", "reward_scale")) == settings
