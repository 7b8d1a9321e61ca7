"""The baselines as a plugin: names, imports, conformance."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pkgutil import resolve_name

import pytest

from harness.registry.source import Said, read
from harness_baselines.plugin import nas_harness_strategies

PROVIDED = nas_harness_strategies()


def test_provides_the_five_baselines_and_hyperband():
    assert [resolve_name(p.load).name for p in PROVIDED] == [
        "random-search", "regularized-evolution", "local-search", "reinforce", "successive-halving", "hyperband",
    ]  # fmt: skip


@pytest.mark.parametrize("provides", PROVIDED, ids=lambda p: p.load)
def test_the_source_says_what_the_class_says(provides):
    cls = resolve_name(provides.load)
    assert read(provides.load) == Said(cls.name, inspect.getdoc(cls).splitlines()[0].removesuffix("."))


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
