"""The command that builds the site."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from written_records import entry, reference, write_study

from harness import read_results
from harness.cli import main
from harness.reading.verify import verify
from harness.records.store import read_folder
from harness.registry import Registry
from harness.running.settings import Settings

REFERENCE = Path(__file__).resolve().parents[3] / "results" / "reference"
COMMITTED = [file.parent for file in sorted(REFERENCE.glob("*/searches.jsonl"))]


def test_it_says_where_the_site_is_and_what_is_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_study(tmp_path / "study", [*entry("alpha", [80.0, 81.0]), *reference([60.0, 61.0])])
    site = tmp_path / "new" / "site"
    assert main(["leaderboard", str(folder), "-o", str(site)]) == 0
    assert capsys.readouterr().out == f"{site}/index.html: 1 board, 1 strategy\n"
    assert "alpha" in (site / "index.html").read_text(encoding="utf-8")


def test_a_folder_without_a_study_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", str(tmp_path), "-o", str(tmp_path / "site")]) == 2
    assert "holds no study" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jinja2" else known(name))
    assert main(["leaderboard", str(tmp_path), "-o", str(tmp_path / "site")]) == 2
    assert "pip install 'nas-harness[site]'" in capsys.readouterr().err


@pytest.mark.parametrize("folder", COMMITTED, ids=lambda folder: folder.name)
def test_committed_results_are_what_their_code_and_data_say(folder: Path) -> None:
    """What a pull request that adds results to `results/reference` is held to. Seed 1 draws searches that learn no
    network: a network's bits hang on the processor."""
    registry = Registry()
    for task in {about.setting.task for plan in read_folder(folder).heads for about in plan.settings}:
        known = registry.task(task)
        if missing := registry.protocol(known.protocol).missing(known):
            pytest.skip(missing)
    assert list(verify(folder, registry=registry, sample=2, seed=1, settings=Settings(executor="serial"))) == []


def test_the_committed_results_have_a_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", str(REFERENCE), "-o", str(tmp_path / "site")]) == 0
    assert capsys.readouterr().out.endswith("11 boards, 16 strategies\n")
    overview = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "regularized-evolution" in overview
    assert "elsewhere.html" in overview


def test_the_committed_reference_study_says_what_the_readme_says() -> None:
    tests = read_results(REFERENCE / "nasbench-graph").tests
    entries = tests[~tests["label"].str.contains("[", regex=False)]  # an ablation's has the component in brackets
    verdicts = {question: of.groupby("label")["verdict"].apply(list) for question, of in entries.groupby("question")}
    assert len(verdicts["vs_sampling"]) == 16
    assert all(found == ["better"] * 8 for found in verdicts["vs_sampling"])
    won = {label: found.count("better") for label, found in verdicts["vs_search"].items()}
    assert {label: n for label, n in won.items() if n} == {"local-search": 1, "tpe": 1}
