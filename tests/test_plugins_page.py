"""docs/plugins.md: the code that it shows works as it stands there."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from distributions import install
from landscapes import Grid, Landscape
from landscapes import run as search_with
from written_records import run

from harness import Budget, DataMissing, Networks, Oracle, Provides, hookimpl, open_table
from harness.records.lines import Asked, Paid
from harness.registry import Registry
from harness.testing import assert_conforms

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "plugins.md").read_text(encoding="utf-8")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Writes the files that a section of the page shows, so that they can be imported; their names."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in [m for m in sys.modules if m.partition(".")[0] == "my_plugin"]:
        monkeypatch.delitem(sys.modules, module)

    def written(title: str) -> list[str]:
        section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
        files = re.findall(r"```python\n# (my_plugin/\w+\.py)\S*.*?\n(.*?)```", section, re.DOTALL)
        for path, source in files:
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(source)
        return [path for path, _ in files]

    return written


def test_the_first_plugin_and_its_strategy_are_found_and_search(
    tmp_path: Path, write: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugin's module says where the strategy is; name, summary and parameters come from the class."""
    assert write("A strategy") == ["my_plugin/search.py"]
    assert write("What a plugin is") == ["my_plugin/plugin.py"]
    registry = installed(tmp_path, monkeypatch)
    item = registry.find("strategy", "my-strategy")
    assert item.summary == "Mutate the best of the last few"
    assert item.status == "ok"
    strategy = registry.load("strategy", "my-strategy")()
    assert msgspec.to_builtins(strategy.params) == {"size": 8}
    assert search_with(strategy, Landscape(Grid(6, 6, 6), sum), queries=100).incumbent.arch == (5, 5, 5)


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry of the page's plugin, as pip would leave it in ``folder``, with its libraries."""
    install(folder, "my-plugin", load="my_plugin.plugin")
    monkeypatch.setattr("harness.registry.items.present", lambda module: True)
    return Registry(only=frozenset({"my-plugin"}), strict=True)


def test_the_metric_is_found_and_computed(
    tmp_path: Path, write: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of eight calls, six were paid: a quarter was free."""
    assert write("A metric") == ["my_plugin/plugin.py", "my_plugin/metrics.py"]
    metric = installed(tmp_path, monkeypatch).load("metric", "free-share")
    finished = run(paid=Paid(queries=6, epochs=0, seconds=0.0), asked=Asked(total=8, cached=2, invalid=0))
    assert metric(finished) == 0.25
    assert metric(run(asked=Asked(total=0, cached=0, invalid=0))) is None


def test_the_strategy_conforms_to_all_that_the_page_says_of_strategies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partial table and constraints are among the checks."""
    section = PAGE.partition("## A strategy\n")[2].partition("\n## ")[0]
    source = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    (tmp_path / "page_strategy.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "page_strategy", raising=False)
    report = assert_conforms(importlib.import_module("page_strategy").MyStrategy, registry=Registry(only=frozenset()))
    assert "it copes with a partial table" in {r.check for r in report.ran}


def test_the_networks_are_provided_and_found(write: Callable[[str], list[str]]) -> None:
    assert write("The networks of a space") == ["my_plugin/networks.py"]
    section = PAGE.partition("## The networks of a space\n")[2]
    shown: dict[str, Any] = {"Provides": Provides, "hookimpl": hookimpl}
    exec(re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0], shown)
    (provided,) = shown["nas_harness_networks"]()
    module, _, name = provided.load.partition(":")
    networks = getattr(importlib.import_module(module), name)
    assert issubclass(networks, Networks)
    assert (networks.name, networks.Settings().channels) == ("my-space", 16)


def test_the_predicting_strategy_labels_proposes_and_verifies(write: Callable[[str], list[str]]) -> None:
    """Ten queries verify; ten random ones would beat the thirty before them in a quarter of the searches."""
    assert write("A strategy that predicts") == ["my_plugin/nearest.py"]
    cls = importlib.import_module("my_plugin.nearest").ByNearest
    better = 0
    for seed in range(20):
        oracle = Oracle(Landscape(Grid(6, 6, 6, 6), sum), Budget(queries=40))
        strategy = cls()
        best = strategy.search(oracle, np.random.default_rng(seed))
        scores = [o.score for o in oracle.history]
        assert (len(scores), sum(best[0])) == (40, max(scores))
        assert strategy.ranker.rank(best).shape == (10,)
        better += max(scores[30:]) > max(scores[:30])
    assert better >= 12  # by chance in less than one of a thousand


def test_the_table_is_made_from_the_official_file_and_opened(
    tmp_path: Path, write: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert write("A table") == ["my_plugin/scores.py"]
    scores = importlib.import_module("my_plugin.scores")
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path / "data"))
    with pytest.raises(DataMissing):
        scores.valid()
    (tmp_path / "scores.csv").write_text("valid,test\n91.5,90.25\n88,87.5\n")
    assert not scores.SCORES.present()
    folder = scores.SCORES.make(tmp_path / "scores.csv", tmp_path / "data")
    assert scores.SCORES.present()
    assert scores.valid().tolist() == [91.5, 88.0]
    table = open_table(folder)
    table.verify()
    assert table["test"].tolist() == [90.25, 87.5]
