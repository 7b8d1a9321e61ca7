"""GA-NAS's parameters. The paper's main text leaves network sizes and PPO constants open: those are this project's."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from harness import Params
from harness_ganas.schedule import PUBLISHED, Name, Schedule


def _meta(description: str, **limits: float) -> msgspec.Meta:
    return msgspec.Meta(description=description, **limits)  # type: ignore[arg-type]


class GANASParams(Params, frozen=True, kw_only=True):
    """Defaults: this project's, found on NAS-Bench-Graph alone, unless a description says otherwise."""

    # -- the sets of Algorithm 2
    schedule: Annotated[
        Name,
        _meta(
            "`own`: the five fields below; else they are ignored. `setup1`, `setup2`: the paper's on NAS-Bench-101, "
            "read literally (|X_t| = |X_t-1| + 50 or 100); `...-pool`: read as 50 or 100 more cells each iteration; "
            "`nasbench201`, `nasbench301`: this project's completion of what the paper says of these"
        ),
    ] = "own"
    initial: Annotated[int, _meta("|X_0|, random cells", ge=1)] = 50
    batch: Annotated[int, _meta("|X_1|, cells generated before the first queries", ge=1)] = 20
    growth: Annotated[int, _meta("|X_t| - |X_t-1|; 0 keeps batches small, which spends a budget best", ge=0)] = 0
    truth: Annotated[int, _meta("K, cells of the truth set (paper: 25 and 50)", ge=1)] = 25
    iterations: Annotated[int, _meta("T, at most; the budget usually ends the search", ge=1)] = 400
    start: Annotated[
        tuple[str, ...],
        _meta("cells to improve, in the space's notation: X_0 is these instead of random ones; paid when queried"),
    ] = ()
    script: Annotated[str, _meta("which of the space's scripts builds cells")] = "default"
    mask_invalid: Annotated[
        bool, _meta("leave only valid actions open; false: learn validity from rewards, as the paper does")
    ] = True

    # -- discriminator
    discriminator: Annotated[
        Literal["pairwise", "pointwise", "none"],
        _meta("`none`: the reward is the score itself, so that every new cell that PPO generates is paid"),
    ] = "pairwise"
    disc_hidden: Annotated[int, _meta("width of the encoder's layers and of the MLP", ge=2)] = 64
    disc_layers: Annotated[int, _meta("k-GNN layers", ge=1)] = 3
    disc_dropout: Annotated[float, _meta("in the MLP", ge=0, lt=1)] = 0.1
    disc_lr: Annotated[float, _meta("Adam's learning rate", gt=0)] = 1e-3
    disc_weight_decay: Annotated[float, _meta("Adam's", ge=0)] = 1e-4
    disc_epochs: Annotated[int, _meta("epochs each iteration", ge=1)] = 20
    disc_pairs: Annotated[int, _meta("positive pairs an epoch, and as many negative ones", ge=1)] = 32
    disc_batch: Annotated[int, _meta("pairs a step", ge=1)] = 64

    # -- generator
    hidden: Annotated[int, _meta("width of the encoder's layers, the GRU and the heads; even", ge=2)] = 64
    layers: Annotated[int, _meta("k-GNN layers", ge=1)] = 3

    # -- rewards (scale as in GCPN, You et al. 2018)
    step_reward: Annotated[float, _meta("+- this over an episode, by validity of its actions", ge=0)] = 0.5
    final_offset: Annotated[float, _meta("R_final of a valid cell is D(x) - this")] = 0.5
    violation_penalty: Annotated[float, _meta("R_final of an invalid cell: - this, times its violations, at most 1", ge=0)] = 0.25

    # -- PPO (clip, gamma, lambda, entropy: GCPN's)
    episodes: Annotated[int, _meta("cells in a batch of PPO", ge=2)] = 64
    updates: Annotated[int, _meta("batches each iteration", ge=1)] = 20
    ppo_epochs: Annotated[int, _meta("passes over a batch", ge=1)] = 4
    minibatches: Annotated[int, _meta("parts of a batch, whole episodes, in one pass", ge=1)] = 1
    lr: Annotated[float, _meta("Adam's learning rate", gt=0)] = 1e-3
    clip: Annotated[float, _meta("of the probability ratio", gt=0)] = 0.2
    gamma: Annotated[float, _meta("discount", gt=0, le=1)] = 1.0
    gae_lambda: Annotated[float, _meta("of generalised advantage estimation", ge=0, le=1)] = 0.95
    entropy: Annotated[float, _meta("multiplier of the entropy term, the paper's knob for exploration", ge=0)] = 0.01
    value_weight: Annotated[float, _meta("multiplier of the critic's squared error", ge=0)] = 0.5
    grad_norm: Annotated[float, _meta("largest norm of the gradient", gt=0)] = 0.5

    def __post_init__(self) -> None:
        if self.hidden % 2 or self.disc_hidden % 2:
            raise ValueError("hidden and disc_hidden are even: half of each layer is for predecessors")
        if self.minibatches > self.episodes:
            raise ValueError(f"minibatches ({self.minibatches}) exceeds episodes ({self.episodes})")

    @property
    def sets(self) -> Schedule:
        if self.schedule != "own":
            return PUBLISHED[self.schedule]
        return Schedule(self.initial, self.batch, self.growth, self.truth, self.iterations)

    @classmethod
    def smallest(cls) -> GANASParams:
        return cls(
            initial=6, batch=6, truth=4, iterations=3, disc_hidden=8, disc_layers=1, disc_epochs=1, disc_pairs=4,
            hidden=8, layers=1, episodes=8, updates=1, ppo_epochs=1,
        )  # fmt: skip
