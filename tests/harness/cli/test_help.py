"""Help of every command: an example in each, and nothing heavy imported for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.cli import COMMANDS, main

HEAVY = ("numpy", "torch", "pandas", "scipy", "optuna")
ASK = """
import sys
from harness.cli import main
status = main({words!r})
loaded = [m for m in {heavy!r} if m in sys.modules]
sys.exit(f"imported {{loaded}}" if loaded else status)
"""


@pytest.mark.parametrize("words", [[], *([c] for c in COMMANDS)], ids=lambda w: w[0] if w else "nas-harness")
def test_help_has_an_example_and_imports_nothing_heavy(words: list[str]) -> None:
    code = ASK.format(words=[*words, "--help"], heavy=HEAVY)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    assert "Example" in found.stdout
    assert f"nas-harness {words[0] if words else 'run'}" in found.stdout


def test_a_report_does_not_import_what_takes_longer_than_the_report() -> None:
    code = "import sys, harness.reading.report.sections; sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_first_help_lists_every_command_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, what in COMMANDS.items():
        assert f"{name} {what}" in text


def test_every_option_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    import typer.main

    from harness.cli import app

    group = typer.main.get_command(app)
    for name in COMMANDS:
        command = group.get_command(None, name)
        for option in command.params:
            assert getattr(option, "help", None), f"{name} {option.name}"


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    captured = capsys.readouterr()
    assert "Commands:" in captured.out + captured.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"nas-harness {version('nas-harness')}"
