"""Kendall's tau of a run's learned order, on architectures that it never queried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from harness.identity import stream
from harness.protocol import Evaluator, Truth
from harness.records import RankQuality
from harness.strategy import Ranker

if TYPE_CHECKING:
    from harness.oracle import Oracle
    from harness.plan import RunSpec


def rows_by_law(rng: np.random.Generator, truth: Truth, law: str, n: int) -> npt.NDArray[np.int64]:
    """Up to n rows with a final score, drawn without replacement by the law's weights."""
    weights = truth.weights[law]
    known = np.flatnonzero(~np.isnan(truth.final))
    p = None if weights is None else weights[known] / weights[known].sum()
    positive = len(known) if p is None else int((p > 0).sum())
    return rng.choice(known, size=min(positive, n), replace=False, p=p).astype(np.int64)


@dataclass(frozen=True, slots=True)
class KTauRows:
    """What every strategy and seed of a study is measured on, int64 [<= n] each, drawn without replacement by the law.

    keys: rows of distinct keys; of isomorphic rows the first drawn stays. rows: without that, in the same order; None
    where no two drawn rows share a key, so that both are one.
    """

    keys: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64] | None


def ktau_rows(study_seed: int, task: str, law: str, truth: Truth, evaluator: Evaluator, n: int) -> KTauRows:
    """Of 4 n rows drawn by the task's law the first n, and the first n of distinct keys."""
    order = rows_by_law(stream(study_seed, "ktau", task), truth, law, 4 * n)
    keys = evaluator.space.keys([truth.architectures[int(r)] for r in order])
    first = list({key: i for i, key in reversed(list(enumerate(keys)))}.values())
    distinct = order[np.sort(np.array(first, dtype=np.int64))][:n]
    return KTauRows(distinct, None if len(first) == len(order) else order[:n])


def rank_quality(
    spec: RunSpec, evaluator: Evaluator, truth: Truth | None, ranker: Ranker | None, oracle: Oracle
) -> RankQuality | None:
    """None where the run left no order or the task has no recorded truth.

    Keys that the run paid for are taken out; of the rows, those that it paid for. Raises ValueError where the ranker
    does not give one finite number each.
    """
    if ranker is None or truth is None or not spec.ktau_sample:
        return None
    from harness.metrics import ktau, ktau_eq13, ktau_pairwise

    sample = ktau_rows(spec.study_seed, spec.task, spec.law, truth, evaluator, spec.ktau_sample)
    sign = 1.0 if evaluator.score.higher_is_better else -1.0
    paid = [e.arch for e in oracle.ledger]
    of_rows, n_rows = None, None
    if sample.rows is not None:
        unseen = sample.rows[~np.isin(sample.rows, evaluator.validator().identity(paid))]
        n_rows = len(unseen)
        if n_rows > 1:
            of_rows = ktau(_learned(ranker, truth, unseen), sign * truth.final[unseen])
    paid_keys = set(evaluator.space.keys(paid))
    keys = evaluator.space.keys([truth.architectures[int(r)] for r in sample.keys])
    kept = sample.keys[[key not in paid_keys for key in keys]]
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
        ctnas=ktau_pairwise(predicted, final),
        n=len(kept),
        test_rows=of_rows,
        n_rows=n_rows,
    )


def _learned(ranker: Ranker, truth: Truth, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The learned order of these rows. Raises ValueError."""
    predicted = np.asarray(ranker.rank([truth.architectures[int(r)] for r in rows]), dtype=np.float64)
    if predicted.shape != rows.shape or not np.isfinite(predicted).all():
        raise ValueError(f"rank gave shape {predicted.shape} or values that are not finite, want {rows.shape}")
    return predicted
