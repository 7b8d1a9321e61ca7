"""What measures time is marked so, and stays out of runs that share the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
UNTIMED = "test_calibration"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and not item.path.name.startswith(UNTIMED):
            item.add_marker(pytest.mark.timing)
