"""docs/plugins.md: the strategy that it shows conforms."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

from harness.registry import Registry
from harness.testing import assert_conforms

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "plugins.md").read_text(encoding="utf-8")


def test_the_strategy_conforms_on_a_partial_table_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = PAGE.partition("## A strategy\n")[2].partition("\n## ")[0]
    source = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    (tmp_path / "page_strategy.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "page_strategy", raising=False)
    report = assert_conforms(importlib.import_module("page_strategy").MyStrategy, registry=Registry(only=frozenset()))
    assert "it copes with a partial table" in {r.check for r in report.ran}
