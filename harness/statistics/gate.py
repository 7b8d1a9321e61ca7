"""Whether a candidate lost anything against a reference: paired tests over common seeds, once or in steps.

Differences are candidate less reference on one seed, oriented so that positive is better. Pure functions on arrays;
`docs/statistics.md` says how often each verdict errs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from harness.statistics.inference import ALPHA

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["GateTest", "GateVerdict", "gate_verdicts", "looks", "more_seeds", "paired_test", "sign_flip"]

GateVerdict = Literal["better", "not worse", "worse", "undecided"]
FLIPS = 20_000
EXACT_UP_TO = 14
"""Differences other than 0 up to which all 2^n sign patterns are counted."""


class GateTest(NamedTuple):
    """One row of a gate. Each p is one-sided: small where the candidate is better, not worse by the margin, or worse.

    `mean`, `std` (ddof 1; 0 for one seed) of the n differences.
    """

    p_better: float
    p_not_worse: float
    p_worse: float
    mean: float
    std: float
    n: int


def sign_flip(differences: ArrayLike, *, rng: np.random.Generator) -> float:
    """One-sided p of a mean above 0: how often the mean is as large where every difference has a random sign.

    Exact for differences [n] that are symmetric about 0, as those of two equal strategies are, whatever their spread
    and ties (Fisher's randomisation test; it orders the sign patterns as Student's t does). Counted over all patterns up
    to 14 differences that are not 0, else over 20,000 drawn ones, the one seen among them. 1 where all are 0.
    """


def paired_test(differences: ArrayLike, margin: float, *, rng: np.random.Generator) -> GateTest:
    """The three questions of a gate on differences [n], one a common seed: better, not worse by `margin`, worse.

    `p_better`: against "the mean is at most 0"; `p_worse`: against "at least 0"; `p_not_worse`: against "at most
    -margin" (non-inferiority). Raises ValueError for a margin that is not positive.
    """


def gate_verdicts(tests: Sequence[GateTest], *, alpha: float = ALPHA) -> list[GateVerdict]:
    """The verdict of each row, Holm's correction over the rows for each of the three questions.

    `better`: p_better below alpha. `not worse`: p_not_worse below alpha. `worse`: p_worse below alpha, and not shown to
    be within the margin. Else `undecided`. Each kind of statement is false of any row with probability at most alpha.
    """


def more_seeds(test: GateTest, margin: float, *, alpha: float = ALPHA, wanted: float = 0.8) -> int | None:
    """How many more seeds would decide an undecided row with probability `wanted`, if mean and spread stay as seen."""


def looks(first: int, most: int) -> tuple[int, ...]:
    """Numbers of seeds at which a sequential gate looks: `first`, doubled until `most`, which is the last."""
