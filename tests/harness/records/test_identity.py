"""What makes two runs the same run: code as installed, code as it stands, and what a seed draws."""

from __future__ import annotations

import hashlib
import importlib
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from harness.records.identity import code_version, digest, stream


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package ``settled_thing`` in a folder, with the RECORD that pip would have left."""
    package, info = tmp_path / "settled_thing", tmp_path / "settled_thing-3.1.dist-info"
    package.mkdir()
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: settled-thing\nVersion: 3.1\n")
    lines = []
    for name, text in (("__init__.py", ""), ("search.py", "SIZE = 1\n")):
        (package / name).write_text(text)
        value = urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"settled_thing/{name},sha256={value},{len(text)}\n")
    (info / "RECORD").write_text("".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("settled_thing", "settled_thing.search"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    code_version.cache_clear()
    return package


def version_of() -> dict[str, str]:
    importlib.import_module("settled_thing.search")
    code_version.cache_clear()
    return code_version("settled_thing.search", "settled-thing")


def test_code_as_it_was_installed_is_named_by_its_version(installed: Path) -> None:
    assert version_of() == {"package": "settled_thing", "distribution": "settled-thing", "version": "3.1"}


def test_code_that_was_changed_since_is_named_by_its_digest_too(installed: Path) -> None:
    (installed / "search.py").write_text("SIZE = 2\n")
    changed = version_of()
    (installed / "search.py").write_text("SIZE = 3\n")
    again = version_of()
    assert (changed["version"], len(changed["sha256"])) == ("3.1", 64)
    assert changed["sha256"] != again["sha256"]
    (installed / "search.py").write_text("SIZE = 1\n")
    assert "sha256" not in version_of()
    (installed / "added.py").write_text("")
    assert "sha256" in version_of()


def test_code_without_a_record_of_its_files_is_named_by_its_digest(installed: Path) -> None:
    """An editable install records no sources; a folder on the path records nothing."""
    (installed.parent / "settled_thing-3.1.dist-info" / "RECORD").unlink()
    assert "sha256" in version_of()
    code_version.cache_clear()
    assert "sha256" in code_version("settled_thing.search", "")


def test_streams_and_digests_are_the_same_in_every_process() -> None:
    code = (
        "from harness.records.identity import *; print(stream(3, 'task', 'strategy', 1).integers(0, 2**62),"
        "digest('a', {'x': 1, 'b': (2, None)}))"
    )
    here = (stream(3, "task", "strategy", 1).integers(0, 2**62), digest("a", {"b": [2, None], "x": 1}))
    for seed in ("0", "1"):
        shown = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        )
        assert shown.stdout.split() == [str(here[0]), here[1]]


def test_streams_of_other_names_or_seeds_are_others() -> None:
    asked: list[tuple[int, tuple[str | int, ...]]] = [(0, ("a", "b", 0)), (0, ("a", "b", 1)), (1, ("a", "b", 0))]
    first = [stream(seed, *names).integers(0, 2**62) for seed, names in [*asked, (0, ("ab", 0))]]
    assert len(set(first)) == 4
