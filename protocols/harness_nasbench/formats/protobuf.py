"""Just enough of the protobuf wire format to read NAS-Bench-101's ModelMetrics.

Source: protobuf.dev/programming-guides/encoding. A field is a varint ``number << 3 | wire type`` and its value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["BYTES", "DOUBLE", "FLOAT", "VARINT", "fields"]

VARINT, DOUBLE, BYTES, FLOAT = 0, 1, 2, 5
_DOUBLE = struct.Struct("<d")


def fields(data: bytes) -> Iterator[tuple[int, int, int | float | bytes]]:
    """Yield (field number, wire type, value): int for VARINT, float for DOUBLE, bytes for BYTES and FLOAT.

    Raises ValueError, saying at which byte, on a truncated field, a number of more than 64 bits, the group wire types
    (deprecated, in no file of this kind) and field number 0.
    """
    position, end = 0, len(data)
    while position < end:
        start = position
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise ValueError(f"field number {number} at byte {start}")
        if kind == DOUBLE:
            if position + 8 > end:
                raise ValueError(f"the message ends inside field {number} at byte {start}")
            yield number, kind, _DOUBLE.unpack_from(data, position)[0]
            position += 8
        elif kind == VARINT:
            value, position = _varint(data, position)
            yield number, kind, value
        elif kind in (BYTES, FLOAT):
            length = 4
            if kind == BYTES:
                length, position = _varint(data, position)
            if position + length > end:
                raise ValueError(f"the message ends inside field {number} at byte {start}")
            yield number, kind, data[position : position + length]
            position += length
        else:
            raise ValueError(f"wire type {kind} of field {number} at byte {start}")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    if position < len(data) and data[position] < 0x80:
        return data[position], position + 1
    value = shift = 0
    for index in range(position, min(position + 10, len(data))):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                raise ValueError(f"a number of more than 64 bits at byte {position}")
            return value, index + 1
        shift += 7
    raise ValueError(f"an unfinished number at byte {position}")
