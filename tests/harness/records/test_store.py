"""The record's published JSON Schema, and the store's promises."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from harness.errors import RecordError
from harness.records.store import Baseline, Record, read_records

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("kind", "name"), [(Record, "record"), (Baseline, "baseline")])
def test_the_published_schema_is_the_types(kind: type, name: str) -> None:
    """Written by ``msgspec.json.schema``; a change of the record is a change of the page."""
    published = json.loads((ROOT / "docs" / "schema" / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert published == json.loads(msgspec.json.encode(msgspec.json.schema(kind)))


def test_the_reference_records_are_valid_and_whole() -> None:
    records, problems = read_records(ROOT / "results" / "reference" / "quickstart")
    assert problems == []
    assert len(records) == 144
    assert all(r.status == "ok" and r.paid.queries == 400 for r in records)


def test_a_folder_without_records_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="is it the folder of a study"):
        read_records(tmp_path)
