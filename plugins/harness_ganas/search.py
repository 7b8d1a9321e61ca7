"""GA-NAS's Algorithm 2: importance sampling of ever better cells by a generative adversarial network.

Source: "Generative Adversarial Neural Architecture Search" (Rezaei et al., IJCAI 2021; arXiv 2105.09356). Symbols are
the paper's. The paper's main text leaves sizes and constants open; `harness_ganas.params` says who chose each one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from harness import STRICT, Architecture, BudgetExhausted, InvalidArchitecture, Mode, SearchSpace, Strategy, StudyError
from harness_ganas.discriminator import Discriminator, Floats
from harness_ganas.episodes import Episodes, roll_out
from harness_ganas.generator import Generator, Sampler
from harness_ganas.params import GANASParams
from harness_ganas.ppo import PPO, rewards_of
from harness_ganas.truth import Pool

if TYPE_CHECKING:
    from harness import Oracle

Reward = Callable[[Sequence[Architecture]], Floats]
_DRAWS_PER_START = 100
"""How many random cells are tried for each cell of X_0 where constraints refuse most, or none has a score."""
_BLOCKS = 8
"""Batches that an unmasked generator may take to give the number of valid cells that is needed."""

_TURN, _LEAST, _MOST = 1.25, 0.1, 2.0
"""How fast and in which range `novelty` changes the entropy multiplier; at the lower end it is off."""


class GANAS(Strategy[GANASParams]):
    """A generator learns by PPO to make cells that a discriminator takes for the best ones (Rezaei et al. 2021).

    The search then samples cells from the generator that the discriminator cannot tell from the best cells so far.
    """

    name: ClassVar[str] = "ga-nas"
    paper: ClassVar[str] = "Rezaei et al., Generative Adversarial Neural Architecture Search (IJCAI 2021)"
    modes: ClassVar[dict[str, Mode]] = {
        "strict": STRICT,
        "paper": Mode(
            oracle="test",
            note="searches on test accuracy, as the paper does on NAS-Bench-201: the test is optimised; sets as in the "
            "paper's first setup, validity learnt, nothing added; sizes and PPO's constants, which the paper leaves "
            "open, are this project's",
            params={"schedule": "setup1", "mask_invalid": False, "novelty": 0.0},
        ),
    }
    ablations: ClassVar[dict[str, dict[str, object]]] = {
        "pointwise-discriminator": {"discriminator": "pointwise"},
        "no-discriminator": {"discriminator": "none"},
        "no-entropy": {"entropy": 0.0},
        "no-novelty": {"novelty": 0.0},
        "no-exploration": {"entropy": 0.0, "novelty": 0.0},
    }

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        with torch.random.fork_rng(devices=[]):  # initial weights and dropout
            torch.manual_seed(int(rng.integers(0, 2**63)))
            run = _Run(self, oracle, rng)
            try:
                return run.search()
            finally:
                run.write_notes()


class _Run:
    """One search: the networks, and the pool."""

    def __init__(self, strategy: GANAS, oracle: Oracle, rng: np.random.Generator) -> None:
        p = self.p = strategy.params
        space = self.space = oracle.space
        if p.script not in space.scripts:
            raise StudyError(f"{space.name} has no script {p.script!r}; it has {', '.join(space.scripts)}")
        self.strategy, self.oracle, self.rng = strategy, oracle, rng
        self.script, self.pool, self.t = space.scripts[p.script], Pool(oracle), 0
        self.generator = Generator(self.script, *_sizes(space), hidden=p.hidden, layers=p.layers)
        self.ppo = PPO(self.generator, p)
        self.discriminator = None if p.discriminator == "none" else Discriminator(space, p)
        self.entropy = 0.0
        self.novelty = _LEAST

    # -- Algorithm 2 -------------------------------------------------------------------------------------------------

    def search(self) -> list[Architecture]:
        sets = self.p.sets
        self._initial(sets.initial)  # X_0
        for t in range(1, sets.iterations + 1):
            if self.oracle.ended_by is not None:  # otherwise it would train until an unseen cell is queried
                raise BudgetExhausted(self.oracle.ended_by)
            if not len(self.pool):
                break
            self.t = t
            truth = self.pool.truth(sets.truth, self.p.share)  # T: the best K of X_0, ..., X_{t-1}; hard constraints
            if self.discriminator is not None:
                with self.strategy.timed("discriminator"):
                    generated = self._sample(len(truth))  # F ~ G(theta_{t-1})
                    self.discriminator.train(truth, generated, self.rng)
                    self.strategy.ranker = self.discriminator
            with self.strategy.timed("generator"):
                self._train_generator(self._reward())
                x_t = self._sample(sets.size(t))  # X_t ~ G(theta_t)
            self._explore(x_t)
            with self.strategy.timed("queries"):
                self.pool.add(x_t)
        return self.pool.best()

    def _initial(self, n: int) -> None:
        """X_0: the given cells, or n random ones that the constraints allow; more where none of these has a score.

        The pool stays empty where none of 100 n more has one, or the search ended: there is nothing to learn from.
        """
        with self.strategy.timed("queries"):
            if self.p.start:
                self.pool.add(self._parsed(self.p.start))
            else:
                missing, looked = n, 0
                while missing > 0 and looked < _DRAWS_PER_START * n:
                    drawn = self.space.sample(self.rng, missing)
                    looked += len(drawn)
                    self.pool.add(drawn)
                    missing = n - self.pool.asked
            for _ in range(_DRAWS_PER_START):
                if len(self.pool):
                    break
                self.pool.add(self.space.sample(self.rng, n))

    def _parsed(self, texts: Sequence[str]) -> list[Architecture]:
        try:
            return [self.space.parse(text) for text in texts]
        except InvalidArchitecture as error:
            raise StudyError(f"ga-nas: start: {error}") from error

    def _train_generator(self, reward: Reward) -> None:
        """PPO on rewards that cost no query."""
        p = self.p
        for _ in range(p.updates):
            episodes = self._roll_out(p.episodes)
            final = -np.minimum(1.0, p.violation_penalty * episodes.violations.astype(np.float64))
            final[episodes.violations == 0] = reward(episodes.valid) - p.final_offset
            rewards = rewards_of(episodes, final, step=p.step_reward)
            self.entropy = self.ppo.update(episodes, rewards, self.rng)

    def _explore(self, x_t: list[Architecture]) -> None:
        """Change the entropy multiplier, so that a generator that only repeats the truth set varies its cells again."""
        p = self.p
        if p.novelty > 0:
            unseen = len({a for a in x_t if a not in self.pool}) / len(x_t)
            turned = self.novelty * (_TURN if unseen < p.novelty else 1 / _TURN)
            self.novelty = min(max(turned, _LEAST), _MOST)
            self.ppo.entropy = max(p.entropy, self.novelty if self.novelty > _LEAST else 0.0)

    # -- sampling and rewards ----------------------------------------------------------------------------------------

    def _roll_out(self, n: int) -> Episodes:
        return roll_out(self.script, Sampler(self.generator), n, self.rng, masked=self.p.mask_invalid)

    def _sample(self, n: int) -> list[Architecture]:
        """n valid cells from the generator; random ones where it gives too few in eight attempts."""
        found: list[Architecture] = []
        for _ in range(_BLOCKS):
            found += self._roll_out(n).valid[: n - len(found)]
            if len(found) == n:
                return found
        return found + self.space.sample(self.rng, n - len(found))

    def _reward(self) -> Reward:
        """D; without a discriminator, the place among all feasible paid scores, in [0, 1]; 0 where infeasible."""
        return self._quantile if self.discriminator is None else self.discriminator.score

    def _quantile(self, archs: Sequence[Architecture]) -> Floats:
        self.pool.add(archs)
        paid = np.sort(self.pool.scores())
        scores = np.array([self.pool.score(a) for a in archs], dtype=np.float64)
        place = np.searchsorted(paid, scores, side="right") / max(len(paid), 1)
        return np.where(np.isnan(scores), 0.0, place)

    # -- what the record keeps ---------------------------------------------------------------------------------------

    def write_notes(self) -> None:
        incumbents = self.oracle.incumbents
        self.strategy.notes |= {
            "iterations": self.t,
            "queries_total": self.oracle.paid[0],
            "queries_to_best": incumbents[-1].place + 1 if incumbents else None,
            "generated": self.pool.generated,
            "repeats": self.pool.repeats,
            "twins": self.pool.twins,
            "refused": self.pool.refused,
            "entropy": round(self.entropy, 4),
            "entropy_multiplier": round(self.ppo.entropy, 4),
        }


def _sizes(space: SearchSpace) -> tuple[int, int, int]:
    """Operations that a partial cell may show, distinct cells, and options of the largest decision."""
    widest = max(max(space.radices), space.max_nodes, len(space.operations))
    return max(len(space.operations), max(space.radices)), space.cells, widest
