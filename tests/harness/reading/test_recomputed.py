"""A sceptic who has the records and docs/statistics.md computes every number of a report again (tests/recomputed.py)."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recomputed
from recomputed import Json
from rich.console import Console
from studies import run, study

from harness.reading.report.section import Choice
from harness.reading.report.sections import write_report
from harness.registry import Registry
from harness.search.budget import Budget

ENTRIES = ("toy-returner", "toy-content", "toy-fickle")
"""One that stops after ten draws, learns an order and returns what it likes, one that stops on success, one that fails
in a third of its runs."""
STUDIES: dict[str, dict[str, Any]] = {
    "by queries, one task of errors": {"tasks": ("toy/edges", "toy/error")},
    "by epochs, every law and single repeats": {"tasks": ("toy/laws", "toy/timeless"), "budget": Budget(epochs=900.0)},
    "by seconds, a surrogate": {"tasks": ("toy/nodes", "toy/drawn"), "budget": Budget(seconds=1000.0)},
}


def told(folder: Path, *sections: str, toy: Registry, **choice: Any) -> Json:
    console = Console(file=io.StringIO(), width=100)
    write_report(folder, Choice(sections=sections, form="json", **choice), console, lambda: toy)
    found: Json = json.loads(console.file.getvalue())  # type: ignore[attr-defined]
    return found


@pytest.fixture(params=STUDIES, ids=str)
def folder(request: pytest.FixtureRequest, toy: Registry, tmp_path: Path) -> Path:
    given = study(*ENTRIES, seeds=8, reference_seeds=20, **STUDIES[request.param])
    return run(toy, tmp_path, given)[0].folder


def agree(said: Json, ours: Json, where: str) -> None:
    """Everything that was computed again, to 1e-9."""
    for name, value in ours.items():
        here = f"{where}: {name}"
        if isinstance(value, dict):
            agree(said[name], value, here)
        elif isinstance(value, list):
            assert len(said[name]) == len(value), here
            for of, item in zip(said[name], value, strict=True):
                agree(of, item, f"{here} {item['label']}")
        elif value is None or isinstance(value, (str, bool)):
            assert said[name] == value, here
        else:
            assert said[name] == pytest.approx(float(value), rel=1e-9, abs=1e-9), here


NOT_COMPUTED = {
    "strategy", "mode", "role", "ablation", "params", "tuning_queries", "failed_runs", "ended_by",
    "wall_seconds_mean", "interval_coverage", "search_weakest",
}  # fmt: skip
"""What is read off a record, or needs more than 20 reference runs; of `search_weakest` see below."""


def test_every_number_of_the_table(folder: Path, toy: Registry) -> None:
    said = told(folder, "table", toy=toy)["settings"]
    ours = recomputed.report_of(folder)
    assert len(said) == len(ours) == 2
    for of, setting in zip(said, ours, strict=True):
        agree(of, setting, of["title"])
        for line in of["entries"]:
            assert set(line) - set(setting["entries"][0]) == NOT_COMPUTED, "a number that nothing here computes"
            assert line["search_weakest"].startswith("matched-random-search")
            assert line["interval_coverage"] is None
