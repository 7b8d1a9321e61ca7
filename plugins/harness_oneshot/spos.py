"""Guo et al., "Single Path One-Shot Neural Architecture Search with Uniform Sampling" (ECCV 2020)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from harness import Architecture, BudgetExhausted, Params, Strategy, Supernet, Training, said
from harness_oneshot.sharing import feasible_draw, limit_of, loss_of, most_accurate_first, training_of, uniform_path

if TYPE_CHECKING:
    from harness import Oracle

_TRIES, _DRAWS = 10, 100
"""Tries for each architecture that is wanted new and feasible: of crossover and of mutation, as in the released code;
of uniform draws, which there are without end."""


class SposParams(Params):
    share: Annotated[
        float, said("share of the budget that trains the supernet; evolution has the rest", gt=0.0, lt=1.0)
    ] = 0.5
    population: Annotated[int, said("architectures of a generation (paper: 50)", ge=2)] = 50
    generations: Annotated[int, said("generations at most (paper: 20); the budget may end them earlier", ge=1)] = 20
    parents: Annotated[int, said("best so far, of which children are made (paper: 10)", ge=1)] = 10
    mutation: Annotated[
        float, said("probability that a choice of a mutant is drawn anew (paper: .1)", gt=0.0, le=1.0)
    ] = 0.1
    statistics: Annotated[
        int, said("training batches that batch norm's statistics of a path are computed on (paper: of a subset)", ge=1)
    ] = 4
    judging: Annotated[int, said("images in a batch of validation", ge=1)] = 512
    top: Annotated[int, said("how many architectures are returned", ge=1)] = 10


class SinglePathOneShot(Strategy[SposParams]):
    """SPOS: a supernet trained on one uniform path a batch, then evolution on its accuracies (Guo et al. 2020).

    Training: Section 3.2, Eq. 7, one path drawn uniformly for each batch. Search: Section 3.4, Algorithm 1, half of a
    generation by crossover and half by mutation of the best so far, and uniform draws where these give too few, as in
    the released code. Each is judged by the supernet on all validation images after batch norm's statistics were
    recomputed for it on training images.

    Deviations: the weights' optimiser and batches are those of the task's own trainings, in place of 150,000 steps on
    batches of 1,024; the supernet's training ends with a share of the budget; generations end with the budget;
    statistics come from a few batches; there is no search over channels.
    """

    name: ClassVar[str] = "spos"
    paper: ClassVar[str] = "Guo et al., Single Path One-Shot Neural Architecture Search (ECCV 2020)"
    needs: ClassVar[frozenset[str]] = frozenset({"training"})

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        """The best by the supernet's validation accuracy; a random feasible one where none was judged."""
        weights, order, paths, evolution = rng.spawn(4)
        training = training_of(oracle)
        supernet = training.supernet(weights)
        self.accuracies: dict[Architecture, float] = {}
        try:
            train_uniformly(oracle, training, supernet, self.params.share * limit_of(oracle), order, paths)
            self.notes["train_epochs"] = oracle.paid.epochs
            self._evolve(oracle, training, supernet, order, evolution)
        except BudgetExhausted:
            pass
        best = most_accurate_first(self.accuracies)[: self.params.top]
        self.notes |= {"judged": len(self.accuracies), "supernet_accuracy": self.accuracies[best[0]] if best else None}
        return best or [feasible_draw(oracle, paths)]

    def _evolve(
        self,
        oracle: Oracle,
        training: Training,
        supernet: Supernet,
        order: np.random.Generator,
        rng: np.random.Generator,
    ) -> None:
        p = self.params
        for generation in range(p.generations):
            best = most_accurate_first(self.accuracies)[: p.parents]
            for arch in self._children(oracle, training, best if generation else [], rng):
                self.accuracies[arch] = training.accuracy(
                    supernet, arch, order, statistics=p.statistics, size=p.judging
                )

    def _children(
        self, oracle: Oracle, training: Training, parents: list[Architecture], rng: np.random.Generator
    ) -> list[Architecture]:
        """New feasible architectures: half crossover and half mutation of parents, the rest drawn uniformly."""
        p = self.params
        found: dict[Architecture, None] = {}

        def add(wanted: int, tries: int, draw: Callable[[], Architecture]) -> None:
            full = len(found) + wanted
            for _ in range(wanted * tries):
                if len(found) == full:
                    return
                child = draw()
                new = child not in self.accuracies and oracle.space.is_valid(child)
                if new and oracle.feasible(child) is not False:
                    found[child] = None

        def child_of_two() -> Architecture:
            mother, father = (parents[i] for i in rng.integers(len(parents), size=2).tolist())
            return crossed(mother, father, rng)

        def mutant() -> Architecture:
            return mutated(parents[int(rng.integers(len(parents)))], training.space.radices, p.mutation, rng)

        if parents:
            add(p.population // 2, _TRIES, child_of_two)
            add(p.population - p.population // 2, _TRIES, mutant)
        add(p.population - len(found), _DRAWS, lambda: uniform_path(training, rng))
        return list(found)


def crossed(a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
    """Each choice from one of the two, at even odds."""
    return tuple(x if rng.random() < 0.5 else y for x, y in zip(a, b, strict=True))


def mutated(arch: Architecture, radices: Sequence[int], rate: float, rng: np.random.Generator) -> Architecture:
    """Each choice drawn anew with probability ``rate``, which may draw the same option."""
    return tuple(
        int(rng.integers(radix)) if rng.random() < rate else option for option, radix in zip(arch, radices, strict=True)
    )


def train_uniformly(
    oracle: Oracle,
    training: Training,
    supernet: Supernet,
    until: float,
    order: np.random.Generator,
    paths: np.random.Generator,
) -> None:
    """Train on one path a batch, drawn uniformly, until ``until`` epochs are paid. Raises BudgetExhausted."""
    descent = training.descent(supernet)
    supernet.train()
    for batch in training.endless("training", order):
        done = oracle.paid.epochs / until
        if done >= 1.0:
            return
        descent.step(loss_of(training, supernet, batch, uniform_path(training, paths)), done)
