"""The labelled set of a predictor-based search: architectures that are chosen before any score is known, and paid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.errors import StudyError
from harness.search.oracle import Oracle
from harness.spaces import Architecture, SearchSpace

Choose = Literal["random", "params", "flops"]
_BLOCK = 64
_STALE_BLOCKS = 50
_POOL = 20
_WHOLE = 20_000


@dataclass(frozen=True, slots=True)
class Labelled:
    """Paid architectures of distinct keys and their validation scores (float64 [n], higher is better, finite)."""

    archs: list[Architecture]
    scores: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.archs)

    @property
    def informative(self) -> bool:
        """Whether there is anything to rank: at least two different scores."""
        return len(self) > 1 and float(np.ptp(self.scores)) > 0.0

    def scaled(self, by: Literal["minmax", "ranks"] = "minmax") -> npt.NDArray[np.float64]:
        """The scores in [0, 1]: by minimum and maximum, or by rank with the mean rank for ties."""
        values = mean_ranks(self.scores) if by == "ranks" else self.scores
        return np.asarray((values - values.min()) / (np.ptp(values) or 1.0))


def mean_ranks(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Ranks from 0 for the lowest, equal scores sharing their mean rank."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts + 1) / 2)[inverse])


def distinct(oracle: Oracle, rng: np.random.Generator, law: str | None = None) -> Iterator[Architecture]:
    """Architectures drawn under ``law`` (default: the space's), one per key; those known unpaid to be infeasible are
    left out.

    It ends after 3,200 draws in a row that bring nothing new. Blocks have a fixed size, so that budgets share draws.
    """
    space, seen, stale = oracle.space, set[str](), 0
    while stale < _STALE_BLOCKS:
        block = space.sample(rng, _BLOCK, law)
        stale += 1
        for arch, key, excess in zip(block, space.keys(block), oracle.violation(block), strict=True):
            if key not in seen:
                seen.add(key)
                if excess == 0.0:
                    stale = 0
                    yield arch


def evenly_spaced(oracle: Oracle, rng: np.random.Generator, n: int, cost: str) -> list[Architecture]:
    """n architectures of distinct keys, evenly spaced in the order of a cost (ReNAS, Table 3).

    They are chosen from the whole space where it has at most 20,000 architectures, else from 20 n drawn ones. Raises
    StudyError where the space does not know the cost.
    """
    space = oracle.space
    if cost not in space.costs([]):
        raise StudyError(f"labels cannot be chosen by {cost}: {space.name} does not know the {cost} of an architecture")
    pool = _pool(oracle, rng, n)
    values = space.costs(pool)[cost]
    ties = rng.random(len(pool))
    order = np.lexsort((ties, values))
    places = np.unique(np.linspace(0, len(pool) - 1, min(n, len(pool))).round().astype(np.int64))
    chosen = [pool[i] for i in order[places].tolist()]
    return [chosen[i] for i in rng.permutation(len(chosen)).tolist()]


def _pool(oracle: Oracle, rng: np.random.Generator, n: int) -> list[Architecture]:
    if small(oracle.space, _WHOLE):
        return [a for a, _ in classes(oracle)]
    pool: list[Architecture] = []
    for arch in distinct(oracle, rng):
        pool.append(arch)
        if len(pool) == _POOL * n:
            break
    return pool


def small(space: SearchSpace, limit: int) -> bool:
    """Whether the space can be enumerated and has at most ``limit`` architectures."""
    return space.size is not None and space.size <= limit


def classes(oracle: Oracle, *, twins: bool = False) -> list[tuple[Architecture, str]]:
    """The first feasible architecture of every key of an enumerable space, and the key; with ``twins`` every one."""
    archs = list(oracle.space.enumerate())
    feasible = oracle.violation(archs) == 0.0
    pairs = [p for p, ok in zip(zip(archs, oracle.space.keys(archs), strict=True), feasible, strict=True) if ok]
    if twins:
        return pairs
    found: dict[str, Architecture] = {}
    for arch, key in pairs:
        found.setdefault(key, arch)
    return [(arch, key) for key, arch in found.items()]


def collect(
    oracle: Oracle,
    rng: np.random.Generator,
    *,
    labels: int | None = None,
    reserve: int = 0,
    choose: Choose = "random",
    law: str | None = None,
) -> Labelled:
    """Pay for a labelled set: ``labels`` architectures, or as many as leave ``reserve`` queries of the budget.

    A budget without ``queries`` is divided by the mean cost of what was paid so far. The reserve never exceeds half of
    the budget. A failed training is a label worse than all others; an architecture that a partial table lacks is no
    label. Raises StudyError where labels should be evenly spaced and their number is not known beforehand.
    """
    start = len(oracle.history)
    budget = oracle.budget.queries
    limit = labels
    if limit is None and budget is not None:
        limit = max(1, budget - min(reserve, budget // 2))
    if choose == "random":
        source: Iterator[Architecture] = distinct(oracle, rng, law)
    elif limit is None:
        raise StudyError(f"labels chosen by {choose} need a number of labels or a budget of queries")
    else:
        source = iter(evenly_spaced(oracle, rng, limit, choose))
    for arch in source:
        paid = len(oracle.history) - start
        if oracle.ended_by is not None or (paid >= limit if limit is not None else _reserved(oracle, paid, reserve)):
            break
        oracle.query(arch)
    return labelled(oracle)


def _reserved(oracle: Oracle, paid: int, reserve: int) -> bool:
    """Whether what is left of a budget of epochs or seconds is about to fall below ``reserve`` queries."""
    if paid == 0:
        return False
    left = []
    budget, remaining = oracle.budget, oracle.remaining
    for limit, rest in ((budget.epochs, remaining.epochs), (budget.seconds, remaining.seconds)):
        if limit is not None and rest is not None and limit > rest:
            left.append(rest * paid / (limit - rest))
    expected = min(left, default=float("inf"))
    return expected < min(reserve, (expected + paid) / 2) + 1


def labelled(oracle: Oracle) -> Labelled:
    """All architectures paid for at the full fidelity, one per key; failed trainings score below all others."""
    full = oracle.fidelities[-1]
    paid = [o for o in oracle.history if o.fidelity == full and o.repeat is None]
    keys = oracle.space.keys([o.arch for o in paid])
    first = dict(zip(reversed(keys), reversed(paid), strict=True))
    found = [first[key] for key in dict.fromkeys(keys)]
    scores = np.array([o.score for o in found], dtype=np.float64)
    failed = np.isnan(scores)
    if failed.all():
        scores = np.zeros(len(found))
    elif failed.any():
        spread = float(np.ptp(scores[~failed])) or 1.0
        scores[failed] = scores[~failed].min() - 0.1 * spread
    return Labelled([o.arch for o in found], scores)
