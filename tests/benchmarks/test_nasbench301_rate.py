"""How fast the YAHPO surrogate answers: in batches, singly as a search asks, and from memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.protocol import Evaluator
from harness.search.budget import Budget
from harness.search.oracle import Oracle
from harness.spaces import Architecture
from harness_nasbench.nasbench301 import NASBench301
from harness_nasbench.nasbench301_import import import_table

pytest.importorskip("onnxruntime")
pytestmark = [pytest.mark.slow, pytest.mark.measure]


@pytest.fixture(scope="module")
def evaluator(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluator]:
    with pytest.MonkeyPatch.context() as patch:
        where = tmp_path_factory.mktemp("rate")
        patch.setenv("NAS_HARNESS_DATA", str(where))
        import_table(shared_data / "nasbench301_yahpo", where)
        protocol = NASBench301()
        yield protocol.open(next(t for t in protocol.tasks() if t.name == "nasbench301/yahpo"))


def rates(action: Callable[[list[Architecture]], object], parts: list[list[Architecture]]) -> list[float]:
    """Architectures a second, for each part."""
    found = []
    for part in parts:
        start = time.perf_counter()
        action(part)
        found.append(len(part) / (time.perf_counter() - start))
    return found


def test_rates(evaluator: Evaluator) -> None:
    validator = evaluator.validator()
    full = validator.fidelities[-1]
    archs = evaluator.space.sample(np.random.default_rng(5), 60_000)
    parts = [archs[i : i + 10_000] for i in range(0, 50_000, 10_000)]
    batches = rates(lambda part: validator.validate(part, fidelity=full), parts)
    fresh = [archs[i : i + 1_000] for i in range(50_000, 55_000, 1_000)]

    def search(part: list[Architecture]) -> None:
        Oracle(validator, Budget(queries=len(part) + 1)).query_many(part)

    singly, again = rates(search, fresh), rates(search, fresh)
    rows = rates(validator.identity, fresh)
    for what, found in (
        ("batches of 10,000", batches),
        ("queries one by one", singly),
        ("the same queries again", again),
        ("rows alone", rows),
    ):
        print(
            f"\n{what}: {np.median(found):,.0f} a second ({min(found):,.0f} to {max(found):,.0f}, n={len(found)})",
            end="",
        )
    print()
    assert np.median(batches) > 5 * np.median(singly)
    assert np.median(again) > 5 * np.median(singly)
