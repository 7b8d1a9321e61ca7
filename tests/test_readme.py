"""The README says what is so: its report is the reference records', its commands are what CI runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from harness.cli import main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_report_shown_is_the_reference_records_report(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "100")
    match = re.search(r"<!-- report: (\S+) -->\n```text\n(.*?)```\n<!-- end of report -->", README, re.DOTALL)
    assert match is not None
    assert main(["report", match[1]]) == 0
    shown = [line.rstrip() for line in capsys.readouterr().out.strip().splitlines()]
    assert [line.rstrip() for line in match[2].strip().splitlines()] == shown
    assert len(shown) > 30


def test_the_reference_records_are_the_quickstarts() -> None:
    recorded = (ROOT / "results" / "reference" / "quickstart" / "study.toml").read_text(encoding="utf-8")
    assert recorded == (ROOT / "examples" / "quickstart.toml").read_text(encoding="utf-8")


def test_ci_runs_the_test_command_of_the_readme() -> None:
    commands = re.findall(r"^pip install tox.*$", README, re.MULTILINE)
    assert commands == ["pip install tox && tox -e quickstart", "pip install tox && tox"]
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_every_command_shown_exists(capsys: pytest.CaptureFixture[str]) -> None:
    pages = [README, *(p.read_text(encoding="utf-8") for p in sorted((ROOT / "docs").rglob("*.md")))]
    command = re.compile(r"^nas-harness ([a-z]+(?: (?:list|import|fetch|verify|info|rm))?)", re.MULTILINE)
    shown = {m for page in pages for m in command.findall(page)}
    assert {"run", "report", "list", "describe", "check"} <= shown
    for words in sorted(shown):
        assert main([*words.split(), "--help"]) == 0, words
    capsys.readouterr()


@pytest.mark.slow
def test_the_study_shown_runs_and_its_commands_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands but for the budget, the seeds and the runs of matched random search."""
    pytest.importorskip("nas_bench_graph")
    monkeypatch.chdir(tmp_path)
    section = README.split("## A study of your own")[1]
    (study,) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    assert "seeds = 8\nbudget = { queries = 300 }" in study
    small = study.replace("seeds = 8", "seeds = 3\nreference_seeds = 3").replace("queries = 300", "queries = 30")
    Path("mine.toml").write_text(small)
    lines = re.findall(r"^nas-harness (.*?)  +# (.*)$", section, re.MULTILINE)
    about_it = [(shlex.split(command), says) for command, says in lines if re.search(r"\bmine\b|check", command)]
    assert [words[0] for words, _ in about_it] == ["run", "report", "check", "replay", "gate", "debug"]
    for words, says in about_it:
        if match := re.search(r"First once with (.*)$", says):
            assert main([*words, *shlex.split(match[1])]) == 0
        assert main(words) == (2 if words[0] == "debug" else 0), words  # no run failed, which debug says
    said = capsys.readouterr()
    assert "6 unchanged" in said.out
    assert "no search that failed" in said.err


def test_every_strategy_and_task_the_readme_lists_is_installed() -> None:
    from harness.registry import Registry
    from harness.running.study import MATCHED

    registry = Registry()
    assert registry.broken == []
    section = README.split("## What is in the box")[1]
    strategies, tasks = section.split("| tasks |")
    named = set(re.findall(r"`([a-z0-9-]+)`", strategies))
    assert named == {name for kind, name in registry.items if kind == "strategy"} - {MATCHED}
    protocols = {t.partition("/")[0] for t in re.findall(r"^\| `([a-z0-9./-]+)", tasks, re.MULTILINE)}
    assert protocols | {"analog-nasbench"} == {name for kind, name in registry.items if kind == "protocol"}


def test_the_readme_and_the_project_name_nobodys_machine() -> None:
    home = re.compile(r"/(work|root|home)/[A-Za-z0-9._-]+")
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")]
    for path in [*pages, *ROOT.glob("results/reference/**/*")]:
        if path.is_file():
            assert home.search(path.read_text(encoding="utf-8")) is None, path
