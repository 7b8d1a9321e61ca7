"""Whether the interval of an entry's mean may be trusted: runs that end at one value, and rare bad runs.

Student's interval of n runs covers what it says where their scores vary smoothly. It covers less in two cases. Where
many runs end at one value, few runs show how far the others lie; this shows in the runs themselves. Where one search in
a hundred ends far below the others, most studies do not see it; this shows in the 200 runs of the reference alone.
`docs/statistics.md` says how often each rule marks what it should. Pure functions on arrays.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.inference import student_t
from harness.statistics.metrics import finite_vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

TIED_SHARE = 0.25
"""The interval is marked where more than this share of the runs end at one value."""
LEAST_COVERAGE = 0.93
"""All intervals of the task are marked where 95 % intervals of the reference's own runs cover less than this."""
FEWEST_FOR_TAILS = 100
"""The fewest reference runs for `student_coverage`: two in three references of 100 runs see bad runs of 1 %."""
_STUDIES = 4000


def atom(scores: ArrayLike) -> tuple[float, int]:
    """The value at which most runs end, and how many do; the highest among equally frequent ones.

    `scores`: [n], which were rounded at import. "19 runs at 71.95" of 20.
    """
    counts = Counter(finite_vector(scores, "scores").tolist())
    return max(counts.items(), key=lambda found: (found[1], found[0]))


def is_tied(scores: ArrayLike) -> bool:
    """Whether more than a quarter of the runs, and at least two, end at one value: their interval is marked.

    The report then prints the atom. It prints the interval beside it only where the interval has a width: a point says
    nothing about the next run.
    """
    runs = finite_vector(scores, "scores")
    return atom(runs)[1] > max(1.0, TIED_SHARE * runs.size)


def student_coverage(reference: ArrayLike, n: int, *, rng: np.random.Generator) -> float | None:
    """Share of 4,000 simulated studies of n runs whose 95 % Student's interval holds the mean, in [0, 1].

    `reference`: [m], final scores of the task's matched random search at the whole budget. They stand for the
    population that a study of n runs draws from, with replacement; the interval should hold their mean. None below 100
    reference runs and for n < 2.
    """
    population = finite_vector(reference, "reference")
    if population.size < FEWEST_FOR_TAILS or n < 2:
        return None
    studies = rng.choice(population, size=(_STUDIES, n))
    half = float(student_t(n - 1)) * studies.std(axis=1, ddof=1) / np.sqrt(n)
    slack = 1e-12 * float(np.abs(population).max())  # the interval of a study without spread is a point
    return float(np.mean(np.abs(studies.mean(axis=1) - population.mean()) <= half + slack))
