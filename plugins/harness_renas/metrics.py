"""Metrics of ReNAS's tables."""

from __future__ import annotations

from harness import Run


def best_valid_of_top(run: Run) -> float | None:
    """Table 5's validation column: the best validation score of the ten returned, for a mode that chooses among them.

    The test column is the final score of the run; the two may be of different architectures. It is for scores where
    higher is better.
    """
    if run.entry.scoring.report != "best_of_returned":
        return None
    valid = [v for v in run.search.valid[: run.entry.scoring.top] if v is not None]
    return max(valid, default=None)
