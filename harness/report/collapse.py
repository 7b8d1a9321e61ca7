"""Findings of one rule with one reason, told once."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compliance import Finding


def collapsed(findings: Sequence[Finding]) -> list[tuple[str, str, list[str]]]:
    """(rule, why, scopes) in the order they first occur."""
    together: dict[tuple[str, str], list[str]] = {}
    for f in findings:
        together.setdefault((f.rule, f.why), []).append(f.scope)
    return [(rule, why, scopes) for (rule, why), scopes in together.items()]


def scopes_text(scopes: Sequence[str], most: int = 3) -> str:
    return ", ".join(scopes[:most]) + (f" and {len(scopes) - most} more" if len(scopes) > most else "")
