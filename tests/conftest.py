"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.registry import Registry

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real benchmark data that is not part of the project; skips where it is absent."""
    folder = Path(os.environ.get("NAS_HARNESS_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "nasbench201.csv").is_file():
        pytest.skip(f"no real benchmark data at {folder}; set NAS_HARNESS_TEST_DATA to its folder")
    return folder


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry of tests/toy alone, a distribution found by entry point, here and in worker processes."""
    folder = str(ROOT / "tests" / "toy")
    monkeypatch.syspath_prepend(folder)
    inherited = filter(None, [os.environ.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([folder, str(ROOT), *inherited]))
    monkeypatch.setenv("NAS_HARNESS_PLUGINS", "toy")
    return Registry()
