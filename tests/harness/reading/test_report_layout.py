"""On a narrow terminal no cell is cut: names wrap, columns go and are named; listings and nested values."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from written_records import entry, reference, run, sampling, write_study

from harness.reading.report.layout import nested, print_grid, print_listing, size
from harness.reading.report.section import Choice
from harness.reading.report.sections import write_report
from harness.reading.report.table import Column
from harness.records.lines import Paid, RankQuality
from harness.records.runs import Run

NAME = "regularized-evolution [without-crossover]"
SCORES = [80.0, 81.0, 82.0, 83.0, 84.0, 85.0, 86.0, 87.0]
TAU = RankQuality(0.5, 0.6, 0.4, 0.3, 900)
STEPS = [(k, None, None, 100.0 + k, 100.0 + k) for k in (1, 2, 3, 5, 8, 13, 21, 34)]


def printed(width: int, **options: Any) -> tuple[list[str], tuple[str, ...]]:
    text = io.StringIO()
    dropped = print_grid(COLUMNS, CELLS, Console(file=text, width=width), **options)
    return text.getvalue().splitlines(), dropped


def folder(tmp_path: Path) -> Path:
    """An entry with a long name, orders and incumbents, beside its reference; once free, once constrained."""
    runs: list[Run] = []
    for constraints in ([], ["params <= 200"]):
        free: dict[str, Any] = {"constraints": constraints, "incumbents": STEPS, "paid": Paid(34)}
        runs += [*entry(NAME, SCORES, ktau=TAU, **free), *reference(SCORES[:8], **free)]
    return write_study(tmp_path, runs, [sampling(), sampling(constraints=["params <= 200"])])


def section(where: Path, width: int, *others: Path, **choice: Any) -> str:
    text = io.StringIO()
    write_report(where, Choice(others=others, **choice), Console(file=text, width=width))
    return text.getvalue()


COLUMNS = [Column("name", False, wraps=True), Column("mean"), Column("minor", dropped=1), Column("least", dropped=2)]
CELLS = [("a name of words", "80.97±0.29", "1234", "99.99"), ("b", "7", "", "-")]


def test_where_there_is_room_the_table_is_set_in_full() -> None:
    assert printed(41) == (
        [
            "name                   mean  minor  least",
            "a name of words  80.97±0.29   1234  99.99",
            "b                         7             -",
        ],
        (),
    )


def test_the_gaps_shrink_then_names_wrap_before_a_column_goes_and_the_least_goes_first() -> None:
    assert printed(40)[0][1] == "a name of words 80.97±0.29  1234 99.99"
    assert printed(35)[0][1:3] == ["a name of 80.97±0.29  1234 99.99", "words"]
    lines, dropped = printed(34)
    assert (lines[0], dropped) == ("name                  mean minor", ("least",))
    lines, dropped = printed(26)
    assert (lines[1], dropped) == ("a name of words 80.97±0.29", ("minor", "least"))


def test_what_never_goes_is_continued_below_and_where_nothing_fits_overflows_whole() -> None:
    columns = [Column("name", False, wraps=True), *(Column(f"value {k}") for k in range(3))]
    text = io.StringIO()
    assert print_grid(columns, [("a", "1.00±0.50", "2.00", "3.00")], Console(file=text, width=17)) == ()
    assert text.getvalue().splitlines() == [
        "name   value 0", "a    1.00±0.50",
        "name value 1", "a       2.00",
        "name value 2", "a       3.00",
    ]  # fmt: skip
    assert printed(10)[0][1:3] == ["a name of 80.97±0.29", "words"]
    lines, dropped = printed(10, fitted=False)
    assert (lines[1], dropped) == ("a name of words  80.97±0.29   1234  99.99", ())


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_headline_table_keeps_every_digit_and_names_what_it_drops(tmp_path: Path, width: int) -> None:
    text = section(folder(tmp_path), width, sections=("table",))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    lines = text.splitlines()
    header = next(x for x in lines if x.startswith("entry"))
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
    assert ("no room for: " in curves) == (width < 100)
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
        write_study(tmp_path / str(n), entry("ridge", SCORES[:2], ktau=TAU, paid=Paid(n)), []) for n in range(10, 18)
    ]
    text = section(folders[0], 60, *folders[1:], sections=("ktau",))
    block = text.split("\n\n")[0].splitlines()
    heads = [x for x in block if x.startswith("paid queries")]
    assert " ".join(heads).split() == [
        "paid", "queries", "10", "11", "12", "13", "paid", "queries", "14", "15", "16", "17",
    ]  # fmt: skip
    assert sum(x.count("0.500±0.000") for x in block) == 8


def test_a_task_that_stands_twice_is_told_apart_by_its_constraints(tmp_path: Path) -> None:
    where = folder(tmp_path)
    assert section(where, 100, sections=("ktau",)).split("\n\n")[1].startswith("toy/a, params <= 200\n")
    curves = [block.splitlines()[0] for block in section(where, 100, sections=("curves",)).split("\n\n")]
    title = "mean final score after queries paid"
    assert curves == [f"toy/a: {title}", f"toy/a, params <= 200: {title}"]
    less = section(where, 100, sections=("curves",), against="matched-random-search")
    assert f"toy/a, params <= 200: {NAME} (n 8) less matched-random-search (n 8)" in " ".join(less.split())


def test_each_curve_block_says_what_its_spread_is(tmp_path: Path) -> None:
    alpha = [run("alpha", seed, 60.0, incumbents=[(1, None, None, 70.0, 60.0)]) for seed in range(2)]
    text = section(write_study(tmp_path, alpha), 100, sections=("curves",), at=(1.0,))
    blocks = text.rstrip().split("\n\n")
    assert len(blocks) == 2  # of final and of validation scores
    assert all(b.endswith("\n± half the width of the 95 % t interval of the mean") for b in blocks)


LONG = "what it is, in " + "many " * 40 + "words"


def listed(*, terminal: bool, width: int = 60) -> list[str]:
    text = io.StringIO()
    console = Console(file=text, width=width, force_terminal=terminal, color_system=None)
    print_listing(console, ("name", "n", "summary"), [("a", "1", "[b] short"), ("longer", "20", LONG)], right=("n",))
    return text.getvalue().splitlines()


def test_off_a_terminal_a_row_is_a_line_whatever_the_width() -> None:
    assert listed(terminal=False) == ["name     n  summary", "a        1  [b] short", f"longer  20  {LONG}"]


def test_on_a_terminal_the_last_column_is_wrapped_to_the_width() -> None:
    lines = listed(terminal=True)
    assert len(lines) > 5
    assert all(len(line) <= 60 for line in lines)
    assert lines[1].split() == ["a", "1", "[b]", "short"]


def test_a_terminal_that_is_too_narrow_for_whole_columns_cuts_nothing() -> None:
    lines = listed(terminal=True, width=19)
    assert all(len(line) <= 19 for line in lines)
    assert {"name", "n", "a", "1", "20", "[b]", "short", "longer", *LONG.split()} <= set(" ".join(lines).split())


def test_nested_values_are_indented_and_plain() -> None:
    facts = {
        "splits": {"cifar10": {"test": "ori-test"}},
        "share": 0.030016,
        "here": True,
        "seeds": [777, 888],
        "returned": [[3, 1], [2, 0]],
        "no": {},
    }
    assert nested("facts", facts) == [
        "facts:",
        "  splits:",
        "    cifar10:",
        "      test: ori-test",
        "  share: 0.030016",
        "  here: yes",
        "  seeds: 777, 888",
        "  returned: (3, 1), (2, 0)",
        "  no: none",
    ]


def test_sizes() -> None:
    found = [size(n) for n in (None, 17, 4_200, 16_300_000, 4_700_000_000)]
    assert found == ["-", "17 B", "4 kB", "16 MB", "4.7 GB"]
