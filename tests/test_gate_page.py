"""docs/gate.md: its study, its commands and its tests do what they say, as they stand there, on real data."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import GATE_STATUS
from harness.running.study import GateMetric

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_command_of_the_page_passes_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("nas_bench_graph")
    monkeypatch.chdir(tmp_path)
    (study,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    Path("mine.toml").write_text(study)
    commands = re.findall(r"^nas-harness (gate .*)$", PAGE, re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        assert main([*shlex.split(command), "-q"]) == 0, command
    assert "2 unchanged" in capsys.readouterr().out
    assert Path("gate.xml").is_file()
    for number, snippet in enumerate(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)):
        Path(f"test_snippet_{number}.py").write_text(snippet)
    Path("pytest.ini").write_text("[pytest]\naddopts = --strict-markers -p no:cacheprovider\nfilterwarnings = error\n")
    found = subprocess.run([sys.executable, "-m", "pytest", "-q"], capture_output=True, text=True, check=False)
    assert "2 passed" in found.stdout, found.stdout + found.stderr


def test_every_metric_and_exit_status_is_on_the_page() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) >= set(GateMetric.__args__)  # type: ignore[attr-defined]
    statuses = {int(n) for n in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert statuses == {*GATE_STATUS.values(), 2, 3, 130}
