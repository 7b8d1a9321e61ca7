"""A request that lasts long enough for another worker to be started beside it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable


def prepare(_: bytes) -> Callable[[bytes], bytes]:
    return told


def told(_: bytes) -> bytes:
    """The device that this worker was told."""
    time.sleep(0.5)
    return os.environb[b"NAS_HARNESS_DEVICE"]
