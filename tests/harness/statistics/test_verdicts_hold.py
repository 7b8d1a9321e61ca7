"""A quick look at what `tests/benchmarks/test_calibration_verdicts.py` measures in full: 150 studies of eight tasks."""

from __future__ import annotations

import numpy as np
import pytest
from bent_searches import DISGUISES, Table, table_of
from populations import GRAPHS, open_task
from simulated_studies import share_called_better


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Table]:
    pytest.importorskip("nas_bench_graph")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_HARNESS_DATA", str(tmp_path_factory.mktemp("tables")))
        return [table_of(open_task(f"nasbench-graph/{name}")) for name in GRAPHS]


@pytest.mark.parametrize("name", DISGUISES)
def test_random_search_in_disguise_is_not_better(name: str, tables: list[Table]) -> None:
    rng = np.random.default_rng(0)
    assert share_called_better(tables, DISGUISES[name], rng, studies=150, n=8, population=2000) <= 5


def test_a_search_with_ten_times_the_budget_is_better(tables: list[Table]) -> None:
    """So that "better" is not kept by silence."""
    from bent_searches import Disguise, Disguised, Runs, random_search

    def longer(table: Table, runs: int, rng: np.random.Generator) -> Disguised:
        return Disguised(random_search(table, runs, rng).final[:, -1], np.full(runs, 10))

    def short(table: Table, runs: int, rng: np.random.Generator) -> list[Runs]:
        return [random_search(table, runs, rng, queries=10)]

    rng = np.random.default_rng(0)
    assert share_called_better(tables, Disguise(longer, short), rng, studies=150, n=8, population=2000) > 90
