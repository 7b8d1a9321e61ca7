"""The studies of Yang et al. in `examples/frustrating`: each one can be planned, and each has its twin on CIFAR-10."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.registry import Registry
from harness.running.plan import make_plan
from harness.running.study import load_study, resolve_entries
from harness_training.figures import MEASURED

FOLDER = Path(__file__).parents[3] / "examples" / "frustrating"
STUDIES = sorted(FOLDER.glob("*.toml"))


def test_every_figure_has_its_twin() -> None:
    names = {p.stem for p in STUDIES}
    small = {n for n in names if not n.endswith("cifar10")}
    assert small == {"digits", "operations", "cells", "seeds", "epochs"}
    assert names - small == {"cifar10", *(f"{n}-cifar10" for n in small - {"digits"})}


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.stem)
def test_it_names_what_there_is(path: Path, registry: Registry, data_folder: Path) -> None:
    study = load_study(path)
    assert study.name == f"frustrating-{path.stem}"
    assert resolve_entries(study, registry)
    for spec in study.tasks:
        task = registry.task(spec.name)
        assert registry.task(spec.search_task or spec.name).data_set == task.data_set
        missing = registry.protocol("train").missing(task)
        assert missing is None or "nas-harness data import cifar10 PATH" in missing


def test_every_task_that_examples_and_figures_name_exists(registry: Registry, data_folder: Path) -> None:
    files = [*FOLDER.parent.rglob("*.toml"), MEASURED]
    names = {name for file in files for name in re.findall(r'"(train/[^"]+)"', file.read_text(encoding="utf-8"))}
    assert len(names) > 20
    for name in names:
        assert registry.task(name).name == name


def test_two_seeds_share_a_search_and_the_draws(registry: Registry, data_folder: Path) -> None:
    plan = make_plan(load_study(FOLDER / "seeds.toml"), registry)
    one, two = plan.record.settings
    assert (one.setting.final_seed, two.setting.final_seed) == (0, 1)
    assert [t.spec.draws for t in plan.tasks] == [16, 16]
    assert len(plan.searches) == 2, "one of the entry, one of its reference"
    assert len({o.id for outcomes in plan.outcomes.values() for o in outcomes}) == 4
