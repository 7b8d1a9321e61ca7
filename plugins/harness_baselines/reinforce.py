"""REINFORCE on independent logits per choice (Williams 1992; for NAS: Ying et al. 2019, Dong and Yang 2020)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

import msgspec
import numpy as np

from harness import Architecture, Params, Strategy
from harness_baselines.policy import SGD, Adam, MovingAverage, Policy

if TYPE_CHECKING:
    from harness import Oracle


class Settings(NamedTuple):
    optimizer: Literal["adam", "sgd"]
    lr: float
    reward_scale: float


SETTINGS: dict[str, Settings] = {
    "nasbench101": Settings("sgd", 0.1, 0.01),  # automl/nas_benchmarks, run_rl.py: accuracy as a fraction
    "nasbench201": Settings("adam", 0.01, 1.0),  # D-X-Y/AutoDL-Projects, exps/NATS-algos/reinforce.py: percent
}
"""Space name -> the published optimiser, its learning rate, and what a score is multiplied by."""
GENERAL = Settings("adam", 0.01, 1.0)


class ReinforceParams(Params):
    optimizer: Annotated[
        Literal["adam", "sgd"] | None, msgspec.Meta(description="of the logits; none: the published one for the space")
    ] = None
    lr: Annotated[
        Annotated[float, msgspec.Meta(gt=0)] | None,
        msgspec.Meta(description="learning rate; none: the published one for the space (0.01 where there is none)"),
    ] = None
    reward_scale: Annotated[
        Annotated[float, msgspec.Meta(gt=0)] | None,
        msgspec.Meta(description="factor from score to reward; it makes no difference to Adam"),
    ] = None
    momentum: Annotated[
        float, msgspec.Meta(ge=0, lt=1, description="decay of the moving average of rewards, which is the baseline")
    ] = 0.9
    init_scale: Annotated[float, msgspec.Meta(ge=0, description="standard deviation of the initial logits")] = 1e-3


class Reinforce(Strategy[ReinforceParams]):
    """Policy gradient on independent logits per choice (Ying et al. 2019; Dong and Yang 2020).

    Draw an architecture from the policy, query it, and follow the gradient of (reward - baseline) * log p.
    The answer is the best visited architecture, not the policy's mode. A repeat is answered from memory and updates the
    policy again, so that a policy that has converged ends the search by its calls. An architecture without a score (a
    failed training, one that breaks a constraint known before training, one that a partial table lacks) gets the reward
    of the worst score so far. Where encodings may be invalid, invalid ones are drawn again, and the gradient ignores
    the normalisation that this needs, as the published baselines do. ``ranker``: log p.
    """

    name: ClassVar[str] = "reinforce"
    paper: ClassVar[str] = (
        "Williams, Simple Statistical Gradient-Following Algorithms for Connectionist "
        "Reinforcement Learning (Machine Learning, 1992)"
    )

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        params = self.params
        settings = self._settings(oracle.space.name)
        self.notes |= {**settings._asdict(), "not_of_the_policy": 0}
        self.ranker = policy = Policy(oracle.space, rng, params.init_scale)
        optimizer = (Adam if settings.optimizer == "adam" else SGD)(settings.lr)
        baseline = MovingAverage(params.momentum)
        worst = math.inf
        while True:
            arch, of_the_policy = policy.draw(rng)
            self.notes["not_of_the_policy"] += not of_the_policy
            score = oracle.query(arch)
            if score == score:
                worst = min(worst, score)
            elif worst == math.inf:
                continue  # there is no score yet with which a failure could be compared
            else:
                score = worst
            reward = settings.reward_scale * score
            # The published baselines update the average first, so that it holds the reward it is compared with.
            advantage = reward - baseline.update(reward)
            optimizer.step(policy.logits, advantage * policy.score_function(arch))

    def _settings(self, space: str) -> Settings:
        params = self.params
        usual = SETTINGS.get(space, GENERAL)
        return Settings(
            params.optimizer or usual.optimizer, params.lr or usual.lr, params.reward_scale or usual.reward_scale
        )
