"""TFRecord files without TensorFlow.

A record is: length (uint64), masked CRC-32C of these eight bytes (uint32), data, masked CRC-32C of the data (uint32);
all little-endian. Both checksums are checked.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.data.reading import open_file
from harness.errors import DataError
from harness_nasbench.formats.crc32c import crc32c, masked

__all__ = ["read_records"]

_HEAD, _CHECK = struct.Struct("<QI"), struct.Struct("<I")


def read_records(path: Path, *, progress: Callable[[int, int], None] | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield (byte offset, data) of every record, holding one at a time.

    `progress(bytes read, bytes in all)` is called every few thousand records. Raises `DataError` with the byte offset
    on a wrong checksum, a length beyond the end of the file, and a tail that is no whole record.
    """
    checksum = crc32c()
    try:
        with open_file(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            offset = 0
            number = 0
            while head := stream.read(_HEAD.size):
                length = _length(head, path, offset, size, checksum)
                data = stream.read(length)
                tail = stream.read(_CHECK.size)
                if len(data) < length or len(tail) < _CHECK.size:
                    raise DataError(f"{path}: byte {offset}: the file ends inside record {number}")
                if _CHECK.unpack(tail)[0] != masked(checksum(data)):
                    raise DataError(
                        f"{path}: byte {offset + _HEAD.size}: wrong checksum of the data of record {number}"
                    )
                yield offset, data
                offset += _HEAD.size + length + _CHECK.size
                number += 1
                if progress is not None and not number % 4096:
                    progress(offset, size)
            if progress is not None:
                progress(offset, size)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _length(head: bytes, path: Path, offset: int, size: int, checksum: Callable[[bytes], int]) -> int:
    if len(head) < _HEAD.size:
        raise DataError(f"{path}: byte {offset}: {len(head)} bytes after the last record")
    length, check = _HEAD.unpack(head)
    if check != masked(checksum(head[:8])):
        what = "not a TFRecord file" if offset == 0 else "wrong checksum of a record's length"
        raise DataError(f"{path}: byte {offset}: {what}")
    left = size - offset - _HEAD.size - _CHECK.size
    if length > left:
        raise DataError(f"{path}: byte {offset}: a record of {length:,} bytes where {max(left, 0):,} are left")
    return int(length)
