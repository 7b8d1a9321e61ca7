"""Processes that a test has started, directly or not, found by a variable that they inherit."""

from __future__ import annotations

import os
import time

import psutil
import pytest

_VARIABLE = "PYTEST_CHILDREN"


def new_mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """What every process started from here on inherits."""
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv(_VARIABLE, mark)
    return mark


def marked(mark: str) -> set[int]:
    """The processes that are there, but for this one."""
    found = set()
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(_VARIABLE) == mark:
                found.add(process.pid)
        except psutil.Error:
            continue
    return found


def assert_gone(mark: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
