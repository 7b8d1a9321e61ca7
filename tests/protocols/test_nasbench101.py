"""NAS-Bench-101 as a protocol, on small files in the official format with invented scores."""

from __future__ import annotations

import gzip
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from synthetic_nasbench101 import SPACE, invented_records, with_final, write_invented
from written_nasbench101 import write

from harness.cli import main
from harness.data.tables import Table, open_table
from harness.errors import DataError, DataMissing, InvalidArchitecture, UnknownArchitecture
from harness.spaces import Architecture
from harness.testing.conformance import check_protocol
from harness_nasbench.formats.nasbench101 import Record
from harness_nasbench.nasbench101 import NASBench101, known_answers
from harness_nasbench.nasbench101_import import import_table, pack_cell
from harness_nasbench.recorded import RecordedEvaluator
from harness_nasbench.spaces.nasbench101_hash import pack
from harness_nasbench.spaces.nasbench101_index import cell_index
from harness_nasbench.spaces.nasbench101_table import open_index

PROTOCOL = NASBench101()
# The cell of the benchmark's README, with the hash that its notebook prints, and its parameters (Ying et al.).
README = SPACE.parse(
    "0111010000000100000010000100000000100000010000000|"
    "input,conv1x1-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,maxpool3x3,output"
)
README_HASH, README_PARAMS = "28cfc7874f6d200472e1a9dcd8650aa0", 2_694_282


def cells(n: int) -> list[Architecture]:
    """The README's cell, and others from all over the space."""
    every = SPACE.cell_architectures
    found = [every[i] for i in range(5, len(every), len(every) // (n - 1))]
    return [README, *found[: n - 1]]


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> RecordedEvaluator:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(folder))
    (task,) = PROTOCOL.tasks()
    return PROTOCOL.open(task)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """A data folder with 60 cells after 4 and 108 epochs, and what is in its file; README's cell lacks a repeat."""
    folder = tmp_path_factory.mktemp("nasbench101")
    found = list(invented_records(cells(60), (4, 108)))
    del found[4]  # a repeat of README's 108 epochs
    rng = np.random.default_rng(3)
    found = [found[i] for i in rng.permutation(len(found))]
    write(folder / "part.tfrecord", found)
    import_table(folder / "part.tfrecord", folder)
    return folder, found


def of(records: list[Record], digest: str, epochs: int) -> list[Record]:
    return [r for r in records if (r.module_hash, r.epochs) == (digest, epochs)]


def test_scores_seconds_and_parameters_are_the_files(
    records: tuple[Path, list[Record]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, found = records
    evaluator = opened(folder, monkeypatch)
    validator = evaluator.validator()
    assert [(f.epochs, f.resumable) for f in validator.fidelities] == [(4, False), (108, False)]
    for arch in cells(60):
        row = validator.row(arch)
        for fidelity in validator.fidelities:
            assert fidelity.epochs is not None
            trained = of(found, SPACE.key(arch), fidelity.epochs)
            assert len(trained) == (2 if (arch, fidelity.epochs) == (README, 108) else 3)
            valid = [100 * r.final.validation_accuracy for r in trained]
            seconds = [r.final.training_time for r in trained]
            reading = validator.read(arch, row, fidelity, None)
            assert reading.valid == pytest.approx(np.mean(valid))
            assert reading.seconds == pytest.approx(np.sum(seconds))
            assert reading.trainings == len(trained)
            for repeat, (score, time) in enumerate(zip(valid, seconds, strict=True)):
                one = validator.read(arch, row, fidelity, repeat)
                assert (one.valid, one.seconds, one.missing) == (round(score, 9), time, False)
        tests = [100 * r.final.test_accuracy for r in of(found, SPACE.key(arch), 108)]
        assert evaluator.final_scores([arch], final="mean").scores == pytest.approx([np.mean(tests)])
        assert validator.costs([arch])["params"].tolist() == SPACE.costs([arch])["params"].tolist()
    missing = validator.read(README, validator.row(README), validator.fidelities[-1], 2)
    assert missing.missing
    assert np.isnan(missing.valid)


def test_the_readme_cell(records: tuple[Path, list[Record]], monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = opened(records[0], monkeypatch)
    assert evaluator.space.key(README) == README_HASH
    assert evaluator.validator().costs([README])["params"].tolist() == [README_PARAMS]
    assert README_HASH in {h.tobytes().hex() for h in open_table(records[0] / "nasbench101" / "scores")["hash"]}


def test_finals_are_what_every_cell_has(
    records: tuple[Path, list[Record]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(records[0]))
    (task,) = PROTOCOL.tasks()
    assert task.finals == ("mean", "repeat:0", "repeat:1")
    whole = write_invented(tmp_path / "whole.tfrecord", cells(5))
    import_table(tmp_path / "whole.tfrecord", tmp_path)
    evaluator = opened(tmp_path, monkeypatch)
    assert evaluator.task.finals == ("mean", "repeat:0", "repeat:1", "repeat:2")
    assert [f.epochs for f in evaluator.validator().fidelities] == [108]
    second = 100 * of(whole, README_HASH, 108)[2].final.test_accuracy
    assert evaluator.final_scores([README], final="repeat:2").scores.tolist() == [second]


def test_half_way_values_are_kept(records: tuple[Path, list[Record]]) -> None:
    folder, found = records
    table = open_table(folder / "nasbench101" / "scores")
    row = int((table["code"] == pack(README)).argmax())
    trained = of(found, README_HASH, 4)
    expected = [100 * r.halfway.validation_accuracy for r in trained]
    assert table["e4_half_valid"][row].tolist() == pytest.approx(expected)
    assert table["e4_half_seconds"][row].tolist() == pytest.approx([r.halfway.training_time for r in trained])
    assert np.isnan(table["e108_half_test"][row][2])


def test_records_say_where_scores_come_from(
    records: tuple[Path, list[Record]], monkeypatch: pytest.MonkeyPatch
) -> None:
    provenance = opened(records[0], monkeypatch).provenance()
    assert provenance["split_sizes"] == {"train": 40_000, "validation": 10_000, "test": 10_000}
    assert set(provenance["splits"]) == {"validation", "test"}
    assert set(provenance["validation_equals_test"]) == {"4", "108"}
    assert provenance["cells"] == 60
    assert provenance["source"] == "part.tfrecord"
    assert len(provenance["source_sha256"]) == 64


def test_it_conforms(records: tuple[Path, list[Record]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(records[0]))
    report = check_protocol(PROTOCOL)
    assert report.ok, str(report)


def test_cells_that_a_part_lacks(records: tuple[Path, list[Record]], monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = opened(records[0], monkeypatch)
    validator = evaluator.validator()
    other = next(a for a in cells(1000) if a not in cells(60))
    with pytest.raises(UnknownArchitecture, match="60 of 423,624 cells, but not " + SPACE.key(other)):
        validator.row(other)
    with pytest.raises(UnknownArchitecture):
        validator.identity([README, other])
    with pytest.raises(InvalidArchitecture):
        validator.row((0,) * 26)
    assert validator.costs([README, other])["params"].tolist() == SPACE.costs([README, other])["params"].tolist()
    assert not evaluator.space.is_valid(other)
    assert set(evaluator.space.sample(np.random.default_rng(0), 300)) <= set(cells(60))
    assert evaluator.space.default_law == "rows"


def test_isomorphic_encodings_are_one_row(records: tuple[Path, list[Record]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The record that the benchmark's notebook prints for the README's cell has another order of vertices."""
    twin = SPACE.parse(
        "0111100000000100000010000001000001000000010000000|"
        "input,conv3x3-bn-relu,conv1x1-bn-relu,maxpool3x3,conv3x3-bn-relu,conv3x3-bn-relu,output"
    )
    validator = opened(records[0], monkeypatch).validator()
    assert twin != README
    assert validator.row(twin) == validator.row(README)


def test_the_index_comes_back_as_it_was(records: tuple[Path, list[Record]]) -> None:
    found, built = open_index(open_table(records[0] / "nasbench101" / "index")), cell_index()
    for name in ("matrices", "labels", "cells", "representatives", "encodings"):
        np.testing.assert_array_equal(getattr(found, name), getattr(built, name))
    assert int(found.encodings.sum()) == 373_754_169
    assert [found.cell(a) for a in cells(60)] == [built.cell(a) for a in cells(60)]


def test_cells_of_fewer_vertices_are_packed_as_the_space_reads_them() -> None:
    for arch in cells(300):
        matrix, names = SPACE.describe(arch).split("|")
        whole = bytes(int(bit) for bit in matrix)
        assert pack_cell(whole, tuple(names.split(","))) == pack(arch)
    tiny = SPACE.from_matrix([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", "maxpool3x3", "output"])
    assert pack_cell(bytes([0, 1, 1, 0, 0, 1, 0, 0, 0]), ("input", "maxpool3x3", "output")) == pack(tiny)


def test_known_answers_are_those_published(records: tuple[Path, list[Record]]) -> None:
    table = open_table(records[0] / "nasbench101" / "scores")
    answers = known_answers(table)
    assert [a.published for a in answers] == [423_624, 95.0554, 94.3176]
    assert not any(a.holds for a in answers)  # invented scores
    assert known_answers(open_table(records[0] / "nasbench101" / "index")) == []


def test_without_a_table_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataMissing, match="nas-harness data import nasbench101 PATH"):
        opened(tmp_path, monkeypatch)


# -- files that cannot be trusted -------------------------------------------------------------------------------------


def changed(records: list[Record], change: Callable[[Record], Record], place: int = 7) -> list[Record]:
    return [change(r) if i == place else r for i, r in enumerate(records)]


def equal_splits(record: Record) -> Record:
    return with_final(record, validation_accuracy=record.final.test_accuracy)


def other_params(record: Record) -> Record:
    return replace(record, parameters=1_000_000)


REFUSED: dict[str, tuple[Callable[[list[Record]], list[Record]], str]] = {
    "other hash": (lambda rs: changed(rs, lambda r: replace(r, module_hash="ab" * 16)), r"training 7: hash abab"),
    "another's": (lambda rs: changed(rs, lambda r: replace(r, module_hash=rs[0].module_hash), 6), "training 6: hash"),
    "four repeats": (lambda rs: [*rs, rs[0]], f"{README_HASH} has 4 trainings of 108 epochs"),
    "epochs of some": (lambda rs: changed(rs, lambda r: replace(r, epochs=12)), "3 cells have no training of 12"),
    "no 108 epochs": (lambda rs: [replace(r, epochs=36) for r in rs], "no training of 108 epochs"),
    "validation is test": (lambda rs: [equal_splits(r) for r in rs], "validation equals test accuracy in 100%"),
    "other parameters": (lambda rs: [other_params(r) for r in rs], "100% of the cells have other parameters"),
    "two parameters": (lambda rs: changed(rs, other_params), "training 7: 1000000 parameters, another of its cell"),
    "unconnected": (
        lambda rs: changed(rs, lambda r: replace(r, adjacency=np.zeros_like(r.adjacency))), "no NAS-Bench-101 cell"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_records_that_contradict_themselves(what: str, tmp_path: Path) -> None:
    change, message = REFUSED[what]
    path = tmp_path / "bad.tfrecord"
    write(path, change(list(invented_records(cells(4)))))
    with pytest.raises(DataError, match=message) as caught:
        import_table(path, tmp_path / "data")
    assert str(path) in str(caught.value)
    assert not (tmp_path / "data").exists()


def test_an_official_name_promises_every_cell(tmp_path: Path) -> None:
    write_invented(tmp_path / "nasbench_only108.tfrecord", cells(4))
    with pytest.raises(DataError, match="4 of 423,624 cells, 12 trainings: the download is cut short"):
        import_table(tmp_path / "nasbench_only108.tfrecord", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def hostile(folder: Path, good: bytes) -> dict[str, bytes]:
    """Contents that are not what their name says, by name."""
    with zipfile.ZipFile(folder / "bomb", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nasbench_only108.tfrecord", bytes(1 << 24))
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 4
    return {
        "cut.tfrecord": good[:-3],
        "flipped.tfrecord": bytes(flipped),
        "empty.tfrecord": b"",
        "length.tfrecord": struct.pack("<Q", 1 << 62) + good[8:],
        "bomb.zip": (folder / "bomb").read_bytes(),
        "bomb.gz": gzip.compress(bytes(1 << 24)),
        "pickle.tfrecord": b"\x80\x04cos\nsystem\nU\x04true\x85R.",
        "nasbench201.csv": b"index,arch\n0,|none~0|\n",
        "nats.pth": b"PK\x03\x04" + bytes(100),
    }


def test_bad_imports_change_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv("NAS_HARNESS_DATA", str(data))
    write_invented(tmp_path / "good.tfrecord", cells(4))
    assert main(["data", "import", "nasbench101", str(tmp_path / "good.tfrecord")]) == 1  # whole, but four cells
    assert "DIFFERS: cells: published 423624, found 4\n" in capsys.readouterr().err
    before = {p: p.read_bytes() for p in data.rglob("*") if p.is_file()}
    capsys.readouterr()
    for name, content in hostile(tmp_path, (tmp_path / "good.tfrecord").read_bytes()).items():
        path = tmp_path / name
        path.write_bytes(content)
        assert main(["data", "import", "nasbench101", str(path)]) == 2, name
        said = capsys.readouterr().err
        assert str(path) in said.replace("\n", ""), said
        assert "Traceback" not in said
    assert main(["data", "import", "nasbench101", str(tmp_path)]) == 2
    assert {p: p.read_bytes() for p in data.rglob("*") if p.is_file()} == before
    assert sorted(p.name for p in (data / "nasbench101").iterdir()) == ["index", "scores"]


def test_a_full_disk_leaves_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_invented(tmp_path / "good.tfrecord", cells(4))
    import_table(tmp_path / "good.tfrecord", tmp_path)
    before = open_table(tmp_path / "nasbench101" / "scores").digest

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    write_invented(tmp_path / "other.tfrecord", cells(5))
    with pytest.raises(DataError, match="No space left on device; nothing was changed"):
        import_table(tmp_path / "other.tfrecord", tmp_path)
    assert open_table(tmp_path / "nasbench101" / "scores").digest == before
    assert sorted(p.name for p in (tmp_path / "nasbench101").iterdir()) == ["index", "scores"]


def test_a_damaged_index_says_so(records: tuple[Path, list[Record]]) -> None:
    table = open_table(records[0] / "nasbench101" / "index")
    for arrays in ({}, {"matrices": [1, 5]}, {**table.meta.facts["arrays"], "cells": [0, 1 << 40, 243]}):
        meta = msgspec.structs.replace(table.meta, facts={"arrays": arrays})
        with pytest.raises(DataError, match="not an index of NAS-Bench-101's cells"):
            open_index(Table(table.folder, meta))
