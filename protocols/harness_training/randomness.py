"""Random streams of a training: each from the training's seed and a purpose, so that no generator's state is saved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def derived_seed(seed: int, purpose: str) -> int:
    """63 bits of SHA-256 of ``seed/purpose``."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8], "little") >> 1


@contextmanager
def own_randomness(device: torch.device, seed: int) -> Iterator[None]:
    """Torch's global generators begin at ``seed`` and are left as found; deterministic algorithms are used.

    On a GPU an operation that has no deterministic algorithm still runs: there, equal seeds need not give equal bits.
    Torch would fill all new memory beside, in case an operation reads what it did not write; none here does.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
        memory.fill_uninitialized_memory = False
        torch.manual_seed(seed)
        try:
            yield
        finally:
            memory.fill_uninitialized_memory = filled
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
