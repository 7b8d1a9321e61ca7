"""Proposals from a learned order: by scoring the whole space, and by evolution."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from harness import Architecture, Budget, Constraint, Oracle
from harness.search.proposal import Archive, Evolution, evolve, propose, verify
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness.testing.synthetic import SyntheticEvaluator

SPACE = ToyEdgeSpace(8)  # 10,000 encodings


def oracle(queries: int = 20, constraints: tuple[str, ...] = ()) -> Oracle:
    evaluator = SyntheticEvaluator(SPACE)
    return Oracle(
        evaluator.validator(), Budget(queries=queries), constraints=[Constraint.parse(c) for c in constraints]
    )  # fmt: skip


def total(archs: Sequence[Architecture]) -> np.ndarray:
    return np.array([float(sum(a)) for a in archs])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_whole_space_is_scored_once_a_key() -> None:
    o = oracle()
    best, scored = propose(o, total, rng(), 4, exclude=set())
    keys = set(SPACE.keys(list(SPACE.enumerate())))
    assert scored == len(keys)
    assert len(set(SPACE.keys(best))) == 4
    assert total(best).tolist() == [36, 35, 35, 34]  # an 8 first in its branch or second
    assert len(o.history) == 0


def test_twins_may_stand_side_by_side() -> None:
    best, scored = propose(oracle(), total, rng(), 4, exclude=set(), twins=True)
    assert scored == 10_000
    assert total(best).tolist() == [36, 35, 35, 35]
    assert len(set(SPACE.keys(best))) < 4
    known = SPACE.keys([best[0]])
    assert best[0] not in propose(oracle(), total, rng(), 4, exclude=set(known), twins=True)[0]


def test_known_keys_are_left_out() -> None:
    best, _ = propose(oracle(), total, rng(), 3, exclude=set(SPACE.keys([(9, 9, 9, 9), (9, 9, 8, 9)])))
    assert total(best).max() == 35  # (8, 9, 9, 9) and (9, 9, 8, 9) are twins, (9, 8, 9, 9) is not
    assert SPACE.key((9, 9, 8, 9)) not in SPACE.keys(best)


def test_evolution_finds_the_best_of_an_easy_order() -> None:
    best, scored = propose(oracle(), total, rng(), 1, exclude=set(), whole=0, evolution=Evolution(generations=60))
    assert best == [(9, 9, 9, 9)]
    assert scored < 10_000 / 3


def test_evolution_pays_nothing_and_repeats_itself_by_seed() -> None:
    found = []
    for _ in range(2):
        o = oracle()
        archive = Archive(o, total)
        evolve(o, archive, rng(5), Evolution(generations=5))
        assert len(o.history) == 0
        found.append(archive.fitness)
    assert found[0] == found[1]


def test_a_generation_holds_a_key_once() -> None:
    """On 39 keys a population of 30 can only be filled with distinct ones: what it visits exceeds its size."""
    evaluator = SyntheticEvaluator(ToyNodeSpace())
    o = Oracle(evaluator.validator(), Budget(queries=5))
    archive = Archive(o, total)
    evolve(o, archive, rng(), Evolution(population=30, generations=10))
    assert len(set(o.space.keys(list(archive.fitness)))) > 30


class Watched(ToyEdgeSpace):
    """Counts crossovers, mutations and single draws."""

    def __init__(self) -> None:
        super().__init__(8)
        self.crossed = self.mutated = self.drawn = 0

    def sample(self, rng: np.random.Generator, n: int, law: str | None = None) -> list[Architecture]:
        self.drawn += n == 1
        return super().sample(rng, n, law)

    def crossover(self, a: Architecture, b: Architecture, rng: random.Random) -> Architecture:
        self.crossed += 1
        return super().crossover(a, b, rng)

    def mutate(self, arch: Architecture, rng: random.Random) -> Architecture:
        self.mutated += 1
        return super().mutate(arch, rng)


def test_operators_keep_their_shares_where_repeats_are_drawn_again() -> None:
    """A repeat is drawn again by the operator that made it: mutations seldom repeat, so that each slot costs one call.

    Drawing the operator anew, .5/.3/.2 would be .32/.24/.44, and mutations twice as many. Copies never repeat, so that
    hardly a slot is filled at random.
    """
    space = Watched()
    o = Oracle(SyntheticEvaluator(space).validator(), Budget(queries=5))
    settings = Evolution(generations=100)
    evolve(o, Archive(o, total), rng(), settings)
    slots = settings.generations * (settings.population - settings.elite)
    assert 0.19 < space.mutated / slots < 0.26  # .2 and few repeats; standard error .005
    assert space.crossed / slots > 0.29
    assert space.drawn / slots < 0.03


@pytest.mark.parametrize("whole", [0, 20_000])
def test_infeasible_architectures_are_never_proposed(whole: int) -> None:
    limit = float(np.median(SPACE.costs(list(SPACE.enumerate()))["params"]))
    o = oracle(constraints=(f"params <= {limit}",))
    best, _ = propose(o, total, rng(), 10, exclude=set(), whole=whole, evolution=Evolution(generations=10))
    assert len(best) == 10
    assert (SPACE.costs(best)["params"] <= limit).all()


def test_verification_pays_for_the_candidates_and_returns_the_best_validated() -> None:
    o = oracle(4)
    first = (0, 1, 2, 3)
    o.query(first)
    candidates = [(1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3), (4, 4, 4, 4)]
    found = verify(o, candidates, 10)
    assert o.ended_by == "queries"
    paid = {first: o.history[0].score} | {obs.arch: obs.score for obs in o.history}
    assert list(paid) == [first, *candidates[:3]]
    assert found == sorted(paid, key=lambda a: -paid[a])
