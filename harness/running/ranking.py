"""Kendall's tau of a run's learned order, on architectures that it never queried.

The order is asked for where the search was, which holds no final score, and measured where these are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from harness.protocol import Evaluator, Truth, Validator
from harness.records.lines import RankQuality
from harness.records.specs import OutcomeSpec, SearchSpec
from harness.running.feasible import row_of
from harness.spaces import Architecture, SearchSpace
from harness.spaces.base import under_law
from harness.strategy import Comparing, Ranker

_BLOCK = 2000


def drawn_rows(rng: np.random.Generator, truth: Truth, law: str) -> npt.NDArray[np.int64]:
    """Every row with a final score that the law can draw, in the order of a draw without replacement by its weights.

    Each row gets an exponentially distributed number with its weight as the rate; sorted by it, the rows are such a
    draw (Efraimidis and Spirakis, Information Processing Letters 97, 2006).
    """
    weights = truth.weights[law]
    known = np.flatnonzero(~np.isnan(truth.final))
    if weights is None:
        return rng.permutation(known).astype(np.int64)
    known = known[weights[known] > 0]
    return known[np.argsort(rng.exponential(size=len(known)) / weights[known])].astype(np.int64)


def sampled(evaluator: Evaluator, law: str, final: str, rng: np.random.Generator, n: int) -> list[Architecture]:
    """At most n distinct rows by the law: of the table where there is one, else as the space draws them."""
    truth = evaluator.truth(final)
    if truth is not None:
        return [truth.architectures[int(r)] for r in drawn_rows(rng, truth, law)[:n]]
    drawn = under_law(evaluator.space, law).sample(rng, n)
    _, first = np.unique(evaluator.validator().identity(drawn), return_index=True)
    return [drawn[i] for i in np.sort(first)]


class Draw(NamedTuple):
    """Which draw of a task's rows a learned order is measured on: on the first of them that its run did not pay."""

    task: str
    final: str
    law: str
    study_seed: int

    @classmethod
    def of(cls, outcome: OutcomeSpec, search: SearchSpec) -> Draw:
        return cls(outcome.task, outcome.final, search.law, search.study_seed)


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """A learned order, asked for architectures of a draw, whose places are named: keys, and rows where these differ.

    of_keys, of_rows: the ranker's number for each. prefers: of a ranker that compares, a bit for each pair i < j of
    keys, whether i is at least as good. error: why there is no order.
    """

    outcome: str
    keys: tuple[int, ...] = ()
    of_keys: tuple[float, ...] = ()
    rows: tuple[int, ...] | None = None
    of_rows: tuple[float, ...] = ()
    prefers: bytes | None = None
    error: str | None = None


def unseen(
    archs: Sequence[Architecture], validator: Validator, paid: Sequence[Architecture], n: int
) -> tuple[list[int], list[int] | None]:
    """Places in ``archs``, one a row in the order drawn, that a run has not paid for: the first n of distinct keys, and
    of rows. Of isomorphic rows the first drawn counts as the key's; rows are None where each has a key of its own.
    """
    space = validator.space
    taken, paid_rows = set(space.keys(paid)), set(validator.identity(paid).tolist())
    keys: list[int] = []
    rows: list[int] = []
    twins = False
    for at in range(0, len(archs), 2 * n):
        block = [i for i in range(at, min(at + 2 * n, len(archs))) if row_of(validator, archs[i]) not in paid_rows]
        rows += block[: n - len(rows)]
        for i, key in zip(block, space.keys([archs[i] for i in block]), strict=True):
            if key in taken:
                twins = True
            elif len(keys) < n:
                taken.add(key)
                keys.append(i)
        if len(keys) == n:
            break
    return keys, rows if twins else None


def enough(space: SearchSpace, truth: Truth, order: npt.NDArray[np.int64], n: float) -> list[Architecture]:
    """Of the rows drawn, the first that hold n distinct keys, or all; no score is among it: a search may hold it."""
    keys: set[str] = set()
    archs: list[Architecture] = []
    for at in range(0, len(order), _BLOCK):
        block = [truth.architectures[row] for row in order[at : at + _BLOCK].tolist()]
        archs += block
        keys.update(space.keys(block))
        if len(keys) >= n:
            break
    return archs


def learned(
    ranker: Ranker, archs: Sequence[Architecture], outcome: OutcomeSpec, validator: Validator, paid: list[Architecture]
) -> Learned:
    """What a run's order says of those of ``archs``, drawn for it, that it has not paid for.

    Raises ValueError where the ranker does not give one finite number each.
    """
    from harness.statistics.metrics import preferences

    def of(places: Sequence[int]) -> tuple[float, ...]:
        """The ranker's number for each; of fewer than two there is no order."""
        return tuple(_ask(ranker, [archs[i] for i in places]).tolist()) if len(places) > 1 else ()

    keys, rows = unseen(archs, validator, paid, outcome.ktau_sample or 0)
    of_rows, of_keys = of(rows or ()), of(keys)
    prefers: bytes | None = None
    if of_keys and isinstance(ranker, Comparing):
        prefers = np.packbits(preferences(ranker.compare, [archs[i] for i in keys])).tobytes()
    return Learned(
        outcome=outcome.id,
        keys=tuple(keys),
        of_keys=of_keys,
        rows=None if rows is None else tuple(rows),
        of_rows=of_rows,
        prefers=prefers,
    )


def rank_quality(said: Learned, truth: Truth, order: npt.NDArray[np.int64], sign: float) -> RankQuality:
    """How well a learned order agrees with the truth; order: the rows that were drawn, int64; sign: as in `Score`."""
    from harness.statistics.metrics import ktau_eq13

    of_rows, n_rows = None, None
    if said.rows is not None:
        n_rows = len(said.rows)
        if n_rows > 1:
            of_rows = _tau(np.array(said.of_rows), sign * truth.final[order[list(said.rows)]])
    kept = order[list(said.keys)]
    if len(kept) < 2:
        return RankQuality(None, None, None, None, len(kept), of_rows, n_rows)
    predicted = np.array(said.of_keys)
    final = sign * truth.final[kept]
    of_valid = None
    if truth.valid is not None:
        valid = sign * truth.valid[kept]
        seen = ~np.isnan(valid)
        of_valid = _tau(predicted[seen], valid[seen])
    return RankQuality(
        test=_tau(predicted, final),
        valid=of_valid,
        eq13=ktau_eq13(predicted, final),
        ctnas=_ktau_ctnas(said, predicted, final),
        n=len(kept),
        test_rows=of_rows,
        n_rows=n_rows,
    )


def _tau(predicted: npt.NDArray[np.float64], true: npt.NDArray[np.float64]) -> float | None:
    """tau-b; 0 of a learned order that holds all equal, so that a strategy gains nothing by learning none."""
    from harness.statistics.metrics import ktau

    if predicted.size > 1 and np.ptp(predicted) == 0 and np.ptp(true) > 0:
        return 0.0
    return ktau(predicted, true)


def _ktau_ctnas(said: Learned, predicted: npt.NDArray[np.float64], final: npt.NDArray[np.float64]) -> float | None:
    """CTNAS's variant: of the comparisons themselves, where the order has any (`harness.strategy.Comparing`)."""
    from harness.statistics.metrics import ktau_of_preferences, ktau_pairwise

    if said.prefers is None:
        return ktau_pairwise(predicted, final)
    bits = np.unpackbits(np.frombuffer(said.prefers, dtype=np.uint8), count=math.comb(len(final), 2))
    return ktau_of_preferences(bits.astype(np.bool_), final)


def _ask(ranker: Ranker, archs: Sequence[Architecture]) -> npt.NDArray[np.float64]:
    """The learned order of these. Raises ValueError."""
    predicted = np.asarray(ranker.rank(archs), dtype=np.float64)
    if predicted.shape != (len(archs),):
        raise ValueError(f"rank gave shape {predicted.shape}, want {(len(archs),)}")
    if odd := int((~np.isfinite(predicted)).sum()):
        raise ValueError(f"rank gave {odd} of {len(archs)} values that are not finite")
    return predicted
