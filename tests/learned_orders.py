"""The agreement of a learned order with the truth, without a study."""

from __future__ import annotations

from typing import Any

from harness.records.identity import stream
from harness.records.lines import RankQuality
from harness.running.ranking import Drawn, drawn_rows, enough, learned, rank_quality
from harness.spaces import Architecture
from harness.testing.synthetic import SyntheticEvaluator


def quality(e: SyntheticEvaluator, paid: list[Architecture], ranker: Any, n: int = 1000) -> RankQuality:
    """How well an order agrees with the final scores of rows that were not paid for, as the harness measures it."""
    truth = e.truth()
    assert truth is not None
    order = drawn_rows(stream(0, "ktau", "toy"), truth, "encodings")
    archs = tuple(enough(truth, order, e.space, n, len(paid)))
    drawn = Drawn(task="toy", final="single", law="encodings", study_seed=0, n=n, archs=archs)
    return rank_quality(learned(ranker, drawn, "outcome", e.validator(), paid), order, truth)
