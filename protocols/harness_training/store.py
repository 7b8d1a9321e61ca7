"""The store of trainings: what one run has trained, another on this machine need not.

Content-addressed: a training's key is the digest of all that decides its bits. A result is a small JSON file; beside it
stands, while a training lasts, its checkpoint. Validation and final trainings stand in rooms of their own, and a store
is opened for one of them, so that nothing that searches can reach a final score.

A store that cannot be read or written, as on a full disk, fails no training: it is trained and not kept.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from harness.data.tables import data_dir
from harness.protocol import Stock
from harness.records.identity import digest
from harness_training.checkpoint import Checkpoint, write_whole
from harness_training.curve import Curve
from harness_training.data.reading import Purpose

ROOM = "trainings"
WEIGHTS = ".weights"
"""How files end that hold weights of networks, for good."""
LOCKS = "locks"
"""The file of each room whose bytes stand for keys. It stays empty."""
LIMIT = 4 << 30
"""Bytes that the store may take: two million results, or some hundred checkpoints of a full-size network."""
_SWEEPS = "00"
"""How the keys begin whose writing sweeps the store: one of 256, whichever process writes it."""
_KINDS = {".pt": "checkpoints", WEIGHTS: "supernets"}
_STALE = 24 * 3600.0


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides a training's bits. arch: the canonical encoding. recipe, data: digests. code: version of the
    package that trains and of the one that builds the network. environment: see `harness_training.device.bits`."""

    space: str
    arch: tuple[int, ...]
    recipe: str
    data: str
    epochs: int
    seed: int
    code: Mapping[str, Any]
    environment: Mapping[str, Any]

    @property
    def key(self) -> str:
        return digest(msgspec.to_builtins(self))


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A finished training. made: when, seconds since 1970."""

    identity: Identity
    curve: Curve
    made: float


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of the store."""

    path: Path
    purpose: Purpose
    bytes: int
    used: float
    """When it was last read or written, seconds since 1970."""


class Store:
    """The trainings of one purpose. Safe for several processes of one machine."""

    def __init__(self, purpose: Purpose, root: Path | None = None, *, limit: int = LIMIT) -> None:
        self.root = data_dir() / ROOM if root is None else root
        self.folder, self.limit = self.root / purpose, limit
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def find(self, identity: Identity) -> Stored | None:
        """The finished training, None where there is none. A damaged file counts as none, and is replaced."""
        path = self.path(identity.key)
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Stored)
        except (OSError, msgspec.DecodeError):
            return None
        if found.identity != identity:
            return None
        with contextlib.suppress(OSError):  # a store that is only read keeps its times
            os.utime(path)
        return found

    def find_or_train(
        self, identity: Identity, train: Callable[[Checkpoint], Curve], *, say: Callable[[str], None] = print
    ) -> Stored:
        """The finished training, trained now where it is not there. One process trains a key, others wait for it."""
        found = self.find(identity)
        if found is not None:
            return found
        key = identity.key
        with self.alone(key):
            found = self.find(identity)
            if found is not None:
                return found
            checkpoint = Checkpoint(self.path(key).with_suffix(".pt"), key, say=say)
            found = Stored(identity=identity, curve=train(checkpoint), made=time.time())
            self.write(self.path(key), lambda stream: stream.write(msgspec.json.encode(found)), say)
            checkpoint.remove()
        return found

    def write(self, path: Path, put: Callable[[BinaryIO], Any], say: Callable[[str], None] = print) -> None:
        """`write_whole`, and keep the store within its limit."""
        write_whole(path, put, say)
        if path.name.startswith(_SWEEPS):
            _sweep(self.folder)
            _bound(self.root, self.limit)

    @contextlib.contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """One holder of a key at a time: of one byte of the room's file of locks, far behind its end. The lock belongs
        to the open file, so it excludes threads too, and goes with the process."""
        with contextlib.ExitStack() as held:
            with contextlib.suppress(OSError):  # why a folder refuses it, `write` says
                self.path(key).parent.mkdir(parents=True, exist_ok=True)
                locks = held.enter_context(open(self.folder / LOCKS, "ab"))
                byte = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, int(key[:12], 16), 1, 0)  # Linux's flock
                fcntl.fcntl(locks, fcntl.F_OFD_SETLKW, byte)
            yield


def kept(root: Path | None = None) -> list[Kept]:
    """Every result, network and checkpoint of the store, the longest unused first."""
    root = data_dir() / ROOM if root is None else root
    purposes: tuple[Purpose, ...] = ("validation", "final")
    found = []
    for purpose in purposes:
        for path in (root / purpose).glob("??/*"):
            if path.suffix in (".json", ".pt", WEIGHTS):
                with contextlib.suppress(FileNotFoundError):
                    stat = path.stat()
                    found.append(Kept(path, purpose, stat.st_size, stat.st_mtime))
    return sorted(found, key=lambda k: (k.used, k.path.name))


def stored_trainings(root: Path | None = None) -> Iterator[tuple[Kept, Stored]]:
    """The finished trainings, the longest unused first; damaged files are passed over."""
    for file in kept(root):
        if file.path.suffix == ".json":
            with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
                yield file, msgspec.json.decode(file.path.read_bytes(), type=Stored)


def stock() -> list[Stock]:
    """What the store holds, by purpose, space and epochs; supernets; checkpoints of trainings that go on or were
    interrupted."""
    found: dict[str, list[Kept]] = {}
    for file, stored in stored_trainings():
        of = stored.identity
        found.setdefault(f"{file.purpose}, {of.space}, {of.epochs} epochs", []).append(file)
    for file in kept():
        if file.path.suffix in _KINDS:
            found.setdefault(f"{file.purpose}, {_KINDS[file.path.suffix]}", []).append(file)
    return [
        Stock(kind, len(files), sum(f.bytes for f in files), max(f.used for f in files))
        for kind, files in sorted(found.items())
    ]


def prune(root: Path | None = None, most_bytes: int = LIMIT) -> tuple[int, int]:
    """Remove checkpoints left for a day, then what was longest unused, until at most ``most_bytes`` are taken: files
    and bytes removed. A training that runs keeps its checkpoint fresh."""
    root = data_dir() / ROOM if root is None else root
    for folder in root.glob("*"):
        _sweep(folder)
    return _bound(root, most_bytes)


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed left in the room of one purpose."""
    oldest = time.time() - _STALE
    for path in folder.glob("??/*.partial"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def _bound(root: Path, most_bytes: int) -> tuple[int, int]:
    """Of all rooms. No file is opened: a search may not open one of the other room."""
    files, now = kept(root), time.time()
    total = sum(f.bytes for f in files)
    removed = freed = 0
    for file in sorted(files, key=lambda f: f.path.suffix != ".pt"):
        left = file.path.suffix == ".pt" and now - file.used > _STALE
        running = file.path.suffix == ".pt" and not left
        if left or (total - freed > most_bytes and not running):
            file.path.unlink(missing_ok=True)
            removed, freed = removed + 1, freed + file.bytes
    return removed, freed
