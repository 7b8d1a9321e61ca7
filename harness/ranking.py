"""Kendall's tau of a run's learned order, on rows that it never queried."""

from __future__ import annotations

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


def ktau_rows(
    study_seed: int, task: str, law: str, truth: Truth, evaluator: Evaluator, n: int
) -> npt.NDArray[np.int64]:
    """Rows that every strategy and seed of a study is measured on: n distinct keys drawn by the task's law.

    Draws without replacement by the law's weights; of isomorphic rows the first drawn stays.
    """
    rng = stream(study_seed, "ktau", task)
    weights = truth.weights[law]
    known = np.flatnonzero(~np.isnan(truth.final))
    p = None if weights is None else weights[known] / weights[known].sum()
    positive = len(known) if p is None else int((p > 0).sum())
    order = rng.choice(known, size=min(positive, 4 * n), replace=False, p=p)
    keys = evaluator.space.keys([truth.architectures[int(r)] for r in order])
    first = list({key: i for i, key in reversed(list(enumerate(keys)))}.values())
    return order[np.sort(np.array(first, dtype=np.int64))][:n].astype(np.int64)


def rank_quality(
    spec: RunSpec, evaluator: Evaluator, truth: Truth | None, ranker: Ranker | None, oracle: Oracle
) -> RankQuality | None:
    """None where the run left no order or the task has no recorded truth.

    Keys that the run paid for are taken out. Raises ValueError where the ranker does not give one finite number each.
    """
    if ranker is None or truth is None or not spec.ktau_sample:
        return None
    from harness.metrics import ktau, ktau_eq13, ktau_pairwise

    rows = ktau_rows(spec.study_seed, spec.task, spec.law, truth, evaluator, spec.ktau_sample)
    archs = [truth.architectures[int(r)] for r in rows]
    paid = set(evaluator.space.keys([e.arch for e in oracle.ledger]))
    kept = [i for i, key in enumerate(evaluator.space.keys(archs)) if key not in paid]
    if len(kept) < 2:
        return RankQuality(None, None, None, None, len(kept))
    predicted = np.asarray(ranker.rank([archs[i] for i in kept]), dtype=np.float64)
    if predicted.shape != (len(kept),) or not np.isfinite(predicted).all():
        raise ValueError(f"rank gave shape {predicted.shape} or values that are not finite, want ({len(kept)},)")
    sign = 1.0 if evaluator.score.higher_is_better else -1.0
    final = sign * truth.final[rows[kept]]
    valid = None if truth.valid is None else sign * truth.valid[rows[kept]]
    ok = None if valid is None else ~np.isnan(valid)
    return RankQuality(
        test=ktau(predicted, final),
        valid=None if valid is None or ok is None else ktau(predicted[ok], valid[ok]),
        eq13=ktau_eq13(predicted, final),
        ctnas=ktau_pairwise(predicted, final),
        n=len(kept),
    )
