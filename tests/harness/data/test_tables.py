from __future__ import annotations

import ctypes
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.tables import Table, data_dir, open_table, remove_table, table_exists, write_table
from harness.errors import DataError, DataMissing


def write(folder: Path, value: float = 1.0, **overrides: Any) -> Table:
    default = {"valid": np.full(5, value), "runs": np.arange(10, dtype=np.int32).reshape(5, 2)}
    columns = overrides.pop("columns", default)
    about = {
        "benchmark": "invented", "source": "invented.csv", "source_sha256": "0" * 64, "version": "1",
        "licence": "Apache-2.0", "importer": "test/1", "facts": {"splits": {"valid": "x-valid"}},
    }  # fmt: skip
    return write_table(folder, columns, **(about | overrides))


def entries(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_what_is_written_is_read_back_read_only(tmp_path: Path) -> None:
    write(tmp_path / "t", 94.37)
    table = open_table(tmp_path / "t")
    assert table["valid"].tolist() == [94.37] * 5
    assert table["runs"].shape == (5, 2)
    assert table["runs"].dtype == np.int32
    assert isinstance(table["valid"], np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        table["valid"][0] = 0.0
    assert table.meta.facts == {"splits": {"valid": "x-valid"}}
    assert entries(tmp_path) == ["t"]
    table.verify()


def test_a_table_of_an_earlier_importer_is_refused_and_the_command_named(tmp_path: Path) -> None:
    """Scores that an earlier importer did not round would break ties by noise."""
    write(tmp_path / "t", importer="invented/1")
    open_table(tmp_path / "t", "invented/1")
    with pytest.raises(
        DataError, match=r"importer invented/1; this version's is invented/2.*data import invented PATH"
    ):
        open_table(tmp_path / "t", "invented/2")


def test_meta_names_the_sha256_of_each_column_file(tmp_path: Path) -> None:
    write(tmp_path / "t")
    meta = json.loads((tmp_path / "t" / "meta.json").read_text())
    assert (meta["schema"], meta["rows"], meta["source_sha256"]) == (1, 5, "0" * 64)
    for name, column in meta["columns"].items():
        assert column["sha256"] == hashlib.sha256((tmp_path / "t" / f"{name}.npy").read_bytes()).hexdigest()


def test_digest_follows_the_data_and_not_the_source(tmp_path: Path) -> None:
    a = write(tmp_path / "a")
    b = write(tmp_path / "b", source="another.csv", source_sha256="f" * 64)
    c = write(tmp_path / "c", 2.0)
    assert a.digest == b.digest != c.digest


def test_opening_takes_milliseconds(tmp_path: Path) -> None:
    write(tmp_path / "t", columns={f"c{i}": np.zeros(400_000) for i in range(20)})
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        open_table(tmp_path / "t")["c3"]
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.05


class WithoutExchange:
    """A C library on a file system that cannot exchange two names."""

    def __init__(self, name: None) -> None:
        self.renameat2 = lambda *arguments: -1


@pytest.mark.parametrize("library", [ctypes.CDLL, WithoutExchange])
def test_replacing_leaves_one_table(library: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", library)
    old = write(tmp_path / "t", 1.0)
    column = old["valid"]
    write(tmp_path / "t", 2.0)
    assert open_table(tmp_path / "t")["valid"][0] == 2.0
    assert column[0] == 1.0, "a reader keeps what it has opened"
    assert entries(tmp_path) == ["t"]


def test_a_table_behind_a_link_is_replaced_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "t").symlink_to(tmp_path / "disk" / "t")
    for value in (1.0, 2.0):
        write(tmp_path / "t", value)
        assert open_table(tmp_path / "t")["valid"][0] == value
    assert (tmp_path / "t").is_symlink()
    assert entries(tmp_path / "disk") == ["t"]


def test_a_reader_always_finds_a_table_that_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "t", 1.0)
    with ThreadPoolExecutor(1) as writer:
        written = writer.submit(lambda: [write(tmp_path / "t", float(i)) for i in range(20)])
        while not written.done():
            assert table_exists(tmp_path / "t")
    written.result()


def test_a_full_disk_leaves_the_existing_table_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path / "t", 1.0)
    before = {p.name: p.read_bytes() for p in (tmp_path / "t").iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(DataError, match="cannot be written: .*File too large; nothing was changed"):
            write(tmp_path / "t", columns={"small": np.zeros(3), "valid": np.zeros(3_000).reshape(3, 1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert entries(tmp_path) == ["t"]
    assert {p.name: p.read_bytes() for p in (tmp_path / "t").iterdir()} == before


def test_leftovers_of_a_killed_import_are_swept_after_a_day(tmp_path: Path) -> None:
    for name, age in ((".t.partial-old", 100_000), (".t.partial-new", 10)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    write(tmp_path / "t")
    assert entries(tmp_path) == [".t.partial-new", "t"]


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataMissing):
        open_table(tmp_path / "t")
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="is no table"):
        open_table(tmp_path / "t")


def edit_meta(folder: Path, **changes: Any) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | changes))


def test_a_torn_meta_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "t")
    text = (tmp_path / "t" / "meta.json").read_text()
    (tmp_path / "t" / "meta.json").write_text(text[: len(text) // 2])
    with pytest.raises(DataError, match=r"meta\.json"):
        open_table(tmp_path / "t")


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"schema": 9}, "format 9"), ({"rows": 6}, "6 rows"), ({"rows": "five"}, "rows"), ({"extra": 1}, "extra")],
)
def test_a_foreign_meta_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write(tmp_path / "t")
    edit_meta(tmp_path / "t", **changes)
    with pytest.raises(DataError, match=message):
        open_table(tmp_path / "t")


def test_a_column_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "t")
    meta = json.loads((tmp_path / "t" / "meta.json").read_text())
    meta["columns"]["../../etc/passwd"] = meta["columns"].pop("valid")
    (tmp_path / "t" / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(DataError, match="no column name"):
        open_table(tmp_path / "t")


def test_a_missing_column_is_refused(tmp_path: Path) -> None:
    table = write(tmp_path / "t")
    with pytest.raises(DataError, match="no column 'test'"):
        table["test"]
    (tmp_path / "t" / "valid.npy").unlink()
    with pytest.raises(DataError, match=r"valid\.npy: a column is missing"):
        open_table(tmp_path / "t")


def test_a_truncated_column_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "t")
    path = tmp_path / "t" / "valid.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="bytes instead of"):
        open_table(tmp_path / "t")


def test_a_flipped_bit_is_found_by_verify(tmp_path: Path) -> None:
    write(tmp_path / "t")
    path = tmp_path / "t" / "valid.npy"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"valid\.npy: its SHA-256"):
        open_table(tmp_path / "t").verify()


def substitute(folder: Path, name: str, array: np.ndarray) -> None:
    """Put another array in a column's place, with `meta` agreeing on its size."""
    np.save(folder / f"{name}.npy", array, allow_pickle=True)
    meta = json.loads((folder / "meta.json").read_text())
    meta["columns"][name]["bytes"] = (folder / f"{name}.npy").stat().st_size
    (folder / "meta.json").write_text(json.dumps(meta))


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(Path(os.environ["HOSTILE_DIR"]) / "pwned"),))


def test_an_object_column_is_refused_and_not_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTILE_DIR", str(tmp_path))
    write(tmp_path / "t")
    substitute(tmp_path / "t", "valid", np.array([Hostile()] * 5, dtype=object))
    with pytest.raises(DataError, match=r"valid\.npy"):
        open_table(tmp_path / "t")["valid"]
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("array", [np.zeros(4), np.zeros((5, 1)), np.zeros(5, np.float32), np.zeros(5, ">f8")])
def test_another_shape_or_type_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    write(tmp_path / "t")
    substitute(tmp_path / "t", "valid", array)
    with pytest.raises(DataError, match=r"meta\.json says <f8 \(5,\)"):
        open_table(tmp_path / "t")["valid"]


def test_an_archive_in_a_columns_place_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "t")
    np.savez(tmp_path / "t" / "valid.npz", valid=np.zeros(5))
    os.replace(tmp_path / "t" / "valid.npz", tmp_path / "t" / "valid.npy")
    meta = json.loads((tmp_path / "t" / "meta.json").read_text())
    meta["columns"]["valid"]["bytes"] = (tmp_path / "t" / "valid.npy").stat().st_size
    (tmp_path / "t" / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(DataError, match="not a readable column"):
        open_table(tmp_path / "t")["valid"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "at least one column"),
        ({"a": np.zeros(3), "b": np.zeros(4)}, "differ in rows"),
        ({"a": np.array([None, 1], dtype=object)}, "dtype object"),
        ({"../a": np.zeros(3)}, "no column name"),
        ({"a": np.zeros(0)}, "empty"),
        ({"a": np.array(3.0)}, "single value"),
    ],
)
def test_what_is_no_table_is_not_written(tmp_path: Path, columns: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=message):
        write(tmp_path / "t", columns=columns)
    assert entries(tmp_path) == []


def test_big_endian_columns_are_stored_little_endian(tmp_path: Path) -> None:
    table = write(tmp_path / "t", columns={"a": np.array([1.5, 2.5], dtype=">f8")})
    assert table["a"].dtype.str == "<f8"
    assert table["a"].tolist() == [1.5, 2.5]


def test_remove(tmp_path: Path) -> None:
    write(tmp_path / "t")
    remove_table(tmp_path / "t")
    assert entries(tmp_path) == []
    with pytest.raises(DataMissing):
        remove_table(tmp_path / "t")


def test_remove_keeps_what_is_not_the_tables(tmp_path: Path) -> None:
    write(tmp_path / "t")
    (tmp_path / "t" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="cannot be removed"):
        remove_table(tmp_path / "t")
    assert (tmp_path / "t" / "thesis.txt").read_text() == "mine"


def test_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path / "env"))
    assert data_dir(tmp_path / "explicit") == tmp_path / "explicit"
    assert data_dir() == tmp_path / "env"
    monkeypatch.delenv("NAS_HARNESS_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert data_dir() == tmp_path / "xdg" / "nas-harness" or sys.platform != "linux"


def test_many_processes_may_write_the_same_table(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np\nfrom pathlib import Path\nfrom harness.data.tables import write_table\n"
        "for i in range(20):\n"
        "  t = write_table(Path(sys.argv[1]), {'a': np.full(1000, 7.0), 'b': np.zeros(9000).reshape(1000, 9)},"
        "benchmark='b', source='s',"
        "source_sha256='0', version='1', licence='l', importer='i')\n"
        "print(t['a'][999])"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "t")], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [w.communicate()[0].strip() for w in workers] == ["7.0"] * 4
    assert entries(tmp_path) == ["t"]
