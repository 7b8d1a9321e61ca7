"""Folders of several machines, joined."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest
from studies import run, runs_in, study

from harness.cli import main
from harness.errors import RecordError
from harness.reading.results import read_results
from harness.records.merging import merge_folders
from harness.records.store import read_folder
from harness.registry import Registry


def test_folders_of_two_machines_are_one_study(toy: Registry, tmp_path: Path) -> None:
    run(toy, tmp_path / "a", study("toy-sampler"), keep_queries=True)
    run(toy, tmp_path / "b", study("toy-returner", seeds=3))
    found = merge_folders([tmp_path / "a" / "s", tmp_path / "b" / "s"], tmp_path / "both")
    assert len(found.searches) == 2 + 3 + 3
    assert len(found.samplings) == 1
    assert {r.entry.label for r in runs_in(tmp_path / "both") if r.entry.role == "entry"} == {
        "toy-sampler",
        "toy-returner",
    }
    results = read_results(tmp_path / "both")
    assert (results.missing, results.problems) == (0, [])
    assert len(list((tmp_path / "both" / "queries").iterdir())) == 4


def test_what_contradicts_itself_is_not_merged(toy: Registry, tmp_path: Path) -> None:
    for name in "ab":
        run(toy, tmp_path / name, study("toy-sampler"))
    path = tmp_path / "b" / "s" / "outcomes.jsonl"
    text = path.read_text()
    score = text.partition('"score":')[2].partition(",")[0]
    path.write_text(text.replace(f'"score":{score}', '"score":99.0', 1))
    path.write_text("\n" + path.read_text())
    with pytest.raises(RecordError) as raised:
        merge_folders([tmp_path / "a" / "s", tmp_path / "b" / "s"], tmp_path / "both")
    first = read_folder(tmp_path / "a" / "s").outcomes
    assert str(raised.value).startswith(
        f"{tmp_path}/a/s/outcomes.jsonl:1 and {tmp_path}/b/s/outcomes.jsonl:2 are both {next(iter(first))} and say "
        "different things: one was edited"
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]
    with pytest.raises(RecordError, match="is there already"):
        merge_folders([tmp_path / "a" / "s"], tmp_path / "b")
    with pytest.raises(RecordError, match="holds no study"):
        merge_folders([tmp_path / "a"], tmp_path / "both")


def test_the_last_digits_of_a_mean_contradict_nothing(toy: Registry, tmp_path: Path) -> None:
    """Another machine may add in another order."""
    for name in "ab":
        run(toy, tmp_path / name, study("toy-sampler"))
    path = tmp_path / "b" / "s" / "samplings.jsonl"
    (known,) = read_folder(tmp_path / "b" / "s").samplings.values()
    changed = msgspec.structs.replace(known, mean=math.nextafter(known.mean, math.inf))
    path.write_bytes(msgspec.json.encode(changed) + b"\n")
    assert len(merge_folders([tmp_path / "a" / "s", tmp_path / "b" / "s"], tmp_path / "both").samplings) == 1
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(known, mean=known.mean + 1e-6)) + b"\n")
    with pytest.raises(RecordError, match="say different things"):
        merge_folders([tmp_path / "a" / "s", tmp_path / "b" / "s"], tmp_path / "other")


def test_a_run_is_shown_with_its_outcome(toy: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, (first, *_) = run(toy, tmp_path, study("toy-sampler"))
    assert main(["results", "show", str(tmp_path / "s"), first.search.id[:12]]) == 0
    out = capsys.readouterr().out
    assert f"id: {first.search.id}" in out
    assert f"reported: {first.outcome.reported}" in out if first.outcome else False
    assert main(["results", "show", str(tmp_path / "s"), "zz"]) == 2
    assert "no record whose id begins with 'zz'" in capsys.readouterr().err
    assert main(["results", "show", str(tmp_path / "s"), ""]) == 2
    assert "give more of the id" in capsys.readouterr().err
