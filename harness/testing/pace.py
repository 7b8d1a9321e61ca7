"""What a search takes for each query, as a ratio to random search in the same process: a noisy machine slows both."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import HarnessError
from harness.protocol import Evaluator, RunContext
from harness.running.environment import single_thread
from harness.running.reference import MatchedRandomSearch
from harness.running.search import carry_out
from harness.search.budget import Budget
from harness.search.oracle import Oracle
from harness.strategy import Strategy


class RatioClock:
    """A clock that stands still but for what it is told: pytest-benchmark reads a ratio where it expects seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class SearchBenchmark:
    """Times a strategy against random search. benchmark: pytest-benchmark's fixture, which reads ``ratios``."""

    benchmark: Any
    ratios: RatioClock
    evaluator: Evaluator
    clock: Callable[[], float] = time.perf_counter

    def __call__(self, make: Callable[[], Strategy], *, queries: int = 100, rounds: int = 20) -> float:
        """The median over ``rounds`` of seconds a paid query, divided by those of random search before and after it.

        make: the strategy's class, or what gives one. evaluator: what is searched, by default ``toy_task``. Each round
        has a seed of its own. Raises HarnessError where a search fails or pays for nothing.
        """
        seen: list[float] = []

        def one_round() -> None:
            seed = len(seen)
            before = self._pace(MatchedRandomSearch, queries, seed)
            ours = self._pace(make, queries, seed)
            after = self._pace(MatchedRandomSearch, queries, seed + rounds)
            seen.append(2 * ours / (before + after))
            self.ratios.now += seen[-1]

        self._pace(make, queries, 0)  # what is imported late is imported now
        self.benchmark.extra_info["unit"] = "seconds a query, as a ratio to random search"
        self.benchmark.pedantic(one_round, rounds=rounds)
        return float(np.median(seen))

    def _pace(self, make: Callable[[], Strategy], queries: int, seed: int) -> float:
        validator = self.evaluator.validator(context=RunContext(seed=seed))
        oracle = Oracle(validator, Budget(queries=queries))
        with single_thread():
            started = self.clock()
            found = carry_out(make, oracle, np.random.default_rng(seed))
            seconds = self.clock() - started
        validator.close()
        if found.status != "ok" or not oracle.paid.queries:
            raise HarnessError(f"a search to be timed failed: {found.error or 'it paid for nothing'}")
        return seconds / oracle.paid.queries
