"""docs/data.md names commands, data sets, tasks, extras and published numbers that exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer.main

from harness.cli.data import app
from harness.protocol.datasets import known_datasets
from harness.registry import Registry

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"nas-harness data (?!--)(\w+)(?: ([\w-]+))?", PAGE)


@pytest.fixture(scope="module")
def known() -> dict[str, frozenset[str]]:
    """The tasks of every data set."""
    return {k.data.name: frozenset(k.data.tasks) for k in known_datasets(Registry().protocols())}


def test_commands_and_data_sets_exist(known: dict[str, frozenset[str]]) -> None:
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert {command for command, _ in COMMANDS} == commands
    for command, name in COMMANDS:
        assert name in known or name in ("", "NAME") or command == "list", f"nas-harness data {command} {name}"


def test_every_data_set_and_task_is_told(known: dict[str, frozenset[str]]) -> None:
    for name, tasks in known.items():
        assert name in PAGE
        assert name == "images" or any(task in PAGE for task in tasks), name  # it has no task before it is imported
    told = set(re.findall(r"`((?:%s|train)/[\w@+-]+)`" % "|".join(known), PAGE))  # noqa: UP031
    assert told <= frozenset().union(*known.values())


def test_extras_exist_and_are_installed_from_a_clone() -> None:
    extras = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    )
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    named = {extra for group in re.findall(r'pip install "\.\[([\w,]+)\]"', text) for extra in group.split(",")}
    assert {"graph", "analog", "nasbench101", "nasbench301", "dask"} <= named <= extras
    assert "nas-harness[" not in text
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", index, re.MULTILINE)) <= extras
