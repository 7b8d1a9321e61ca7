"""What is wrong is one message on standard error and the right exit status; a traceback only with ``--debug``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributions import install

from harness.cli import main
from harness.errors import UnknownName
from harness.registry import Registry, default_registry


@pytest.fixture(autouse=True)
def fresh_registry() -> Iterator[None]:
    """The command line reads the registry anew: tests install plugins of their own."""
    default_registry.cache_clear()
    yield
    default_registry.cache_clear()


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Standard error of a command line that must be refused, without a traceback."""
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rnu"], "unknown command 'rnu'; did you mean 'run'?"),
        (["list", "strategis"], "unknown kind 'strategis'; did you mean 'strategies'"),
        (["list", "--fromat", "json"], "No such option: --fromat"),
        (["describe", "toy-sampelr"], "unknown name 'toy-sampelr'; did you mean 'toy-sampler'"),
        (["describe", "edges"], "did you mean 'toy/edges'?"),
        (["describe", "toy/edgse"], "unknown name 'toy/edgse'; did you mean 'toy/edges'"),
        (["describe", "toy-sampler", "--kind", "stratgy"], "unknown kind 'stratgy'; did you mean 'strategy'"),
        (["check", "toy-sampelr"], "did you mean 'toy-sampler'"),
        (["run", "nowhere.toml"], "nowhere.toml: no such study file"),
        (["run", "--strategy", "toy-sampler"], "give --task, --budget"),
        (["run", "nowhere.toml", "--seeds", "3"], "--seeds cannot be given with the study file"),
        (["run", "-s", "toy-sampelr", "-t", "toy/edges", "--budget", "5"], "did you mean 'toy-sampler'"),
        (["run", "-s", "toy-sampler", "-t", "toy/edgse", "--budget", "5"], "did you mean 'toy/edges'"),
        (["run", "-s", "toy-sampler", "-t", "toy/absent", "--budget", "5"], "get it with: toy-download"),
        (["run", "-s", "toy-sampler", "-t", "toy/edges", "--budget", "5", "--mode", "papre"], "no mode 'papre'"),
        (["run", "-s", "toy-sampler", "-t", "toy/edges", "--budget", "5", "-p", "size=0"], "size"),
        (["run", "-s", "toy-sampler", "-t", "toy/edges", "--budget", "5", "-p", "size"], "not of the form key=value"),
        (
            ["run", "-s", "toy-sampler", "-t", "toy/edges", "--budget", "5", "--executor", "serail"],
            "did you mean 'serial'",
        ),
        (["run", "-s", "toy-sampler", "-t", "toy/edges", "--budget", "5", "--jobs", "0"], "--jobs 0: at least 1"),
        (["run", "-s", "toy-sampler", "-t", "toy/edges", "--budget", "5", "--name", "a/b"], "it names a folder"),
        (["report", "nowhere"], "nowhere holds no study; is it the folder of one?"),
    ],
)
def test_bad_input_is_told_and_exits_2(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str], said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert said in refused(capsys, *words)


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("nosuch", ["random-search", "tpe"], []),
        ("nope", ["random-search", "tpe"], []),
        ("tep", ["random-search", "tpe"], ["tpe"]),
        ("random", ["random-search", "tpe"], ["random-search"]),
        ("gnas", ["ga-nas", "renas", "tpe"], ["ga-nas", "renas"]),
    ],
)
def test_only_a_near_name_is_offered(name: str, known: list[str], near: list[str]) -> None:
    said = str(UnknownName("strategy", name, known))
    if near:
        assert said.endswith("did you mean " + " or ".join(repr(n) for n in near) + "?")
    else:
        assert said == f"unknown strategy {name!r}; known: {', '.join(sorted(known))}"


def test_a_class_that_is_not_installed_is_told_how_to_become_a_strategy(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--task", "toy/edges", "--budget", "5")
    assert "nas-harness new strategy" in refused(capsys, "run", "--strategy", "my_file:MySearch", *words)


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("many", "'many' is no number"),
        ("queries=1.5", "the number of queries must be whole"),
        ("minutes=3", "limits are queries, epochs, seconds"),
        ("10,queries=20", "each once"),
        ("0", "limits are positive and below 1e18"),
        ("seconds=inf", "limits are positive and below 1e18"),
        ("queries=inf", "the number of queries must be whole"),
        ("queries=nan", "the number of queries must be whole"),
    ],
)
def test_a_budget_that_is_none(toy: Registry, capsys: pytest.CaptureFixture[str], budget: str, said: str) -> None:
    assert said in refused(capsys, "run", "-s", "toy-sampler", "-t", "toy/edges", f"--budget={budget}")


def test_a_malformed_study_names_file_and_line(
    toy: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "study.toml"
    file.write_text('name = "x"\nbudget = { queries = 5 }\nseeds = "eight"\n[[tasks]]\nname = "toy/edges"\n')
    assert f"{file}:3: " in refused(capsys, "run", str(file))
    file.write_text(
        'name = "x"\nbudget = { queries = 5 }\n[[tasks]]\nname = "toy/edgse"\n[[strategies]]\nname = "toy-sampler"\n'
    )
    err = refused(capsys, "run", str(file), "--results", str(tmp_path))
    assert f"{file}:4: unknown task 'toy/edgse'; did you mean 'toy/edges'" in err
    assert "field tasks[0].name" in err


def test_a_results_folder_that_cannot_be_written(
    toy: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "results"
    blocked.write_text("a file stands where the folder should be")
    words = ["run", "-s", "toy-sampler", "-t", "toy/edges", "--budget", "5", "--results", str(blocked), "-q"]
    assert "cannot be written" in refused(capsys, *words)


def test_an_export_that_cannot_be_written(toy: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from written_records import entry, write_study

    folder = write_study(tmp_path / "s", entry("alpha", [1.0, 2.0]))
    assert "cannot be written" in refused(capsys, "report", str(folder), "--output", str(tmp_path / "no" / "file"))
    assert "costs are numbers" in refused(capsys, "report", str(folder), "--section", "curves", "--at", "1;2")


def test_debug_shows_the_traceback_wherever_it_stands(
    toy: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["--debug", "report", str(tmp_path)], ["report", str(tmp_path), "--debug"]):
        assert main(words) == 2
        err = capsys.readouterr().err
        assert "Traceback" in err
        assert "RecordError" in err


def test_an_exception_that_nobody_expected_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import harness.reading.report.sections

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a plain bug")

    monkeypatch.setattr(harness.reading.report.sections, "write_report", broken)
    err = refused(capsys, "report", str(tmp_path))
    assert err.count("\n") == 1
    assert "ZeroDivisionError: a plain bug" in err
    assert "run again with --debug" in err
    assert main(["report", str(tmp_path), "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.fixture
def broken_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution whose plugin does not import."""
    install(tmp_path / "site", "broken-thing", "import a_library_that_does_not_exist\n", version="2.5")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("NAS_HARNESS_PLUGINS", "toy,broken-thing")
    sys.modules.pop("broken_thing", None)


def test_a_broken_plugin_is_listed_with_why_and_takes_nothing_down(
    toy: Registry, broken_plugin: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert "plugin broken-thing: ModuleNotFoundError: No module named 'a_library_that_does_not_exist'" in out
    assert "toy-sampler" in out
    line = next(x for x in out.splitlines() if x.startswith("plugin ") and "broken-thing" in x)
    assert line.split()[:5] == ["plugin", "broken-thing", "broken-thing", "2.5", "broken"]


def test_a_broken_plugin_is_warned_of_when_a_study_runs(
    toy: Registry, broken_plugin: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "-s", "toy-sampler", "-t", "toy/edges", "--budget", "3", "--seeds", "1", "--executor", "serial"]
    assert main([*words, "--results", str(tmp_path / "r"), "-q"]) == 0
    assert "warning: plugin 'broken-thing' of broken-thing 2.5 is broken" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "describe"])
def test_who_asks_for_something_of_a_broken_plugin_is_told_why_it_is_not_there(
    toy: Registry, broken_plugin: None, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert "warning: plugin 'broken-thing' of broken-thing 2.5 is broken" in refused(capsys, command, "broken-thing")


def test_folder_and_file_of_a_study_are_told_apart(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    for file in ("mine/study.toml", "mine.toml"):
        (tmp_path / file).write_text('name = "mine"\n')
    assert "nas-harness run mine/study.toml" in refused(capsys, "run", "mine")
    assert "mine.toml is a file; name the study's folder, such as results/mine" in refused(
        capsys, "report", "mine.toml"
    )


@pytest.mark.parametrize("words", [["replay", "x", "--sample", "0"], ["run", "x.toml", "--verify", "-1"]])
def test_a_sample_of_nothing_is_refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert words[2] in refused(capsys, *words)


@pytest.mark.parametrize("words", [["--strict-plugins", "list"], ["list", "--strict-plugins"]])
def test_strict_plugins_makes_a_broken_one_fatal(
    toy: Registry, broken_plugin: None, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert "plugin 'broken-thing' of broken-thing 2.5 is broken" in refused(capsys, *words)


def test_output_that_nobody_reads_is_no_error(tmp_path: Path) -> None:
    """``nas-harness list | head -1`` and the like: quiet, whatever the reader does."""
    import subprocess

    command = f"{sys.executable} -c 'from harness.cli import main; import sys; sys.exit(main([\"list\"]))' | true"
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert found.stderr == ""
