"""What strategy checks are run on: the strategy with its cheapest parameters, and small tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import DataMissing, PluginError, StudyError
from harness.protocol import Evaluator
from harness.reading import numbers
from harness.registry import Registry
from harness.running.interrupts import RunTimeout
from harness.search.budget import Budget
from harness.spaces import SearchSpace
from harness.strategy import Strategy
from harness.testing.conformance.report import Failed, NotRun, Skipped
from harness.testing.conformance.trial import Trial, run_trial
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness.testing.synthetic import SyntheticEvaluator

TOYS: dict[str, type[SearchSpace]] = {"toy-nodes": ToyNodeSpace, "toy-edges": ToyEdgeSpace}
HUNG = "an earlier search hung"
PLAIN = Budget(queries=12)
"""The budget of checks that need no other."""


@dataclass
class StrategySubject:
    """A strategy under check. ``limit``: seconds for one search. stopped: why no further search is started, such as
    that one hung, or ended its process.
    """

    cls: type[Strategy]
    params: Any
    registry: Registry | None = None
    limit: float = 30.0
    stopped: str = ""
    _spaces: dict[str, SearchSpace] = field(default_factory=dict)

    def space(self, name: str) -> SearchSpace:
        """A toy space or a registered one. Raises NotRun where its data or a library is missing."""
        if name not in self._spaces:
            try:
                cls = TOYS[name] if self.registry is None or name in TOYS else self.registry.load("space", name)
                self._spaces[name] = cls()
            except (DataMissing, PluginError) as error:
                raise NotRun(str(error)) from None
        return self._spaces[name]

    def space_names(self) -> list[str]:
        """The toy spaces, then every registered one."""
        return [*TOYS, *(n for n in (self.registry.names("space") if self.registry else ()) if n not in TOYS)]

    def task(self, **options: Any) -> SyntheticEvaluator:
        """A synthetic task on the toy space with invalid encodings and isomorphic twins."""
        return SyntheticEvaluator(ToyNodeSpace(), **options)

    def trial(
        self, evaluator: Evaluator, budget: Budget = PLAIN, *, seed: int = 0, constraints: Sequence[str] = ()
    ) -> Trial:
        """One search. Raises Failed where it fails or hangs, Skipped where it refuses the task with a StudyError, and
        NotRun where only a task that trains could show it.
        """
        if self.stopped:
            raise NotRun(self.stopped)
        if "training" in self.cls.needs:
            raise NotRun("the strategy trains networks itself: it needs a live task")
        try:
            return run_trial(
                self.cls, evaluator, budget, params=self.params, seed=seed, limit=self.limit,
                constraints=constraints,
            )  # fmt: skip
        except RunTimeout:
            self.stopped = HUNG
            raise Failed(
                f"search was still running after {self.limit:g} s with a budget of {numbers.budget(budget)}"
            ) from None
        except StudyError as error:
            raise Skipped(f"the strategy refuses the task: {error}") from None
