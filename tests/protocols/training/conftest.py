"""Fixtures of live training's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.registry import Registry


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry()


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder of the test's own."""
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path))
    return tmp_path
