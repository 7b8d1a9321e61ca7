"""A policy of independent categorical distributions, one per choice of a space, and the optimisers of its logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness import Architecture, SearchSpace

Floats = npt.NDArray[np.float64]

_BLOCK = 64
_BLOCKS = 16


class Policy:
    """p(arch) = product over choices of softmax(logits)[choice, option].

    logits: float64 [choices, most options], -inf beyond a choice's own options. It starts almost uniform: logits are
    ``scale`` times a standard normal draw.
    """

    def __init__(self, space: SearchSpace, rng: np.random.Generator, scale: float) -> None:
        radices = np.array([len(c.options) for c in space.choices])
        self._space, self._last = space, radices - 1
        self._each = np.arange(len(radices))
        self.logits: Floats = scale * rng.standard_normal((len(radices), int(radices.max())))
        self.logits[np.arange(self.logits.shape[1]) >= radices[:, None]] = -np.inf

    def probabilities(self) -> Floats:
        """float64 [choices, most options], each row summing to 1."""
        p = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    def draw(self, rng: np.random.Generator) -> tuple[Architecture, bool]:
        """A valid architecture, and whether the policy drew it.

        Invalid encodings are drawn again, up to 1,024 times; then the space itself draws one.
        """
        cumulative = self.probabilities().cumsum(axis=1)
        if self._space.all_valid:
            return self._drawn(cumulative, rng.random((1, len(self._last))))[0], True
        for _ in range(_BLOCKS):
            for arch in self._drawn(cumulative, rng.random((_BLOCK, len(self._last)))):
                if self._space.is_valid(arch):
                    return arch, True
        return self._space.sample(rng, 1)[0], False

    def _drawn(self, cumulative: Floats, u: Floats) -> list[Architecture]:
        options = (u[:, :, None] >= cumulative).sum(axis=2)
        options = np.minimum(options, self._last)  # through rounding, the cumulative sum may end below 1
        return [tuple(row) for row in options.tolist()]

    def score_function(self, arch: Architecture) -> Floats:
        """The gradient of log p(arch) with respect to the logits, float64 [choices, most options]."""
        gradient = -self.probabilities()
        gradient[self._each, list(arch)] += 1.0
        return gradient

    def rank(self, archs: Sequence[Architecture]) -> Floats:
        """log p of each, float64 [n]: the learned order."""
        with np.errstate(divide="ignore"):
            log_p = np.log(self.probabilities())
        taken = self._space.as_array(archs)
        return np.asarray(log_p[self._each, taken].sum(axis=1))


@dataclass
class SGD:
    """logits += lr * gradient (ascent)."""

    lr: float

    def step(self, logits: Floats, gradient: Floats) -> None:
        logits += self.lr * gradient


@dataclass
class Adam:
    """Adam (Kingma and Ba 2015, Algorithm 1), ascending."""

    lr: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    t: int = 0
    m: Floats = field(default_factory=lambda: np.zeros(()))
    v: Floats = field(default_factory=lambda: np.zeros(()))

    def step(self, logits: Floats, gradient: Floats) -> None:
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * gradient
        self.v = self.beta2 * self.v + (1 - self.beta2) * gradient**2
        m_hat = self.m / (1 - self.beta1**self.t)
        v_hat = self.v / (1 - self.beta2**self.t)
        logits += self.lr * m_hat / (np.sqrt(v_hat) + self.epsilon)


@dataclass
class MovingAverage:
    """Exponential moving average, corrected for its start at zero."""

    momentum: float
    total: float = 0.0
    weight: float = 0.0

    def update(self, x: float) -> float:
        self.total = self.momentum * self.total + (1 - self.momentum) * x
        self.weight = self.momentum * self.weight + (1 - self.momentum)
        return self.total / self.weight
