"""Grids and nested values: one line a row where nobody looks, wrapped on a terminal, nothing printed as Python."""

from __future__ import annotations

import io

from rich.console import Console

from harness.reading.report.layout import nested, print_listing, size

LONG = "what it is, in " + "many " * 40 + "words"


def printed(*, terminal: bool, width: int = 60) -> list[str]:
    text = io.StringIO()
    console = Console(file=text, width=width, force_terminal=terminal, color_system=None)
    print_listing(console, ("name", "n", "summary"), [("a", "1", "[b] short"), ("longer", "20", LONG)], right=("n",))
    return text.getvalue().splitlines()


def test_off_a_terminal_a_row_is_a_line_whatever_the_width() -> None:
    assert printed(terminal=False) == ["name     n  summary", "a        1  [b] short", f"longer  20  {LONG}"]


def test_on_a_terminal_the_last_column_is_wrapped_to_the_width() -> None:
    lines = printed(terminal=True)
    assert len(lines) > 5
    assert all(len(line) <= 60 for line in lines)
    assert lines[1].split() == ["a", "1", "[b]", "short"]


def test_a_terminal_that_is_too_narrow_for_whole_columns_cuts_nothing() -> None:
    lines = printed(terminal=True, width=16)
    assert all(len(line) <= 16 for line in lines)
    given = "name n summary a 1 [b] short longer 20 " + LONG
    assert sorted("".join(lines).replace(" ", "")) == sorted(given.replace(" ", ""))


def test_nested_values_are_indented_and_plain() -> None:
    facts = {
        "splits": {"cifar10": {"test": "ori-test"}},
        "share": 0.030016,
        "here": True,
        "seeds": [777, 888],
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
        "  no: none",
    ]


def test_sizes() -> None:
    found = [size(n) for n in (None, 17, 4_200, 16_300_000, 4_700_000_000)]
    assert found == ["-", "17 B", "4 kB", "16 MB", "4.7 GB"]
