"""CRC-32C (Castagnoli), as TFRecord files use it: by google_crc32c where installed, else in plain Python."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

__all__ = ["crc32c", "masked", "pure_crc32c"]

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _table()


def pure_crc32c(data: bytes) -> int:
    """CRC-32C of some bytes, at about 2 MB/s."""
    crc, table = 0xFFFFFFFF, _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def crc32c() -> Callable[[bytes], int]:
    """The fastest CRC-32C installed; google_crc32c (an extra) is some hundred times faster than plain Python."""
    if importlib.util.find_spec("google_crc32c") is None:
        return pure_crc32c
    import google_crc32c

    if google_crc32c.implementation != "c":
        return pure_crc32c
    return google_crc32c.value  # type: ignore[no-any-return]


def masked(crc: int) -> int:
    """The checksum as a TFRecord stores it: rotated right by 15 bits, plus a constant."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF
