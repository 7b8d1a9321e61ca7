"""NAS-Bench-Macro: the CSV of the data folder, the official JSON layout, and what is refused."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness_nasbench.formats import macro

ARCHITECTURES = ["".join(digits) for digits in itertools.product("012", repeat=8)]


def official() -> dict[str, dict[str, Any]]:
    """The official layout with invented values."""
    return {
        arch: {"test_acc": [80.0, 81.5, i % 13 + 80.25], "mean_acc": (161.5 + i % 13 + 80.25) / 3, "std": 0.1,
               "params": 10 + i, "flops": 1000 + i}
        for i, arch in enumerate(ARCHITECTURES)
    }  # fmt: skip


TEXT = json.dumps(official())


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("macro") / "table.json"


def test_known_answers_on_the_real_table(shared_data: Path) -> None:
    table = macro.read_csv(shared_data / "nasbench_macro.csv")
    assert table.architectures == tuple(ARCHITECTURES)
    assert round(table.test.mean(axis=1).max(), 2) == 93.13
    row = table.architectures.index("02012100")
    assert table.test[row].tolist() == [89.47, 88.95, 89.17]
    assert (table.params[row], table.flops[row]) == (890_666, 47_327_744)


def test_official_json_and_csv_agree(scratch: Path) -> None:
    scratch.write_text(TEXT)
    table = macro.read_json(scratch)
    lines = [",".join(macro.HEADER)]
    lines += [
        f"{a},{','.join(map(str, e['test_acc']))},{e['params']},{e['flops']}" for a, e in reversed(official().items())
    ]
    scratch.write_text("\n".join(lines))
    again = macro.read_csv(scratch)
    assert table.architectures == again.architectures == tuple(ARCHITECTURES)
    for name in ("blocks", "test", "params", "flops"):
        np.testing.assert_array_equal(getattr(table, name), getattr(again, name))
    assert table.blocks[5].tolist() == [0, 0, 0, 0, 0, 0, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace('"00000001"', '"00000000"'), "'00000000' occurs twice"),
        (TEXT.replace('"00000001"', '"1"'), "architecture '1': '1' is no string of 8 digits 0 to 2; leading zeros"),
        (TEXT.replace('"00000001"', '"00000003"'), "no string of 8 digits"),
        (json.dumps(dict(list(official().items())[:-1])), "6,560 architectures instead of 6,561"),
        (TEXT.replace("81.5", "NaN", 1), "NaN is no number"),
        (TEXT.replace("81.5", '"81.5"', 1), "'test_acc' is not 3 percentages"),
        (TEXT.replace("81.5", "181.5", 1), "'test_acc' is not 3 percentages"),
        (TEXT.replace("81.5", "71.5", 1), "'mean_acc' is .*, the mean"),
        (TEXT.replace('"params": 12,', '"params": 12.5,'), "'params' is 12.5, not a count"),
        (TEXT.replace('"flops": 1002', '"flop": 1002'), "'flops' is None"),
        (TEXT[:-10], "line 1 column .*: not JSON"),
        ("[]", "a JSON list instead"),
        ("[" * 100_000, "not JSON"),
        ('{"00000000": 5}', "not an object"),
    ],
)
def test_refused_json(scratch: Path, text: str, message: str) -> None:
    scratch.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        macro.read_json(scratch)
    assert str(scratch) in str(caught.value)


def test_refused_csv(scratch: Path) -> None:
    header = ",".join(macro.HEADER)
    for body, message in [
        (
            "2012100,89.47,88.95,89.17,890666,47327744",
            "line 2: '2012100' is no string of 8 digits 0 to 2; leading zeros",
        ),
        ("02012100,89.47,88.95,89.17,890666,1\n" * 2, "line 3: architecture 02012100 again, first at line 2"),
        ("02012100,,88.95,89.17,890666,1", "'test_run0' is '', which is no number"),
        ("02012100,1,88.95,89.17,890666.5,1", "no whole number"),
        ("", "0 architectures instead of 6,561"),
    ]:
        scratch.write_text(f"{header}\n{body}")
        with pytest.raises(DataError, match=message):
            macro.read_csv(scratch)


def test_absent(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        macro.read_json(tmp_path / "absent.json")


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_fuzz_only_data_errors(scratch: Path, data: st.DataObject) -> None:
    raw = bytearray(TEXT[:3000].encode())
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    scratch.write_bytes(raw)
    for reader in (macro.read_json, macro.read_csv):
        with pytest.raises(DataError, match=r"table\.json"):
            reader(scratch)
