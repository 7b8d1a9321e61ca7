"""Messages over a pipe or a socket: a mark, the length, a checksum, and the bytes."""

from __future__ import annotations

import struct
import zlib

_HEAD = struct.Struct("<4sQI")
_MARK = b"nas1"
_LARGEST = 1 << 30


class Garbled(Exception):
    """The bytes received are no message: something else wrote to the descriptor."""


def frame(data: bytes) -> bytes:
    """``data`` as one message. Raises ValueError above 1 GiB."""
    if len(data) > _LARGEST:
        raise ValueError(f"a message of {len(data)} bytes is larger than 1 GiB")
    return _HEAD.pack(_MARK, len(data), zlib.crc32(data)) + data


class Frames:
    """Puts messages together from the pieces that are received."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def partial(self) -> bool:
        """Whether a message has begun and is not complete."""
        return bool(self._held)

    def feed(self, piece: bytes) -> list[bytes]:
        """The messages that ``piece`` completes, in order. Raises Garbled."""
        self._held += piece
        found: list[bytes] = []
        while len(self._held) >= len(_MARK):
            if not self._held.startswith(_MARK):
                raise Garbled
            if len(self._held) < _HEAD.size:
                break
            _, length, checksum = _HEAD.unpack_from(self._held)
            if length > _LARGEST:
                raise Garbled
            if len(self._held) < _HEAD.size + length:
                break
            data = bytes(self._held[_HEAD.size : _HEAD.size + length])
            if zlib.crc32(data) != checksum:
                raise Garbled
            found.append(data)
            del self._held[: _HEAD.size + length]
        return found
