"""Counts with their nouns."""

from __future__ import annotations


def counted(n: float, one: str, many: str | None = None) -> str:
    """``1 run``, ``2 runs``; ``many`` where the plural takes more than an s."""
    return f"{n:.10g} {one if n == 1 else many or one + 's'}"
