"""A study's tables and compliance in Markdown, for pages that show a real report."""

from __future__ import annotations

from harness.reading.compliance import Finding
from harness.reading.report.collapse import collapsed, held
from harness.reading.report.study import StudyReport
from harness.reading.report.table import TaskTable, task_table


def tables(report: StudyReport, *, wide: bool = False) -> str:
    parts = [_table(task_table(task, wide=wide)) for task in report.tasks]
    return "\n\n".join(parts) + "\n"


def _table(table: TaskTable) -> str:
    lines = [f"**{escaped(table.title)}**: {escaped('. '.join(table.notes))}.", ""]
    lines.append("| " + " | ".join(header for header, _ in table.columns) + " |")
    lines.append("|" + "|".join("---:" if right else "---" for _, right in table.columns) + "|")
    for line in table.lines:
        cells = [escaped(cell) for cell in line.cells]
        if line.kind == "reference":
            cells = [f"*{cell}*" if cell else "" for cell in cells]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [f"\n{escaped(note)}" for note in table.footnotes]
    return "\n".join(lines)


def compliance(findings: list[Finding]) -> str:
    """The rules that fail or do not apply, each with why and where; then those that hold."""
    lines = ["| rule | ok | why | where |", "|---|---|---|---|"]
    for ok, word in ((False, "no"), (None, "n/a")):
        lines += [
            f"| {rule} | {word} | {escaped(why)} | {escaped(where)} |" for rule, why, where in collapsed(findings, ok)
        ]
    if rules := held(findings):
        lines.append(f"| {', '.join(rules)} | yes | | everywhere |")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """On one line, with nothing that ends a cell."""
    return " ".join(text.replace("|", "\\|").split())
