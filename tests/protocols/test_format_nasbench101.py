"""NAS-Bench-101's records: an independent encoding, round trips, and what is refused."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written_nasbench101 import encode_record, write, write_field, write_records

from harness.errors import DataError
from harness_nasbench.formats import nasbench101, protobuf
from harness_nasbench.formats.nasbench101 import Evaluation, Record


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nasbench101") / "nasbench_only108.tfrecord"


def record(repeat: int = 0, epochs: int = 108) -> Record:
    adjacency = np.triu(np.ones((5, 5), dtype=np.int8), 1)
    halfway, final = (Evaluation(700.5 * half, 0.1 + half * 0.39, 0.1 + half * 0.38) for half in (1, 2))
    operations = ("input", "conv3x3-bn-relu", "maxpool3x3", "conv1x1-bn-relu", "output")
    return Record("00005c142e6f48ac74fdcf73e343987" + str(repeat), epochs, adjacency, operations,
                  2_694_282 + repeat, halfway, final)  # fmt: skip


def test_a_record_written_by_hand() -> None:
    """Bytes put together from the protobuf encoding rules, with a field that the schema does not have."""
    body = b"".join(bytes([number << 3 | 1]) + struct.pack("<d", 0.5) for number in range(1, 6))
    evaluation = b"\x0a" + bytes([len(body) + 4]) + body + b"\x32\x02ab"
    unknown = b"\x78\x96\x01" + b"\x7a\x01z" + b"\x7d\x00\x00\x00\x00"  # field 15 as varint, as bytes, as 4 bytes
    packed = base64.b64encode(evaluation * 3 + unknown + b"\x10\xcc\xb8\xa4\x01" + b"\x19" + struct.pack("<d", 9.0))
    data = json.dumps(["ab" * 16, 4, "0100", "input,output", packed.decode()]).encode()
    read = nasbench101.decode_record(data)
    assert (read.module_hash, read.epochs, read.operations) == ("ab" * 16, 4, ("input", "output"))
    assert read.adjacency.tolist() == [[0, 1], [0, 0]]
    assert read.parameters == 2_694_220
    assert read.final == read.halfway == Evaluation(0.5, 0.5, 0.5)


def test_file_round_trip(scratch: Path) -> None:
    records = [record(repeat, epochs) for epochs in nasbench101.EPOCHS for repeat in range(3)]
    assert write(scratch, records) == 12
    for read, written in zip(nasbench101.read(scratch), records, strict=True):
        np.testing.assert_array_equal(read.adjacency, written.adjacency)
        assert read.adjacency.dtype == np.int8
        for name in ("module_hash", "epochs", "operations", "parameters", "halfway", "final"):
            assert getattr(read, name) == getattr(written, name)


@given(st.integers(-(1 << 63), (1 << 64) - 1))
def test_varints(value: int) -> None:
    ((number, kind, read),) = protobuf.fields(write_field(7, value))
    assert (number, kind, read) == (7, protobuf.VARINT, value % (1 << 64))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x08", "unfinished number"),
        (b"\x08" + b"\xff" * 10, "unfinished number"),
        (b"\x08" + b"\xff" * 9 + b"\x7f", "more than 64 bits"),
        (b"\x09\x00", "ends inside field 1"),
        (b"\x0a\x05abc", "ends inside field 1"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "ends inside field 1"),
        (b"\x0b", "wire type 3"),
        (b"\x00\x01", "field number 0"),
    ],
)
def test_malformed_protobuf(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(protobuf.fields(data))


PARTS = json.loads(encode_record(record()))


def parts(**change: object) -> list[object]:
    names = ("hash", "epochs", "adjacency", "operations", "metrics")
    return [change.get(name, value) for name, value in zip(names, PARTS, strict=True)]


def metrics(*fields: tuple[int, int | float | bytes]) -> str:
    return base64.b64encode(b"".join(write_field(*field) for field in fields)).decode()


EVALUATION = b"".join(write_field(number, 0.5) for number in range(1, 6))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x0a\x05abc", "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (parts()[:4], "not a list of hash"),
        (parts(hash="xyz"), "module hash 'xyz'"),
        (parts(epochs=5), "5 epochs"),
        (parts(epochs=True), "not a list of hash"),
        (parts(adjacency="01"), "no square"),
        (parts(adjacency="0" * 64), "no square"),
        (parts(adjacency="0" * 24 + "1"), "not upper triangular"),
        (parts(operations="input,output"), "operations 'input,output' for 5 vertices"),
        (parts(operations="input,nor_conv_3x3,maxpool3x3,maxpool3x3,output"), "operations 'input,nor_conv_3x3"),
        (parts(metrics="%%"), "not base64"),
        (parts(metrics=metrics((1, EVALUATION), (2, 5), (3, 1.0))), "1 evaluations instead of 3"),
        (parts(metrics=metrics(*[(1, EVALUATION)] * 3, (3, 1.0))), "None trainable parameters"),
        (parts(metrics=metrics(*[(1, EVALUATION)] * 3, (2, -5), (3, 1.0))), "trainable parameters"),
        (parts(metrics=metrics(*[(1, write_field(2, -1.0))] * 3, (2, 5))), "an evaluation after -1.0 seconds"),
        (parts(metrics=metrics(*[(1, EVALUATION)] * 3, (2, 5.0), (3, 1.0))), "trainable_parameters of wire type 1"),
        (parts(metrics=metrics(*[(1, EVALUATION[:-9])] * 3, (2, 5), (3, 1.0))), "accuracies 0.5, nan"),
        (parts(metrics=metrics(*[(1, EVALUATION[:-8] + struct.pack("<d", 94.1))] * 3, (2, 5))), "accuracies 0.5, 94.1"),
    ],
)
def test_a_record_of_something_else(scratch: Path, content: list[object] | bytes, message: str) -> None:
    bad = content if isinstance(content, bytes) else json.dumps(content).encode()
    write_records(scratch, [encode_record(record()), bad])
    offset = len(encode_record(record())) + 16
    expected = rf"nasbench_only108\.tfrecord: byte {offset}: record 1 is not NAS-Bench-101's: .*{message}"
    with pytest.raises(DataError, match=expected):
        list(nasbench101.read(scratch))


def test_an_empty_file(scratch: Path) -> None:
    scratch.write_bytes(b"")
    with pytest.raises(DataError, match="no records"):
        list(nasbench101.read(scratch))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_fuzz_with_right_checksums(scratch: Path, data: st.DataObject) -> None:
    """Damage behind the checksum: in the JSON, and in the protobuf inside it."""
    raw = bytearray(encode_record(record()))
    inner = bytearray(base64.b64decode(PARTS[4]))
    for target in (raw, inner):
        for _ in range(data.draw(st.integers(0, 3))):
            target[data.draw(st.integers(0, len(target) - 1))] = data.draw(st.integers(0, 255))
    write_records(scratch, [bytes(raw), json.dumps(parts(metrics=base64.b64encode(inner).decode())).encode()])
    try:
        for read in nasbench101.read(scratch):
            assert 0 <= read.final.test_accuracy <= 1
    except DataError as error:
        assert "is not NAS-Bench-101's" in str(error)  # noqa: PT017
