"""Digests and random streams: what makes two runs the same run, and what they draw."""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import msgspec
import numpy as np


def digest(*parts: Any) -> str:
    """SHA-256, 32 hex digits, of the parts as canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:32]


def stream(study_seed: int, *names: str | int) -> np.random.Generator:
    """The generator of one purpose: ``SeedSequence(study seed, spawn_key = digest of the names)``.

    It depends on no version, parameter or budget, so that candidate and baseline, and two budgets, share their draws.
    """
    words = np.frombuffer(hashlib.sha256(repr(names).encode()).digest(), dtype="<u4")
    return np.random.default_rng(np.random.SeedSequence(study_seed, spawn_key=tuple(int(w) for w in words)))


@cache
def code_version(module: str, distribution_name: str) -> dict[str, str]:
    """Distribution and version of a plugin's package, with the SHA-256 of its .py files where it is editable."""
    package = module.partition(".")[0]
    found = {"package": package, "distribution": distribution_name, "version": ""}
    editable = True
    if distribution_name:
        try:
            dist = distribution(distribution_name)
            found["version"] = dist.version
            editable = '"editable": true' in (dist.read_text("direct_url.json") or "").replace('":true', '": true')
        except PackageNotFoundError:
            editable = True
    if editable:
        found["sha256"] = _source_digest(package)
    return found


def _source_digest(package: str) -> str:
    module = sys.modules.get(package)
    file = getattr(module, "__file__", None)
    if file is None:
        return ""
    path = Path(file)
    files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    h = hashlib.sha256()
    for f in files:
        h.update(f.relative_to(path.parent).as_posix().encode() + b"\0" + f.read_bytes() + b"\0")
    return h.hexdigest()
