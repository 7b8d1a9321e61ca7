"""Conformance of everything that is installed: each strategy, search space and training protocol."""

from __future__ import annotations

import pytest

from harness.registry import default_registry
from harness.registry.source import read
from harness.testing.conformance import assert_conforms

REGISTRY = default_registry()
LIKE_ANOTHER = {
    "proxy-grad-norm", "proxy-jacob-cov", "proxy-naswot", "proxy-snip", "proxy-synflow",  # like proxy-params
    "regression-nas",  # like ctnas
    "e2epp", "peephole", "ridge",  # like gin-ranker
    "darts-few", "darts-dense-4", "darts-dense-5",  # like darts
}  # fmt: skip
"""Of the same code as another one but for one function: 10 to 20 s each, run by hand (``-m measure``)."""
LONG = {"ctnas", "ga-nas", "renas"}
"""They train much: 25 to 40 s each, run by hand too. Their plugins' own tests run them in every suite."""


def _installed(kind):
    return [pytest.param(n, marks=pytest.mark.measure) if n in LIKE_ANOTHER | LONG else n for n in REGISTRY.names(kind)]


def _usable(kind, name):
    item = REGISTRY.find(kind, name)
    if item.status != "ok":
        pytest.skip(item.status)
    return item.load()


@pytest.mark.slow
@pytest.mark.parametrize("name", _installed("strategy"))
def test_strategy(name):
    cls = _usable("strategy", name)
    if "training" in cls.needs:
        pytest.skip("no made-up task trains: what such a strategy has to keep is in its own tests")
    report = assert_conforms(cls, registry=REGISTRY)
    assert len(report.ran) >= 20


@pytest.mark.parametrize("name", _installed("space"))
def test_space(name):
    report = assert_conforms(_usable("space", name)())
    assert len(report.ran) >= 10


def test_every_name_is_known_without_an_import():
    """Where an extra is not installed, the plugin is listed with what it needs, and nobody is warned of it."""
    provided = [item.provides for item in REGISTRY.items.values()]
    assert [p.load for p in provided if not (p.name or read(p.load).name)] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", REGISTRY.names("protocol"))
def test_protocol(name):
    """Nothing can be checked where a protocol's data are not here; its own tests import small tables of the format."""
    cls = _usable("protocol", name)
    missing = [cls().missing(task) for task in cls().tasks()]
    if missing and all(missing):
        pytest.skip(missing[0])
    assert_conforms(cls)
