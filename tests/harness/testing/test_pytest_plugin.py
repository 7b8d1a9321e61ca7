"""The pytest plugin, found by entry point, in pytest sessions of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.reading.gate.steps import Running, update
from harness.registry import Registry
from harness.running.settings import Settings
from harness.search.oracle import Oracle
from harness.testing import SyntheticEvaluator, ToyEdgeSpace

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
def project(toy: Registry, tmp_path: Path) -> Path:
    """An author's folder with a study, its reference records and a test file."""
    (tmp_path / "studies").mkdir()
    study = tmp_path / "studies" / "mine.toml"
    study.write_text(STUDY)
    running = Running(toy, tmp_path / "results", Settings(executor="serial"))
    update(study, tmp_path / "reference", "first", running)
    (tmp_path / "test_mine.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
    return tmp_path


def session(project: Path, **outcomes: int) -> str:
    """What a pytest session prints, of which so many tests came out so."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=project, check=False)
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|errors?)\b", found.stdout.splitlines()[-1])}
    assert counts == outcomes, found.stdout + found.stderr
    assert "Traceback" not in found.stdout
    return found.stdout


def test_an_unchanged_strategy_passes_and_the_body_of_the_test_runs(project: Path) -> None:
    session(project, passed=2)


def test_a_worse_one_fails_with_its_table_and_the_command_that_repeats_a_run(project: Path) -> None:
    study = project / "studies" / "mine.toml"
    study.write_text(STUDY.replace('name = "toy-sampler"', 'name = "toy-returner"'))
    told = session(project, failed=2)
    assert re.search(r"^gate of mine against .*reference\n", told, re.MULTILINE)
    assert re.search(r"^ours +toy/edges +worse ", told, re.MULTILINE)
    assert re.search(r"^the run that lost most: nas-harness replay .*/mine [0-9a-f]{32}$", told, re.MULTILINE)


def test_what_cannot_be_run_or_compared_is_one_sentence(project: Path) -> None:
    study = project / "studies" / "mine.toml"
    study.write_text(STUDY.replace("queries = 20", "queries = 21"))
    assert "the study has the budget 21 queries, " in session(project, failed=2)
    study.write_text(STUDY.replace('"toy-sampler"', '"toy-sampelr"'))
    (project / "test_mark.py").write_text(
        "import pytest\n@pytest.mark.nas_gate('mine.toml')\ndef test_it(): pass\ndef test_no(nas_study): pass\n"
    )
    told = session(project, errors=4)
    assert "unknown strategy 'toy-sampelr'; did you mean 'toy-sampler'" in told
    assert "write @pytest.mark.nas_gate(study='...', against='...')" in told
    assert "nas_study needs @pytest.mark.nas_gate(" in told


def test_the_fixtures(toy_space: ToyEdgeSpace, toy_task: SyntheticEvaluator, oracle: Oracle) -> None:
    assert toy_task.space is toy_space
    assert oracle.remaining.queries == 100
    arch = toy_space.sample(np.random.default_rng(0), 1)[0]
    validator = toy_task.validator()
    assert oracle.query(arch) == validator.validate([arch], fidelity=validator.fidelities[-1]).valid[0]


def test_the_plugin_imports_nothing_heavy() -> None:
    """Every pytest session where nas-harness is installed loads it."""
    heavy = "('numpy', 'msgspec', 'scipy', 'pandas', 'rich', 'typer', 'harness.protocol')"
    code = f"import sys, harness.testing.pytest_plugin; print([m for m in {heavy} if m in sys.modules])"
    root = Path(__file__).resolve().parents[3]
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert found.stdout == "[]\n"


BENCHMARK = """
from harness import Strategy

clock = [0.0]


class Slow(Strategy):
    \"\"\"Takes two ticks beside the one of each query.\"\"\"

    name = "slow"

    def search(self, oracle, rng):
        while True:
            clock[0] += 2.0
            oracle.query(oracle.space.sample(rng, 1)[0])


class Ticking:
    \"\"\"Its validator's every answer takes one tick.\"\"\"

    def __init__(self, evaluator):
        self.evaluator = evaluator

    def validator(self, context):
        found = self.evaluator.validator(context=context)
        read = type(found).read

        def slowly(*asked):
            clock[0] += 1.0
            return read(found, *asked)

        found.read = slowly
        return found


class Broken(Slow):
    def search(self, oracle, rng):
        raise ValueError("no")


def test_the_ratio(nas_benchmark, toy_space):
    from harness.testing import SyntheticEvaluator

    nas_benchmark.clock = lambda: clock[0]
    nas_benchmark.evaluator = Ticking(SyntheticEvaluator(toy_space, rows="architecture"))
    assert 3.0 <= nas_benchmark(Slow, queries=10, rounds=4) < 4.0


def test_real_time(nas_benchmark):
    from harness.running.reference import MatchedRandomSearch

    assert 0.2 < nas_benchmark(MatchedRandomSearch) < 5


def test_what_fails_is_not_timed(nas_benchmark):
    nas_benchmark(Broken)
"""


def test_a_search_is_timed_as_a_ratio_to_random_search(tmp_path: Path) -> None:
    pytest.importorskip("pytest_benchmark")
    (tmp_path / "test_pace.py").write_text(BENCHMARK)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--benchmark-json", "out.json"]
    own = {
        k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")
    }  # a worker of xdist measures nothing
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, env=own)
    assert "1 failed, 2 passed" in found.stdout, found.stdout + found.stderr
    assert "a search to be timed failed: ValueError: no (test_pace.py:" in found.stdout
    ratio, real = json.loads((tmp_path / "out.json").read_text())["benchmarks"]
    assert ratio["extra_info"]["unit"] == "seconds a query, as a ratio to random search"
    assert ratio["group"] == "search per query / random search"
    assert ratio["stats"]["rounds"] == 4
    assert 3.0 <= ratio["stats"]["median"] < 4.0
    assert real["stats"]["rounds"] == 20


def test_without_pytest_benchmark_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "test_pace.py").write_text("def test_it(nas_benchmark): pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "nas_benchmark needs pytest-benchmark: pip install pytest-benchmark" in found.stdout
