"""Searches carried out again: they agree, or the first place where they do not is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from studies import run, study

from harness.cli import main
from harness.errors import RecordError
from harness.reading.replay import Replayed, replay
from harness.records.lines import Incumbent, SearchRecord
from harness.records.store import read_folder
from harness.registry import Registry, default_registry
from harness.running.settings import Settings

SERIAL = Settings(executor="serial")


def again(toy: Registry, folder: Path, *ids: str, **options: Any) -> list[Replayed]:
    return list(replay(folder, ids, registry=toy, settings=SERIAL, **options))


def rewrite(folder: Path, identity: str, **changed: Any) -> None:
    """One record, edited by hand."""
    file = folder / "searches.jsonl"
    records = [msgspec.json.decode(line, type=SearchRecord) for line in file.read_bytes().splitlines()]
    edited = [msgspec.structs.replace(r, **changed) if r.id == identity else r for r in records]
    file.write_bytes(b"".join(msgspec.json.encode(r) + b"\n" for r in edited))


@pytest.fixture
def folder(toy: Registry, tmp_path: Path) -> Path:
    summary, _ = run(toy, tmp_path, study("toy-sampler", "toy-returner", "toy-raiser"), keep_queries=True)
    return summary.folder


def test_what_is_deterministic_agrees_in_whatever_sample(toy: Registry, folder: Path) -> None:
    found = read_folder(folder)
    drawn = [again(toy, folder, sample=3, seed=seed) for seed in (0, 0, 1)]
    assert [r.differs for replayed in drawn for r in replayed] == [None] * 9
    first, same, other = ([r.id for r in replayed] for replayed in drawn)
    assert first == same != other
    assert len(again(toy, folder, sample=100)) == len(found.searches) == 8
    own = [r.id for r in found.searches.values() if not r.spec.strategy.startswith("matched")]
    assert len(own) < 8
    assert {r.id for r in again(toy, folder, sample=len(own))} == set(own), "matched random search comes last"
    raiser = next(r for r in found.searches.values() if r.spec.strategy == "toy-raiser")
    (one,) = again(toy, folder, raiser.id[:10])
    assert (one.id, one.title, one.differs) == (
        raiser.id,
        f"toy-raiser on toy/edges, seed {raiser.spec.search_seed}",
        None,
    )


def test_the_first_query_that_differs_is_named_where_queries_are_kept(toy: Registry, folder: Path) -> None:
    import numpy as np

    identity, record = next(iter(read_folder(folder).searches.items()))
    file = folder / "queries" / f"{identity}.npz"
    with np.load(file) as kept:
        arrays = dict(kept)
    was = arrays["score"][6]
    arrays["score"][[6, 9]] += 1.0
    np.savez_compressed(file, **arrays)
    rewrite(folder, identity, queries_sha256="0" * 64)
    (one,) = again(toy, folder, identity)
    assert one.differs == f"query 7 is the first to differ: its score was {was + 1.0}, and is {was}"
    assert read_folder(folder).searches[identity].incumbents == record.incumbents


def test_where_queries_are_not_kept_the_incumbents_narrow_it_down(toy: Registry, folder: Path) -> None:
    (folder / "queries").rename(folder / "elsewhere")
    record = max(read_folder(folder).searches.values(), key=lambda r: len(r.incumbents))
    assert len(record.incumbents) > 2
    first, second, *rest = record.incumbents
    changed = [first, Incumbent(second.queries, second.epochs, second.seconds, 99.0, second.arch), *rest]
    rewrite(folder, record.id, queries_sha256="0" * 64, incumbents=changed)
    (one,) = again(toy, folder, record.id)
    assert one.differs == f"its queries differ, first between query {first.queries + 1} and {second.queries}"


def test_a_record_that_was_embellished_and_other_code_are_named(toy: Registry, folder: Path) -> None:
    found = read_folder(folder)
    returner = next(r for r in found.searches.values() if r.spec.strategy == "toy-returner")
    rewrite(folder, returner.id, notes={"numpy": 1.6, "none": None})
    assert [r.differs for r in again(toy, folder, returner.id)] == ["its queries agree, but not its notes"]
    spec = msgspec.structs.replace(returner.spec, code={**returner.spec.code, "version": "0.9"})
    rewrite(folder, returner.id, spec=spec, id=spec.id)
    (one,) = again(toy, folder, spec.id)
    assert one.differs is not None
    assert one.differs.startswith("not carried out: it was made by other code (version 0.9, sha256 ")
    with pytest.raises(RecordError, match="holds no search whose id begins with 'xyz'"):
        again(toy, folder, "xyz")


def test_another_processor_or_library_is_named_beside_what_differs(toy: Registry, folder: Path) -> None:
    identity, record = next(iter(read_folder(folder).searches.items()))
    packages = {**record.environment["packages"], "numpy": "0.1"}
    elsewhere = {**record.environment, "packages": packages, "processor": "Z80"}
    rewrite(folder, identity, environment=elsewhere)
    assert [r.differs for r in again(toy, folder, identity)] == [None], "no difference, so no reason for one"
    rewrite(folder, identity, environment=elsewhere, notes={"none": None})
    (one,) = again(toy, folder, identity)
    here = record.environment
    assert one.differs == (
        f"its queries agree, but not its notes (processor Z80 then, {here['processor']} now, "
        f"numpy 0.1 then, {here['packages']['numpy']} now)"
    )


def test_the_command_says_which_agree_and_its_status_whether_all_do(
    toy: Registry, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    default_registry.cache_clear()
    try:
        assert main(["replay", str(folder), "--sample", "4", "--jobs", "2"]) == 0
        assert capsys.readouterr().out.count(": agrees\n") == 4
        identity = next(iter(read_folder(folder).searches))
        rewrite(folder, identity, ended_by="moonlight")
        assert main(["replay", str(folder), identity, "--jobs", "1"]) == 1
        assert "but not its ended_by" in capsys.readouterr().err
        noted = read_folder(folder).replays
        assert len(noted) in (4, 5)
        assert noted[identity].differs == "its queries agree, but not its ended_by"
        main(["report", str(folder), "--section", "compliance", "--format", "csv"])
        assert "not deterministic, or its record was changed: seed " in capsys.readouterr().out
        assert main(["replay", str(folder.parent / "nowhere")]) == 2
        words = ["run", str(folder / "study.toml"), "--results", str(folder.parent), "--quiet", "--executor", "serial"]
        assert main([*words, "--verify", "100"]) == 1
        said = capsys.readouterr().err
        assert f"{identity[:12]} toy-sampler on toy/edges, seed" in said
        assert said.count("but not its ended_by") == 1
    finally:
        default_registry.cache_clear()
