"""TFRecord framing and its checksum."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written_nasbench101 import write_records

from harness.errors import DataError
from harness_nasbench.formats import crc32c, tfrecord


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tfrecord") / "file.tfrecord"


def test_checksum_vectors() -> None:
    """RFC 3720, B.4, and the check value of CRC-32C."""
    for data, expected in [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ]:
        assert crc32c.pure_crc32c(data) == expected
        assert crc32c.crc32c()(data) == expected


@given(st.binary())
def test_both_checksums_agree(data: bytes) -> None:
    assert crc32c.crc32c()(data) == crc32c.pure_crc32c(data)


def test_bytes_of_a_written_file(scratch: Path) -> None:
    """The frame of an empty record, from CRC-32C of eight zero bytes (0x8C28B28A) and of none (0)."""
    assert write_records(scratch, [b""]) == 1
    assert crc32c.pure_crc32c(bytes(8)) == 0x8C28B28A
    rotated = ((0x8C28B28A >> 15) | (0x8C28B28A << 17) & 0xFFFFFFFF) + 0xA282EAD8 & 0xFFFFFFFF
    assert scratch.read_bytes() == bytes(8) + struct.pack("<II", rotated, 0xA282EAD8)


@settings(deadline=None)
@given(records=st.lists(st.binary(max_size=300), max_size=20))
def test_round_trip(scratch: Path, records: list[bytes]) -> None:
    write_records(scratch, records)
    assert [data for _, data in tfrecord.read_records(scratch)] == records


RECORDS = [b"first", b"second record" * 10, b"", b"last"]


def test_every_flipped_bit_is_detected_and_placed(scratch: Path) -> None:
    write_records(scratch, RECORDS)
    whole = scratch.read_bytes()
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        scratch.write_bytes(flipped)
        with pytest.raises(DataError, match=r"file\.tfrecord: byte \d+: ") as caught:
            list(tfrecord.read_records(scratch))
        offset = int(str(caught.value).rsplit("byte ", 1)[1].split(":")[0])
        assert offset <= place < offset + 12 + 130 + 4


def test_every_truncation_is_detected(scratch: Path) -> None:
    write_records(scratch, RECORDS)
    whole = scratch.read_bytes()
    ends = {sum(16 + len(r) for r in RECORDS[:n]) for n in range(len(RECORDS) + 1)}
    for end in set(range(len(whole))) - ends:
        scratch.write_bytes(whole[:end])
        with pytest.raises(DataError, match="byte"):
            list(tfrecord.read_records(scratch))


@pytest.mark.parametrize("length", [1 << 62, (1 << 64) - 1, 1 << 33, 1000])
def test_a_length_beyond_the_file_is_refused_unread(scratch: Path, length: int) -> None:
    head = struct.pack("<Q", length)
    scratch.write_bytes(head + struct.pack("<I", crc32c.masked(crc32c.pure_crc32c(head))) + b"abc" * 10)
    with pytest.raises(DataError, match=f"byte 0: a record of {length:,} bytes where 26 are left"):
        list(tfrecord.read_records(scratch))


def test_progress_and_other_files(scratch: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_records(scratch, [b"x"] * 10_000)
    assert len(list(tfrecord.read_records(scratch, progress=lambda done, size: seen.append((done, size))))) == 10_000
    assert seen == [(4096 * 17, 170_000), (8192 * 17, 170_000), (170_000, 170_000)]
    scratch.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(DataError, match="not a TFRecord file"):
        list(tfrecord.read_records(scratch))
    with pytest.raises(DataError, match="cannot be read"):
        list(tfrecord.read_records(scratch.parent / "absent"))
