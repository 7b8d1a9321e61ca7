"""``list`` and ``describe``: everything that is installed, as text and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from distributions import install

from harness import Params
from harness.cli import main
from harness.reading.report.description import parameters
from harness.registry import Registry, default_registry


@pytest.fixture(autouse=True)
def fresh_registry(toy: Registry) -> Iterator[None]:
    default_registry.cache_clear()
    yield
    default_registry.cache_clear()


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main([*words, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_list_names_kind_name_distribution_version_and_status(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "list")
    sampler = next(x for x in found if x["name"] == "toy-sampler")
    assert sampler == {
        "kind": "strategy", "name": "toy-sampler", "distribution": "toy-plugin", "version": "1.0", "status": "ok",
        "why": "", "summary": "Draws and queries until the budget ends",
    }  # fmt: skip
    assert {x["kind"] for x in found} == {"strategy", "protocol", "space", "executor", "metric"}
    assert main(["list"]) == 0
    text = capsys.readouterr().out.splitlines()
    assert text[0].split() == ["kind", "name", "distribution", "version", "status", "summary"]
    assert any(x.split()[:5] == ["strategy", "toy-sampler", "toy-plugin", "1.0", "ok"] for x in text)


def test_what_does_not_load_is_broken_in_the_list_and_an_error_elsewhere(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What does not say its name is listed as broken; so is a name whose module is not there."""
    source = (
        "from harness import Provides, hookimpl\n@hookimpl\ndef nas_harness_strategies():\n"
        "    return [Provides('toy_serach:Sampler', name='no-module'), Provides('toy_plugin:Smapler', name='no-class'),"
        " Provides('toy_plugin:NoClass')]\n"
    )
    install(tmp_path, "broken-toy", source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("NAS_HARNESS_PLUGINS", "toy,broken-toy")
    found = {x["name"]: x for x in shown(capsys, "list", "strategies")}
    assert found["no-module"]["status"] == "broken"
    assert "there is no module 'toy_serach'" in found["no-module"]["why"]
    assert found["toy-sampler"]["status"] == "ok"
    assert found["broken-toy"]["why"].startswith("'toy_plugin:NoClass' does not load: AttributeError")
    for words in (["describe", "no-class"], ["check", "no-class"], ["run", "-s", "no-class", *ON_EDGES]):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert "strategy 'no-class' of broken-toy 1.0: 'toy_plugin:Smapler' does not load: AttributeError" in said


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        ("['bent/a']", "lists no tasks: AttributeError: 'str' object has no attribute 'name'"),
        ("[Task('bent/a', 'bent', finals=('single'))]", "task 'bent/a': finals is 'single': write a tuple, such as"),
    ],
)
def test_a_protocol_that_lists_no_tasks_hides_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], listed: str, why: str
) -> None:
    source = (
        "from harness import Task, TrainingProtocol, hookimpl\nclass Bent(TrainingProtocol):\n    name = 'bent'\n"
        f"    def tasks(self): return {listed}\n    def open(self, task): return None\n"
        "@hookimpl\ndef nas_harness_protocols(): return [Bent]\n"
    )
    install(tmp_path, "bent-toy", source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "bent_toy", raising=False)
    monkeypatch.setenv("NAS_HARNESS_PLUGINS", "toy,bent-toy")
    found = shown(capsys, "list", "tasks")
    assert [x["name"] for x in found] == ["bent", *TASKS]
    assert found[0]["why"].startswith(why)


ON_EDGES = ["-t", "toy/edges", "--budget", "5"]
TASKS = [
    f"toy/{name}"
    for name in (
        "edges",
        "nodes",
        "error",
        "final",
        "final2",
        "absent",
        "partial",
        "drawn",
        "trained",
        "laws",
        "timeless",
    )
]


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("protocols", ["toy"]),
        ("spaces", ["toy-edges", "toy-nodes"]),
        ("tasks", TASKS),
        ("plugins", ["core", "toy"]),
        ("executors", ["dask", "process", "serial"]),
    ],
)
def test_list_of_one_kind(capsys: pytest.CaptureFixture[str], what: str, names: list[str]) -> None:
    assert [x["name"] for x in shown(capsys, "list", what)] == names
    assert main(["list", what]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in names)


def test_describe_a_strategy_shows_its_parameters_modes_and_ablations(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "describe", "toy-sampler")
    assert found["parameters"] == [
        {
            "name": "size", "type": "int", "required": False, "default": 8, "bounds": ">= 1, <= 64",
            "meaning": "How many to draw at once",
        }
    ]  # fmt: skip
    paper = {"oracle": "test", "report": "first", "top": 1, "note": "searches on test", "params": {}}
    assert found["modes"]["paper"] == paper
    assert found["ablations"] == {"single": {"size": 1}}
    assert found["paper"] is None
    assert main(["describe", "toy-sampler"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in (
        "strategy toy-sampler (toy-plugin 1.0)",
        "paper: none needs: none",
        "size int 8 >= 1, <= 64 How many to draw at once",
    ):
        assert part in text
    assert "single size = 1" in text


def test_a_class_is_described_by_its_docstring_or_its_own_bases(capsys: pytest.CaptureFixture[str]) -> None:
    """toy-sampler has one; toy-bad-ranker, a toy-returner, has its base's; toy-raiser and toy have the harness's."""
    assert main(["describe", "toy-sampler"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "Draws and queries until the budget ends."
    assert shown(capsys, "describe", "toy-raiser")["documentation"] == ""
    for name in ("toy-returner", "toy-bad-ranker"):
        assert shown(capsys, "describe", name)["documentation"].startswith("Stops by itself after ten queries")
    assert shown(capsys, "describe", "toy")["documentation"] == ""


def test_the_reference_of_every_report_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "describe", "matched-random-search")
    assert (found["kind"], found["distribution"]) == ("strategy", "nas-harness")
    assert main(["describe", "matched-random-search"]) == 0
    assert "The harness's own random search" in capsys.readouterr().out


def test_a_description_ends_with_what_takes_more_than_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "toy/edges"]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = lines.index("")
    assert all(": " in line for line in lines[2:first])
    assert any(line.startswith("random sampling: law ") for line in lines[2:first])
    assert "fidelities" in lines[first:]


def test_the_cores_own_executors_are_listed_with_what_they_need(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.registry.items.present", lambda module: module != "distributed")
    dask, process, _ = shown(capsys, "list", "executors")
    assert (dask["distribution"], dask["status"]) == ("nas-harness", "missing")
    assert dask["why"] == "needs distributed: pip install 'nas-harness[dask]'"
    assert process["status"] == "ok"
    assert shown(capsys, "describe", "process")["kind"] == "executor"
    assert shown(capsys, "describe", "serial", "--kind", "executor")["name"] == "serial"


def test_describe_a_task_a_protocol_and_a_space(capsys: pytest.CaptureFixture[str]) -> None:
    task = shown(capsys, "describe", "toy/edges")
    assert (task["kind"], task["protocol"], task["space"], task["split"]) == ("task", "toy", "toy-edges", "test")
    assert [f["name"] for f in task["fidelities"]]
    mean = task["random_sampling"]["mean"]
    assert isinstance(mean, float)
    protocol = shown(capsys, "describe", "toy")
    assert [t["name"] for t in protocol["tasks"]] == TASKS
    space = shown(capsys, "describe", "toy-edges")
    assert space["size"] == len(space["choices"][0]["options"]) ** len(space["choices"])
    for name in ("toy/edges", "toy", "toy-edges"):
        assert main(["describe", name]) == 0
        assert capsys.readouterr().out.startswith(("task", "protocol", "space"))


def test_describe_a_task_whose_data_is_not_here_says_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert "toy-download" in shown(capsys, "describe", "toy/absent")["status"]
    assert main(["describe", "toy/absent"]) == 0
    assert "toy-download" in capsys.readouterr().out


class Many(Params):
    needed: int
    rate: Annotated[float, msgspec.Meta(gt=0, lt=1, description="a share")] = 0.5
    kind: Literal["a", "b"] = "a"
    maybe: Annotated[int, msgspec.Meta(ge=2)] | None = None
    sizes: list[int] = msgspec.field(default_factory=lambda: [1, 2])


def test_parameters_of_every_shape_are_described() -> None:
    found = {p.pop("name"): p for p in parameters(Many)}
    assert found["needed"] == {"type": "int", "required": True, "default": None, "bounds": "", "meaning": ""}
    assert found["rate"] == {
        "type": "float", "required": False, "default": 0.5, "bounds": "> 0, < 1", "meaning": "a share",
    }  # fmt: skip
    assert found["kind"]["type"] == "'a' | 'b'"
    assert (found["maybe"]["type"], found["maybe"]["bounds"]) == ("int | none", ">= 2")
    assert (found["sizes"]["type"], found["sizes"]["default"]) == ("list[int]", [1, 2])


LOOSE = """
from harness import Provides, Strategy

class Mine(Strategy):
    \"\"\"Draws until the budget ends.\"\"\"

    name = "mine"

    def search(self, oracle, rng):
        while True:
            oracle.query_many(oracle.space.sample(rng, 8))

class Nameless(Strategy):
    def search(self, oracle, rng):
        return []
"""


def test_a_class_is_described_and_checked_before_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stands in a package of the working folder, which is not on the path."""
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "__init__.py").touch()
    (tmp_path / "loose" / "search.py").write_text(LOOSE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    for module in ("loose", "loose.search"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    found = shown(capsys, "describe", "loose.search:Mine")
    assert (found["kind"], found["name"], found["summary"]) == ("strategy", "mine", "Draws until the budget ends")
    assert main(["describe", "loose.search:Mine"]) == 0
    assert capsys.readouterr().out.startswith("strategy mine  (not installed)")
    (report,) = shown(capsys, "check", "loose.search:Mine")
    assert (report["name"], report["failed"]) == ("mine", 0)
    assert report["ran"] > 10
    for name, why in (
        ("loose.search:Nameless", "strategy 'loose.search:Nameless' has no name"),
        ("loose.search:Provides", "is none of harness.Strategy"),
        ("loose.search:Absent", "'loose.search:Absent' does not load: AttributeError"),
        ("loose.absent:Mine", "there is no module 'loose.absent'"),
        ("loose.search:", "is not module:attribute"),
    ):
        for command in ("describe", "check"):
            assert main([command, name]) == 2
            assert why in capsys.readouterr().err
