"""The studies in `examples`: each one can be read, and planned where its data are here."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.registry import Registry
from harness.running.plan import make_plan
from harness.running.study import load_study

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "examples").rglob("*.toml"))


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry()


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT / "examples")))
def test_an_example_can_be_planned(file: Path, registry: Registry) -> None:
    study = load_study(file)
    for spec in study.tasks:
        for name in filter(None, (spec.name, spec.search_task)):
            task = registry.task(name)
            if missing := registry.protocol(task.protocol).missing(task):
                pytest.skip(missing)
    plan = make_plan(study, registry)
    entries = [e for e in plan.record.entries if e.role == "entry"]
    assert len(entries) >= len(study.strategies)
    assert len(plan.searches) >= study.seeds
