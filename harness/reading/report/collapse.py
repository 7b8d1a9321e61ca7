"""Findings of one rule with one reason, told once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.reading.compliance import Finding

_MOST = 3


def collapsed(findings: Sequence[Finding], ok: bool | None) -> list[tuple[str, str, str]]:
    """(rule, why, where) of the findings with this ``ok``, in the order they first occur."""
    scopes_of_rule = Counter(f.rule for f in findings)
    together: dict[tuple[str, str], list[str]] = {}
    for f in findings:
        if f.ok is ok:
            together.setdefault((f.rule, f.why), []).append(f.scope)
    return [(rule, why, _where(scopes, scopes_of_rule[rule])) for (rule, why), scopes in together.items()]


def held(findings: Sequence[Finding]) -> list[str]:
    """Rules that hold wherever they were asked, by name."""
    return sorted({f.rule for f in findings} - {f.rule for f in findings if f.ok is not True})


def _where(scopes: list[str], all_scopes: int) -> str:
    if len(scopes) == all_scopes > 1:
        return "everywhere"
    return ", ".join(scopes[:_MOST]) + (f" and {len(scopes) - _MOST} more" if len(scopes) > _MOST else "")
