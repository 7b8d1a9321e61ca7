"""Parameters of CTNAS and of regression-nas, and who chose each default."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from harness import LabelParams, said

PUBLISHED: dict[str, Any] = {
    "verify": 0, "pairs": "permutation", "epochs": 1000, "lr": 2e-4, "samples": 10_000, "per_update": 1,
    "controller_lr": 2e-4,
}  # fmt: skip
"""The poster's method with the released code's values and intervals, where the defaults here differ. Like that code it
prunes a cell before it pads it."""
RELEASED: dict[str, Any] = {**PUBLISHED, "layers": 4, "pseudo_labels": "released", "baseline": "released"}
"""The released code's method, also where it differs from the poster's. But here equal scores are labelled 1, as in the
poster (the code labels them 0), and no architecture is paired with itself."""
POSTER: dict[str, Any] = {
    "verify": 0, "network": "equation", "pairs": "once", "cadence": "poster", "epochs": 1000, "lr": 2e-4,
    "entropy": 0.0,
}  # fmt: skip
"""The poster as it is printed: Eq. 4, all M(M-1)/2 pairs, one S an iteration for exploration and curriculum, and a
policy gradient without an entropy term. Its only number is M = 423. What it leaves open is the released code's (epochs
before the first iteration, NAC's learning rate, Adam's beta1 and weight decay, D's pairs by one permutation of S) or
ours (T = 200 iterations, N = 20, K = 5, the controller's learning rate)."""


class SearchParams(LabelParams):
    """What both strategies share: the labelled set, the network and its training, the controller."""

    labels: Annotated[
        Annotated[int, msgspec.Meta(ge=2)] | None,
        said("architectures to label; none: the budget less what is verified (the paper: 423)"),
    ] = None
    # network
    network: Annotated[
        Literal["gcn", "equation", "mlp"],
        said("the released code's graph convolutions, exactly the poster's Eq. 4, or one-hot choices (any space)"),
    ] = "gcn"
    layers: Annotated[int, said("graph convolutions: 2 in the poster, 4 in the released code", ge=1)] = 2
    pruned: Annotated[
        bool, said("drop parts of a graph on no input-output path first (the released code); false: cells as written")
    ] = True
    # its training
    epochs: Annotated[int, said("passes over the labels before the search (released code: 1000)", ge=1)] = 400
    batch: Annotated[int, said("labelled architectures a step at most (released code)", ge=2)] = 256
    lr: Annotated[float, said("Adam's learning rate (released code: 2e-4, with its 1000 epochs)", gt=0.0)] = 5e-4
    beta1: Annotated[float, said("Adam's, for network and controller (released code)", ge=0.0, lt=1.0)] = 0.5
    weight_decay: Annotated[float, said("Adam's L2, for network and controller (released code)", ge=0.0)] = 5e-4
    # controller
    script: Annotated[
        str | None, said("which of the space's scripts the controller follows; none: `ctnas` where there is one")
    ] = None
    samples: Annotated[int, said("all architectures drawn for policy updates (released code: 10,000)", ge=1)] = 4000
    per_update: Annotated[int, said("N, architectures an update (released code: 1, and so 10,000 updates)", ge=1)] = 20
    controller_lr: Annotated[float, said("Adam's for the controller (released code: 2e-4, with N = 1)", gt=0.0)] = 5e-3
    entropy: Annotated[float, said("weight of the policy's entropy in the objective (released code)", ge=0.0)] = 5e-4


class CTNASParams(SearchParams):
    pairs: Annotated[
        Literal["all", "permutation", "once"],
        said(
            "each batch's pairs: all, or one random permutation (the released code); once: all M(M-1)/2 pairs in one "
            "order and one step (the poster)"
        ),
    ] = "all"
    cadence: Annotated[
        Literal["released", "poster"],
        said(
            "exploration and baseline each at its own interval with its own samples (the released code), or both "
            "after every update with one S of N architectures (the poster)"
        ),
    ] = "released"
    # data exploration
    pseudo_labels: Annotated[
        Literal["confident", "released", "off"],
        said(
            "keep the pairs of which the comparator is surest (the poster), or those of the largest p (released code)"
        ),
    ] = "confident"
    explore_every: Annotated[
        int, said("samples from one extension of the pseudo-labelled set to the next, each with one epoch", ge=1)
    ] = 100
    explored_first: Annotated[
        int, said("architectures paired the first time; half the pairs are kept (released code)", ge=2)
    ] = 512
    explored: Annotated[
        int, said("architectures paired each later time; half the pairs are kept (released code)", ge=2)
    ] = 200
    kept: Annotated[
        int,
        said("K, pairs of S that are kept with cadence `poster`; the poster says K << N and no number", ge=1),
    ] = 5
    pseudo_ratio: Annotated[
        float,
        said(
            "pseudo-labelled pairs a batch for each labelled architecture, and their weight against it (released code)",
            ge=0.0,
        ),
    ] = 1.0
    # curriculum
    baseline: Annotated[
        Literal["curriculum", "released", "random", "fixed"],
        said("Algorithm 2 over B and S; the best of S alone (the released code); a random one of S; the first"),
    ] = "curriculum"
    baseline_every: Annotated[
        int, said("samples from one update of the baseline to the next, after the first (released code)", ge=1)
    ] = 500
    baseline_samples: Annotated[int, said("|S|, architectures drawn for an update (released code)", ge=1)] = 10

    @classmethod
    def smallest(cls) -> CTNASParams:
        return cls(verify=3, epochs=2, samples=40, explore_every=20, explored_first=16, explored=8, baseline_every=20)


class RegressionNASParams(SearchParams):
    targets: Annotated[
        Literal["minmax", "ranks"],
        said("what is predicted: scores scaled by minimum and maximum of the labels, or their ranks, scaled"),
    ] = "minmax"

    @classmethod
    def smallest(cls) -> RegressionNASParams:
        return cls(verify=3, epochs=2, samples=40)
