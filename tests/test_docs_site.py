"""The documentation site: it builds without a warning, its reference shows the public interface, nothing is fetched."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_the_site_builds_with_its_reference_and_a_search_that_needs_no_network(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material is not installed: tox -e docs builds the site")
    pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed: tox -e docs builds the site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    reference = (tmp_path / "reference" / "index.html").read_text()
    for name in ("Strategy", "SearchSpace", "TrainingProtocol", "TableEvaluator", "assert_conforms"):
        assert re.search(rf'id="harness\.[\w.]*{name}"', reference), name
    assert "Scores of a space's rows, by" in reference
    index = (tmp_path / "search" / "search_index.json").read_text()
    assert "TableEvaluator" in index
    assert "From an empty folder to a line of your own" in index
    for page in tmp_path.rglob("*.html"):
        fetched = re.findall(
            r'<(?:script|img|link rel="stylesheet")[^>]*(?:src|href)="(https?://[^"]+)', page.read_text()
        )
        assert fetched == [], page


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert listed == {p.name for p in (ROOT / "docs").glob("*.md")}


def test_the_reference_has_every_public_name() -> None:
    """But for types and constants, which stand where they are used."""
    import harness

    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    shown = {path.rpartition(".")[2] for path in re.findall(r"^::: ([\w.]+)$", page, re.MULTILINE)}
    of_hooks = {"Provides", "hookimpl"}
    plain = {"Architecture", "PAD", "STRICT", "Split", "__version__"}
    assert set(harness.__all__) - shown == of_hooks | plain
