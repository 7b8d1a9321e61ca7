"""``nas-harness new``: what it makes is installed and passes its own tests at once; no name is taken twice."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from fresh_environment import FreshEnvironment

from harness.cli import main
from harness.registry import default_registry

pytest.importorskip("jinja2")


@pytest.fixture(autouse=True)
def fresh_registry():
    default_registry.cache_clear()


@pytest.mark.parametrize(("kind", "passed"), [("space", "2 passed"), ("metric", "1 passed")])
def test_what_it_makes_is_green_at_once(kind: str, passed: str, tmp_path: Path) -> None:
    """Strategies and protocols are made, installed and tested by the tutorials."""
    pytest.importorskip("hatchling", reason="a new plugin is built with hatchling")
    pytest.importorskip("nas_bench_graph")
    environment = FreshEnvironment(tmp_path / "environment")
    said = environment.run(f"nas-harness new {kind} my-{kind}", tmp_path)
    assert said.endswith(f'next: cd my-{kind} && pip install -e ".[test]" && pytest\n')
    environment.run('pip install -q -e ".[test]"', tmp_path / f"my-{kind}")
    assert passed in environment.run("pytest", tmp_path / f"my-{kind}")
    assert f"my-{kind}" in environment.run("nas-harness list", tmp_path)


@pytest.mark.parametrize("kind", ["strategy", "protocol", "space", "metric"])
def test_what_it_makes_reads_as_the_harness_does(kind: str, tmp_path: Path) -> None:
    ruff = shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed")
    assert main(["new", kind, "my-own", "--in", str(tmp_path)]) == 0
    folder = tmp_path / "my-own"
    options = ["--no-cache", "--isolated", "--line-length", "120"]
    for words in (["check", *options, "--select", "E,F,W,I,B,UP"], ["format", *options, "--check"]):
        done = subprocess.run([ruff, *words, "."], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    assert not [p for p in folder.rglob("*") if p.is_file() and ("[[ " in (t := p.read_text()) or "[%" in t)]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["strategy", "My-Search"], "'My-Search' is no name: small letters and digits"),
        (["strategy", "my--search"], "is no name"),
        (["strategy", "class"], "'class' cannot be the name of a package"),
        (["strategy", "json"], "json is Python's or the harness's own"),
        (["strategy", "numpy"], "a package 'numpy' is installed"),
        (["strategy", "random-search"], "strategy 'random-search' of nas-harness"),
        (["protocol", "nasbench201"], "is installed: take another name"),
        (["strategem", "x"], "unknown kind 'strategem'; did you mean 'strategy'"),
    ],
)
def test_a_name_that_cannot_be_taken_is_refused(
    words: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", *words, "--in", str(tmp_path)]) == 2
    assert why in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("kept")
    assert main(["new", "strategy", "mine", "--in", str(tmp_path)]) == 2
    assert "is there already, and nothing is overwritten" in capsys.readouterr().err
    assert [p.read_text() for p in (tmp_path / "mine").iterdir()] == ["kept"]
