"""docs/tutorial.md and docs/tutorial-protocol.md: every command and every file, in a fresh environment."""

from __future__ import annotations

import re
import time
import tomllib
from pathlib import Path

import pytest
from fresh_environment import ROOT, FreshEnvironment

_BLOCK = re.compile(r"^```(python)?\n(.*?)^```", re.DOTALL | re.MULTILINE)
_ONE_LINE = ", one line"


class Reader:
    """Does what a page says, block by block, in an environment of its own."""

    def __init__(self, page: str, folder: Path) -> None:
        pytest.importorskip("jinja2")
        pytest.importorskip("hatchling", reason="a new plugin is built with hatchling")
        pytest.importorskip("nas_bench_graph")
        self.text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        self.environment = FreshEnvironment(folder / "environment")
        self.folder = folder
        self.commands: list[str] = []
        self.said: dict[str, str] = {}

    def follow(self) -> None:
        for language, block in _BLOCK.findall(self.text):
            if language:
                self.write(block)
            else:
                for line in block.splitlines():
                    self.carry_out(line)

    def write(self, block: str) -> None:
        first, _, rest = block.partition("\n")
        path = re.split("[:,]", first.removeprefix("# "))[0]
        target = self.folder / path
        if _ONE_LINE not in first:
            target.write_text(rest)
            return
        was = target.read_text()
        start = rest.partition("(")[0]  # the line that begins alike is replaced
        (line,) = (w for w in was.splitlines(keepends=True) if w.startswith(start))
        target.write_text(was.replace(line, rest))

    def carry_out(self, line: str) -> None:
        command, _, told = line.partition("#")
        command, status = command.strip(), re.search(r"exit status (\d+)", told)
        self.commands.append(command)
        if command.startswith("cd "):
            self.folder /= command[3:]
        elif not command.startswith('pip install ".['):  # the harness is there, with its extras
            said = self.environment.run(command, self.folder, status=int(status[1]) if status else 0)
            self.said[command] = self.said.get(command, "") + said


def test_from_nothing_to_a_row_and_a_gate(tmp_path: Path) -> None:
    started = time.monotonic()
    reader = Reader("tutorial.md", tmp_path)
    reader.follow()
    before_it_is_worse = reader.commands[:-1]
    assert len(before_it_is_worse) == 9 <= 10
    assert "nine commands" in reader.text
    assert time.monotonic() - started < 300
    assert re.search(r"\nmy-search +\d\d\.\d\d±", reader.said["nas-harness run study.toml"])
    assert "2 passed, 1 skipped" in reader.said["pytest"]
    assert "my-search conforms" in reader.said["nas-harness check my-search"]
    unchanged, worse = reader.said["nas-harness gate study.toml --against reference"].split("1 unchanged\n")
    assert "unchanged" in unchanged
    assert "1 worse" in worse
    assert "the run that lost most: nas-harness replay results/my-search " in worse
    failed = reader.environment.run("pytest -q tests/test_gate.py", reader.folder, status=1)
    assert re.search(r"my-search +nasbench- +worse|my-search.*worse", failed)
    assert "1 failed" in failed


def test_a_protocol_and_a_space_of_one_s_own(tmp_path: Path) -> None:
    reader = Reader("tutorial-protocol.md", tmp_path)
    reader.follow()
    assert "2 passed, 1 skipped" in reader.said["pytest"]
    checked = reader.said["nas-harness check my-benchmark"]
    assert "space my-benchmark conforms (" in checked
    assert "protocol my-benchmark conforms (" in checked
    assert "(all 15 rows)" in reader.said["nas-harness run study.toml"]
    assert "1 unchanged" in reader.said["nas-harness gate study.toml --against reference"]


def test_the_extras_that_the_tutorial_installs_exist() -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    wanted = re.search(r'pip install "\.\[(.*?)\]"', text)
    assert wanted is not None
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(wanted[1].split(",")) <= set(known)
