"""The NAS-Bench-201 table as CSV: known answers on the real one, refusals on generated ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness_nasbench.formats.nasbench201_cells import OPERATIONS, parse_cell
from harness_nasbench.formats.nasbench201_csv import HEADER, RUN_COLUMNS, read_csv

ARCHITECTURES = [
    f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|" for a, b, c, d, e, f in itertools.product(OPERATIONS, repeat=6)
]
ROWS = [
    [str(i), text, *(str(round(1 + (i * k) % 97 / 7, 4)) for k in range(1, len(HEADER) - 2)), "" if i % 3 else "55.5"]
    for i, text in enumerate(ARCHITECTURES)
]
LINES = [",".join(cells) for cells in [list(HEADER), *ROWS]]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("csv") / "table.csv"


def test_known_answers_on_the_real_table(shared_data: Path) -> None:
    table = read_csv(shared_data / "nasbench201.csv")
    column = table.columns
    data = ("cifar10", "cifar100", "imagenet16_120")
    assert [round(column[f"{d}_test_200ep"].max(), 2) for d in data] == [94.37, 73.51, 47.31]
    assert [round(column[f"{d}_valid_200ep"].max(), 2) for d in data] == [91.61, 73.49, 46.73]
    honest = [column[f"{d}_test_200ep"][column[f"{d}_valid_200ep"].argmax()] for d in data]
    assert [round(v, 2) for v in honest] == [94.37, 73.51, 46.20]
    assert [round(column[f"{d}_test_200ep"].mean(), 2) for d in data] == [87.06, 61.41, 33.59]
    assert table.operations.shape == (15_625, 6)
    assert table.architectures[0].startswith("|avg_pool_3x3~0|+|nor_conv_1x1~0|")
    assert table.operations[0].tolist() == [4, 2, 1, 2, 1, 1]
    for name, values in column.items():
        assert np.isnan(values).any() == (name in RUN_COLUMNS[1:])


def test_generated_table_in_any_order(scratch: Path) -> None:
    scratch.write_text("\n".join([LINES[0], *reversed(LINES[1:])]) + "\n")
    table = read_csv(scratch)
    assert table.architectures == tuple(ARCHITECTURES)
    np.testing.assert_array_equal(table.operations, list(itertools.product(range(5), repeat=6)))
    assert table.columns["cifar10_valid_12ep"][3] == float(ROWS[3][2])
    np.testing.assert_array_equal(np.isnan(table.columns[RUN_COLUMNS[2]]), np.arange(15_625) % 3 > 0)


def edited(line: int, change: Callable[[list[str]], object]) -> list[str]:
    cells = LINES[line].split(",")
    change(cells)
    return [*LINES[:line], ",".join(cells), *LINES[line + 1 :]]


def put(column: str, value: str) -> Callable[[list[str]], object]:
    return lambda cells: cells.__setitem__(HEADER.index(column), value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (LINES[:-1], "1 of 15,625 rows are missing, the first is index 15624"),
        ([*LINES, LINES[-1]], "line 15627: more than 15,625 rows"),
        ([*LINES[:-1], LINES[5]], "line 15626: index 4 again, first on line 6"),
        (edited(7, put("arch", ARCHITECTURES[0])), "index 6: the same architecture as index 0"),
        (edited(7, put("arch", "|none~0|")), "index 6: '|none~0|' is no NAS-Bench-201 architecture"),
        (edited(7, put("cifar100_valid_200ep", "")), "line 8: column 'cifar100_valid_200ep' is '', which is no number"),
        (edited(7, put("cifar100_valid_200ep", "nan")), "line 8: .* is 'nan', which is no number"),
        (edited(7, put("cifar10_test_12ep", "1_0")), "line 8: .* which is no number"),
        (edited(7, put("cifar10_test_12ep", "0.9e3")), "outside 0 to 100"),
        (edited(7, put("cifar10_params_m", "-1")), "outside"),
        (edited(7, put("index", "15625")), "line 8: column 'index' is 15625, outside 0 to 15624"),
        (edited(7, put("index", "6.0")), "no whole number"),
        (edited(7, lambda cells: cells.pop()), "line 8: 25 columns instead of 26"),
        (edited(0, put("arch", "cell")), "line 1: column 2 is 'cell' instead of 'arch'"),
        (edited(0, lambda cells: cells.pop()), "line 1: 25 columns instead of 26"),
        (["\ufeff" + LINES[0], *LINES[1:]], "byte order mark"),
        ([], "line 1: 0 columns"),
        ([LINES[0], "x" * 200_000], "after line 1: not CSV: field larger than field limit"),
        ([LINES[0], "0," + "y" * 99_000, "1," + 'z"' * 3], "line 2: 2 columns instead of 26"),
    ],
)
def test_refusals_name_line_and_reason(scratch: Path, lines: list[str], message: str) -> None:
    scratch.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=message) as caught:
        read_csv(scratch)
    assert str(scratch) in str(caught.value)


def test_absent_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_csv(tmp_path / "absent.csv")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(LINES[0].encode() + b"\n\xff\xfe\x00\x80")
    with pytest.raises(DataError, match="not UTF-8"):
        read_csv(binary)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_fuzz_only_data_errors(scratch: Path, data: st.DataObject) -> None:
    raw = bytearray("\n".join(LINES[:400]).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    scratch.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    with pytest.raises(DataError, match=r"table\.csv"):
        read_csv(scratch)


@given(st.text(max_size=120))
def test_no_text_but_the_notation_is_a_cell(text: str) -> None:
    with pytest.raises(DataError, match="here"):
        parse_cell(text, "here")
