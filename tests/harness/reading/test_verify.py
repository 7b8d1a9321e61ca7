"""A folder that was tampered with is found out, and what was done is named."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from studies import run, study

from harness.errors import RecordError
from harness.reading.verify import verify
from harness.records.lines import OutcomeRecord, SamplingRecord, SearchRecord
from harness.records.store import FILES
from harness.registry import Registry
from harness.running.settings import Settings
from harness.testing import SyntheticEvaluator

SERIAL = Settings(executor="serial")


def said(folder: Path, toy: Registry) -> list[str]:
    return list(verify(folder, registry=toy, sample=99, settings=SERIAL))


@pytest.fixture
def folder(toy: Registry, tmp_path: Path) -> Path:
    summary, _ = run(toy, tmp_path, study("toy-sampler", seeds=3))
    return summary.folder


def rewrite(folder: Path, kind: type[Any], change: Callable[[Any], Any]) -> None:
    """Change the first line of a file, or take it out (None)."""
    path = folder / FILES[kind]
    first, *rest = path.read_bytes().splitlines()
    changed = change(msgspec.json.decode(first, type=kind))
    lines = [*([] if changed is None else [msgspec.json.encode(changed, order="deterministic")]), *rest]
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def test_what_was_not_touched_agrees(toy: Registry, folder: Path) -> None:
    assert said(folder, toy) == []


@pytest.mark.parametrize(
    ("kind", "change", "named"),
    [
        (OutcomeRecord, lambda r: msgspec.structs.replace(r, score=99.5), "scores-as-in-the-table: "),
        (OutcomeRecord, lambda r: msgspec.structs.replace(r, arch=(3, 3, 3, 3)), "scores-as-in-the-table: "),
        (
            SearchRecord,
            lambda r: msgspec.structs.replace(r, paid=msgspec.structs.replace(r.paid, seconds=1.0)),
            "its queries agree, but not its paid",
        ),
        (SamplingRecord, lambda r: msgspec.structs.replace(r, mean=r.mean - 5), "is not what the data say: mean"),
        (SearchRecord, lambda r: msgspec.structs.replace(r, returned=r.returned[::-1]), "toy-sampler on toy/edges"),
        (SearchRecord, lambda r: None, "complete: 1 of"),
        (
            SearchRecord,
            lambda r: msgspec.structs.replace(r, spec=msgspec.structs.replace(r.spec, search_seed=7)),
            "its id is not the digest of its specification",
        ),
    ],
)
def test_a_changed_record_is_named(
    toy: Registry, folder: Path, kind: type[Any], change: Callable[[Any], Any], named: str
) -> None:
    rewrite(folder, kind, change)
    found = said(folder, toy)
    assert any(named in line for line in found), found


def test_other_data_are_said_once_and_not_search_by_search(
    toy: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = SyntheticEvaluator.__init__

    def of_other_data(self: SyntheticEvaluator, *args: Any, **options: Any) -> None:
        made(self, *args, **options)
        self.data_digest = "other"

    monkeypatch.setattr(SyntheticEvaluator, "__init__", of_other_data)
    sampling, searches = said(folder, toy)
    assert sampling.endswith("is not what the data say: the data here are others than the record's")
    assert re.fullmatch(r"\d+ searches not carried out: the data of toy/edges have changed", searches)


def test_an_incumbent_that_was_taken_out_is_named(toy: Registry, folder: Path) -> None:
    rewrite(folder, SearchRecord, lambda r: msgspec.structs.replace(r, incumbents=r.incumbents[1:]))
    with pytest.raises(RecordError, match=r"search \w+ has \d+ incumbents, its outcome final scores of \d+"):
        said(folder, toy)
