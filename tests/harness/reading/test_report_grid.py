"""On a narrow terminal no number is shortened: names wrap, columns go and are named, and blocks are told apart."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from written_records import baseline, record, reference, row, write_study

from harness.reading.report.grid import Column, Line, print_grid
from harness.reading.report.sections import Choice, write_report
from harness.records.store import Paid, RankQuality, Record

NAME = "regularized-evolution [without-crossover]"
SCORES = [80.0, 81.0, 82.0, 83.0, 84.0, 85.0, 86.0, 87.0]
TAU = RankQuality(0.5, 0.6, 0.4, 0.3, 900)
STEPS = [(k, None, None, 100.0 + k, 100.0 + k) for k in (1, 2, 3, 5, 8, 13, 21, 34)]


def printed(columns: list[Column], lines: list[Line], width: int, **options: Any) -> tuple[list[str], tuple[str, ...]]:
    text = io.StringIO()
    dropped = print_grid(columns, lines, Console(file=text, width=width), **options)
    return text.getvalue().splitlines(), dropped


def folder(tmp_path: Path) -> Path:
    """A row with a long name, orders and incumbents, beside its reference; once free, once constrained."""
    records: list[Record] = []
    for constraints in ([], ["params <= 200"]):
        free = {"constraints": constraints, "incumbents": STEPS, "paid": Paid(34)}
        rows = [*row(NAME, SCORES, ktau=TAU, **free), *reference(SCORES[:8], **free)]
        records += [record_with_id(r, f"{r.id} {constraints}") for r in rows]
    return write_study(tmp_path, records, [baseline(), baseline(id="c", constraints=["params <= 200"])])


def record_with_id(r: Record, identity: str) -> Record:
    import msgspec

    return msgspec.structs.replace(r, id=identity)


def section(where: Path, width: int, *merged: Path, **choice: Any) -> str:
    text = io.StringIO()
    write_report(where, Choice(merged=merged, **choice), Console(file=text, width=width))
    return text.getvalue()


COLUMNS = [Column("name", False), Column("mean"), Column("minor", dropped=1), Column("least", dropped=2)]
LINES = [Line(("a name of words", "80.97±0.29", "1234", "99.99")), Line(("b", "7", "", "-"))]


def test_where_there_is_room_the_table_is_set_in_full() -> None:
    assert printed(COLUMNS, LINES, 40) == (
        [
            "name                  mean minor least",
            "a name of words 80.97±0.29  1234 99.99",
            "b                        7           -",
        ],
        (),
    )


def test_names_wrap_before_a_column_goes_and_the_least_goes_first() -> None:
    assert printed(COLUMNS, LINES, 35)[0][1:3] == ["a name of 80.97±0.29  1234 99.99", "words"]
    lines, dropped = printed(COLUMNS, LINES, 34)
    assert (lines[0], dropped) == ("name                  mean minor", ("least",))
    lines, dropped = printed(COLUMNS, LINES, 26)
    assert (lines[1], dropped) == ("a name of words 80.97±0.29", ("minor", "least"))


def test_what_never_goes_overflows_whole() -> None:
    lines, _ = printed(COLUMNS, LINES, 10)
    assert lines[1:3] == ["a name of 80.97±0.29", "words"]
    lines, dropped = printed(COLUMNS, LINES, 10, all_columns=True)
    assert (lines[1], dropped) == ("a name of words 80.97±0.29  1234 99.99", ())


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_headline_table_keeps_every_digit_and_names_what_it_drops(tmp_path: Path, width: int) -> None:
    text = section(folder(tmp_path), width, sections=("table",))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    lines = text.splitlines()
    header = next(x for x in lines if x.startswith("strategy"))
    line = next(x for x in lines if x.startswith("regularized-"))
    assert "83.50±2.45" in line
    assert "+67.0" in line
    said = " ".join(text.split())
    for column, cell in (("95 % of RI", "[+62.9, +71.1]"), ("KTau", "0.50"), ("paid", " 34")):
        named = any(column in part.split(";")[0] for part in said.split("no room for: ")[1:])
        assert (column in header) == (cell in line) == (not named), column
    assert ("--wide or --format json has them" in said) == (width < 100)


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_curves_and_orders_keep_every_digit(tmp_path: Path, width: int) -> None:
    """A run pays 34 queries; after 8 every run stands at 108, after all of them at 134."""
    where = folder(tmp_path)
    curves = section(where, width, sections=("curves",))
    assert "134.00±0.00" in curves
    assert f"of {len(STEPS)} costs" in " ".join(curves.split())
    against = section(where, width, sections=("curves",), against="matched-random-search", at=(8.0,))
    assert "[0.00, 0.00]" in against
    ktau = section(where, width, sections=("ktau",))
    assert "[0.500, 0.500]" in ktau
    assert ("0.300" in ktau) == (width >= 80)
    assert ("no room for: " in ktau) == (width < 80)
    for text in (curves, against, ktau):
        assert "…" not in text


def test_orders_of_many_studies_are_continued_below(tmp_path: Path) -> None:
    folders = [
        write_study(tmp_path / str(n), row("ridge", SCORES[:2], ktau=TAU, paid=Paid(n)), []) for n in range(10, 18)
    ]
    text = section(folders[0], 60, *folders[1:], sections=("ktau",))
    block = text.split("\n\n")[0].splitlines()
    heads = [x for x in block if x.startswith("paid queries")]
    assert " ".join(heads).split() == [
        "paid", "queries", "10", "11", "12", "paid", "queries", "13", "14", "15", "paid", "queries", "16", "17",
    ]  # fmt: skip
    assert sum(x.count("0.500±0.000") for x in block) == 8


def test_a_task_that_stands_twice_is_told_apart_by_its_constraints(tmp_path: Path) -> None:
    where = folder(tmp_path)
    assert section(where, 100, sections=("ktau",)).split("\n\n")[1].startswith("toy/a, params <= 200\n")
    curves = [block.splitlines()[0] for block in section(where, 100, sections=("curves",)).split("\n\n")]
    title = "mean final score after queries paid"
    assert curves == [f"toy/a: {title}", f"toy/a, params <= 200: {title}"]
    less = section(where, 100, sections=("curves",), against="matched-random-search")
    assert "toy/a, params <= 200: score less that of matched-random-search" in less


def test_each_curve_block_says_what_its_spread_is(tmp_path: Path) -> None:
    alpha = [record("alpha", seed, 60.0, incumbents=[(1, None, None, 70.0, 60.0)]) for seed in range(2)]
    text = section(write_study(tmp_path, alpha, [baseline()]), 100, sections=("curves",), at=(1.0,))
    blocks = text.rstrip().split("\n\n")
    assert len(blocks) == 2  # of final and of validation scores
    assert all(b.endswith("\n± half the width of the 95 % t interval of the mean") for b in blocks)
