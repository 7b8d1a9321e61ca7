"""The pytest plugin, found by entry point, in pytest sessions of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.registry import Registry
from harness.search.oracle import Oracle
from harness.testing import SyntheticEvaluator, ToyEdgeSpace

pytest_plugins = ["pytester"]

STUDY = """
name = "mine"
seeds = 20
reference_seeds = 2
budget = { queries = 20 }

[gate]
margin = 1

[[tasks]]
name = "toy/edges"

[[strategies]]
name = "toy-sampler"
label = "ours"
"""
TESTS = """
import pytest

@pytest.mark.nas_gate(study="studies/mine.toml", against="reference")
def test_the_gate_alone():
    pass

@pytest.mark.nas_gate(study="studies/mine.toml", against="reference")
def test_the_gate_and_the_results(nas_study):
    assert {r.entry.label for r in nas_study.every_run} == {"ours", "matched-random-search"}
"""


@pytest.fixture
def project(toy: Registry, pytester: pytest.Pytester) -> pytest.Pytester:
    """An author's folder with a study, its reference records and a test file."""
    from harness.reading.gate.steps import update
    from harness.running.campaign import Settings

    (pytester.path / "studies").mkdir()
    study = pytester.path / "studies" / "mine.toml"
    study.write_text(STUDY)
    where = {"results": pytester.path / "results", "settings": Settings(executor="serial")}
    update(study, pytester.path / "reference", "first", registry=toy, **where)  # type: ignore[arg-type]
    pytester.makepyfile(TESTS)
    pytester.makeini("[pytest]\naddopts = --strict-markers -p no:cacheprovider\nfilterwarnings = error\n")
    return pytester


def test_an_unchanged_strategy_passes_and_the_body_of_the_test_runs(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("-q").assert_outcomes(passed=2)


def test_a_worse_one_fails_with_its_table_and_a_run_to_look_at(project: pytest.Pytester) -> None:
    study = project.path / "studies" / "mine.toml"
    study.write_text(STUDY.replace('name = "toy-sampler"', 'name = "toy-returner"'))
    found = project.runpytest_subprocess("-q")
    found.assert_outcomes(failed=2)
    found.stdout.fnmatch_lines(["*gate of mine against *reference", "ours  toy/edges  worse *", "one of the runs: *"])
    assert "Traceback" not in found.stdout.str()


def test_what_cannot_be_compared_is_one_sentence(project: pytest.Pytester) -> None:
    study = project.path / "studies" / "mine.toml"
    study.write_text(STUDY.replace("queries = 20", "queries = 21"))
    found = project.runpytest_subprocess("-q")
    found.assert_outcomes(failed=2)
    found.stdout.fnmatch_lines(["*the study has the budget 21 queries, *reference has 20 queries; *"])
    study.write_text(STUDY.replace('"toy-sampler"', '"toy-sampelr"'))
    found = project.runpytest_subprocess("-q")
    found.assert_outcomes(errors=2)
    found.stdout.fnmatch_lines(["*unknown strategy 'toy-sampelr'; did you mean 'toy-sampler'*"])


def test_a_mark_that_says_too_little(project: pytest.Pytester) -> None:
    project.makepyfile(
        "import pytest\n@pytest.mark.nas_gate('mine.toml')\ndef test_it(): pass\ndef test_no(nas_study): pass"
    )
    found = project.runpytest_subprocess("-q")
    found.assert_outcomes(errors=2)
    found.stdout.fnmatch_lines(
        ["write @pytest.mark.nas_gate(study='...', against='...')", "nas_study needs @pytest.mark.nas_gate(*"]
    )


def test_the_fixtures(toy_space: object, toy_task: object, oracle: object) -> None:
    assert isinstance(toy_space, ToyEdgeSpace)
    assert isinstance(toy_task, SyntheticEvaluator)
    assert isinstance(oracle, Oracle)
    assert toy_task.space is toy_space
    assert oracle.remaining.queries == 100
    arch = toy_space.sample(__import__("numpy").random.default_rng(0), 1)[0]
    assert oracle.query(arch) == toy_task.validator().validate([arch], fidelity=toy_task.fidelities[-1]).valid[0]


def test_the_plugin_imports_nothing_heavy() -> None:
    """Every pytest session where nas-harness is installed loads it."""
    heavy = "('numpy', 'msgspec', 'scipy', 'pandas', 'rich', 'typer', 'harness.protocol')"
    code = f"import sys, harness.testing.pytest_plugin; print([m for m in {heavy} if m in sys.modules])"
    root = Path(__file__).resolve().parents[3]
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert found.stdout == "[]\n"
