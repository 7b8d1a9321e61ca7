"""CTNAS: contrastive neural architecture search, and the regression that its paper sets against it.

Source: Chen, Guo, Chen, Li, Zeng, Wang and Tan, "Contrastive Neural Architecture Search with Neural Architecture
Comparators" (CVPR 2021), Algorithms 1 and 2; values from the released code (github.com/chenyaofo/CTNAS).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import torch

from harness import Architecture, Mode, Strategy
from harness.search.labelled import Labelled, collect
from harness.search.oracle import best_first
from harness.search.proposal import verify
from harness_ctnas.comparator import Comparator, Pairs, joined
from harness_ctnas.curriculum import Baseline
from harness_ctnas.exploration import pseudo_labelled
from harness_ctnas.params import PUBLISHED, CTNASParams, RegressionNASParams, SearchParams
from harness_ctnas.policy import PolicySearch
from harness_ctnas.regression import Regressor, scaled
from harness_ctnas.training import Training

if TYPE_CHECKING:
    from harness import Oracle

Found = tuple[list[Architecture], Architecture | None]
P_co = TypeVar("P_co", bound=SearchParams, covariant=True)


class _LabelledSearch(Strategy[P_co]):
    """Label, learn, let the controller search, verify: what CTNAS and its rival share."""

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        p = self.params
        label_rng, self._rng = rng.spawn(2)
        started = time.perf_counter()
        known = collect(oracle, label_rng, labels=p.labels, reserve=p.verify, law=p.law)
        self.seconds["label"] = time.perf_counter() - started
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
        started = time.perf_counter()
        best = verify(oracle, found[: p.verify], p.top)
        self.seconds["verify"] = time.perf_counter() - started
        return best

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(int(self._rng.integers(2**62)))

    def _found(self, oracle: Oracle, policy: PolicySearch, known: Labelled) -> Found:
        """The search itself: the best ranked new architectures, to be verified, and the one reported without."""
        raise NotImplementedError


class CTNAS(_LabelledSearch[CTNASParams]):
    """Contrastive search: a controller rewarded by a learned comparator (Chen et al. 2021).

    The controller learns to draw what the comparator prefers to a baseline that rises with it. The paper reports the
    last baseline, chosen by the comparator alone (``verify = 0``). Here, by default, ten queries of the budget choose
    among the highest ranked of all that the controller drew.
    """

    name: ClassVar[str] = "ctnas"
    modes: ClassVar[dict[str, Mode]] = {
        "strict": Mode(),
        "paper": Mode(
            note="the poster's method with the released code's values; nothing is paid beyond the labels",
            params=PUBLISHED,
        ),
    }
    ablations: ClassVar[dict[str, dict[str, Any]]] = {
        "no pseudo-labels": {"pseudo_labels": "off"},
        "no curriculum": {"baseline": "fixed"},
        "random baseline": {"baseline": "random"},
        "as written": {"pruned": False},
        "four layers": {"layers": 4},
        "permutation pairs": {"pairs": "permutation"},
        "no verification": {"verify": 0},
    }

    def _found(self, oracle: Oracle, policy: PolicySearch, known: Labelled) -> Found:
        """Algorithm 1; without verification its last baseline is reported."""
        p, started = self.params, time.perf_counter()
        # C: the pairs of the M labelled architectures (line 2); NAC learns them.
        training = Training(p.lr, p.beta1, p.weight_decay, p.batch, p.pairs, p.pseudo_ratio)
        comparator = Comparator(oracle.space, p.layers, p.pruned, training, self._generator())
        labelled, scores = comparator.encode(known.archs), torch.from_numpy(known.scores)
        self.notes["loss"] = round(comparator.fit(labelled, scores, p.epochs), 4)
        self.seconds["train"] = time.perf_counter() - started
        self.ranker = comparator
        first = policy.sample(1)
        if not first:
            return [], None
        baseline = Baseline(comparator, p.baseline, first[0])  # beta ~ pi; B and D are empty
        pseudo: Pairs | None = None  # what D has brought to C
        done = explored = 0
        self.seconds["explore"] = 0.0
        while done < p.samples:
            if done >= explored * p.explore_every:
                # S ~ pi; D: the K pairs of S that NAC is surest of; C <- C u D; NAC is trained on C.
                size = p.explored if explored else p.explored_first
                s = policy.sample(size) if p.pseudo_labels != "off" else []
                began = time.perf_counter()
                if p.pseudo_labels != "off" and len(set(s)) > 1:
                    pseudo = joined(pseudo, pseudo_labelled(comparator, s, size // 2, p.pseudo_labels, self._rng))
                comparator.fit(labelled, scores, 1, pseudo)
                self.seconds["explore"] += time.perf_counter() - began
                explored += 1
            # a_1, ..., a_N ~ pi; the policy gradient with NAC(a_j, beta) as reward (line 10).
            n = min(p.per_update, p.samples - done)
            policy.update(n, comparator.against(baseline.beta))
            before, done = done, done + n
            if done // p.baseline_every > before // p.baseline_every:
                s = policy.sample(p.baseline_samples)
                if s:
                    baseline.update(s, self._rng)  # B <- B u {beta}; beta <- Algorithm 2 on B and S
        self.notes |= {
            "pseudo_pairs": 0 if pseudo is None else len(pseudo),
            "pseudo_ones": None if pseudo is None else round(float(pseudo.y.mean()), 4),
            "baseline_changes": baseline.changes,
        }
        others = policy.best(comparator.rank, max(p.top, p.verify), set(oracle.space.keys(known.archs)))
        return others, baseline.best or baseline.beta


class RegressionNAS(_LabelledSearch[RegressionNASParams]):
    """CTNAS's own rival: a controller rewarded by predicted absolute scores (Chen et al. 2021).

    The same network without pairs: one linear layer on one embedding, mean squared error. The paper names it and gives
    its results; its released code does not hold it. Everything it leaves open is as in CTNAS: optimiser, epochs,
    controller. Its reward is the predicted score, scaled to [0, 1] on the labels; it reports the best predicted of all
    that the controller drew.
    """

    name: ClassVar[str] = "regression-nas"
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
        p, started = self.params, time.perf_counter()
        training = Training(p.lr, p.beta1, p.weight_decay, p.batch)
        regressor = Regressor(oracle.space, p.layers, p.pruned, training, self._generator())
        targets = torch.from_numpy(scaled(known.scores, p.targets).astype(np.float32))
        regressor.fit(regressor.encode(known.archs), targets, p.epochs)
        self.seconds["train"] = time.perf_counter() - started
        self.ranker = regressor
        for done in range(0, p.samples, p.per_update):
            policy.update(min(p.per_update, p.samples - done), regressor.rank)
        others = policy.best(regressor.rank, max(p.top, p.verify), set(oracle.space.keys(known.archs)))
        return others, next(iter(policy.best(regressor.rank, 1, set())), None)
