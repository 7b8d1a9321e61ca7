"""Proximal policy optimisation (Schulman et al. 2017) of the generator, with generalised advantage estimation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from harness_ganas.episodes import Bools, Episodes
from harness_ganas.generator import Generator, Judged
from harness_ganas.params import GANASParams

Floats = npt.NDArray[np.float32]


def gae(rewards: Floats, values: Floats, active: Bools, *, gamma: float, lam: float) -> npt.NDArray[np.float32]:
    """Advantages, float32 [T, n] (Schulman et al. 2016, eq. 16); 0 where an episode is not active.

    Inactive decisions are skipped: an episode's next state is that of its next active decision; after its last one the
    value is 0.
    """
    advantage = np.zeros_like(values)
    next_value = np.zeros(values.shape[1], dtype=np.float32)
    running = np.zeros(values.shape[1], dtype=np.float32)
    for t in range(len(values) - 1, -1, -1):
        delta = rewards[t] + gamma * next_value - values[t]
        running = np.where(active[t], delta + gamma * lam * running, running)
        next_value = np.where(active[t], values[t], next_value)
        advantage[t] = np.where(active[t], running, 0.0)
    return advantage


def rewards_of(episodes: Episodes, final: npt.NDArray[np.float64], *, step: float) -> Floats:
    """R_step and, on each episode's last decision, ``final`` [n]: float32 [T, n].

    R_step is +- step / L for a valid or invalid action, where L is the number of the episode's own decisions. So its
    total over valid actions is ``step``, whatever the length. With the longest episode's number as L, long cells would
    get more reward where lengths differ.
    """
    share = step / episodes.active.sum(axis=0)
    rewards = np.where(episodes.active, np.where(episodes.good, share, -share), 0.0)
    last = len(episodes.steps) - 1 - episodes.active[::-1].argmax(axis=0)
    rewards[last, np.arange(len(episodes))] += final
    return rewards.astype(np.float32)


class PPO:
    """The optimiser of one generator; its state persists between iterations."""

    def __init__(self, generator: Generator, params: GANASParams) -> None:
        self._g, self._p = generator, params
        self.entropy = params.entropy
        """The entropy term's multiplier, which may change between updates."""
        self._optimizer = torch.optim.Adam(generator.parameters(), lr=params.lr, fused=True)

    def update(self, episodes: Episodes, rewards: Floats, rng: np.random.Generator) -> float:
        """Learn from episodes rolled out under the present policy; the mean entropy of its decisions."""
        p = self._p
        inputs = self._g.encoder.inputs(episodes.graphs)
        now: Judged | None = self._g.judge(episodes, inputs)
        assert now is not None
        old, value = now.log_p.detach(), now.value.detach().numpy()
        advantage = gae(rewards, value, episodes.active, gamma=p.gamma, lam=p.gae_lambda)
        returns = advantage + value
        spread = advantage[episodes.active]
        advantage = (advantage - spread.mean()) / (spread.std() + 1e-8)
        entropy = 0.0
        if p.minibatches > 1:
            now = None
        for _ in range(p.ppo_epochs):
            order = [np.arange(len(episodes))]
            if p.minibatches > 1:
                order = np.array_split(rng.permutation(len(episodes)), p.minibatches)
            for at in order:
                part, seen = episodes, inputs
                if p.minibatches > 1:
                    part = episodes.take(at)
                    seen = self._g.encoder.inputs(part.graphs)
                # The first pass over the whole batch was already made, for the advantages.
                entropy = self._learn(
                    part, now or self._g.judge(part, seen), old[:, at], torch.from_numpy(advantage[:, at]),
                    torch.from_numpy(returns[:, at]),
                )  # fmt: skip
                now = None
        return entropy

    def _learn(self, episodes: Episodes, now: Judged, old: Tensor, advantage: Tensor, returns: Tensor) -> float:
        p = self._p
        weight = torch.from_numpy(episodes.active).float()
        total = weight.sum()
        ratio = (now.log_p - old).exp()
        gain = torch.minimum(ratio * advantage, ratio.clamp(1 - p.clip, 1 + p.clip) * advantage)
        error = (now.value - returns).square()
        entropy = (now.entropy * weight).sum() / total
        loss = ((p.value_weight * error - gain) * weight).sum() / total - self.entropy * entropy
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._g.parameters(), p.grad_norm)
        self._optimizer.step()
        return float(entropy.detach())
