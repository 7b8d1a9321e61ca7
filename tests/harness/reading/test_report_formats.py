"""One table in every format, and data as flat lines."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest
from rich.console import Console
from written_records import MATCHED, entry, reference, write_study

from harness.reading.report.formats import as_csv, as_html, as_json, latex, lines_of, markdown
from harness.reading.report.section import Choice
from harness.reading.report.sections import FORMATS, SECTIONS, write_report
from harness.reading.report.table import Column, Row, Table, name_column
from harness.records.specs import Setting
from harness.registry import Registry
from harness.search.budget import Budget
from harness.search.constraints import Constraint

TABLE = Table(
    "toy/a_b, params <= 200",
    (name_column("entry"), Column("RI %"), Column("p", right=False)),
    (
        Row(("ours|theirs [no-x]", "-1.50±0.20", "<.001")),
        Row(("[odd]", "-", "~ & $ # { } ^ \\")),
        Row(("random sampling", "2.00", ""), "reference"),
    ),
    notes=("in %",),
    legend="± spread",
    footnotes=("1 of 8 failed",),
)


def test_markdown_sets_the_references_in_italics_and_ends_no_cell_early() -> None:
    assert markdown(TABLE).splitlines() == [
        "**toy/a_b, params <= 200**: in %.",
        "",
        "| entry | RI % | p |",
        "| --- | ---: | --- |",
        "| ours\\|theirs [no-x] | -1.50±0.20 | <.001 |",
        "| [odd] | - | ~ & $ # { } ^ \\ |",
        "| *random sampling* | *2.00* |  |",
        "",
        "± spread",
        "",
        "1 of 8 failed",
    ]


def test_latex_escapes_every_sign_and_needs_booktabs_alone() -> None:
    assert latex(TABLE).splitlines() == [
        r"\begin{table}",
        r"\centering",
        r"\caption{toy/a\_b, params $<$= 200. in \%}",
        r"\begin{tabular}{lrl}",
        r"\toprule",
        r"entry & RI \% & p \\",
        r"\midrule",
        r"ours\textbar{}theirs [no-x] & $-$1.50$\pm$0.20 & $<$.001 \\",
        r"{}[odd] & -- & \textasciitilde{} \& \$ \# \{ \} \textasciicircum{} \textbackslash{} \\",
        r"\textit{random sampling} & \textit{2.00} &  \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\footnotesize $\pm$ spread",
        r"\par\footnotesize 1 of 8 failed",
        r"\end{table}",
    ]


def test_html_escapes_and_aligns() -> None:
    text = as_html(TABLE)
    assert "<p><b>toy/a_b, params &lt;= 200</b></p>" in text
    assert '<td style="text-align:right">-1.50±0.20</td><td style="text-align:left">&lt;.001</td>' in text
    assert text.count("<tr") == 4
    assert text.count("font-style:italic") == 1


def test_text_alone_is_text_in_every_format() -> None:
    plain = Table("nothing here", footnotes=("a & b",))
    assert markdown(plain) == "**nothing here**\n\na & b\n"
    assert latex(plain) == "nothing here\n\na \\& b\n"
    assert as_html(plain) == "<p><b>nothing here</b></p>\n<p><small>a &amp; b</small></p>\n"


class Point(msgspec.Struct):
    x: float
    y: float | None


class Line(msgspec.Struct):
    POINTS: ClassVar[tuple[str, ...]] = ("cost", "score")

    setting: Setting
    label: str
    middle: Point
    cost: list[float]
    score: list[float | None]
    seeds: list[int]
    ended_by: dict[str, int]


class Group(msgspec.Struct):
    title: str
    points: list[Point]
    more: list[Point]


def test_data_become_a_line_for_each_point_or_innermost_member() -> None:
    setting = Setting(
        task="toy/a", search_task="toy/a", law="rows", final="mean", budget=Budget(queries=5),
        constraints=(Constraint("params", "<=", 200), Constraint("flops", "<", 1e9)),
    )  # fmt: skip
    line = Line(setting, "alpha", Point(1.0, None), [1.0, 2.0], [None, 0.1 + 0.2], [1, 2], {"queries": 3})
    first, second = csv.DictReader(io.StringIO(as_csv([line])))
    assert first == {
        "task": "toy/a", "search_task": "toy/a", "law": "rows", "final": "mean", "final_seed": "",
        "budget_queries": "5", "budget_epochs": "", "budget_seconds": "",
        "constraints": "params <= 200 and flops < 1e+09", "label": "alpha", "middle_x": "1.0", "middle_y": "",
        "seeds": "1 and 2", "ended_by": '{"queries":3}', "cost": "1.0", "score": "",
    }  # fmt: skip
    assert second["score"] == "0.30000000000000004"
    group = Group("g", [Point(1.0, 2.0)], [Point(3.0, 4.0)])
    assert lines_of([group]) == [{"title": "g", "x": 1.0, "y": 2.0}, {"title": "g", "x": 3.0, "y": 4.0}]
    assert lines_of([Group("empty", [], [])])[0]["title"] == "empty"
    assert json.loads(as_json({"a": [line]}))["a"][0]["score"] == [None, 0.1 + 0.2]


def test_of_a_list_what_has_no_value_is_a_dash_and_a_list_without_any_is_empty() -> None:
    class Found(msgspec.Struct):
        values: list[float | None]

    found = lines_of([Found([1.0, None]), Found([None, None]), Found([])])
    assert [line["values"] for line in found] == ["1.0 and -", None, None]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_has_every_format(toy: Registry, tmp_path: Path, name: str, form: str) -> None:
    runs = entry("alpha", [80.0, 81.0], incumbents=[(1, None, None, 50.0, 60.0)]) + reference([70.0, 71.0])
    text = io.StringIO()
    folder = write_study(tmp_path, runs)
    write_report(folder, Choice(sections=(name,), form=form), Console(file=text, width=100), lambda: toy)
    nothing_to_tell = form == "csv" and name in ("ktau", "ladder", "metrics", "power", "ranks")
    assert text.getvalue().strip() or nothing_to_tell
    if name in ("table", "curves"):
        assert re.search(MATCHED, text.getvalue())
