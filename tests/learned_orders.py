"""The agreement of a learned order with the truth, without a study."""

from __future__ import annotations

from typing import Any

from harness.records.identity import stream
from harness.records.lines import RankQuality
from harness.records.specs import OutcomeSpec
from harness.running.ranking import drawn_rows, enough, learned, rank_quality
from harness.spaces import Architecture
from harness.testing.synthetic import SyntheticEvaluator


def quality(e: SyntheticEvaluator, paid: list[Architecture], ranker: Any, n: int = 1000) -> RankQuality:
    """How well an order agrees with the final scores of rows that were not paid for, as the harness measures it."""
    truth = e.truth()
    assert truth is not None
    order = drawn_rows(stream(0, "ktau", "toy"), truth, "encodings")
    archs = enough(e.space, truth, order, n + len(paid))
    outcome = OutcomeSpec(
        search="", task="toy", final="single", final_seed=None, report="first", ktau_sample=n, incumbents=True,
        data_digest="",
    )  # fmt: skip
    return rank_quality(learned(ranker, archs, outcome, e.validator(), paid), truth, order, e.score.sign)
