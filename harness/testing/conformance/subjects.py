"""What strategy checks are run on: the strategy with its cheapest parameters, and small tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from harness.errors import DataMissing, PluginError, StudyError
from harness.protocol import Evaluator
from harness.registry import Registry
from harness.search.budget import Budget
from harness.spaces import SearchSpace
from harness.strategy import Strategy
from harness.testing.conformance.report import Failed, NotRun, Skipped
from harness.testing.conformance.trial import Hung, Trial, run_trial
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

    @property
    def encoded_params(self) -> Any:
        """The parameters as plain JSON values, as a record holds them."""
        return json.loads(msgspec.json.encode(self.params))

    def space(self, name: str) -> SearchSpace:
        """A toy space or a registered one. Raises NotRun where its data or a library is missing."""
        if name not in self._spaces:
            try:
                toy = self.registry is None or name in TOYS
                self._spaces[name] = TOYS[name]() if toy else _load(self.registry, name)
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
        except Hung:
            self.stopped = HUNG
            raise Failed(f"search was still running after {self.limit:g} s with a budget of {_words(budget)}") from None
        except StudyError as error:
            raise Skipped(f"the strategy refuses the task: {error}") from None


def _load(registry: Any, name: str) -> SearchSpace:
    space: SearchSpace = registry.load("space", name)()
    return space


def _words(budget: Budget) -> str:
    limits = {"queries": budget.queries, "epochs": budget.epochs, "seconds": budget.seconds}
    return ", ".join(f"{value:g} {name}" for name, value in limits.items() if value is not None)
