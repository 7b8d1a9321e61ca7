"""Discovery: isolation of broken plugins, who provides what, nothing imported before it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from distributions import install

from harness.errors import PluginError, UnknownName
from harness.registry import CORE, Registry


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("good_one", "good_mine", "bad_one", "a_first", "b_second", "b_half"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


GOOD = """
from harness import Provides, hookimpl

@hookimpl
def nas_harness_strategies():
    return [Provides("harness.running.reference:MatchedRandomSearch", name="{name}", summary="a summary")]
"""
TARGET = "harness.running.reference:MatchedRandomSearch"
OWN = """
from harness import Params, Provides, Strategy, hookimpl

class MyParams(Params):
    size: int = 3

class Mine(Strategy[MyParams]):
    \"\"\"A summary, on the first line.

    And more.
    \"\"\"

    name = "mine"

    def search(self, oracle, rng):
        return []

@hookimpl
def nas_harness_strategies():
    return [Provides("good_one:Mine")]
"""


def only(*names: str, strict: bool = False) -> Registry:
    return Registry(only=frozenset(names), strict=strict)


def provided(registry: Registry, kind: str = "strategy") -> list[str]:
    """Names of what is not the harness's own."""
    return [i.name for i in registry.items.values() if i.kind == kind and i.plugin != CORE]


def test_a_plugin_is_found_by_entry_point_with_its_provenance(site: Path) -> None:
    install(site, "good-one", OWN, version="2.5")
    item = only("good-one").find("strategy", "mine")
    assert (item.distribution, item.version, item.plugin, item.status) == ("good-one", "2.5", "good-one", "ok")
    assert item.summary == "A summary, on the first line"
    assert item.load().__name__ == "Mine"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("raise OSError('no such device')", "OSError: no such device"),
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        (GOOD.format(name="x").replace("_strategies", "_stratgies"), "unknown hook 'nas_harness_stratgies'"),
        (
            GOOD.format(name="x").replace("strategies():", "strategies(extra):"),
            "nas_harness_strategies(extra): write nas_harness_strategies()",
        ),
        (OWN + "@hookimpl\ndef nas_harness_run_started(spec): pass", "write nas_harness_run_started(run)"),
        (
            GOOD.format(name="x").replace("@hookimpl", ""),
            "nas_harness_strategies is not marked as a hook: write @hookimpl above it",
        ),
        (OWN + "\ndef nas_harness_study_finished(study, folder): pass", "nas_harness_study_finished is not marked"),
        (
            GOOD.format(name="x").replace('Provides("', 'Provides("mine", load="'),
            'write Provides("module:attribute", requires=..., install=...); a class says its name',
        ),
        (
            GOOD.format(name="x").replace(", name=", ", ").replace(", summary=", ", "),
            'write Provides("module:attribute", requires=..., install=...); a class says its name',
        ),
        ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
        (GOOD.format(name="x").replace("return [", "raise KeyError('late')\n    return ["), "KeyError: 'late'"),
        (
            GOOD.format(name="x").replace(", summary=", ', requires=("torch"), summary='),
            f"'{TARGET}': requires is 'torch': write a tuple, such as ('torch',)",
        ),
        ("from harness import Strategy", "its entry point names a module without hooks; write the module that holds"),
        (GOOD.format(name="x").replace("nas_harness_", "my_"), "unknown hook 'my_strategies' (hooks: nas_harness_"),
        (OWN + "my_spaces = hookimpl(lambda: [])", "unknown hook 'my_spaces'"),
        (GOOD.format(name="x").replace("return [", "["), "nas_harness_strategies gives None: return a list, such as ["),
        (
            GOOD.format(name="x").replace("return [", "return (").replace(")]", "))"),
            "return a list, such as [Provides(",
        ),
    ],
)
def test_a_broken_plugin_is_listed_with_its_error_and_takes_nothing_down(site: Path, source: str, why: str) -> None:
    install(site, "good-one", GOOD.format(name="good"))
    install(site, "bad-one", source)
    registry = only("good-one", "bad-one")
    assert provided(registry) == ["good"]
    (broken,) = registry.broken
    assert (broken.plugin, broken.distribution, broken.version) == ("bad-one", "bad-one", "1.0")
    assert why in broken.error
    assert "nas_harness_strategies" not in dir(registry.manager.get_plugin("bad-one"))
    with pytest.raises(PluginError, match="'bad-one' of bad-one 1.0 is broken"):
        only("good-one", "bad-one", strict=True)


@pytest.mark.parametrize(
    ("load", "why"),
    [
        ("good_one:Mine", "provides nothing: its entry point names a class without hooks; write the module that holds"),
        ("good_one:TEXT", "provides nothing: its entry point names a str without hooks"),
        (
            "my-search.plugin",
            "its entry point 'my-search.plugin' names no module: write the module that holds its hooks",
        ),
        ("", "its entry point '' names no module: write the module that holds its hooks, such as my_plugin.plugin"),
    ],
)
def test_an_entry_point_that_names_no_plugin_is_listed_with_what_to_write(site: Path, load: str, why: str) -> None:
    install(site, "good-one", OWN + "TEXT = 'no plugin'")
    points = site / "good_one-1.0.dist-info" / "entry_points.txt"
    points.write_text(f"[nas_harness]\ngood-one = {load}\n")
    registry = only("good-one")
    assert provided(registry) == []
    assert [why in b.error for b in registry.broken] == [True]
    with pytest.raises(PluginError, match="plugin 'good-one' of good-one 1.0 is broken"):
        only("good-one", strict=True)


def test_hooks_may_be_methods_and_told_ones_give_nothing(site: Path) -> None:
    """And a plugin may import another's hook under a name of its own."""
    told = "\n    @hookimpl\n    def nas_harness_run_finished(self, run): pass\n"
    install(site, "a-first", GOOD.format(name="first"))
    install(
        site, "good-one", f"from harness import hookimpl\nclass Told:{told}\nplugin = Told()", load="good_one:plugin"
    )
    install(site, "b-half", OWN.replace("good_one", "b_half") + "from a_first import nas_harness_strategies as theirs")
    registry = only("a-first", "good-one", "b-half")
    assert registry.broken == []
    assert provided(registry) == ["first", "mine"]


def test_of_two_of_one_name_the_later_one_is_left_out_alone(site: Path) -> None:
    install(site, "a-first", GOOD.format(name="same"))
    both = GOOD.format(name="same").replace("return [", f'return [Provides("{TARGET}", name="fresh"), ')
    install(site, "b-half", both)
    registry = only("a-first", "b-half")
    assert provided(registry) == ["same", "fresh"]
    assert registry.find("strategy", "same").distribution == "a-first"
    (broken,) = registry.broken
    assert broken.error == "strategy 'same' belongs to a-first; the one of b-half is left out: give it another name"
    with pytest.raises(
        PluginError, match="plugin 'b-half' of b-half 1.0 is broken: strategy 'same' belongs to a-first"
    ):
        only("a-first", "b-half", strict=True)


@pytest.mark.parametrize("name", ["random-search", "matched-random-search"])
def test_no_plugin_displaces_a_first_party_name(site: Path, name: str) -> None:
    """``a-first`` comes before ``nas-harness`` in the alphabet."""
    install(site, "a-first", GOOD.format(name=name))
    registry = only("a-first", "baselines")
    assert registry.find("strategy", name).distribution == "nas-harness"
    assert "hyperband" in registry.names("strategy")
    assert [b.error.split(";")[0] for b in registry.broken] == [f"strategy {name!r} belongs to nas-harness"]


def test_a_name_provided_twice_by_one_plugin_is_provided_once(site: Path) -> None:
    twice = OWN.replace("return [", 'return [Provides("good_one:Mine"), ')
    install(site, "good-one", twice)
    registry = only("good-one")
    assert provided(registry) == ["mine"]
    assert [b.error.split(";")[0] for b in registry.broken] == ["strategy 'mine' belongs to good-one"]


def test_the_harness_provides_executors_and_reference_whatever_is_asked_for() -> None:
    registry = only()
    assert registry.names("executor") == ["dask", "process", "serial"]
    assert registry.load("executor", "serial")().name == "serial"
    assert registry.names("strategy") == ["matched-random-search"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (('    name = "mine"\n', ""), "strategy 'good_one:Mine' has no name: write name = \"...\" in the class"),
        (("good_one:Mine", "json:dumps"), "strategy 'json:dumps' is no class: give its name, Provides('json:dumps'"),
        (("good_one:Mine", "good_one:Mien"), "'good_one:Mien' does not load: AttributeError"),
        (("good_one:Mine", "good_one.serach:Mine"), "there is no module 'good_one.serach'"),
        (("good_one:Mine", "no_such_package.search:Mine"), "there is no module 'no_such_package.search'"),
        (("good_one:Mine", ".search:Mine"), "there is no module '.search'"),
        (("good_one:Mine", "good_one.search"), "strategy: 'good_one.search' is not module:attribute"),
        (('[Provides("good_one:Mine")]', "[1]"), "nas_harness_strategies gave 1: write Provides("),
        (('[Provides("good_one:Mine")]', "[Mine.search]"), "or the class itself"),
    ],
)
def test_what_has_no_name_is_left_out_and_said(site: Path, changed: tuple[str, str], why: str) -> None:
    install(
        site,
        "good-one",
        OWN.replace(*changed) + "\n@hookimpl\ndef nas_harness_spaces(): return [Space]\n"
        "class Space:\n    name = 'space'\n",
    )
    registry = only("good-one")
    assert provided(registry) == []
    assert provided(registry, "space") == ["space"]
    assert [why in b.error for b in registry.broken] == [True]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (("def search(", "def serach("), "'good_mine:Mine' does not define search"),
        (("Strategy[MyParams]", "Strategy[int]"), "Mine: Strategy[int]: int is no subclass of harness.Params"),
        (
            ('    name = "mine"\n', '    name = "mine"\n    Params = MyParams\n'),
            "Mine sets Params in its body: write class Mine(Strategy[MyParams]) instead",
        ),
        (
            ('    name = "mine"\n', '    name = "mine"\n    summary = "old"\n'),
            "Mine sets summary: write it as the first line of the class's docstring instead",
        ),
        (
            ('    name = "mine"\n', '    name = "mine"\n    modes = {"paper": {"oracle": "test"}}\n'),
            "Mine: mode 'paper' is {'oracle': 'test'}: write harness.Mode(...)",
        ),
    ],
)
def test_a_strategy_that_is_none_is_named_with_its_plugin(site: Path, changed: tuple[str, str], why: str) -> None:
    """The class stands in a module of its own, which is imported when it is asked for."""
    (site / "good_mine.py").write_text(OWN.replace(*changed))
    install(site, "good-one", OWN.replace("good_one:Mine", "good_mine:Mine"))
    with pytest.raises(PluginError, match=r"^strategy 'mine' of good-one 1.0: ") as refused:
        only("good-one").load("strategy", "mine")
    assert why in str(refused.value)


def test_names_and_summaries_are_read_without_an_import(site: Path) -> None:
    package = site / "heavy_one"
    package.mkdir()
    (package / "__init__.py").write_text("raise OSError('imported')")
    (package / "search.py").write_text(
        'NAME = "by-constant"\nraise OSError("imported")\n'
        'class Plain:\n    "One line"\n    name: str = "plain"\n'
        "class Constant:\n    name = NAME\n    class Inner:\n        name = 'inner'\n"
    )
    provides = "".join(f'Provides("heavy_one.search:{c}"), ' for c in ("Plain", "Constant", "Constant.Inner"))
    install(site, "good-one", GOOD.format(name="x").replace("return [", f"return [{provides}"))
    registry = only("good-one")
    assert provided(registry) == ["plain", "by-constant", "inner", "x"]
    assert registry.find("strategy", "plain").summary == "One line"
    assert registry.find("strategy", "plain").status == "ok"
    assert "heavy_one" not in sys.modules


def test_a_name_that_the_source_does_not_say_is_asked_of_the_class(site: Path) -> None:
    install(site, "good-one", OWN.replace('name = "mine"', 'name = "-".join(["my", "own"])'))
    assert provided(only("good-one")) == ["my-own"]


def test_an_unknown_name_offers_the_nearest(site: Path) -> None:
    install(site, "good-one", GOOD.format(name="regularized-evolution"))
    with pytest.raises(UnknownName, match="did you mean 'regularized-evolution'.*nas-harness list strategies"):
        only("good-one").load("strategy", "regularised-evolution")


def test_a_target_that_does_not_import_says_where_it_was_looked_for(site: Path) -> None:
    install(site, "good-one", GOOD.format(name="x").replace("MatchedRandomSearch", "NoSuch"))
    with pytest.raises(PluginError, match=f"good-one 1.0: '{TARGET[:-19]}NoSuch' does not load: AttributeError"):
        only("good-one").load("strategy", "x")


def test_a_class_that_calls_itself_otherwise_is_refused_naming_both(site: Path) -> None:
    install(site, "good-one", GOOD.format(name="mine"))
    said = f"strategy 'mine' of good-one 1.0: '{TARGET}' calls itself 'matched-random-search'"
    with pytest.raises(PluginError, match=said):
        only("good-one").load("strategy", "mine")


def test_a_named_module_that_is_not_there_is_known_without_an_import(site: Path) -> None:
    install(site, "good-one", GOOD.format(name="x").replace(TARGET, "good_one.serach:Mine"))
    item = only("good-one").find("strategy", "x")
    assert item.status == item.broken == "'good_one.serach:Mine' does not load: there is no module 'good_one.serach'"
    with pytest.raises(PluginError, match="strategy 'x' of good-one 1.0: 'good_one.serach:Mine' does not load"):
        item.load()


@pytest.mark.parametrize(
    ("hook", "load", "what"),
    [
        ("strategies", "json:dumps", "a subclass of harness.Strategy"),
        ("strategies", "harness.protocol:TrainingProtocol", "a subclass of harness.Strategy"),
        ("protocols", "harness.strategy:Strategy", "a subclass of harness.TrainingProtocol"),
        ("executors", "json:dumps", "a subclass of harness.Executor"),
        ("spaces", "harness.running.study:MATCHED", "callable"),
    ],
)
def test_a_target_of_another_kind_is_refused(site: Path, hook: str, load: str, what: str) -> None:
    install(site, "good-one", GOOD.format(name="x").replace("strategies", hook).replace(TARGET, load))
    kind = {"strategies": "strategy"}.get(hook, hook[:-1])
    with pytest.raises(PluginError, match=f"{kind} 'x' of good-one 1.0: '{load}' is not {what}"):
        only("good-one").load(kind, "x")  # type: ignore[arg-type]


def test_a_space_that_lacks_methods_is_refused_naming_them(site: Path) -> None:
    source = (
        "from harness import SearchSpace, hookimpl\nclass Space(SearchSpace):\n    name = 'mine'\n"
        "    def key(self, arch): return ''\n    def graph(self, arch, *, pruned=True): return ()\n"
        "@hookimpl\ndef nas_harness_spaces(): return [Space]\n"
    )
    install(site, "good-one", source)
    with pytest.raises(
        PluginError, match="space 'mine' of good-one 1.0: 'good_one:Space' does not define describe, parse"
    ):
        only("good-one").load("space", "mine")


def test_two_plugins_of_one_name_are_refused_naming_both_distributions(site: Path) -> None:
    install(site, "a-first", GOOD.format(name="one"))
    install(site, "b-second", GOOD.format(name="two"))
    points = site / "b_second-1.0.dist-info" / "entry_points.txt"
    points.write_text(points.read_text().replace("b-second =", "a-first ="))
    registry = only("a-first")
    assert provided(registry) == ["one"]
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
    assert {i.plugin for i in Registry().items.values()} == {CORE}
    monkeypatch.setenv("NAS_HARNESS_PLUGINS", "good-one")
    assert provided(Registry()) == ["good"]
    monkeypatch.setenv("NAS_HARNESS_PLUGINS", "good-one,godo-one")
    (absent,) = Registry().broken
    assert (absent.plugin, absent.error.split(";")[0]) == (
        "godo-one",
        "NAS_HARNESS_PLUGINS names it, but no installed package provides it",
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
