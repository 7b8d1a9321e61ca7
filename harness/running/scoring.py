"""From a search that is over to its outcome: the final score of what it returned."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from harness.protocol import Evaluator
from harness.records.lines import OutcomeRecord, RankQuality, SearchRecord
from harness.records.specs import OutcomeSpec
from harness.running.feasible import FeasibleRows
from harness.spaces import Architecture

FinalScoresOf = Callable[[Sequence[Architecture]], npt.NDArray[np.float64]]
"""Final scores, float64 [n], NaN where there is none."""


def candidates(spec: OutcomeSpec, search: SearchRecord) -> list[Architecture]:
    """The returned architectures from which the reported one is chosen."""
    return search.returned[: search.spec.top if spec.report == "best_of_returned" else 1]


def outcome_of(
    spec: OutcomeSpec,
    search: SearchRecord,
    evaluator: Evaluator,
    rows: FeasibleRows | None,
    scores_of: FinalScoresOf,
    ktau: RankQuality | None = None,
) -> OutcomeRecord:
    """Score the answer of a search. rows: the task's, where they are known.

    Where several candidates are scored, the best final score is reported, as ``report`` asks for.
    """
    archs = candidates(spec, search)
    # A look-up costs nothing, so all returned architectures are scored; only candidates are trained.
    every = scores_of(search.returned if spec.final_seed is None else archs)
    scores = every[: len(archs)]
    incumbents: list[float | None] = []
    if spec.incumbents:
        found = scores_of([i.arch for i in search.incumbents])
        incumbents = [None if np.isnan(x) else float(x) for x in found]
    plain = OutcomeRecord(
        id=spec.id,
        spec=spec,
        split=evaluator.final_split,
        incumbents=incumbents,
        scores=[None if np.isnan(x) else float(x) for x in every] if spec.final_seed is None else [],
        ktau=ktau,
        provenance={"task": evaluator.provenance(), "data_digest": evaluator.data_digest},
    )
    if np.isnan(scores).all():
        why = "the final training failed" if spec.final_seed is not None else "the task has no final score of it"
        return failed(plain, why, arch=archs[0], reported=evaluator.space.describe(archs[0]))
    best = int(np.nanargmax(evaluator.score.sign * scores))
    score, valid = float(scores[best]), search.valid[best]
    return msgspec.structs.replace(
        plain,
        score=score,
        arch=archs[best],
        reported=evaluator.space.describe(archs[best]),
        valid=valid,
        valid_regret=_valid_regret(valid, rows),
        rank=None if rows is None or rows.best_final is None else rows.rank(score),
        regret=None if rows is None or rows.best_final is None else evaluator.score.regret(score, rows.best_final),
    )


def _valid_regret(valid: float | None, rows: FeasibleRows | None) -> float | None:
    if valid is None or rows is None or rows.best_valid is None:
        return None
    return rows.search.score.regret(valid, rows.best_valid)


def failed(record: OutcomeRecord, error: str, **known: object) -> OutcomeRecord:
    """The outcome of a run that got no final score."""
    return msgspec.structs.replace(record, status="failed", error=error, score=None, **known)
