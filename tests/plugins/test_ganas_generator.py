"""GA-NAS's generator: roll-outs through scripts, and the same episodes judged at once."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import harness_ganas.generator as generator_module
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness_ganas.episodes import roll_out
from harness_ganas.generator import Generator, Judged, Sampler, draw
from harness_ganas.params import GANASParams
from harness_ganas.ppo import PPO, gae, rewards_of
from harness_ganas.search import _sizes
from harness_nasbench.spaces.chain import ChainSpace
from harness_nasbench.spaces.darts import DartsSpace
from harness_nasbench.spaces.nasbench101 import NASBench101Space
from harness_nasbench.spaces.nasbench201 import CONV3, NASBench201Space
from harness_nasbench.spaces.nasbench_graph import NASBenchGraphSpace

SPACES = [
    ToyEdgeSpace(), ToyNodeSpace(), NASBench101Space(), NASBench201Space(), NASBenchGraphSpace(), ChainSpace(),
    DartsSpace(),
]  # fmt: skip
each_space = pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)


@pytest.fixture(autouse=True)
def _seeded():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def make(space, *, spread=0.0):
    """A small generator; ``spread`` shakes its weights so that its policy is far from uniform."""
    g = Generator(space.scripts["default"], *_sizes(space), hidden=8, layers=2)
    with torch.no_grad():
        for weight in g.parameters():
            weight += spread * torch.randn_like(weight)
    return g


@each_space
def test_masked_episodes_end_in_valid_architectures(space) -> None:
    g = make(space, spread=0.5)
    episodes = roll_out(space.scripts["default"], Sampler(g), 40, np.random.default_rng(0), masked=True)
    assert len(episodes) == 40
    assert all(space.is_valid(a) for a in episodes.archs)
    assert not episodes.violations.any()
    assert episodes.good.all()
    assert len(episodes.graphs.ops) == episodes.rows.max() + 1


@each_space
def test_what_is_judged_at_once_is_what_was_drawn_step_by_step(space, monkeypatch) -> None:
    g, seen = make(space, spread=0.3), []

    def recording(logits, rng):
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        actions = draw(logits, rng)
        plogp = np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0)
        seen.append((np.log(p[np.arange(len(p)), actions]), -plogp.sum(axis=1)))
        return actions

    monkeypatch.setattr(generator_module, "draw", recording)
    episodes = roll_out(space.scripts["default"], Sampler(g), 30, np.random.default_rng(1), masked=True)
    judged = g.judge(episodes, g.encoder.inputs(episodes.graphs))
    for row, name in enumerate(("log_p", "entropy")):
        drawn = np.stack([x[row] for x in seen])
        at_once = getattr(judged, name).detach().numpy()
        np.testing.assert_allclose(at_once[episodes.active], drawn[episodes.active], atol=2e-5)
    assert np.unique(judged.log_p.detach().numpy().sum(axis=0).round(4)).size > 5, "the policy tells cells apart"


@each_space
def test_chosen_episodes_are_judged_as_among_all(space) -> None:
    g = make(space, spread=0.3)
    episodes = roll_out(space.scripts["default"], Sampler(g), 20, np.random.default_rng(2), masked=True)
    index = np.array([17, 3, 4, 11])
    part = episodes.take(index)
    whole = g.judge(episodes, g.encoder.inputs(episodes.graphs))
    some = g.judge(part, g.encoder.inputs(part.graphs))
    for one, other in zip(whole, some, strict=True):
        torch.testing.assert_close(one[:, index], other, atol=1e-5, rtol=1e-4)
    assert part.archs == [episodes.archs[i] for i in index]


@each_space
def test_the_first_policy_is_close_to_uniform(space) -> None:
    g = make(space)
    episodes = roll_out(space.scripts["default"], Sampler(g), 20, np.random.default_rng(3), masked=True)
    judged = g.judge(episodes, g.encoder.inputs(episodes.graphs))
    most = np.log(episodes.legal.sum(axis=2))
    got = judged.entropy.detach().numpy()
    assert (got[episodes.active] > 0.98 * most[episodes.active] - 1e-6).all()


@pytest.mark.parametrize("space", [ToyNodeSpace(), NASBench101Space(), NASBenchGraphSpace()], ids=lambda s: s.name)
def test_an_unmasked_episode_of_good_actions_is_valid(space) -> None:
    g = make(space)
    episodes = roll_out(space.scripts["default"], Sampler(g), 300, np.random.default_rng(4), masked=False)
    bad = (~episodes.good).sum(axis=0)
    assert bad.max() == 1, "after its first bad action an episode has nothing to be judged by"
    assert not episodes.violations[bad == 0].any()
    assert len(episodes.valid) == int((episodes.violations == 0).sum())
    if space.name != "nasbench-graph":  # there only four skips, 1 of 6,561, are invalid
        assert (episodes.violations > 0).any()
        assert bad[episodes.violations > 0].all()


def test_draw_follows_the_logits_and_never_takes_what_is_closed() -> None:
    logits = np.tile([0.0, -np.inf, np.log(3.0), -np.inf], (40_000, 1))
    found = np.bincount(draw(logits, np.random.default_rng(0)), minlength=4)
    assert found[1] == found[3] == 0
    assert found[2] / 40_000 == pytest.approx(0.75, abs=0.01)


def test_a_pointer_reads_the_node_that_its_option_names() -> None:
    """DARTS's options 2, 3, 4 are the additions, nodes 4, 7, 10 of the graph: what a state of all ones attends to."""
    space = DartsSpace()
    g = make(space)
    episodes = roll_out(space.scripts["default"], Sampler(g), 3, np.random.default_rng(0), masked=True)
    last = [t for t, s in enumerate(episodes.steps) if s.kind == "pointer" and s.cell == 0][-1]
    step, edges = episodes.steps[last], g.edges
    assert (step.options, step.opens) == (5, False)
    with torch.no_grad():
        for weight in (edges.query.weight, edges.option.weight, edges.pointer_bias.weight):
            weight.zero_()
        edges.query.weight.fill_diagonal_(1.0)
        nodes = torch.arange(15.0).view(1, 15, 1).expand(3, 15, 8)
        state, logits = edges(torch.ones(1, 3, 8), [nodes], [step], torch.tensor([[0, 4, 10]]))
        attended = logits[0, :, :5] * 8**0.5 / state[0].sum(dim=1, keepdim=True)
        torch.testing.assert_close(attended, torch.tensor([0.0, 1.0, 4.0, 7.0, 10.0]).expand(3, 5))
        read = edges._read(nodes, step, torch.tensor([0, 4, 10]))
    assert read[:, 0].tolist() == [0.0, 4.0, 10.0], "the GRU goes on from the node that was pointed to"
    assert set(episodes.told[last].tolist()) <= {0, 1, 4, 7, 10}
    np.testing.assert_array_equal(episodes.told[last], np.array([0, 1, 4, 7, 10])[episodes.actions[last - 1]])


# -- PPO -------------------------------------------------------------------------------------------------------------


def test_gae_with_lambda_one_is_the_return_less_the_value_and_with_zero_the_td_error() -> None:
    rewards = np.array([[1.0], [0.0], [2.0]], dtype=np.float32)
    values = np.array([[0.5], [0.25], [1.0]], dtype=np.float32)
    active = np.ones((3, 1), dtype=np.bool_)
    np.testing.assert_allclose(gae(rewards, values, active, gamma=1.0, lam=1.0)[:, 0], [2.5, 1.75, 1.0])
    np.testing.assert_allclose(gae(rewards, values, active, gamma=1.0, lam=0.0)[:, 0], [0.75, 0.75, 1.0])
    np.testing.assert_allclose(
        gae(rewards, values, active, gamma=0.5, lam=0.5)[:, 0], [1 + 0.125 - 0.5 + 0.25 * 0.5, 0.5, 1.0]
    )


def test_gae_passes_over_decisions_that_an_episode_does_not_take() -> None:
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=(2, 6, 1)).astype(np.float32)
    active = np.array([1, 0, 1, 1, 0, 0], dtype=np.bool_)[:, None]
    kept = active[:, 0]
    whole = gae(rewards, values, active, gamma=0.9, lam=0.8)
    alone = gae(rewards[kept], values[kept], active[kept], gamma=0.9, lam=0.8)
    np.testing.assert_allclose(whole[kept], alone, rtol=1e-5)
    assert not whole[~kept].any()


def test_step_rewards_spread_over_the_episode_and_the_final_one_ends_it() -> None:
    space = NASBench101Space()
    episodes = roll_out(space.scripts["default"], Sampler(make(space)), 50, np.random.default_rng(0), masked=True)
    final = np.arange(50, dtype=np.float64)
    rewards = rewards_of(episodes, final, step=0.5)
    taken = episodes.active.sum(axis=0)
    for i in range(50):
        own = rewards[episodes.active[:, i], i]
        np.testing.assert_allclose(own[:-1], 0.5 / taken[i], rtol=1e-5)
        assert own[-1] == pytest.approx(final[i] + 0.5 / taken[i], rel=1e-5)
    assert not rewards[~episodes.active].any()


def test_with_a_constant_final_reward_the_return_does_not_depend_on_the_length() -> None:
    """NAS-Bench-101's cells take 2 to 26 decisions; a return that grew with them would teach to build long cells."""
    space = NASBench101Space()
    episodes = roll_out(space.scripts["default"], Sampler(make(space)), 50, np.random.default_rng(0), masked=True)
    taken = episodes.active.sum(axis=0)
    assert taken.max() > 2 * taken.min()
    np.testing.assert_allclose(rewards_of(episodes, np.ones(50), step=0.5).sum(axis=0), 1.5, rtol=1e-5)


def test_an_invalid_action_costs_what_a_valid_one_earns() -> None:
    space = NASBench101Space()
    episodes = roll_out(space.scripts["default"], Sampler(make(space)), 300, np.random.default_rng(4), masked=False)
    taken, bad = episodes.active.sum(axis=0), (~episodes.good).sum(axis=0)
    assert set(bad.tolist()) == {0, 1}
    total = rewards_of(episodes, np.zeros(300), step=0.5).sum(axis=0)
    np.testing.assert_allclose(total, 0.5 * (taken - 2 * bad) / taken, rtol=1e-4, atol=1e-6)


class Given(torch.nn.Module):
    """A policy whose log-probabilities, entropies and values are its parameters: a step of PPO shows its gradient."""

    def __init__(self, log_p, entropy, value) -> None:
        super().__init__()
        self.parts = torch.nn.ParameterList([torch.tensor(x, dtype=torch.float32) for x in (log_p, entropy, value)])
        self.encoder = SimpleNamespace(inputs=lambda graphs: None)

    def judge(self, episodes, inputs):
        return Judged(*(part + 0.0 for part in self.parts))

    @property
    def now(self):
        return [part.detach().numpy() for part in self.parts]


def by_gradient_descent(given, **settings):
    """PPO whose optimiser moves each parameter by minus its gradient, unclipped."""
    plain = {
        "lr": 1.0,
        "clip": 0.2,
        "gamma": 1.0,
        "gae_lambda": 1.0,
        "entropy": 0.3,
        "value_weight": 0.5,
        "grad_norm": 1e9,
    }
    ppo = PPO(given, GANASParams(**{**plain, "ppo_epochs": 1, "minibatches": 1, **settings}))
    ppo._optimizer = torch.optim.SGD(given.parameters(), lr=1.0)
    return ppo


class Batch(SimpleNamespace):
    """As much of episodes as PPO looks at."""

    def __len__(self) -> int:
        return self.active.shape[1]


TWO = Batch(active=np.array([[True, True], [True, False]]), graphs=None)
"""Two episodes, of two decisions and of one."""
LOG_P, ENTROPY, VALUE = [[-1.0, -2.0], [-0.5, -3.0]], [[0.7, 0.6], [0.5, 9.0]], [[0.5, 0.25], [1.0, 7.0]]
REWARDS = np.array([[-2.0, 1.0], [3.0, 0.0]], dtype=np.float32)
RETURNS = np.array([[1.0, 1.0], [3.0, np.nan]])
NORMALISED = np.array([[-0.888997, -0.508001], [1.396998, 0.0]])
"""Returns less values, .5, .75 and 2, less their mean 13/12, over their deviation sqrt(31/72)."""


def test_a_step_of_ppo_is_what_its_equations_say() -> None:
    given = Given(LOG_P, ENTROPY, VALUE)
    by_gradient_descent(given).update(TWO, REWARDS, np.random.default_rng(0))
    log_p, entropy, value = given.now
    active = TWO.active
    np.testing.assert_allclose(log_p, np.array(LOG_P) + NORMALISED / 3, atol=1e-5)
    raised = np.where(active, np.array(ENTROPY) + 0.3 / 3, ENTROPY)
    np.testing.assert_allclose(entropy, raised, atol=1e-6, err_msg="the entropy term is gained, not lost")
    before = np.array(VALUE)
    towards = np.where(active, before - 0.5 * 2 * (before - np.where(active, RETURNS, 0.0)) / 3, before)
    np.testing.assert_allclose(value, towards, atol=1e-6, err_msg="values move towards the returns")


def test_the_second_pass_moves_only_what_is_within_the_clip() -> None:
    """After one step the ratios are exp of -.296, -.169 and .466: .744 and 1.593 lie beyond .8 and 1.2, .844 within."""
    given = Given(LOG_P, ENTROPY, VALUE)
    by_gradient_descent(given, ppo_epochs=2).update(TWO, REWARDS, np.random.default_rng(0))
    moved = NORMALISED / 3
    moved[0, 1] *= 1 + np.exp(moved[0, 1])
    np.testing.assert_allclose(given.now[0], np.array(LOG_P) + moved, atol=1e-5)


@pytest.mark.parametrize(
    ("ratio", "advantage", "gradient"),
    [(1.5, 1.0, 0.0), (0.5, 1.0, 0.5), (1.5, -1.0, -1.5), (0.5, -1.0, 0.0), (1.1, 1.0, 1.1), (0.9, -1.0, -0.9)],
)
def test_the_clipped_objective_is_the_lesser_of_both(ratio: float, advantage: float, gradient: float) -> None:
    """min(r A, clip(r, .8, 1.2) A): what has already moved far enough in its direction is left alone."""
    given = Given([[0.0]], [[0.0]], [[0.0]])
    one = Batch(active=np.ones((1, 1), dtype=np.bool_), graphs=None)
    old, gain = torch.tensor([[-np.log(ratio)]]).float(), torch.tensor([[advantage]])
    by_gradient_descent(given)._learn(one, given.judge(one, None), old, gain, torch.zeros(1, 1))
    assert given.now[0].item() == pytest.approx(gradient, abs=1e-5)


@pytest.mark.parametrize(
    ("space", "reward", "best"),
    [
        (NASBench201Space(), lambda a: sum(o == CONV3 for o in a) / 6, 1.0),  # operator head
        (ToyNodeSpace(), lambda a: 1.0 - abs(sum(a) - 2) / 6, 1.0),  # edge decoder: few edges, first operation
        (NASBenchGraphSpace(), lambda a: float(a[0] == 8), 1.0),  # pointers: the chain of four
    ],
    ids=["op", "edge", "pointer"],
)
@pytest.mark.parametrize("minibatches", [1, 4])
def test_ppo_raises_the_reward(space, reward, best, minibatches) -> None:
    torch.manual_seed(1)
    g = Generator(space.scripts["default"], *_sizes(space), hidden=16, layers=2)
    ppo = PPO(g, GANASParams(lr=5e-3, entropy=0.01, minibatches=minibatches))
    rng, means = np.random.default_rng(0), []
    for _ in range(40):
        episodes = roll_out(space.scripts["default"], Sampler(g), 64, rng, masked=True)
        final = np.array([reward(a) for a in episodes.archs])
        means.append(final.mean())
        ppo.update(episodes, rewards_of(episodes, final, step=0.5), rng)
    assert np.mean(means[-5:]) > 0.9 * best
    assert np.mean(means[-5:]) > means[0] + 0.1
