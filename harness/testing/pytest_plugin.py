"""The pytest plugin: the gate as a test, and small things to test a strategy on.

pytest loads it wherever nas-harness is installed, so that nothing of the harness is imported before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.protocol import Evaluator
    from harness.reading.results import Results
    from harness.search.oracle import Oracle
    from harness.spaces import SearchSpace
    from harness.testing.pace import SearchBenchmark

_MARK = "nas_gate"
_QUERIES = 100


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{_MARK}(study, against): run the study, and fail where an entry is worse than the reference records, or "
        "undecided; paths are relative to pytest's root folder",
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """The study of a marked test is run in its setup."""
    if item.get_closest_marker(_MARK) is not None and isinstance(item, pytest.Function):
        item.fixturenames.insert(0, "nas_study")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """The gate stands before the body of a marked test."""
    mark = pyfuncitem.get_closest_marker(_MARK)
    if mark is not None:
        study: Any = pyfuncitem.funcargs["nas_study"]
        _fail_unless_passed(study.folder, pyfuncitem.config.rootpath / _said(mark, "against"))
    return (yield)


@pytest.fixture(scope="session")
def nas_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the studies of a test session are kept, so that tests of one study run it once."""
    return tmp_path_factory.mktemp("nas-results")


@pytest.fixture
def nas_study(request: pytest.FixtureRequest, nas_results: Path) -> Results:
    """The results of the study that the test's mark ``nas_gate`` names; what is missing is run."""
    mark = request.node.get_closest_marker(_MARK)
    if mark is None:
        pytest.fail(f"nas_study needs @pytest.mark.{_MARK}(study=..., against=...) on the test", pytrace=False)
    from harness.errors import HarnessError
    from harness.reading.notebook import run_study

    try:
        return run_study(request.config.rootpath / _said(mark, "study"), results=nas_results, quiet=True)
    except HarnessError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def toy_space() -> SearchSpace:
    """A small search space with isomorphic architectures."""
    from harness.testing.spaces import ToyEdgeSpace

    return ToyEdgeSpace()


@pytest.fixture
def toy_task(toy_space: SearchSpace) -> Evaluator:
    """A task on ``toy_space`` with made-up scores that depend on the architecture alone."""
    from harness.testing.synthetic import SyntheticEvaluator

    return SyntheticEvaluator(toy_space)


@pytest.fixture
def oracle(toy_task: Evaluator) -> Oracle:
    """What a strategy gets: ``toy_task`` under a budget of 100 queries."""
    from harness.search.budget import Budget
    from harness.search.oracle import Oracle

    return Oracle(toy_task.validator(), Budget(queries=_QUERIES))


@pytest.fixture
def nas_benchmark(request: pytest.FixtureRequest, toy_task: Evaluator) -> SearchBenchmark:
    """Times a search on ``toy_task`` for each query, as a ratio to random search, in pytest-benchmark's tables."""
    if not request.config.pluginmanager.hasplugin("benchmark"):
        pytest.fail("nas_benchmark needs pytest-benchmark: pip install pytest-benchmark", pytrace=False)
    from harness.testing.pace import RatioClock, SearchBenchmark

    ratios = RatioClock()
    request.node.add_marker(pytest.mark.benchmark(timer=ratios, group="search per query / random search"))
    return SearchBenchmark(request.getfixturevalue("benchmark"), ratios, toy_task)


def _said(mark: pytest.Mark, name: str) -> str:
    if mark.args or set(mark.kwargs) != {"study", "against"}:
        pytest.fail(f"write @pytest.mark.{_MARK}(study='...', against='...')", pytrace=False)
    return str(mark.kwargs[name])


def _fail_unless_passed(folder: Path, against: Path) -> None:
    from harness.errors import HarnessError
    from harness.reading.gate import show
    from harness.reading.gate.steps import Running, gate
    from harness.registry import default_registry

    try:
        found = gate(folder, against, Running(default_registry()))
    except HarnessError as error:
        pytest.fail(str(error), pytrace=False)
    if found.status:
        pytest.fail(
            f"{show.as_text(found, failing=True)}\nthe run that lost most: {show.reproduce(found)}", pytrace=False
        )
