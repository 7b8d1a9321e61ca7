"""Kendall's tau of a run's learned order, on architectures that it never queried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.protocol import Evaluator, Truth
from harness.records.lines import RankQuality
from harness.spaces import Architecture
from harness.spaces.base import under_law
from harness.strategy import Comparing, Ranker


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


@dataclass(frozen=True, slots=True)
class KTauRows:
    """The rows on which an order is measured, int64 [<= n] each: the first n in the order of a draw by the law.

    keys: rows of distinct keys that the run never paid for; of isomorphic rows the first drawn. rows: rows that it
    never paid for; None where each row has a key of its own, since both are then equal.
    """

    keys: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64] | None


def ktau_rows(
    order: npt.NDArray[np.int64], truth: Truth, evaluator: Evaluator, paid: Sequence[Architecture], n: int
) -> KTauRows:
    """The first n unseen rows of ``order`` (int64, from `drawn_rows`), and the first n of unseen keys."""
    space = evaluator.space
    taken, paid_rows = set(space.keys(paid)), set(evaluator.validator().identity(paid).tolist())
    keys: list[int] = []
    twins = False
    for at in range(0, len(order), 2 * n):
        rows = [row for row in order[at : at + 2 * n].tolist() if row not in paid_rows]
        for row, key in zip(rows, space.keys([truth.architectures[row] for row in rows]), strict=True):
            if key in taken:
                twins = True
            elif len(keys) < n:
                taken.add(key)
                keys.append(row)
        if len(keys) == n:
            break
    unseen = order[~np.isin(order, list(paid_rows))][:n]
    return KTauRows(np.array(keys, dtype=np.int64), unseen if twins else None)


def rank_quality(
    ranker: Ranker,
    evaluator: Evaluator,
    truth: Truth,
    law: str,
    rng: np.random.Generator,
    paid: Sequence[Architecture],
    n: int,
) -> RankQuality:
    """How well a learned order agrees with the truth, on n architectures that were not paid for.

    Raises ValueError where the ranker does not give one finite number each.
    """
    from harness.statistics.metrics import ktau, ktau_eq13

    sample = ktau_rows(drawn_rows(rng, truth, law), truth, evaluator, paid, n)
    sign = evaluator.score.sign
    of_rows, n_rows = None, None
    if sample.rows is not None:
        n_rows = len(sample.rows)
        if n_rows > 1:
            of_rows = ktau(_learned(ranker, truth, sample.rows), sign * truth.final[sample.rows])
    kept = sample.keys
    if len(kept) < 2:
        return RankQuality(None, None, None, None, len(kept), of_rows, n_rows)
    predicted = _learned(ranker, truth, kept)
    final = sign * truth.final[kept]
    valid = None if truth.valid is None else sign * truth.valid[kept]
    ok = None if valid is None else ~np.isnan(valid)
    return RankQuality(
        test=ktau(predicted, final),
        valid=None if valid is None or ok is None else ktau(predicted[ok], valid[ok]),
        eq13=ktau_eq13(predicted, final),
        ctnas=_ktau_ctnas(ranker, predicted, [truth.architectures[int(r)] for r in kept], final),
        n=len(kept),
        test_rows=of_rows,
        n_rows=n_rows,
    )


def rank_points(
    ranker: Ranker, truth: Truth, rows: npt.NDArray[np.int64], *, higher_is_better: bool = True
) -> npt.NDArray[np.int64]:
    """Predicted and true rank of each row among these rows, 1 the best: int64 [n, 2] (ReNAS, Figure 2).

    rows: int64 [n], such as of `ktau_rows`. Raises ValueError where the ranker does not give one finite number each.
    """
    from harness.statistics.metrics import rank

    predicted, final = _learned(ranker, truth, rows), truth.final[rows]
    return np.stack([rank(predicted, predicted), rank(final, final, higher_is_better=higher_is_better)], axis=1)


def _ktau_ctnas(
    ranker: Ranker, predicted: npt.NDArray[np.float64], archs: list[Architecture], final: npt.NDArray[np.float64]
) -> float | None:
    """CTNAS's variant: of the comparisons themselves, where the order has any (`harness.strategy.Comparing`)."""
    from harness.statistics.metrics import ktau_pairwise, ktau_pairwise_compare

    if isinstance(ranker, Comparing):
        return ktau_pairwise_compare(ranker.compare, archs, final)
    return ktau_pairwise(predicted, final)


def _learned(ranker: Ranker, truth: Truth, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The learned order of these rows. Raises ValueError."""
    predicted = np.asarray(ranker.rank([truth.architectures[int(r)] for r in rows]), dtype=np.float64)
    if predicted.shape != rows.shape or not np.isfinite(predicted).all():
        raise ValueError(f"rank gave shape {predicted.shape} or values that are not finite, want {rows.shape}")
    return predicted
