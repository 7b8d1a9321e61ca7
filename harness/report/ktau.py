"""Kendall's tau of each row's learned order, in all its variants, beside that of the validation scores themselves."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from harness.report import numbers
from harness.report.study import StudyReport

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = (
    "task",
    "label",
    "mode",
    "n",
    "ktau",
    "ktau_valid",
    "ktau_eq13",
    "ktau_ctnas",
    "ktau_n",
    "ktau_of_validation",
)


def ktau_lines(report: StudyReport, tasks: tuple[str, ...] = (), rows: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """One line for each row that learns an order.

    ktau: tau-b against final scores; ktau_valid: against validation scores; ktau_eq13, ktau_ctnas: the variants of
    ReNAS (Eq. 13) and CTNAS, against final scores; each the mean over runs, on ktau_n rows never queried.
    ktau_of_validation: tau-b of the task's validation and final scores, what copying validation scores would reach.
    """
    return [
        {
            "task": task.task,
            "label": row.label,
            "mode": row.mode,
            "n": row.n,
            "ktau": row.ktau,
            "ktau_valid": row.ktau_valid,
            "ktau_eq13": row.ktau_eq13,
            "ktau_ctnas": row.ktau_ctnas,
            "ktau_n": row.ktau_n,
            "ktau_of_validation": task.ktau_valid,
        }
        for task in report.tasks
        for row in task.rows
        if row.ktau_n is not None and (not tasks or task.task in tasks) and (not rows or row.label in rows)
    ]


def ktau_csv(lines: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def print_ktau(lines: list[dict[str, Any]], console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    if not lines:
        console.print("no row of this study learns an order")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    headers = ("task", "strategy", "tau-b", "valid", "Eq. 13", "CTNAS", "rows", "of validation", "n")
    for header in headers:
        table.add_column(header, justify="left" if header in ("task", "strategy") else "right", overflow="fold")
    for line in lines:
        name = line["label"] if line["mode"] == "strict" else f"{line['label']} ({line['mode']})"
        taus = [numbers.number(line[k], 3) for k in ("ktau", "ktau_valid", "ktau_eq13", "ktau_ctnas")]
        last = [numbers.count(line["ktau_n"]), numbers.number(line["ktau_of_validation"], 3), str(line["n"])]
        table.add_row(*(Text(cell) for cell in (line["task"], name, *taus, *last)))
    console.print(table)
