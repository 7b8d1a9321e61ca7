"""The search that all rankers share: label, learn an order, propose by it, verify."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

import msgspec
import numpy as np

from harness import Architecture, Mode, Params, Ranker, SearchSpace, Strategy
from harness.search.labelled import Labelled, collect, labelled
from harness.search.oracle import best_first
from harness.search.proposal import Evolution, propose, verify

if TYPE_CHECKING:
    from harness import Oracle


def said(text: str, **limits: Any) -> Any:
    """Documentation and limits of a parameter."""
    return msgspec.Meta(description=text, **limits)


PUBLISHED: dict[str, Any] = {"verify": 0, "candidates": "all", "generations": 500}
"""What ReNAS's paper does with every predictor: no verification, the ten best of all, the paper's evolution."""


class RankingParams(Params):
    labels: Annotated[int | None, said("architectures to label; none: the budget less what is verified")] = None
    verify: Annotated[
        int,
        said(
            "queries that choose among the best predicted: at most half the budget, or all but `labels`; 0: none",
            ge=0,
        ),
    ] = 10
    rounds: Annotated[
        int, said("verify in so many rounds; before each but the first, learn anew from what was verified", ge=1)
    ] = 1
    choose: Annotated[
        Literal["random", "params", "flops"], said("how labels are chosen: at random, or evenly spaced by a cost")
    ] = "random"
    law: Annotated[str | None, said("law that labels are drawn by where they are random; none: the task's")] = None
    pruned: Annotated[
        bool, said("drop parts of a cell on no input-output path before encoding it; one-hot choices are not changed")
    ] = True
    candidates: Annotated[
        Literal["new", "all"],
        said(
            "propose architectures of keys that are not known, one a key; or any, isomorphic ones too (ReNAS's paper)"
        ),
    ] = "new"
    whole: Annotated[int, said("spaces of at most this many architectures are scored whole", ge=0)] = 20_000
    population: Annotated[int, said("individuals of the evolution on predictions, in larger spaces", ge=2)] = 64
    generations: Annotated[int, said("generations of that evolution", ge=0)] = 200
    top: Annotated[int, said("how many architectures are returned", ge=1)] = 10

    def __post_init__(self) -> None:
        if self.labels is not None and self.labels < 1:
            raise ValueError(f"labels ({self.labels}) must be at least 1")

    @classmethod
    def smallest(cls) -> Any:
        return cls(verify=3, population=8, generations=3)


def with_paper(params: dict[str, Any]) -> dict[str, Mode]:
    """The modes of a ranker: ``paper`` sets `PUBLISHED` and these parameters."""
    note = "the best by test score of the ten best predicted of all, as ReNAS's paper reports"
    mode = Mode(report="best_of_returned", top=10, note=note, params={**PUBLISHED, **params})
    return {"strict": Mode(), "paper": mode}


P_co = TypeVar("P_co", bound=RankingParams, covariant=True)


class RankingStrategy(Strategy[P_co]):
    """Subclasses define how an order is learned (`learn`). With ``verify = 0`` the best are returned unpaid."""

    modes: ClassVar[dict[str, Mode]] = with_paper({})
    ablations: ClassVar[dict[str, dict[str, Any]]] = {"no verification": {"verify": 0}}

    @abstractmethod
    def learn(self, space: SearchSpace, known: Labelled, rng: np.random.Generator) -> Ranker:
        """An order learned from labelled architectures, of which at least two differ in score."""

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        p = self.params
        label_rng, learn_rng, propose_rng = rng.spawn(3)
        started = time.perf_counter()
        known = collect(oracle, label_rng, labels=p.labels, reserve=p.verify, choose=p.choose, law=p.law)
        self.seconds |= {"label": time.perf_counter() - started, "learn": 0.0, "propose": 0.0, "verify": 0.0}
        self.notes |= {"labels": len(known), "predicted": 0}
        if p.verify == 0:
            return self._proposed(oracle, known, learn_rng, propose_rng, p.top) or best_first(oracle, p.top)
        left = p.verify
        for rest in range(min(p.rounds, p.verify), 0, -1):
            now = -(-left // rest)
            left -= now
            proposed = self._proposed(oracle, known, learn_rng, propose_rng, now)
            started = time.perf_counter()
            verify(oracle, proposed)
            self.seconds["verify"] += time.perf_counter() - started
            known = labelled(oracle)
        return best_first(oracle, p.top)

    def _proposed(
        self, oracle: Oracle, known: Labelled, learn_rng: np.random.Generator, rng: np.random.Generator, k: int
    ) -> list[Architecture]:
        """The k best predicted, as ``candidates`` says; none where there is nothing to learn from or to spend."""
        p = self.params
        if not known.informative or (oracle.ended_by is not None and self.ranker is not None):
            return []
        started = time.perf_counter()
        ranker = self.learn(oracle.space, known, learn_rng)
        self.ranker = ranker
        learned = time.perf_counter()
        found, scored = propose(
            oracle,
            ranker.rank,
            rng,
            k,
            exclude=set() if p.candidates == "all" else set(oracle.space.keys(known.archs)),
            twins=p.candidates == "all",
            whole=p.whole,
            evolution=Evolution(population=p.population, generations=p.generations),
        )
        self.seconds["learn"] += learned - started
        self.seconds["propose"] += time.perf_counter() - learned
        self.notes["predicted"] += scored
        return found
