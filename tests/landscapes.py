"""Made-to-measure tasks: a space, a function of the architecture as its validation score, and a watched oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from harness.errors import BudgetExhausted, UnknownArchitecture
from harness.protocol import Fidelity, Score, Validation, Validator
from harness.search.budget import Budget
from harness.search.oracle import Oracle
from harness.spaces import Architecture, CellGraph, Choice, SearchSpace
from harness.strategy import Strategy


class Grid(SearchSpace):
    """Every combination of options: ``radices`` says how many each choice has."""

    operations = ("x",)
    max_nodes = 1

    def __init__(self, *radices: int, name: str = "grid") -> None:
        self.name = name
        self.choices = tuple(Choice(f"c{i}", tuple(map(str, range(k)))) for i, k in enumerate(radices))

    def key(self, arch: Architecture) -> str:
        return self.describe(arch)

    def describe(self, arch: Architecture) -> str:
        return " ".join(map(str, arch))

    def parse(self, text: str) -> Architecture:
        return self.check(tuple(map(int, text.split())))

    def graph(self, arch: Architecture, *, pruned: bool = True) -> tuple[CellGraph, ...]:
        return (CellGraph(np.zeros(1, dtype=np.int64), np.zeros((1, 1), dtype=np.bool_)),)


class Landscape(Validator):
    """``score(arch)``, or ``score(arch, fidelity)`` where there are several; None: the table has no such row.

    A row is a key, so that isomorphic architectures are one.
    """

    def __init__(
        self,
        space: SearchSpace,
        score: Callable[..., float | None],
        fidelities: Sequence[Fidelity] = (Fidelity("full", 10),),
        *,
        rows: Iterable[Architecture] | None = None,
    ) -> None:
        self.space, self.fidelities, self.score = space, tuple(fidelities), Score()
        self.records_seconds = True
        self._score = score if len(self.fidelities) > 1 else lambda arch, _: score(arch)
        known = [a for a in (space.enumerate() if rows is None else rows) if self._score(a, fidelities[-1]) is not None]
        self._row_of = {key: i for i, key in enumerate(dict.fromkeys(space.keys(known)))}
        self.rows = len(self._row_of)

    def identity(self, archs: Sequence[Architecture]) -> np.ndarray:
        try:
            return np.array([self._row_of[self.space.key(a)] for a in archs], dtype=np.int64)
        except KeyError as error:
            raise UnknownArchitecture(f"no row {error}") from None

    def validate(self, archs: Sequence[Architecture], *, fidelity: Fidelity, repeat: int | None = None) -> Validation:
        values = np.array([self._score(a, fidelity) for a in archs], dtype=np.float64)
        return Validation(values, np.full(len(archs), 2.0 * (fidelity.epochs or 0)))


class Watched(Oracle):
    """Keeps every call in order: (architecture, score), repeats and twins included; NaN where there was no score."""

    def __init__(self, validator: Validator, budget: Budget, **options) -> None:
        super().__init__(validator, budget, **options)
        self.calls: list[tuple[Architecture, float]] = []

    def query(self, arch, *, fidelity=None, repeat=None):
        score = super().query(arch, fidelity=fidelity, repeat=repeat)
        self.calls.append((arch, score))
        return score


def run(strategy: Strategy, validator: Validator, *, seed: int = 0, constraints=(), **budget) -> Watched:
    """Search to the end of the budget; what was asked."""
    oracle = Watched(validator, Budget(**budget), constraints=constraints)
    try:
        strategy.search(oracle, np.random.default_rng(seed))
    except BudgetExhausted:
        return oracle
    raise AssertionError(f"{strategy.name} stopped before the budget was spent")
