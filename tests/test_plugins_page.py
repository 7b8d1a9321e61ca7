"""docs/plugins.md: the code that it shows works as it stands there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from written_records import run

from harness.records.lines import Asked, Paid
from harness.registry import Registry

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "plugins.md").read_text(encoding="utf-8")


def test_the_metric_is_found_and_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of eight calls, six were paid: a quarter was free."""
    section = PAGE.partition("## A metric\n")[2].partition("\n## ")[0]
    files = re.findall(r"```python\n# (my_plugin/\w+\.py)\n(.*?)```", section, re.DOTALL)
    assert [path for path, _ in files] == ["my_plugin/plugin.py", "my_plugin/metrics.py"]
    for path, source in files:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(source)
    info = tmp_path / "my_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nas_harness]\nmine = my_plugin.plugin\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in ("my_plugin", "my_plugin.plugin", "my_plugin.metrics"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    registry = Registry(only=frozenset({"mine"}), strict=True)
    metric = registry.load("metric", "free-share")
    assert metric(run(paid=Paid(queries=6, epochs=0, seconds=0.0), asked=Asked(total=8, cached=2, invalid=0))) == 0.25
    assert metric(run(asked=Asked(total=0, cached=0, invalid=0))) is None
