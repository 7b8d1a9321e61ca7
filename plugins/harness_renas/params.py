"""ReNAS's parameters: the paper's variants, and the project's choices where the paper leaves one open."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from harness import RankingParams, said

Variant = Literal["renas-1", "renas-2", "renas-3", "renas-4", "renas-5", "renas-6"]

VARIANTS: dict[str, dict[str, Any]] = {
    "renas-1": {"objective": "mse", "costs": False},
    "renas-2": {"objective": "mse", "costs": True},
    "renas-3": {"objective": "rank", "costs": False},
    "renas-4": {"objective": "rank", "costs": True},
    "renas-5": {"objective": "rank+continuity", "costs": False},
    "renas-6": {"objective": "rank+continuity", "costs": True},
}
"""Table 1 of the paper: the loss, and whether the tensor holds FLOPs and parameters beside operation types."""

PUBLISHED: dict[str, Any] = {
    "tensor": "paper", "orders": "all", "views": 1, "phi": "hinge", "candidates": "all",
}  # fmt: skip
"""The paper, where the defaults here differ: its tensors and augmentation (section 2.2), the hinge of Eq. 3 and 4, and
its ten best of all architectures, labelled ones included (sections 4.2 and 4.3). What the paper leaves open is as in
the defaults: the hinge's a, the weight of L2, which is summed over drawn triplets, and some choices of evolution."""


class ReNASParams(RankingParams):
    variant: Annotated[Variant, said("loss and features, named as in the paper's Table 1")] = "renas-6"
    # features (section 2.2)
    tensor: Annotated[
        Literal["ours", "paper"],
        said("ours; or the paper's, with operations on nodes, or on edges where the space's choices are edges"),
    ] = "ours"
    types: Annotated[
        Literal["ordinal", "onehot"], said("of our tensor: one channel of ordinal types, or one for each operation")
    ] = "onehot"
    pruned: Annotated[bool, said("of our tensor: drop parts on no input-output path first")] = True
    orders: Annotated[
        Literal["all", "drawn", "canonical"],
        said("node orders: all as training samples (the paper), one drawn an epoch, or the canonical one"),
    ] = "drawn"
    most_orders: Annotated[int, said("at most so many node orders of an architecture", ge=1)] = 24
    views: Annotated[
        int,
        said("a prediction is the mean over so many node orders; 1: the canonical one (the paper does not say)", ge=1),
    ] = 4
    # training (sections 2.3 and 4.1)
    phi: Annotated[
        Literal["hinge", "logistic", "exponential"],
        said("function of the losses: hinge is the first one at Eq. 3 (the paper), logistic the released code's"),
    ] = "logistic"
    margin: Annotated[float, said("a of the hinge, which the paper does not give")] = 1.0
    continuity: Annotated[float, said("weight of the continuity loss, which the paper does not give", ge=0.0)] = 0.5
    triplets: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None, said("triplets a step in the continuity loss; none: all")
    ] = 20_000
    targets: Annotated[
        Literal["minmax", "ranks"], said("labels scaled by minimum and maximum (the released code), or their ranks")
    ] = "minmax"
    epochs: Annotated[int, said("passes over the labels", ge=1)] = 200
    lr: Annotated[float, said("Adam's learning rate", gt=0.0)] = 1e-3
    weight_decay: Annotated[float, said("Adam's L2 penalty", ge=0.0)] = 5e-4
    batch: Annotated[int, said("at most so many training samples a step", ge=2)] = 1024
    # search (section 4)
    selection: Annotated[float, said("probability that a slot is a copy", ge=0.0)] = 0.5
    crossover: Annotated[float, said("probability that a slot is a crossover", ge=0.0)] = 0.3
    mutation: Annotated[float, said("probability that a slot is a mutation", ge=0.0)] = 0.2
    tournament: Annotated[int, said("individuals in a tournament; the paper does not say", ge=1)] = 5

    def __post_init__(self) -> None:
        if self.selection + self.crossover + self.mutation <= 0.0:
            raise ValueError("selection, crossover and mutation are all 0")

    @property
    def objective(self) -> str:
        """The loss: ``mse`` on the labels, ``rank`` (L1) or ``rank+continuity`` (L1 + weight * L2)."""
        return str(VARIANTS[self.variant]["objective"])

    @property
    def costs(self) -> bool:
        """Whether FLOPs and parameters are in the tensor."""
        return bool(VARIANTS[self.variant]["costs"])

    @classmethod
    def smallest(cls) -> ReNASParams:
        return cls(verify=3, epochs=3, population=8, generations=3, triplets=100, most_orders=4)
