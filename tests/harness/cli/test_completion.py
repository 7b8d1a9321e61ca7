"""Completion: names of strategies, tasks and studies, as a shell asks for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import completion
from harness.registry import ENVIRONMENT, Registry, default_registry


@pytest.fixture(autouse=True)
def fresh_registry(toy: Registry):
    default_registry.cache_clear()
    yield
    default_registry.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("first", "second"):
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "plans.jsonl").touch()
    (tmp_path / "results" / "no-study").mkdir()
    (tmp_path / "mine.toml").touch()
    (tmp_path / "mine.txt").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_of_what_is_installed() -> None:
    assert completion.strategies("toy-sa") == ["toy-sampler"]
    assert completion.tasks("toy/e") == ["toy/edges", "toy/error"]
    assert completion.things("toy/e") == ["toy/edges", "toy/error"]
    assert {"toy", "toy-sampler"} <= set(completion.things("toy"))
    assert completion.strategies("no-such") == []


def test_studies(folder: Path) -> None:
    assert completion.study_files("") == ["mine.toml", "results/"]
    assert completion.study_folders("") == ["results/first", "results/second", "results/"]
    assert completion.study_folders("results/f") == ["results/first"]
    assert completion.studies("m") == ["mine.toml"]
    assert completion.study_files("[*") == []


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("nas-harness de", ["debug", "describe"]),
        ("nas-harness run --strategy regularized-", ["regularized-evolution"]),
        ("nas-harness run --task nasbench-graph/cor", ["nasbench-graph/cora"]),
        ("nas-harness report results/s", ["results/second"]),
        ("nas-harness describe random-s", ["random-search"]),
        ("nas-harness gate m", ["mine.toml"]),
    ],
)
def test_bash_is_offered_them(words: str, offered: list[str], folder: Path) -> None:
    everything = {name: value for name, value in os.environ.items() if name != ENVIRONMENT}
    found = subprocess.run(
        [sys.executable, "-c", "from harness.cli import main; raise SystemExit(main())"],
        env={**everything, "_NAS_HARNESS_COMPLETE": "complete_bash", "COMP_WORDS": words,
             "COMP_CWORD": str(len(words.split()) - 1)},
        capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    assert found.stdout.split() == offered, found.stderr
