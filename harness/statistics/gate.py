"""Whether a candidate is worse than a reference: paired tests over common seeds, once or in steps.

Differences are candidate less reference on one seed, oriented so that positive is better. Pure functions on arrays;
`docs/statistics.md` says how often each verdict errs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from harness.statistics.inference import ALPHA, holm
from harness.statistics.metrics import finite_vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

GateVerdict = Literal["better", "not worse", "worse", "undecided"]
FLIPS = 20_000
EXACT_UP_TO = 14
"""Up to this number n of differences other than 0, all 2^n patterns of signs are counted."""
MOST_SEEDS = 100_000


class GateTest(NamedTuple):
    """One line of a gate: an entry in a setting. Each p is one-sided: small where the candidate is better, not worse by
    the margin, or worse.

    `difference`, `std` (ddof 1; 0 for one seed): mean and spread of the n differences.
    """

    p_better: float
    p_not_worse: float
    p_worse: float
    difference: float
    std: float
    n: int


def sign_flip(differences: ArrayLike, *, rng: np.random.Generator) -> float:
    """One-sided p of a mean above 0: how often the mean is as large where every difference has a random sign.

    Exact for differences [n] that are symmetric about 0, as those of two equal strategies are, whatever their spread
    and ties (Fisher's randomisation test; it orders the patterns of signs as Student's t does). Counted over all
    patterns up to 14 differences that are not 0, else over 20,000 drawn ones and the one seen. 1 where all are 0.
    """
    found = finite_vector(differences, "differences")
    size = np.abs(found[found != 0])
    if size.size == 0:
        return 1.0
    seen = float(found.sum()) - 1e-9 * float(size.sum())  # equal sums in another order of addition count as equal
    if size.size <= EXACT_UP_TO:
        signs = 1.0 - 2.0 * (np.arange(2**size.size)[:, None] >> np.arange(size.size) & 1)
        return float(np.mean(signs @ size >= seen))
    signs = 1.0 - 2.0 * rng.integers(2, size=(FLIPS, size.size), dtype=np.int8)
    return (1 + int(np.count_nonzero(signs @ size >= seen))) / (1 + FLIPS)


def paired_test(differences: ArrayLike, margin: float, *, rng: np.random.Generator) -> GateTest:
    """The three questions of a gate on differences [n], one a common seed: better, not worse by `margin`, worse.

    `p_better`: against "the mean is at most 0"; `p_worse`: against "at least 0"; `p_not_worse`: against "at most
    -margin" (non-inferiority). Each by `sign_flip`. Raises ValueError for a margin that is not positive.
    """
    if not 0 < margin < math.inf:
        raise ValueError(f"a margin is positive and finite, not {margin}")
    found = finite_vector(differences, "differences")
    return GateTest(
        p_better=sign_flip(found, rng=rng),
        p_not_worse=sign_flip(found + margin, rng=rng),
        p_worse=sign_flip(-found, rng=rng),
        difference=float(found.mean()),
        std=float(found.std(ddof=1)) if found.size > 1 else 0.0,
        n=found.size,
    )


def gate_verdicts(
    tests: Sequence[GateTest], *, alpha: float = ALPHA, decided: Sequence[GateVerdict] = ()
) -> list[GateVerdict]:
    """The verdict of each line, Holm's correction over the lines for each of the three questions.

    `better`: p_better below alpha. `not worse`: p_not_worse below alpha. `worse`: p_worse below alpha, and not shown to
    be within the margin. Else `undecided`. Each kind of statement is false of some line with probability at most alpha,
    where differences are symmetric about their mean; see `sign_flip`.
    Of a sequence of looks, `alpha` is that of one look, `tests` are the lines not yet decided, and `decided` are the
    verdicts of the others; see `looks`. A decided line leaves the correction of the question that it answered alone:
    the data chose it, so that it counts for the other two.
    """
    questions: dict[GateVerdict, list[float]] = {
        "better": [t.p_better for t in tests],
        "not worse": [t.p_not_worse for t in tests],
        "worse": [t.p_worse for t in tests],
    }
    corrected = [holm([*p, *(1.0 for d in decided if d != said)])[: len(tests)] for said, p in questions.items()]
    return [
        next((said for said, p in zip(questions, adjusted, strict=True) if p is not None and p < alpha), "undecided")
        for adjusted in zip(*corrected, strict=True)
    ]


def more_seeds(test: GateTest, margin: float, *, alpha: float = ALPHA, wanted: float = 0.8) -> int | None:
    """How many more seeds would decide an undecided line with probability `wanted`, if mean and spread stay as seen.

    For a level `alpha` (after correction: divided by the lines and the looks), by the normal approximation
    `n = ((z_alpha + z_wanted) * std / distance)^2`; distance is the larger of `mean + margin` and `abs(mean)`. So many
    in all that p, at least 2^-n, can be below alpha; at least 1. None for one seed, and above 100,000 seeds.
    """
    from scipy.special import ndtri

    distance = max(test.difference + margin, abs(test.difference))
    if test.n < 2:
        return None
    by_spread = (float(ndtri(1 - alpha) + ndtri(wanted)) * test.std / distance) ** 2
    needed = max(by_spread, math.floor(math.log2(1 / alpha)) + 1)
    return None if needed > MOST_SEEDS else max(1, math.ceil(needed) - test.n)


def looks(first: int, most: int) -> tuple[int, ...]:
    """Numbers of seeds at which a sequential gate looks: `first`, doubled until `most`, which is the last.

    At each look `gate_verdicts` judges the lines that are still undecided, on all their seeds, at `alpha / len(looks)`;
    what is decided stays. By Bonferroni's inequality the whole sequence then makes a false statement of each kind with
    probability at most alpha, wherever a single look does at its own. Raises ValueError unless 1 <= first <= most.
    """
    if not 1 <= first <= most:
        raise ValueError(f"looks from {first} to {most} seeds")
    found = [first]
    while found[-1] < most:
        found.append(min(2 * found[-1], most))
    return tuple(found)
