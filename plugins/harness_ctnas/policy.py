"""Policy gradient: the controller learns to draw what a reward prefers (poster, Alg. 1, and Eq. 2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from harness import Architecture, Oracle, StudyError
from harness_ctnas.controller import Controller
from harness_ctnas.params import SearchParams
from harness_ctnas.training import adam

Reward = Callable[[Sequence[Architecture]], npt.NDArray[np.float64]]
_ATTEMPTS, _REDRAWN = 20, 64


class PolicySearch:
    """pi(theta) in training, and every architecture that it drew.

    An architecture that breaks a constraint gets reward 0 and is never a candidate.
    """

    def __init__(self, oracle: Oracle, params: SearchParams, generator: torch.Generator) -> None:
        scripts = oracle.space.scripts
        name = params.script or ("ctnas" if "ctnas" in scripts else "default")
        if name not in scripts:
            raise StudyError(f"{oracle.space.name} has no script {name!r}; it has {', '.join(scripts)}")
        self._oracle, self._entropy_weight = oracle, params.entropy
        self._controller = Controller(scripts[name], generator)
        self._optimiser = adam(self._controller, params.controller_lr, params)
        self.drawn: dict[Architecture, None] = {}
        """Feasible architectures in the order they were first drawn."""
        self.entropy = 0.0
        """The entropy of the policy at its last update, in nats, mean over samples."""
        self.seconds = 0.0

    def sample(self, n: int) -> list[Architecture]:
        """n feasible architectures from pi; fewer, perhaps none, where pi hardly draws any."""
        started, found = time.perf_counter(), list[Architecture]()
        for attempt in range(_ATTEMPTS):
            archs = self._controller.sample(max(n, _REDRAWN) if attempt else n)
            found += [a for a, ok in zip(archs, self._feasible(archs), strict=True) if ok]
            if len(found) >= n:
                break
        self.drawn.update(dict.fromkeys(found[:n]))
        self.seconds += time.perf_counter() - started
        return found[:n]

    def update(self, n: int, reward: Reward) -> None:
        """One REINFORCE step: ascend mean_j r_j log pi(a_j) + weight * entropy, without a reward baseline."""
        started = time.perf_counter()
        archs, log_p, entropy = self._controller.roll_out(n)
        feasible = self._feasible(archs)
        r = torch.from_numpy((reward(archs) * feasible).astype(np.float32))
        loss = -(log_p * r).mean() - self._entropy_weight * entropy.mean()
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.entropy = float(entropy.detach().mean())
        self.drawn.update((a, None) for a, ok in zip(archs, feasible, strict=True) if ok)
        self.seconds += time.perf_counter() - started

    def _feasible(self, archs: Sequence[Architecture]) -> npt.NDArray[np.bool_]:
        return np.asarray(self._oracle.violation(archs) == 0.0)

    def best(self, rank: Reward, n: int, exclude: set[str]) -> list[Architecture]:
        """The n highest ranked of all drawn architectures, of distinct keys that are not in ``exclude``."""
        archs = list(self.drawn)
        found: dict[str, Architecture] = {}
        for i in np.argsort(-rank(archs), kind="stable") if archs else []:
            if len(found) == n:
                break
            key = self._oracle.space.key(archs[i])
            if key not in exclude:
                found.setdefault(key, archs[i])
        return list(found.values())

    def vertices(self, limit: int = 1000) -> dict[str, int]:
        """For the last ``limit`` distinct architectures: number of nodes of the pruned cell -> how many have it."""
        counts: dict[int, int] = {}
        for arch in list(self.drawn)[-limit:]:
            nodes = sum(cell.nodes for cell in self._oracle.space.graph(arch))
            counts[nodes] = counts.get(nodes, 0) + 1
        return {str(nodes): counts[nodes] for nodes in sorted(counts)}
