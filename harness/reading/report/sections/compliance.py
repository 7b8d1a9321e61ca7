"""The rules: those that fail, with why and where; then those that do not apply; in one line those that hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.reading import numbers
from harness.reading.compliance import Finding
from harness.reading.report.section import Section
from harness.reading.report.table import Column, Row, Table

_COLUMNS = (
    Column("", right=False),
    Column("rule", right=False),
    Column("why", right=False, wraps=True),
    Column("where", right=False, wraps=True),
)


def compliance_table(findings: Sequence[Finding]) -> Table:
    rows = [Row(("fails", *cells)) for cells in collapsed(findings, False)]
    silent: dict[tuple[str, str], list[str]] = {}
    for rule, why, where in collapsed(findings, None):
        silent.setdefault((why, where), []).append(rule)
    rows += [Row(("n/a", rules[0], *cells), "reference") for cells, rules in silent.items() if len(rules) == 1]
    notes = [f"n/a, {why} ({where}): {', '.join(rules)}" for (why, where), rules in silent.items() if len(rules) > 1]
    rules = held(findings)
    legend = f"holds: {', '.join(rules)}" if rules else ""
    return Table("compliance", _COLUMNS, tuple(rows), legend=legend, footnotes=tuple(notes))


SECTION = Section("compliance", lambda source: source.findings, lambda found, _: [compliance_table(found)])


def collapsed(findings: Sequence[Finding], ok: bool | None) -> list[tuple[str, str, str]]:
    """(rule, why, where) of the findings with this ``ok``, in the order they first occur; equal ones once."""
    scopes_of_rule = Counter(f.rule for f in findings)
    together: dict[tuple[str, str], list[str]] = {}
    for f in findings:
        if f.ok is ok:
            together.setdefault((f.rule, f.why), []).append(f.scope)
    return [(rule, why, _where(scopes, scopes_of_rule[rule])) for (rule, why), scopes in together.items()]


def held(findings: Sequence[Finding]) -> list[str]:
    """Rules that hold wherever they were checked, by name."""
    return sorted({f.rule for f in findings} - {f.rule for f in findings if f.ok is not True})


def _where(scopes: list[str], all_scopes: int) -> str:
    return "everywhere" if len(scopes) == all_scopes > 1 else numbers.listed(scopes)
