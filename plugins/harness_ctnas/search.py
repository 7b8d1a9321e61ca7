"""CTNAS: contrastive neural architecture search, and the regression with which its paper compares it.

Source: Chen, Guo, Chen, Li, Zeng, Wang and Tan, "Contrastive Neural Architecture Search with Neural Architecture
Comparators" (CVPR 2021), Algorithms 1 and 2; values from the released code (github.com/chenyaofo/CTNAS).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import torch

from harness import Architecture, Mode, Strategy
from harness.search.labelled import Labelled, collect
from harness.search.oracle import best_first
from harness.search.proposal import verify
from harness_ctnas.algorithm import Algorithm1
from harness_ctnas.comparator import Comparator
from harness_ctnas.curriculum import Baseline
from harness_ctnas.params import POSTER, PUBLISHED, CTNASParams, RegressionNASParams, SearchParams
from harness_ctnas.policy import PolicySearch
from harness_ctnas.regression import Regressor

if TYPE_CHECKING:
    from harness import Oracle

Found = tuple[list[Architecture], Architecture | None]
P_co = TypeVar("P_co", bound=SearchParams, covariant=True)


class _LabelledSearch(Strategy[P_co]):
    """Label, learn, let the controller search, verify: CTNAS and regression-nas share these steps."""

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        p = self.params
        label_rng, self._rng = rng.spawn(2)
        with self.timed("label"):
            known = collect(oracle, label_rng, labels=p.labels, reserve=p.verify, law=p.law)
        self.notes["labels"] = len(known)
        if not known.informative:
            return best_first(oracle, p.top)
        policy = PolicySearch(oracle, p, self._generator())
        found, last = self._found(oracle, policy, known)
        self.seconds["controller"] = policy.seconds
        self.notes |= {"drawn": len(policy.drawn), "entropy": round(policy.entropy, 4)}
        self.notes["vertices"] = policy.vertices()
        self.notes["recommended"] = None if last is None else oracle.space.describe(last)
        if p.verify == 0:
            if last is None:
                return best_first(oracle, p.top)
            return [last, *(a for a in found if a != last)][: p.top]
        with self.timed("verify"):
            return verify(oracle, found[: p.verify], p.top)

    def _iterations(self) -> Iterator[tuple[int, int]]:
        """For each policy update: the samples drawn for updates before it, and N."""
        p = self.params
        for done in range(0, p.samples, p.per_update):
            yield done, min(p.per_update, p.samples - done)

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(int(self._rng.integers(2**62)))

    def _found(self, oracle: Oracle, policy: PolicySearch, known: Labelled) -> Found:
        """The search itself: the best ranked new architectures, for verification, and the one to report without it."""
        raise NotImplementedError


class CTNAS(_LabelledSearch[CTNASParams]):
    """Contrastive search: a controller rewarded by a learned comparator (Chen et al. 2021).

    Without verification (``verify = 0``, as in the paper) the search returns the best of the baseline's history: of
    all baselines and the samples from which they were chosen, the one that the comparator prefers. The default is ours:
    ten queries of the budget choose among the highest ranked of all that the controller drew.

    Mode ``paper`` is the poster's method with the released code's values and intervals: data exploration at iterations
    0, 100, 200, ..., Algorithm 2 after iterations 0, 500, 1000, ... Mode ``poster`` is the poster as it is
    printed, with the released code's values or ours where it gives none. The defaults' batches of all pairs, larger
    policy updates, fewer epochs and higher learning rates are ours, and so is everything about spaces that the paper
    does not search.
    """

    name: ClassVar[str] = "ctnas"
    paper: ClassVar[str] = (
        "Chen et al., Contrastive Neural Architecture Search with Neural Architecture Comparators (CVPR 2021)"
    )
    modes: ClassVar[dict[str, Mode]] = {
        "strict": Mode(),
        "paper": Mode(
            note="the poster's method with the released code's values; nothing is paid beyond the labels",
            params=PUBLISHED,
        ),
        "poster": Mode(
            note="Algorithm 1 and Eq. 4 as the poster prints them; nothing is paid beyond the labels", params=POSTER
        ),
    }
    ablations: ClassVar[dict[str, dict[str, Any]]] = {
        "no pseudo-labels": {"pseudo_labels": "off"},
        "no curriculum": {"baseline": "fixed"},
        "random baseline": {"baseline": "random"},
        "as written": {"pruned": False},
        "four layers": {"layers": 4},
        "equation 4": {"network": "equation"},
        "one-hot choices": {"network": "mlp"},
        "permutation pairs": {"pairs": "permutation"},
        "no verification": {"verify": 0},
    }

    def _found(self, oracle: Oracle, policy: PolicySearch, known: Labelled) -> Found:
        """Algorithm 1; without verification the best of its baseline's history is returned."""
        p = self.params
        # C: the pairs of the M labelled architectures (line 2); NAC learns them.
        comparator = Comparator(oracle.space, p, self._generator())
        with self.timed("train"):
            labelled, scores = comparator.encode(known.archs), torch.from_numpy(known.scores)
            self.notes["loss"] = round(comparator.fit(labelled, scores, p.epochs), 4)
        self.ranker = comparator
        first = policy.sample(1)
        if not first:
            return [], None
        baseline = Baseline(comparator, p.baseline, first[0])  # beta ~ pi; B and D are empty
        run = Algorithm1(comparator, policy, baseline, labelled, scores, p.pseudo_labels, self._rng)
        (self._poster if p.cadence == "poster" else self._released)(run)
        self.notes |= {
            "pseudo_pairs": 0 if run.pseudo is None else len(run.pseudo),
            "pseudo_ones": None if run.pseudo is None else round(float(run.pseudo.y.mean()), 4),
            "baseline_changes": baseline.changes,
        }
        others = policy.best(comparator.rank, max(p.top, p.verify), set(oracle.space.keys(known.archs)))
        return others, baseline.best or baseline.beta

    def _poster(self, run: Algorithm1) -> None:
        """Algorithm 1's loop: one S an iteration, for data exploration and for Algorithm 2."""
        for _, n in self._iterations():
            with self.timed("explore"):
                run.train_comparator()
            run.train_policy(n)
            s = run.policy.sample(n)
            with self.timed("explore"):
                run.explore(s, self.params.kept)
            run.update_baseline(s)

    def _released(self, run: Algorithm1) -> None:
        """The same steps at the released code's intervals (train_controller); each S is drawn for one step alone."""
        p, size = self.params, self.params.explored_first
        for done, n in self._iterations():
            if _due(done, n, p.explore_every):
                s = run.policy.sample(size) if p.pseudo_labels != "off" else []
                with self.timed("explore"):
                    run.explore(s, size // 2)
                    run.train_comparator()
                size = p.explored
            run.train_policy(n)
            if _due(done, n, p.baseline_every):
                run.update_baseline(run.policy.sample(p.baseline_samples))


def _due(done: int, n: int, every: int) -> bool:
    """Whether the number of one of the n samples after the first ``done`` is 0 or a multiple of ``every``."""
    return -(-done // every) * every < done + n


class RegressionNAS(_LabelledSearch[RegressionNASParams]):
    """A controller rewarded by predicted absolute scores: the paper compares CTNAS with it (Chen et al. 2021).

    The same network without pairs: one linear layer on one embedding, mean squared error. The paper names it and gives
    its results; the released code does not contain it. What the paper leaves open is as in CTNAS: optimiser, epochs,
    controller. Its reward is the predicted score, scaled to [0, 1] on the labels. It reports the best predicted of all
    that the controller drew.
    """

    name: ClassVar[str] = "regression-nas"
    paper: ClassVar[str] = (
        "Chen et al., Contrastive Neural Architecture Search with Neural Architecture Comparators (CVPR 2021)"
    )
    modes: ClassVar[dict[str, Mode]] = {
        "strict": Mode(),
        "paper": Mode(
            note="the released code's values for CTNAS; nothing is paid beyond the labels",
            params={k: v for k, v in PUBLISHED.items() if k in RegressionNASParams.__struct_fields__},
        ),
    }
    ablations: ClassVar[dict[str, dict[str, Any]]] = {
        "rank labels": {"targets": "ranks"},
        "as written": {"pruned": False},
        "no verification": {"verify": 0},
    }

    def _found(self, oracle: Oracle, policy: PolicySearch, known: Labelled) -> Found:
        p = self.params
        regressor = Regressor(oracle.space, p, self._generator())
        with self.timed("train"):
            targets = torch.from_numpy(known.scaled(p.targets).astype(np.float32))
            regressor.fit(regressor.encode(known.archs), targets, p.epochs)
        self.ranker = regressor
        for _, n in self._iterations():
            policy.update(n, regressor.rank)
        others = policy.best(regressor.rank, max(p.top, p.verify), set(oracle.space.keys(known.archs)))
        return others, next(iter(policy.best(regressor.rank, 1, set())), None)
