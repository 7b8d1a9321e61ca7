"""Pickles: equal to pickle on honest files, DataError and nothing else on the rest."""

from __future__ import annotations

import bz2
import importlib.util
import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.data import safe_pickle
from harness.errors import DataError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
KEYS = st.integers() | st.text() | st.tuples(st.text(), st.integers())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner) | st.tuples(inner, inner) | st.sets(st.integers()),
    max_leaves=30,
)


class Hostile:
    """Unpickled by the standard library, this makes a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


@given(VALUES, st.integers(2, 5))
def test_reads_what_pickle_writes(value: Any, protocol: int) -> None:
    assert safe_pickle.load_bytes(pickle.dumps(value, protocol), name="x") == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("core", [b"numpy._core", b"numpy.core"])
def test_numpy_under_both_names(protocol: int, core: bytes) -> None:
    value: dict[str, Any] = {
        "array": np.arange(6, dtype=np.float32).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "scalar": np.float64(93.5),
        "count": np.int64(7),
        "text": np.array(["ab", "c"]),
        "ordered": OrderedDict(a=1, b=2),
        "bytes": bytearray(b"\x00\xff"),
    }
    data = pickle.dumps(value, protocol)
    if core != b"numpy._core" and protocol < 4:  # a GLOBAL opcode ends by newline, so the name can be changed
        data = data.replace(b"numpy._core", core)
    read = safe_pickle.load_bytes(data, name="x")
    assert read.keys() == value.keys()
    for key in ("array", "fortran", "text"):
        assert read[key].dtype == value[key].dtype
        np.testing.assert_array_equal(read[key], value[key])
    assert read["scalar"] == 93.5
    assert type(read["scalar"]) is float
    assert read["count"] == 7
    assert type(read["count"]) is int
    assert read["ordered"] == value["ordered"]
    assert read["bytes"] == value["bytes"]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_global_that_runs_code_is_refused_by_name_and_not_run(protocol: int, tmp_path: Path) -> None:
    made = tmp_path / "made"
    file = tmp_path / "bad.pickle"
    file.write_bytes(pickle.dumps({"a": Hostile(str(made))}, protocol))
    with pytest.raises(DataError, match=r"bad\.pickle: byte \d+: (refused: the file asks for posix\.mkdir|.*opcode)"):
        safe_pickle.load_path(file)
    assert not made.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("numpy", "load"),
        ("numpy.core.multiarray", "x"),
    ],
)
def test_globals_outside_the_list(module: str, name: str) -> None:
    data = b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"X\x04\x00\x00\x00true\x85R."
    with pytest.raises(DataError, match=f"asks for {module}.{name}"):
        safe_pickle.load_bytes(data, name="x")


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04B\xff\xff\xff\xff.",  # bytes of 4 GiB
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",  # bytearray of 8 EiB
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # memo index 2 ** 31 - 1
        b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x10\x85R.",  # bytearray(2 ** 36)
        b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00O8\x89\x88\x87R.",  # objects
        b"\x80\x02}(K\x01u.",  # a key without a value
        b"\x80\x02})R.",  # calls a dict
        b"\x80\x02K\x01K\x02b.",  # state for a number
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00a"
        + b"]" * 5000
        + b"a" * 4999
        + b"\x86R.",  # a codec of nested lists
        b"\x80\x02cnumpy\ndtype\nU\x02U1\x85Rq\x00cnumpy.core.multiarray\nscalar\nh\x00U\x04\xff\xff\xff\xff\x86R.",
        b"I01\n.",
        b"",
        b"\x80\x09N.",
    ],
)
def test_hostile_bytes(data: bytes) -> None:
    with pytest.raises(DataError, match=r"^x: byte \d+: "):
        safe_pickle.load_bytes(data, name="x")


def test_a_refusal_is_short() -> None:
    with pytest.raises(DataError) as refused:
        safe_pickle.load_bytes(b"\x80\x02c" + b"a" * 100_000 + b"\nb\n.", name="x")
    assert len(str(refused.value)) < 300


def test_a_constructor_is_given_no_state() -> None:
    data = b"\x80\x02cbuiltins\nset\n}X\x01\x00\x00\x00aK\x01sb."
    with pytest.raises(DataError, match="a state for a function"):
        safe_pickle.load_bytes(data, name="x")


def test_an_array_is_not_in_the_memory_of_another() -> None:
    dtype = b"cnumpy\ndtype\nX\x02\x00\x00\x00u1\x85Rq\x00"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(NNNtR(K\x01(K\x04th\x00\x89C\x04abcdtbq\x01"
    view = b"cnumpy.core.numeric\n_frombuffer\n(h\x01h\x00K\x04X\x01\x00\x00\x00CtR."
    with pytest.raises(DataError, match="in the memory of a ndarray"):
        safe_pickle.load_bytes(b"\x80\x03" + dtype + array + view, name="x")


@pytest.mark.parametrize("head", [b"\x80\x04\x8e", b"\x80\x05\x96"])
@pytest.mark.parametrize("length", [1 << 40, (1 << 63) - 1])
def test_a_file_that_claims_more_than_it_holds(head: bytes, length: int, tmp_path: Path) -> None:
    file = tmp_path / "long.pickle"
    file.write_bytes(head + struct.pack("<Q", length) + b"x.")
    with pytest.raises(DataError, match=r"long\.pickle: (refused: it unfolds into more than|byte \d+: )"):
        safe_pickle.load_path(file)


def test_nested_tuples_are_no_keys() -> None:
    data = b"\x80\x02}()\x85\x85K\x01u."  # {(((),),): 1}
    with pytest.raises(DataError, match="tuple is no key"):
        safe_pickle.load_bytes(data, name="x")


def test_missing_truncated_and_trailing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        safe_pickle.load_path(tmp_path / "absent")
    data = pickle.dumps({"a": [1.5] * 100, "b": "x" * 300})
    for end in range(len(data)):
        with pytest.raises(DataError, match="byte"):
            safe_pickle.load_bytes(data[:end], name="x")
    with pytest.raises(DataError, match="after the end"):
        safe_pickle.load_bytes(data + b"N", name="x")
    packed = bz2.compress(data)
    for end in (0, 5, len(packed) // 2, len(packed) - 1):
        file = tmp_path / "cut.pbz2"
        file.write_bytes(packed[:end])
        with pytest.raises(DataError, match=r"cut\.pbz2"):
            safe_pickle.load_path(file)


def test_entries_are_handed_over_as_they_come(tmp_path: Path) -> None:
    file = tmp_path / "big.pickle"
    value = {"meta": ["a", "b"], "entries": {i: {"values": [float(i)] * 50, "pad": "y" * 9000} for i in range(3000)}}
    file.write_bytes(pickle.dumps(value, 4))
    assert file.stat().st_size > 20_000_000  # several blocks
    seen: list[int] = []

    def keep(key: int, entry: dict[str, Any]) -> float:
        seen.append(key)
        return float(entry["values"][-1])

    read = safe_pickle.load_path(file, on_entry={"entries": keep})
    assert read == {"meta": ["a", "b"], "entries": {i: float(i) for i in range(3000)}}
    assert seen == list(range(3000))


_SAMPLE = pickle.dumps({"a": np.arange(4.0), "b": [np.float64(1), (1, 2), {"c": {1, 2}}], "d": bytearray(b"xy")}, 4)


@settings(max_examples=400)
@given(st.data())
def test_fuzz_only_data_errors(data: st.DataObject) -> None:
    raw = bytearray(_SAMPLE)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    _read_or_refuse(bytes(raw))


@settings(max_examples=400)
@given(
    st.lists(
        st.sampled_from([bytes((i,)) for i in b"\x80(0NK\x01\x88]}at)\x85\x86eusbRhq\x00\x8f\x90\x91\x94\x95\x96Q."])
    )
)
@example([b"("] * 50)
def test_fuzz_opcodes(parts: list[bytes]) -> None:
    _read_or_refuse(b"\x80\x04" + b"".join(parts) + b".")


def _read_or_refuse(raw: bytes) -> None:
    try:
        safe_pickle.load_bytes(raw, name="x")
    except DataError as error:
        assert str(error).startswith("x: byte ")  # noqa: PT017


@pytest.mark.skipif(importlib.util.find_spec("nas_bench_graph") is None, reason="nas-bench-graph is not installed")
@pytest.mark.parametrize("table", ["cora", "proteins"])
def test_real_nas_bench_graph_tables(table: str) -> None:
    spec = importlib.util.find_spec("nas_bench_graph")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    file = Path(spec.submodule_search_locations[0]) / "light" / f"{table}.bench"
    read = safe_pickle.load_path(file)
    assert len(read) == {"cora": 26_206, "proteins": 2_021}[table]
    assert read == pickle.loads(file.read_bytes())


def test_python_2_wrote_text_as_bytes_and_counts_its_memo_from_one() -> None:
    """Opcodes as cPickle of Python 2 writes a dict with an array: checked against Python's own unpickler."""
    raw = bytes(range(6))

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x05(cnumpy\nndarray\nq\x06K\x00\x85" + text(b"b") + b"tR"
        b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nq\x07" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T" + struct.pack("<i", 6) + raw + b"tb"
    )  # fmt: skip
    data = b"\x80\x02}q\x01(" + text(b"labels") + b"q\x02]q\x03(K\x06K\x09e" + text(b"data") + b"q\x04" + array + b"u."
    ours = safe_pickle.load_bytes(data, name="x")
    theirs = pickle.loads(data.replace(b"numpy.core", b"numpy._core"), encoding="bytes")
    assert ours.keys() == theirs.keys() == {b"labels", b"data"}
    assert ours[b"labels"] == theirs[b"labels"]
    assert np.array_equal(ours[b"data"], theirs[b"data"])
    assert ours[b"data"].shape == (2, 3)
