"""Writes NAS-Bench-101's official format: TFRecord files of JSON lists with protobuf inside."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable
from pathlib import Path

from harness_nasbench.formats.crc32c import crc32c, masked
from harness_nasbench.formats.nasbench101 import Evaluation, Record
from harness_nasbench.formats.protobuf import BYTES, DOUBLE, VARINT

_LENGTH, _CHECK, _DOUBLE = struct.Struct("<Q"), struct.Struct("<I"), struct.Struct("<d")


def write(path: Path, records: Iterable[Record]) -> int:
    """Write records in the official format; returns their number."""
    return write_records(path, map(encode_record, records))


def encode_record(record: Record) -> bytes:
    """The bytes of one record, as the official files store it."""
    digits = "".join(map(str, record.adjacency.ravel().tolist()))
    packed = base64.b64encode(_encode_metrics(record)).decode("ascii")
    return json.dumps([record.module_hash, record.epochs, digits, ",".join(record.operations), packed]).encode("ascii")


def _encode_metrics(record: Record) -> bytes:
    """With what nobody reads: the evaluation before training, epochs, training accuracies, checkpoints, total time."""
    out = b""
    for half, e in enumerate((Evaluation(0.0, 0.1, 0.1), record.halfway, record.final)):
        values = (record.epochs * half / 2, e.training_time, 0.9, e.validation_accuracy, e.test_accuracy)
        body = b"".join(write_field(number, float(value)) for number, value in enumerate(values, 1))
        out += write_field(1, body + write_field(6, b"checkpoint"))
    return out + write_field(2, record.parameters) + write_field(3, 1.1 * record.final.training_time)


def write_records(path: Path, records: Iterable[bytes]) -> int:
    """Write a TFRecord file, byte for byte what TensorFlow's writer makes; returns the number of records."""
    checksum = crc32c()
    count = 0
    with path.open("wb") as stream:
        for data in records:
            length = _LENGTH.pack(len(data))
            stream.write(length + _CHECK.pack(masked(checksum(length))))
            stream.write(data + _CHECK.pack(masked(checksum(data))))
            count += 1
    return count


def write_varint(value: int) -> bytes:
    """The varint of a number; negative ones in two's complement of 64 bits, as protobuf writes int32."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_field(number: int, value: int | float | bytes) -> bytes:
    """One field: an int as VARINT, a float as DOUBLE, bytes as BYTES."""
    if isinstance(value, bytes):
        return write_varint(number << 3 | BYTES) + write_varint(len(value)) + value
    if isinstance(value, float):
        return write_varint(number << 3 | DOUBLE) + _DOUBLE.pack(value)
    return write_varint(number << 3 | VARINT) + write_varint(value)
