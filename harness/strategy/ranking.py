"""Strategies that learn an order: label, learn, propose by what was learned, verify."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
from typing_extensions import TypeVar

from harness.search.labelled import Labelled, collect
from harness.search.oracle import best_first
from harness.search.proposal import Evolution, propose, verify
from harness.spaces import Architecture, SearchSpace
from harness.strategy import Params, Ranker, Strategy, said

if TYPE_CHECKING:
    from harness.search.oracle import Oracle


class LabelParams(Params):
    """What is labelled, what is verified, and what is returned."""

    labels: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        said("architectures to label; none: the budget less what is verified"),
    ] = None
    verify: Annotated[
        int,
        said(
            "queries that choose among the best predicted: at most half the budget, or all but `labels`; 0: none",
            ge=0,
        ),
    ] = 10
    law: Annotated[str | None, said("law that labels are drawn by where they are random; none: the task's")] = None
    top: Annotated[int, said("how many architectures are returned", ge=1)] = 10


class RankingParams(LabelParams):
    """Beside these, how labels are chosen and how the best predicted are found."""

    choose: Annotated[
        Literal["random", "params", "flops"], said("how labels are chosen: at random, or evenly spaced by a cost")
    ] = "random"
    candidates: Annotated[
        Literal["new", "all"],
        said("propose architectures of keys that are not known, one a key; or any, isomorphic ones too"),
    ] = "new"
    whole: Annotated[int, said("spaces of at most this many architectures are scored whole", ge=0)] = 20_000
    population: Annotated[int, said("individuals of the evolution on predictions, in larger spaces", ge=2)] = 64
    generations: Annotated[int, said("generations of that evolution", ge=0)] = 500

    @classmethod
    def smallest(cls) -> Any:
        return cls(verify=3, population=8, generations=3)


P_co = TypeVar("P_co", bound=RankingParams, covariant=True)


class RankingStrategy(Strategy[P_co]):
    """Subclasses define how an order is learned (`learn`). With ``verify = 0`` the best are returned unpaid."""

    @abstractmethod
    def learn(self, space: SearchSpace, known: Labelled, rng: np.random.Generator) -> Ranker:
        """An order learned from labelled architectures, of which at least two differ in score."""

    def evolution(self) -> Evolution:
        """How the best predicted are found in spaces that are not scored whole."""
        return Evolution(population=self.params.population, generations=self.params.generations)

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        p = self.params
        label_rng, self._learn_rng, self._propose_rng = rng.spawn(3)
        with self.timed("label"):
            known = collect(oracle, label_rng, labels=p.labels, reserve=p.verify, choose=p.choose, law=p.law)
        self.notes |= {"labels": len(known), "predicted": 0}
        if p.verify == 0:
            return self.proposed(oracle, known, p.top) or best_first(oracle, p.top)
        return self.verified(oracle, known)

    def verified(self, oracle: Oracle, known: Labelled) -> list[Architecture]:
        """The best of all that is paid for, once the best predicted are."""
        found = self.proposed(oracle, known, self.params.verify)
        with self.timed("verify"):
            return verify(oracle, found, self.params.top)

    def proposed(self, oracle: Oracle, known: Labelled, k: int) -> list[Architecture]:
        """The k best predicted, as ``candidates`` says; none where there is nothing to learn from."""
        p = self.params
        if not known.informative:
            return []
        with self.timed("learn"):
            self.ranker = ranker = self.learn(oracle.space, known, self._learn_rng)
        every = p.candidates == "all"
        exclude = set[str]() if every else set(oracle.space.keys(known.archs))
        with self.timed("propose"):
            found, scored = propose(
                oracle, ranker.rank, self._propose_rng, k,
                exclude=exclude, twins=every, whole=p.whole, evolution=self.evolution(),
            )  # fmt: skip
        self.notes["predicted"] += scored
        return found
