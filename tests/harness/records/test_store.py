"""The record's published JSON Schema, and the store's promises."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.records.lines import (
    IngestedRecord,
    OutcomeRecord,
    PlanRecord,
    SamplingRecord,
    SearchRecord,
    TrainingRecord,
)
from harness.records.store import FILES, contradict, read_folder

ROOT = Path(__file__).resolve().parents[3]
PAGES = {"search": SearchRecord, "outcome": OutcomeRecord, "training": TrainingRecord, "sampling": SamplingRecord}


@pytest.mark.parametrize(("name", "kind"), [*PAGES.items(), ("plan", PlanRecord), ("ingested", IngestedRecord)])
def test_the_published_schema_is_the_types(name: str, kind: type) -> None:
    """Written by ``msgspec.json.schema``; a change of a record is a change of the page."""
    published = json.loads((ROOT / "docs" / "schema" / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert published == json.loads(msgspec.json.encode(msgspec.json.schema(kind)))


def test_the_reference_records_are_valid_and_whole() -> None:
    folder = ROOT / "results" / "reference" / "quickstart"
    found = read_folder(folder)
    assert found.problems == []
    assert {f.name for f in folder.iterdir()} >= set(FILES.values()) - {
        "trainings.jsonl",
        "ingested.jsonl",
        "replays.jsonl",
    }
    planned = {pair for plan in found.heads for c in plan.cells for pair in zip(c.searches, c.outcomes, strict=True)}
    assert {search for search, _ in planned} == set(found.searches)
    assert {outcome for _, outcome in planned} == set(found.outcomes)
    assert all(r.status == "ok" and r.paid and r.paid.queries == 400 for r in found.searches.values())


def test_a_folder_without_records_is_empty(tmp_path: Path) -> None:
    found = read_folder(tmp_path)
    assert (found.searches, found.plans, found.heads, found.problems) == ({}, [], [], [])


def test_what_records_have_in_common_is_in_memory_once_and_no_record_changes() -> None:
    folder = ROOT / "results" / "reference" / "quickstart"
    lines = [json.loads(line) for line in (folder / "searches.jsonl").read_text().splitlines()]
    found = read_folder(folder).searches
    assert json.loads(msgspec.json.encode(list(found.values()))) == lines
    for part in ("environment", "provenance"):
        said = {json.dumps(line[part], sort_keys=True) for line in lines}
        assert len({id(getattr(r, part)) for r in found.values()}) == len(said) < len(lines)


def _edit_plan(plan: dict[str, Any]) -> None:
    plan["cells"][0][0] = 99


def _edit_sampling(sampling: dict[str, Any]) -> None:
    sampling["n"] = 0


@pytest.mark.parametrize(
    ("file", "edit", "why"),
    [("plans.jsonl", _edit_plan, "names no setting"), ("samplings.jsonl", _edit_sampling, "Expected `int` >= 1")],
)
def test_an_edited_line_is_left_out_and_named(
    tmp_path: Path, file: str, edit: Callable[[dict[str, Any]], None], why: str
) -> None:
    folder = shutil.copytree(ROOT / "results" / "reference" / "quickstart", tmp_path / "s")
    first, *rest = (folder / file).read_text().splitlines()
    record = json.loads(first)
    edit(record)
    (folder / file).write_text("\n".join([json.dumps(record), *rest]) + "\n")
    (problem,) = read_folder(folder).problems
    assert (problem.file, problem.line) == (str(folder / file), 1)
    assert why in problem.why


def test_a_failed_training_of_an_incumbent_excuses_no_other_score() -> None:
    found = read_folder(ROOT / "results" / "reference" / "quickstart").outcomes
    made = next(iter(found.values()))
    whole = msgspec.structs.replace(
        made, spec=msgspec.structs.replace(made.spec, final_seed=0), incumbents=[79.0, 80.0], scores=[], score=80.0
    )
    lacking = msgspec.structs.replace(whole, incumbents=[None, 80.0])
    assert not contradict(whole, lacking)
    assert contradict(whole, msgspec.structs.replace(lacking, score=99.0))
    assert contradict(msgspec.structs.replace(lacking, score=99.0), lacking)
    assert not contradict(whole, msgspec.structs.replace(lacking, status="failed", score=None))
