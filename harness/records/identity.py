"""Digests, by which two runs are the same run, and random streams, which say what they draw."""

from __future__ import annotations

import hashlib
import sys
from base64 import urlsafe_b64encode
from contextlib import suppress
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import msgspec
import numpy as np


def digest(*parts: Any) -> str:
    """SHA-256, 32 hex digits, of the parts as canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:32]


def stream(study_seed: int, *names: str | int) -> np.random.Generator:
    """The generator of one purpose: ``SeedSequence(study seed, spawn_key = digest of the names)``.

    It depends on no version, parameter or budget: two versions of a strategy, and two budgets, share their draws.
    """
    words = np.frombuffer(hashlib.sha256(repr(names).encode()).digest(), dtype="<u4")
    return np.random.default_rng(np.random.SeedSequence(study_seed, spawn_key=words.tolist()))


@cache
def code_version(module: str, distribution_name: str) -> dict[str, str]:
    """Distribution and version of a plugin's package, and the SHA-256 of its .py files where these two are not enough:
    where the package is editable, found on a path only, or changed since it was installed."""
    package = module.partition(".")[0]
    found = {"package": package, "distribution": distribution_name, "version": ""}
    sources = _sources(package)
    as_installed = False
    if distribution_name:
        with suppress(PackageNotFoundError):
            dist = distribution(distribution_name)
            found["version"] = dist.version
            as_installed = bool(sources) and _recorded(dist, sources)
    if not as_installed:
        found["sha256"] = _source_digest(sources)
    return found


def _sources(package: str) -> dict[str, Path]:
    """The .py files of a package, by their paths in it; of a module, its one file."""
    file = getattr(sys.modules.get(package), "__file__", None)
    if file is None:
        return {}
    path = Path(file)
    files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    return {f.relative_to(path.parent).as_posix(): f for f in files}


def _recorded(dist: Distribution, sources: dict[str, Path]) -> bool:
    """Whether every file is what the distribution's RECORD says was installed; an editable one records no sources."""
    hashes = {
        Path(str(dist.locate_file(f))).resolve(): f.hash.value
        for f in dist.files or ()
        if f.suffix == ".py" and f.hash is not None and f.hash.mode == "sha256"
    }
    return all(hashes.get(path.resolve()) == _record_hash(path) for path in sources.values())


def _record_hash(path: Path) -> str:
    """SHA-256 as RECORD files write it."""
    return urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()


def _source_digest(sources: dict[str, Path]) -> str:
    if not sources:
        return ""
    h = hashlib.sha256()
    for name, path in sources.items():
        h.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return h.hexdigest()
