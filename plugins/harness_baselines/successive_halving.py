"""Successive halving (Jamieson and Talwalkar, AISTATS 2016) and Hyperband (Li et al., JMLR 2018, Algorithm 1)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeVar

import msgspec
import numpy as np

from harness import Architecture, Fidelity, Params, Strategy
from harness_baselines.draws import draws

if TYPE_CHECKING:
    from harness import Oracle


class HyperbandParams(Params):
    eta: Annotated[
        int,
        msgspec.Meta(ge=2, description="one in eta goes on; the epochs of fidelities differ at least by this factor"),
    ] = 3


class SuccessiveHalvingParams(HyperbandParams):
    initial: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        msgspec.Meta(description="architectures that start a bracket; none: as many as leave one at the full fidelity"),
    ] = None


def rungs(fidelities: Sequence[Fidelity], eta: int) -> tuple[Fidelity, ...]:
    """The fidelities to climb, cheap to full: each has at most 1/eta of the epochs of the next.

    A fidelity without epochs is always one of them.
    """
    chosen = [fidelities[-1]]
    for lower in reversed(fidelities[:-1]):
        here, above = lower.epochs, chosen[-1].epochs
        if here is None or above is None or here * eta <= above:
            chosen.append(lower)
    return tuple(reversed(chosen))


def answers(oracle: Oracle, archs: Iterable[Architecture], rung: Fidelity) -> Iterator[tuple[float, Architecture]]:
    """The score of each, without those that are refused unpaid."""
    ledger = oracle.ledger
    for arch in archs:
        refused = ledger.infeasible + ledger.missing
        score = oracle.query(arch, fidelity=rung)
        if ledger.infeasible + ledger.missing == refused:
            yield score, arch


H_co = TypeVar("H_co", bound=HyperbandParams, covariant=True)


class Halving(Strategy[H_co]):
    """Brackets, until the budget is spent: n random architectures at the bracket's first rung; the best n // eta go on.

    Where the task has one fidelity, this is random search, and ``notes`` says so. Architectures that are refused
    unpaid, by a constraint or a gap in the table, are none of the n; failed trainings do not go on. A budget of queries
    charges a cheap query like a full one: give epochs or seconds, where the task has them.
    """

    @abstractmethod
    def brackets(self, top: int) -> Iterator[tuple[int, int]]:
        """Brackets without end: how many architectures start, at which rung; ``top`` is the index of the full one."""

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        eta = self.params.eta
        ladder = rungs(oracle.fidelities, eta)
        self.notes["rungs"] = [f.name for f in ladder]
        if len(ladder) == 1:
            self.notes["degenerate"] = "one fidelity to climb: this is random search"
        archs = draws(oracle.space, rng)
        for n, first in self.brackets(len(ladder) - 1):
            alive: Iterable[Architecture] = archs
            for rung in ladder[first:]:
                answered = list(islice(answers(oracle, alive, rung), n))
                scored = [(score, arch) for score, arch in answered if score == score]
                scored.sort(key=itemgetter(0), reverse=True)
                alive = [arch for _, arch in scored[: max(len(answered) // eta, 1)]]
        raise AssertionError("brackets never end")


class Hyperband(Halving[HyperbandParams]):
    """Successive halving over brackets that start at different fidelities (Li et al. 2018).

    Bracket s (top, ..., 0, and again) starts ceil((top + 1) / (s + 1) * eta**s) architectures at rung top - s.
    """

    name: ClassVar[str] = "hyperband"
    paper: ClassVar[str] = "Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar, Hyperband (JMLR 2018)"

    def brackets(self, top: int) -> Iterator[tuple[int, int]]:
        eta = self.params.eta
        while True:
            for s in range(top, -1, -1):
                yield math.ceil((top + 1) / (s + 1) * eta**s), top - s


class SuccessiveHalving(Halving[SuccessiveHalvingParams]):
    """The best 1/eta of a bracket go on to the next fidelity (Jamieson and Talwalkar 2016).

    One bracket, the one that starts at the cheapest rung, over and over.
    """

    name: ClassVar[str] = "successive-halving"
    paper: ClassVar[str] = (
        "Jamieson and Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization (AISTATS 2016)"
    )

    def brackets(self, top: int) -> Iterator[tuple[int, int]]:
        return repeat((self.params.initial or self.params.eta**top, 0))
