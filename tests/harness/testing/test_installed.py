"""Conformance of everything that is installed: each strategy, search space and training protocol."""

from __future__ import annotations

import pytest

from harness.registry import default_registry
from harness.testing.conformance import assert_conforms

REGISTRY = default_registry()


def _usable(kind, name):
    item = REGISTRY.find(kind, name)
    if item.status != "ok":
        pytest.skip(item.status)
    return item.load()


@pytest.mark.slow
@pytest.mark.parametrize("name", REGISTRY.names("strategy"))
def test_strategy(name):
    report = assert_conforms(_usable("strategy", name), registry=REGISTRY)
    assert len(report.ran) >= 20


@pytest.mark.parametrize("name", REGISTRY.names("space"))
def test_space(name):
    report = assert_conforms(_usable("space", name)())
    assert len(report.ran) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("name", REGISTRY.names("protocol"))
def test_protocol(name):
    assert_conforms(_usable("protocol", name))
