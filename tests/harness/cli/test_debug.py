"""``debug``: one search again in this process, with every query, the traceback and the debugger."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli import main
from harness.records.store import read_folder
from harness.registry import Registry, default_registry


@pytest.fixture(autouse=True)
def fresh_registry(toy: Registry) -> Iterator[None]:
    default_registry.cache_clear()
    yield
    default_registry.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Two runs of each of a sound strategy and of one that raises after its third query."""
    words = [
        "run", "--strategy", "toy-sampler", "--strategy", "toy-late", "--task", "toy/edges", "--seeds", "2",
        "--reference-seeds", "1", "--budget", "6", "--executor", "serial", "--results", str(tmp_path), "--name", "s",
    ]  # fmt: skip
    assert main(words) == 1
    said = capsys.readouterr().err
    (failed, _) = (i for i, r in read_folder(tmp_path / "s").searches.items() if r.status == "failed")
    assert f"to look into it: nas-harness debug {tmp_path / 's'} {failed[:12]}\n" in said
    return tmp_path / "s"


def test_a_failed_search_is_shown_with_its_queries_and_its_traceback(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["debug", str(folder)]) == 1
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0].startswith("toy-late on toy/edges, seed 0 (")
    assert [line.strip().partition("  ")[0] for line in lines[1:]] == ["1 paid", "2 paid", "3 paid"]
    assert "Traceback (most recent call last):" in shown.err
    assert 'raise LookupError("a bug that shows late")' in shown.err
    assert "toy-late on toy/edges, seed 0: failed: LookupError: a bug that shows late (toy_plugin.py:" in shown.err
    assert main(["debug", str(folder), "-q"]) == 1
    assert capsys.readouterr().out == ""


def test_its_answers_are_those_of_the_record(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = read_folder(folder)
    sound = next(r for r in found.searches.values() if r.spec.strategy == "toy-sampler")
    assert main(["debug", str(folder), sound.id[:12]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(": it ended well")
    assert lines[-2] == "refused: the search has ended: queries"
    assert lines[-1].startswith("it ended well (queries): ")
    answers = [float(line.split()[-1]) for line in lines if " paid  " in line]
    assert len(answers) == sound.paid.queries
    assert max(answers) == pytest.approx(sound.incumbents[-1].valid, rel=1e-5)


def test_the_record_holds_the_last_frames_of_the_author_s_own_code(folder: Path) -> None:
    failed = next(r for r in read_folder(folder).searches.values() if r.status == "failed")
    assert [f.partition(":")[0] for f in failed.frames] == ["toy_plugin.py"] * 2
    assert failed.frames[-1].endswith('in step: raise LookupError("a bug that shows late")')


def test_the_debugger_opens_where_it_raised(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("p self.name, count\nq\n"))
    assert main(["debug", str(folder), "--pdb", "-q"]) == 1
    assert "('toy-late', 3)" in capsys.readouterr().out


def test_what_cannot_be_debugged_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, why in (
        ([str(folder), "zzz"], "holds no search whose id begins with 'zzz'"),
        ([str(folder.parent / "none")], "holds no search that failed"),
    ):
        assert main(["debug", *words]) == 2
        assert why in capsys.readouterr().err
