"""``nas-harness gate`` from study file to exit status, on toy strategies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.cli import main
from harness.reading.study import read_study
from harness.records.store import read_folder
from harness.registry import Registry, default_registry

STUDY = """
name = "mine"
seeds = 8
reference_seeds = 2
budget = { queries = 20 }

[gate]
margin = 1

[[tasks]]
name = "toy/edges"

[[strategies]]
name = "toy-sampler"
label = "ours"
tuning_queries = 0
"""
WEAKER = STUDY.replace('name = "toy-sampler"', 'name = "toy-returner"')
"""It stops after ten of twenty queries."""


@pytest.fixture(autouse=True)
def here(toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    default_registry.cache_clear()
    yield
    default_registry.cache_clear()


def gate(text: str, *words: str) -> int:
    Path("mine.toml").write_text(text)
    return main(["gate", "mine.toml", "--against", "ref", "--executor", "serial", "-q", *words])


def update(text: str = STUDY, *words: str) -> None:
    assert gate(text, "--update", "--reason", "a test", *words) == 0


def refused(capsys: pytest.CaptureFixture[str], text: str, *words: str) -> tuple[int, str]:
    """Exit status and the one sentence."""
    capsys.readouterr()
    status = gate(text, *words)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return status, captured.err


def test_a_reference_is_written_and_an_unchanged_strategy_passes(capsys: pytest.CaptureFixture[str]) -> None:
    update()
    assert capsys.readouterr().out.startswith("ref: reference records written, ")
    assert {e.entry.label for s in read_study(Path("ref")).settings for e in s.everyone} == {"ours"}
    shutil.rmtree("results")  # as on a build server
    assert gate(STUDY) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "1 unchanged"
    assert captured.err == ""
    assert main(["gate", "results/mine", "--against", "ref", "-q"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 unchanged"


def test_a_study_is_no_reference_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """It never differs from what it holds: a gate with a wrong path would be green for ever."""
    update()
    for study in ("mine.toml", "results/mine"):
        capsys.readouterr()
        assert main(["gate", study, "--against", "results/mine", "--executor", "serial", "-q"]) == 2
        assert "results/mine is the study's own folder" in capsys.readouterr().err


def test_a_weaker_strategy_fails_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    text = STUDY.replace("seeds = 8", "seeds = 30", 1)
    update(text)
    capsys.readouterr()
    weaker = WEAKER.replace("seeds = 8", "seeds = 30", 1)
    assert gate(weaker, "--format", "json", "--junit", "gate.xml") == 1
    found = json.loads(capsys.readouterr().out)
    (row,) = found["lines"]
    assert (row["verdict"], row["n"], found["metric"]) == ("worse", 30, "valid_regret")
    ours, theirs = (read_study(Path(f)).settings[0].entries[0].runs for f in ("results/mine", "ref"))
    regrets = [[r.outcome.valid_regret for r in runs if r.outcome is not None] for runs in (ours, theirs)]
    differences = [b - a for a, b in zip(*regrets, strict=True)]  # type: ignore[operator]
    assert row["difference"] == pytest.approx(sum(differences) / 30)
    assert row["lost_most"] == ours[differences.index(min(differences))].search.id
    (suite,) = ElementTree.parse("gate.xml").getroot()
    assert [f.get("type") for f in suite[0]] == ["worse"]
    assert gate(weaker, "--format", "markdown") == 1
    assert "| ours | toy/edges | worse |" in capsys.readouterr().out
    assert gate(weaker) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "1 worse"
    assert row["lost_most"] in captured.err


def test_undecided_has_a_status_of_its_own_and_more_seeds_decide(capsys: pytest.CaptureFixture[str]) -> None:
    update(STUDY, "--until-decided", "64")
    assert len(read_study(Path("ref")).settings[0].entries[0].runs) == 64
    few = WEAKER.replace("seeds = 8", "seeds = 3", 1)
    capsys.readouterr()
    assert gate(few) == 4
    assert "ours on toy/edges is undecided: " in capsys.readouterr().out
    assert gate(few, "--until-decided", "64", "--format", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["looks"] == [3, 6, 12, 24, 48, 64]
    (row,) = found["lines"]
    assert row["verdict"] == "worse"
    assert row["n"] in found["looks"]
    assert row["p_worse"] < 0.05 / 6
    assert len(read_study(Path("results/mine")).settings[0].entries[0].runs) == row["n"]  # no seed more than needed


def test_a_sequence_needs_a_study_file_and_as_many_seeds_in_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    update()
    status, said = refused(capsys, STUDY, "--until-decided", "16")
    assert (status, "ref has 8 seeds only" in said) == (15, True)
    assert "--update --until-decided 16" in said
    status, said = refused(capsys, STUDY, "--until-decided", "4")
    assert (status, "the study has 8 seeds already" in said) == (2, True)
    assert main(["gate", "results/mine", "--against", "ref", "-q", "--until-decided", "16"]) == 2
    assert "needs the study file in place of results/mine" in capsys.readouterr().err


class TestBadInput:
    def test_no_reference_and_no_gate_table(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, said = refused(capsys, STUDY)
        assert (status, said) == (2, "error: ref holds no reference records; write them with --update --reason '...'\n")
        assert not Path("results").exists()
        update()
        status, said = refused(capsys, STUDY.replace("[gate]\nmargin = 1\n", ""))
        assert (status, "mine.toml: no [gate] table; add one with a margin" in said) == (2, True)
        status, said = refused(capsys, STUDY, "--update")
        assert (status, "--update needs a --reason" in said) == (2, True)
        status, said = refused(capsys, STUDY, "--reason", "why")
        assert (status, "--reason belongs to --update" in said) == (2, True)

    @pytest.mark.parametrize("margin", ["0", "-0.5", "inf", "nan"])
    def test_a_margin_that_is_none(self, capsys: pytest.CaptureFixture[str], margin: str) -> None:
        update()
        status, said = refused(capsys, STUDY.replace("margin = 1", f"margin = {margin}"))
        assert status == 16
        assert f"mine.toml:7: margin = {margin}: above 0 and finite" in said

    def test_another_budget_and_an_entry_too_many_are_told_before_anything_runs(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        update()
        shutil.rmtree("results")
        status, said = refused(capsys, STUDY.replace("queries = 20", "queries = 30"))
        assert (status, "the study has the budget 30 queries, ref has 20 queries" in said) == (13, True)
        status, said = refused(capsys, STUDY + '\n[[strategies]]\nname = "toy-returner"\n')
        assert (status, "ref lacks toy-returner on toy/edges" in said) == (12, True)
        status, said = refused(capsys, STUDY.replace('"ours"', '"renamed"'))
        assert (status, "ref lacks renamed on toy/edges; the study lacks ours on toy/edges" in said) == (12, True)
        assert not Path("results").exists()

    def test_another_study_seed_is_told_before_anything_runs(self, capsys: pytest.CaptureFixture[str]) -> None:
        update()
        shutil.rmtree("results")
        status, said = refused(capsys, "seed = 3\n" + STUDY)
        assert (status, "the study has seed = 3, ref has 0, so that no run has its like there" in said) == (15, True)
        assert not Path("results").exists()

    @pytest.mark.parametrize("side", ["ref", "results/mine"])
    @pytest.mark.parametrize("file", ["searches.jsonl", "outcomes.jsonl"])
    def test_a_folder_that_lost_records(self, capsys: pytest.CaptureFixture[str], side: str, file: str) -> None:
        update()
        lines = (Path(side) / file).read_bytes().splitlines(keepends=True)
        (Path(side) / file).write_bytes(b"".join(lines[:5]))
        capsys.readouterr()
        assert main(["gate", "results/mine", "--against", "ref"]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert f"{side}: " in captured.err
        assert " runs are missing; " in captured.err

    def test_a_number_of_seeds_that_is_none_keeps_the_reference(self, capsys: pytest.CaptureFixture[str]) -> None:
        update()
        before = (Path("ref") / "searches.jsonl").read_bytes()
        assert gate(STUDY, "--update", "--reason", "more", "--until-decided", "-5") == 2
        assert "--until-decided" in capsys.readouterr().err
        assert (Path("ref") / "searches.jsonl").read_bytes() == before

    def test_a_folder_for_junit_that_is_not_there(self, capsys: pytest.CaptureFixture[str]) -> None:
        update()
        shutil.rmtree("results")
        status, said = refused(capsys, STUDY, "--junit", "nowhere/gate.xml")
        assert (status, said) == (2, "error: --junit nowhere/gate.xml: there is no folder nowhere\n")
        assert not Path("results").exists()

    def test_a_strategy_that_is_not_deterministic_is_the_first_thing_to_mend(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        update()
        shutil.rmtree("results")
        import numpy as np

        module = default_registry().load("strategy", "toy-sampler")
        plain = module.search
        monkeypatch.setattr(module, "search", lambda self, oracle, rng: plain(self, oracle, np.random.default_rng()))
        status, said = refused(capsys, STUDY)
        assert status == 10
        assert "toy-sampler on toy/edges, seed 0: the same search (" in said
        assert "nas-harness check toy-sampler" in said

    def test_a_reference_of_an_earlier_schema(self, capsys: pytest.CaptureFixture[str]) -> None:
        update()
        plans = Path("ref/plans.jsonl")
        plans.write_text(plans.read_text().replace('"schema":2', '"schema":1'))
        status, said = refused(capsys, STUDY)
        assert (status, "plans.jsonl:1: schema 1, this version reads 2" in said) == (11, True)


def test_the_reason_stands_in_the_reference() -> None:
    update()
    assert {r.provenance["reference"]["reason"] for r in read_folder(Path("ref")).searches.values()} == {"a test"}
