"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real benchmark data that is not part of the project; skips where it is absent."""
    folder = Path(os.environ.get("NAS_HARNESS_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "nasbench201.csv").is_file():
        pytest.skip(f"no real benchmark data at {folder}; set NAS_HARNESS_TEST_DATA to its folder")
    return folder
