"""docs/papers.md, docs/reproduction.md and docs/measurements: each command is one that the programs take, and each file
that a page names is there."""

from __future__ import annotations

import argparse
import csv
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any, NoReturn

import numpy as np
import pytest
import typer.main

import harness
from harness.cli import app
from harness.registry import Registry, default_registry

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "docs" / name for name in ("papers.md", "reproduction.md", "training.md", "scale.md")]
PAGES += sorted((ROOT / "docs" / "measurements").glob("*.md"))
PROGRAM = re.compile(r"\b(nas-harness|python docs/measurements/\w+\.py|python -m harness_training) ")


def commands(page: str) -> Iterator[tuple[str, list[str]]]:
    """Program and arguments of every command: in blocks of code, and in code within a line, without shell variables."""
    blocks = re.findall(r"^```(?:\w*)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL))
    for code in [*blocks, *inline]:
        lines = code.replace("\\\n", " ")
        variables = {n: v.strip('"') for n, v in re.findall(r"^(\w+)=(\"[^\"\n]*\"|[^\s\"]+)$", lines, re.MULTILINE)}
        for _ in variables:
            lines = Template(lines).safe_substitute(variables)
        for line in lines.splitlines():
            for found in PROGRAM.finditer(line):
                arguments = list(_arguments(line[found.end() :]))
                if not all(word.isalpha() or word == "--help" for word in arguments):  # else it is a mention
                    yield found[1], arguments


def _arguments(text: str) -> Iterator[str]:
    """Words up to the end of the command; a loop's variable stands for a number."""
    words = shlex.shlex(text, posix=True, punctuation_chars=";|&<>")
    words.whitespace_split = True
    for word in words:
        if set(word) <= set(";|&<>"):
            return
        yield re.sub(r"\$\w+", "1", word)


class Taken(Exception):
    """The options were read: nothing is to be carried out."""


def read_options(program: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the program read its options and do nothing else. Raises what it raises where it does not take them."""
    if program == "nas-harness":
        command: Any = typer.main.get_command(app)
        context = None
        while hasattr(command, "get_command"):
            command, arguments = command.get_command(context, arguments[0]), arguments[1:]
        command.make_context(command.name, arguments)
        return
    parse = argparse.ArgumentParser.parse_args

    def stop(self: argparse.ArgumentParser, *given: Any) -> NoReturn:
        parse(self, *given)
        raise Taken

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    words = program.split()
    monkeypatch.setattr(sys, "argv", [words[-1], *arguments])
    monkeypatch.delitem(sys.modules, f"{words[2]}.__main__" if words[1] == "-m" else "", raising=False)
    run = runpy.run_module if words[1] == "-m" else runpy.run_path
    with pytest.raises(Taken):
        run(words[2] if words[1] == "-m" else str(ROOT / words[1]), run_name="__main__")


def test_the_ranks_that_are_exported_are_those_of_the_learned_order(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The toy's order is the sum of an architecture's options; equal ones share the best rank."""
    default_registry.cache_clear()
    out = tmp_path / "ranks.csv"
    words = ["ranks.py", "--strategy", "toy-returner", "--task", "toy/edges", "--labels", "4", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", words)
    runpy.run_path(str(ROOT / "docs" / "measurements" / "ranks.py"), run_name="__main__")
    evaluator = harness.open_task("toy/edges")
    default_registry.cache_clear()
    with out.open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["row", "predicted", "true"]
    rows, predicted, true = (np.array(column, dtype=np.int64) for column in zip(*lines, strict=True))
    assert len(set(rows.tolist())) == len(rows) > 4
    truth = evaluator.truth("single")
    assert truth is not None
    sums, final = np.array([sum(truth.architectures[row]) for row in rows]), truth.final[rows]
    assert predicted.tolist() == [1 + int((sums > s).sum()) for s in sums]
    assert true.tolist() == [1 + int((final > s).sum()) for s in final]


FOUND = [(page.name, *command) for page in PAGES for command in commands(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    ("page", "program", "arguments"), FOUND, ids=lambda x: " ".join(x) if isinstance(x, list) else x
)
def test_a_command_is_one_that_the_program_takes(
    page: str, program: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if program.endswith("scale.py"):
        assert [word for word in arguments if word != "copied"] == ["100000"]
        return
    read_options(program, arguments, monkeypatch)


def test_the_pages_have_many_commands() -> None:
    assert {page for page, *_ in FOUND} >= {"papers.md", "reproduction.md", "rankers.md", "ctnas.md", "training.md"}
    assert len(FOUND) > 60


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = set(re.findall(r"\b((?:examples|tests|docs)/[\w./-]+\.(?:toml|py|md))\b", page.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
