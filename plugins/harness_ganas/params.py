"""GA-NAS's parameters. The paper's main text leaves network sizes and PPO constants open: this project chose them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from harness import Params
from harness_ganas.schedule import PUBLISHED, Name, Schedule


class GANASParams(Params):
    """The defaults are this project's, chosen on NAS-Bench-Graph alone, unless a description says otherwise."""

    # -- the sets of Algorithm 2
    schedule: Annotated[
        Name,
        Meta(
            description="`own`: as initial, batch, growth, truth and iterations say; the others ignore these five. "
            "`setup1`, `setup2`: the paper's on NAS-Bench-101, read literally (|X_t| = |X_t-1| + 50 or 100); "
            "`...-pool`: read as 50 or 100 more cells an iteration; `nasbench201`, `nasbench301`: this project's "
            "completion of what the paper says of these"
        ),
    ] = "own"
    initial: Annotated[int, Meta(description="|X_0|, random cells", ge=1)] = 50
    batch: Annotated[int, Meta(description="|X_1|, cells generated in the first iteration", ge=1)] = 20
    growth: Annotated[int, Meta(description="|X_t| - |X_t-1|; 0: constant batches", ge=0)] = 0
    truth: Annotated[int, Meta(description="K, cells of the truth set (paper: 25 and 50)", ge=2)] = 25
    share: Annotated[
        float,
        Meta(
            description="largest part of the known feasible cells that is truth; below 1 it bounds K where constraints "
            "leave few",
            gt=0,
            le=1,
        ),
    ] = 1.0
    iterations: Annotated[int, Meta(description="T, at most; the budget usually ends the search", ge=1)] = 100
    start: Annotated[
        tuple[str, ...],
        Meta(description="cells to improve, in the space's notation: X_0 is these alone; paid when queried"),
    ] = ()
    script: Annotated[str, Meta(description="which of the space's scripts builds cells")] = "default"
    mask_invalid: Annotated[
        bool, Meta(description="only valid actions are possible; false: validity is learnt from rewards (paper)")
    ] = True

    # -- discriminator
    discriminator: Annotated[
        Literal["pairwise", "pointwise", "none"],
        Meta(description="`none`: the reward is the score, so that every new cell of PPO is paid"),
    ] = "pairwise"
    disc_hidden: Annotated[int, Meta(description="width of the encoder's layers and of the MLP", ge=2)] = 32
    disc_layers: Annotated[int, Meta(description="k-GNN layers", ge=1)] = 2
    disc_dropout: Annotated[float, Meta(description="in the MLP", ge=0, lt=1)] = 0.1
    disc_lr: Annotated[float, Meta(description="Adam's learning rate", gt=0)] = 1e-3
    disc_weight_decay: Annotated[float, Meta(description="Adam's", ge=0)] = 1e-4
    disc_epochs: Annotated[int, Meta(description="epochs each iteration", ge=1)] = 20
    disc_pairs: Annotated[int, Meta(description="positive pairs an epoch, and as many negative ones", ge=1)] = 32
    disc_batch: Annotated[int, Meta(description="pairs a step", ge=1)] = 64

    # -- generator
    hidden: Annotated[int, Meta(description="width of encoder layers, GRU and heads; even", ge=2)] = 32
    layers: Annotated[int, Meta(description="k-GNN layers", ge=1)] = 2

    # -- rewards (scale as in GCPN, You et al. 2018)
    step_reward: Annotated[
        float, Meta(description="+- this over an episode, in equal parts by the validity of each action", ge=0)
    ] = 0.5
    final_offset: Annotated[float, Meta(description="R_final of a valid cell is D(x) - this")] = 0.5
    violation_penalty: Annotated[
        float, Meta(description="R_final of an invalid cell: - this, times its violations, at most 1", ge=0)
    ] = 0.25

    # -- PPO (clip, gamma, lambda, entropy: GCPN's)
    episodes: Annotated[int, Meta(description="cells in a batch of PPO", ge=2)] = 64
    updates: Annotated[int, Meta(description="batches each iteration", ge=1)] = 5
    ppo_epochs: Annotated[int, Meta(description="passes over a batch", ge=1)] = 4
    minibatches: Annotated[int, Meta(description="parts of a batch, whole episodes, in one pass", ge=1)] = 1
    lr: Annotated[float, Meta(description="Adam's learning rate", gt=0)] = 3e-3
    clip: Annotated[float, Meta(description="of the probability ratio", gt=0)] = 0.2
    gamma: Annotated[float, Meta(description="discount", gt=0, le=1)] = 1.0
    gae_lambda: Annotated[float, Meta(description="of generalised advantage estimation", ge=0, le=1)] = 0.95
    entropy: Annotated[float, Meta(description="of the entropy term, the paper's knob for exploration", ge=0)] = 0.1
    novelty: Annotated[
        float,
        Meta(
            description="share of unseen cells wanted in each X_t, an addition to the paper: below it a second "
            "multiplier of the entropy term grows by a quarter, from .1 to at most 2; above it the multiplier shrinks; "
            "at .1 it is off; the larger of it and `entropy` is used; 0: `entropy` alone",
            ge=0,
            le=1,
        ),
    ] = 0.5
    value_weight: Annotated[float, Meta(description="multiplier of the critic's squared error", ge=0)] = 0.5
    grad_norm: Annotated[float, Meta(description="largest norm of the gradient", gt=0)] = 0.5

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
