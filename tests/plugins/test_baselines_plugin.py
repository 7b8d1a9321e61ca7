"""The baselines as a plugin: names, imports, conformance."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from harness_baselines.plugin import nas_harness_strategies

PROVIDED = nas_harness_strategies()


def load(provides):
    module, _, attribute = provides.load.partition(":")
    return getattr(importlib.import_module(module), attribute)


def test_provides_the_five_baselines_and_hyperband():
    assert [p.name for p in PROVIDED] == [
        "random-search", "regularized-evolution", "local-search", "reinforce", "successive-halving", "hyperband",
    ]  # fmt: skip


@pytest.mark.parametrize("provides", PROVIDED, ids=lambda p: p.name)
def test_the_class_is_what_the_plugin_says(provides):
    cls = load(provides)
    assert (cls.name, cls.summary) == (provides.name, provides.summary)


def test_naming_them_imports_nothing_heavy():
    code = "import harness_baselines.plugin as p, sys; p.nas_harness_strategies(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "msgspec", "harness_baselines.random_search"} & set(loaded)


def test_none_of_them_needs_torch_or_optuna():
    code = "import importlib, sys\n" + "".join(
        f"importlib.import_module({p.load.partition(':')[0]!r})\n" for p in PROVIDED
    )
    code += "print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "optuna", "pandas", "scipy"} & set(loaded)
