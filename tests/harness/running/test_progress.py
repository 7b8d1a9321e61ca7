"""What a running study says: lines, one a minute where runs are many, and a log of JSON lines."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
from pathlib import Path

import pytest
from studies import run, study

from harness.cli.study_options import parse_memory
from harness.errors import HarnessError
from harness.registry import Registry
from harness.running import progress, under_way
from harness.running.progress import Bar, Lines, open_progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that progress reads, in seconds: a test sets its one element."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_few_runs_have_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.stage("run", 2, 1)
    lines.finished("one", "93.10 after 12 queries", False)
    assert capsys.readouterr().err == "2 runs, 1 already there\n2/2 one: 93.10 after 12 queries\n"


def test_many_runs_have_a_line_a_minute(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    """A run takes two seconds; one in ten fails."""
    lines = Lines()
    lines.stage("run", 100, 10)
    lines.started("the last")
    for i in range(90):
        clock[0] += 2
        title = f"run {i}" if i < 89 else "the last"
        if i < 89:
            lines.started(title)
        lines.ended(title, 40, 2.0 * (89 - i), 0)
        lines.finished(title, "said", i % 10 == 9)
    assert capsys.readouterr().err.splitlines() == [
        "100 runs, 10 already there",
        "39/100 runs, 1 under way, 2 failed, 0.48 a second, 20 queries a second, about 2 minutes left",
        "69/100 runs, 1 under way, 5 failed, 0.49 a second, 20 queries a second, about 1 minute left",
        "99/100 runs, 8 failed, 0.49 a second, 20 queries a second",
        "100/100 runs, 9 failed, 0.5 a second, 20 queries a second",
    ]


def test_quick_runs_are_counted_in_plain_digits(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    lines = Lines()
    lines.stage("run", 60, 0)
    clock[0] = 0.04
    for i in range(60):
        lines.finished(f"run {i}", "said", False)
    assert capsys.readouterr().err.splitlines()[-1] == "60/60 runs, 0 failed, 1,500 a second"


def test_searches_are_told_of_before_their_final_trainings(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    """No run is over before its final training, which comes when all searches are done."""
    lines = Lines()
    lines.stage("run", 3, 0)
    for i in range(3):
        lines.started(f"run {i}")
        clock[0] += 50
        lines.ended(f"run {i}", 20, 50.0 * (2 - i), i)
    lines.finished("run 0", "93.10 after 20 queries", False)
    assert capsys.readouterr().err.splitlines() == [
        "3 runs, 0 already there",
        "0/3 runs, 1 search waits for its final training, 0 under way, 0 failed, 0.4 queries a second, "
        "about 50 seconds left",
        "1/3 run 0: 93.10 after 20 queries",
    ]


def test_the_log_has_each_event_as_a_line_of_json(toy: Registry, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    for seeds in (1, 2):
        with open_progress(True, log) as listener:
            run(toy, tmp_path, study("toy-raiser", seeds=seeds), listener=listener)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    runs = ["started", "finished"] * 2
    assert [e["event"] for e in events] == ["stage", *runs, "stage", "note", *runs], "the note names --retry-failed"
    assert [(e["what"], e["total"], e["already"]) for e in events if e["event"] == "stage"] == [
        ("run", 2, 0),
        ("run", 4, 2),
    ]
    first = next(e for e in events if e["event"] == "finished")
    assert (first["title"], first["failed"]) == ("toy-raiser on toy/edges, seed 0", True)
    assert "a bug in the strategy" in first["said"]
    assert [e["time"] for e in events] == sorted(e["time"] for e in events)
    with pytest.raises(HarnessError, match="--log-file .* cannot be written"), open_progress(True, tmp_path):
        pass


def test_a_log_that_is_full_ends_no_study(toy: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_progress(False, Path("/dev/full")) as listener:
        summary, _ = run(toy, tmp_path, study("toy-sampler", seeds=2), listener=listener)
    assert summary.finished == summary.total
    assert capsys.readouterr().err.count("--log-file: No space left on device; nothing more is written to it") == 1


def test_trainings_under_way_stand_under_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of each process that trains; of one that was killed none, and none where nobody watches."""
    from rich.console import Console

    monkeypatch.delenv(under_way.FOLDER, raising=False)
    under_way.tell("nobody reads this")
    shown = io.StringIO()
    with under_way.watched() as folder:
        bar = progress._rich(folder)
        Bar(bar).stage("run", 10, 0)
        under_way.tell("epoch 2 of 12, loss 1.5000, about 9 s left")
        child = multiprocessing.get_context("fork").Process(target=under_way.tell, args=("of one that has ended",))
        child.start()
        child.join()
        assert len(list(folder.iterdir())) == 2
        Console(file=shown, width=100).print(bar.get_renderable())
        under_way.tell(None)
        assert [p.name for p in folder.iterdir()] == [str(child.pid)]
    assert not folder.exists()
    assert under_way.FOLDER not in os.environ
    first, second = shown.getvalue().rstrip().splitlines()
    assert "0/10" in first
    assert second.strip() == "epoch 2 of 12, loss 1.5000, about 9 s left"


def test_a_bar_counts_what_is_under_way_and_queries(tmp_path: Path, clock: list[float]) -> None:
    shown = progress._rich(tmp_path)
    bar = Bar(shown)
    bar.stage("run", 10, 0)
    bar.started("one")
    bar.started("two")
    assert shown.tasks[0].fields["going"] == "2 under way"
    clock[0] = 4.0
    bar.ended("one", 10, None, 0)
    assert shown.tasks[0].fields["going"] == "1 under way, 2.5 queries a second"
    bar.ended("two", 10, 40.0, 2)
    waits = "2 searches wait for their final trainings"
    assert shown.tasks[0].fields["going"] == f"{waits}, 0 under way, 5 queries a second, about 40 seconds left"
    bar.finished("one", "failed: by itself", True)
    assert shown.tasks[0].fields["failed"] == "1 failed"


@pytest.mark.parametrize(
    ("text", "size"),
    [("1000000", 10**6), ("2GiB", 2 << 30), ("1.5 gib", 3 << 29), ("500MB", 500 * 10**6), ("64k", 64_000), ("7B", 7)],
)
def test_memory_is_bytes_with_or_without_a_unit(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "2 Gibbons", "-1", "2iB", "1e9"])
def test_memory_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(HarnessError, match="--run-memory .* write bytes, or a number with a unit"):
        parse_memory(text)
