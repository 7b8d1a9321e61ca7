"""Discovery: isolation of broken plugins, who provides what, nothing imported before it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import PluginError, UnknownName
from harness.registry import Registry


def install(folder: Path, name: str, source: str, *, version: str = "1.0") -> None:
    """A distribution in ``folder``, as pip would leave it."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[nas_harness]\n{name} = {module}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("good_one", "bad_one", "a_first", "b_second", "b_half"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


GOOD = """
from harness import Provides, hookimpl

@hookimpl
def nas_harness_strategies():
    return [Provides("{name}", "harness.running.reference:MatchedRandomSearch", "a summary")]
"""


def only(*names: str, strict: bool = False) -> Registry:
    return Registry(only=frozenset(names), strict=strict)


def test_a_plugin_is_found_by_entry_point_with_its_provenance(site: Path) -> None:
    install(site, "good-one", GOOD.format(name="matched-random-search"), version="2.5")
    item = only("good-one").find("strategy", "matched-random-search")
    assert (item.distribution, item.version, item.plugin, item.status) == ("good-one", "2.5", "good-one", "ok")
    assert item.load().__name__ == "MatchedRandomSearch"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("raise OSError('no such device')", "OSError: no such device"),
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        (GOOD.format(name="x").replace("_strategies", "_stratgies"), "unknown hook 'nas_harness_stratgies'"),
        (GOOD.format(name="x").replace("strategies():", "strategies(extra):"), "extra"),
        (GOOD.format(name="x").replace("return [", "return [1, "), "neither Provides nor a class with a name"),
        ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
        (GOOD.format(name="x").replace("return [", "raise KeyError('late')\n    return ["), "KeyError: 'late'"),
    ],
)
def test_a_broken_plugin_is_listed_with_its_error_and_takes_nothing_down(site: Path, source: str, why: str) -> None:
    install(site, "good-one", GOOD.format(name="good"))
    install(site, "bad-one", source)
    registry = only("good-one", "bad-one")
    assert registry.names("strategy") == ["good"]
    (broken,) = registry.broken
    assert (broken.plugin, broken.distribution, broken.version) == ("bad-one", "bad-one", "1.0")
    assert why in broken.error
    assert "nas_harness_strategies" not in dir(registry.manager.get_plugin("bad-one"))
    with pytest.raises(PluginError, match="'bad-one' of bad-one 1.0 is broken"):
        only("good-one", "bad-one", strict=True)


def test_two_of_one_name_are_refused_naming_both_distributions(site: Path) -> None:
    install(site, "a-first", GOOD.format(name="same"))
    install(site, "b-second", GOOD.format(name="same"))
    registry = only("a-first", "b-second")
    assert registry.find("strategy", "same").distribution == "a-first"
    assert "provided by both a-first and b-second" in registry.broken[0].error


def test_a_plugin_that_half_registers_leaves_nothing(site: Path) -> None:
    install(site, "a-first", GOOD.format(name="same"))
    half = GOOD.format(name="same").replace("return [", 'return [Provides("fresh", "json:dumps"), ')
    install(site, "b-half", half)
    assert only("a-first", "b-half").names("strategy") == ["same"]


def test_an_unknown_name_offers_the_nearest(site: Path) -> None:
    install(site, "good-one", GOOD.format(name="regularized-evolution"))
    with pytest.raises(UnknownName, match="did you mean 'regularized-evolution'.*nas-harness list strategies"):
        only("good-one").load("strategy", "regularised-evolution")


def test_a_target_that_does_not_import_says_where_it_was_looked_for(site: Path) -> None:
    install(site, "good-one", GOOD.format(name="x").replace("MatchedRandomSearch", "NoSuch"))
    with pytest.raises(PluginError, match="good-one 1.0 does not load from 'harness.running.reference:NoSuch'"):
        only("good-one").load("strategy", "x")


def test_a_class_that_calls_itself_otherwise_is_refused_naming_both(site: Path) -> None:
    install(site, "good-one", GOOD.format(name="mine"))
    where = "harness.running.reference:MatchedRandomSearch"
    said = f"strategy 'mine' of good-one 1.0: '{where}' calls itself 'matched-random-search'"
    with pytest.raises(PluginError, match=said):
        only("good-one").load("strategy", "mine")


@pytest.mark.parametrize(
    ("load", "why"),
    [
        ("good_one.serach:Mine", "there is no module 'good_one.serach'"),
        ("no_such_package.search:Mine", "there is no module 'no_such_package.search'"),
        (".search:Mine", "there is no module '.search'"),
        ("good_one.search", "which is not module:attribute"),
    ],
)
def test_a_module_that_is_not_there_is_known_without_an_import(site: Path, load: str, why: str) -> None:
    install(site, "good-one", GOOD.format(name="x").replace("harness.running.reference:MatchedRandomSearch", load))
    item = only("good-one").find("strategy", "x")
    assert item.status == item.broken == f"does not load from {load!r}{',' if 'which' in why else ':'} {why}"
    with pytest.raises(PluginError, match="strategy 'x' of good-one 1.0 does not load from"):
        item.load()


def test_asking_for_the_status_imports_no_package(site: Path) -> None:
    (site / "heavy_one").mkdir()
    (site / "heavy_one" / "__init__.py").write_text("raise OSError('imported')")
    install(site, "good-one", GOOD.format(name="x").replace("harness.running.reference:", "heavy_one.search:"))
    assert only("good-one").find("strategy", "x").status == "ok"
    assert "heavy_one" not in sys.modules


@pytest.mark.parametrize(
    ("hook", "load", "what"),
    [
        ("strategies", "json:dumps", "a subclass of harness.Strategy"),
        ("strategies", "harness.protocol:TrainingProtocol", "a subclass of harness.Strategy"),
        ("protocols", "harness.strategy:Strategy", "a subclass of harness.TrainingProtocol"),
        ("executors", "json:dumps", "a subclass of harness.Executor"),
        ("spaces", "harness.running.study:MATCHED", "something to call"),
    ],
)
def test_a_target_of_another_kind_is_refused(site: Path, hook: str, load: str, what: str) -> None:
    source = (
        GOOD.format(name="x").replace("strategies", hook).replace("harness.running.reference:MatchedRandomSearch", load)
    )
    install(site, "good-one", source)
    kind = {"strategies": "strategy"}.get(hook, hook[:-1])
    with pytest.raises(PluginError, match=f"{kind} 'x' of good-one 1.0: '{load}' is not {what}"):
        only("good-one").load(kind, "x")  # type: ignore[arg-type]


def test_two_plugins_of_one_name_are_refused_naming_both_distributions(site: Path) -> None:
    install(site, "a-first", GOOD.format(name="one"))
    install(site, "b-second", GOOD.format(name="two"))
    points = site / "b_second-1.0.dist-info" / "entry_points.txt"
    points.write_text(points.read_text().replace("b-second =", "a-first ="))
    registry = only("a-first")
    assert registry.names("strategy") == ["one"]
    assert registry.broken[0].error == "both a-first and b-second call a plugin 'a-first'; uninstall one"


def test_a_protocol_that_cannot_be_made_takes_no_other_down(site: Path) -> None:
    source = """
from harness import Task, TrainingProtocol, hookimpl

class Works(TrainingProtocol):
    name = "works"
    def tasks(self): return [Task("works/a", "works")]
    def open(self, task): raise NotImplementedError

class Unmade(Works):
    name = "unmade"
    def __init__(self): raise OSError("no such device")

class Listless(Works):
    name = "listless"
    def tasks(self): raise ZeroDivisionError("no tasks today")

@hookimpl
def nas_harness_protocols(): return [Unmade, Works, Listless]
"""
    install(site, "good-one", source)
    registry = only("good-one")
    assert list(registry.tasks()) == ["works/a"]
    assert registry.task("works/a").protocol == "works"
    with pytest.raises(PluginError, match="protocol 'unmade' cannot be made: OSError: no such device"):
        registry.task("unmade/x")
    with pytest.raises(PluginError, match="protocol 'listless' lists no tasks: ZeroDivisionError"):
        registry.task("listless/x")
    with pytest.raises(UnknownName, match="did you mean 'works/a'"):
        registry.task("work/a")


def test_the_environment_variable_loads_an_exact_list(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "good-one", GOOD.format(name="good"))
    monkeypatch.setenv("NAS_HARNESS_PLUGINS", "")
    assert Registry().items == {}
    monkeypatch.setenv("NAS_HARNESS_PLUGINS", "good-one")
    assert list(Registry().items) == [("strategy", "good")]
    monkeypatch.setenv("NAS_HARNESS_PLUGINS", "good-one,godo-one")
    (absent,) = Registry().broken
    assert (absent.plugin, absent.error.split(";")[0]) == (
        "godo-one",
        "NAS_HARNESS_PLUGINS names it, nothing installed does",
    )


def test_discovery_of_everything_first_party_imports_nothing_heavy() -> None:
    code = (
        "import sys; from harness.registry import Registry; r = Registry(); print(len(r.items));"
        "heavy = {'torch', 'optuna', 'pandas', 'scipy', 'torch_geometric', 'sklearn', 'onnxruntime'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "NAS_HARNESS_PLUGINS"}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    count, heavy = shown.stdout.split("\n", 1)
    assert int(count) > 5
    assert heavy.strip() == "[]"
