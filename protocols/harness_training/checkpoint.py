"""A training that was interrupted: written whole and then renamed, so that there is all of it or none."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import torch
from torch import nn

from harness_training.curve import Curve

EVERY = 60.0
"""Seconds between two checkpoints: a training that is shorter writes none."""


def write_whole(path: Path, put: Callable[[BinaryIO], Any], say: Callable[[str], None]) -> None:
    """A whole file or none: what ``put`` writes to a file of its own is then renamed.

    A disk that refuses a file fails no training: it is said. torch tells a full disk by a RuntimeError.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(partial, "wb") as stream:
                put(stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:
        say(f"{path}: not kept: {error}")


@dataclass
class Checkpoint:
    """Where a training of this ``key`` puts its state. say: told of a file that is not used, and why."""

    path: Path
    key: str
    every: float = EVERY
    say: Callable[[str], None] = print
    _written: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        return time.monotonic() - self._written >= self.every

    def write(self, curve: Curve, network: nn.Module, *stateful: Any) -> None:
        """Model, optimiser and what else has a state, after the epochs of ``curve``."""
        state = {
            "key": self.key,
            "curve": msgspec.json.encode(curve).decode(),
            "network": network.state_dict(),
            "others": [s.state_dict() for s in stateful],
        }
        write_whole(self.path, lambda stream: torch.save(state, stream), self.say)
        self._written = time.monotonic()

    def read(self, network: nn.Module, *stateful: Any) -> Curve | None:
        """Restore them, and give the curve so far; None where there is nothing to go on from.

        A file cut short, damaged, or of another training is named and not used.
        """
        if not self.path.is_file():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            if state["key"] != self.key:
                raise ValueError("it is of another training, or of other code")
            curve = msgspec.json.decode(state["curve"], type=Curve)
            others = state["others"]
            if set(state["network"]) != set(network.state_dict()) or len(others) != len(stateful):
                raise ValueError("it is of another network")
        except Exception as error:  # whatever is wrong with the file, the training starts anew
            self.say(f"{self.path}: not used, the training starts anew: {type(error).__name__}: {error}")
            return None
        network.load_state_dict(state["network"])
        for target, its in zip(stateful, others, strict=True):
            target.load_state_dict(its)
        return curve

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
