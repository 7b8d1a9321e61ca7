"""Makes the table ``scores.csv``: every network trained twice. ``python -m harness_example.measure > scores.csv``.

Signals are sums of three sines, with noise. A network is a stack of learned filters with tanh between them, trained by
gradient descent on the squared error; its score is the share of the noise-free signal's variance that it
explains, in percent, on signals that it was not trained on: one set for validation, another for the test.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from harness_example.space import TAPS, StackSpace

Floats = npt.NDArray[np.float64]

EPOCHS = (5, 20, 80)
REPEATS = (0, 1)
NEVER_RUN = {("filter5 filter5 filter5 filter5", 1)}
"""Left out, so that the example has what real tables have: a repeat that does not exist."""
_RATE = 0.3


def signals(seed: int, n: int, length: int = 64) -> tuple[Floats, Floats]:
    """n noisy signals and the same without noise, each float64 [n, length]."""
    rng = np.random.default_rng(seed)
    t = np.arange(length) / length
    clean = np.zeros((n, length))
    for _ in range(3):
        frequency, phase = rng.uniform(1, 10, (n, 1)), rng.uniform(0, 2 * np.pi, (n, 1))
        clean += np.sin(2 * np.pi * (frequency * t + phase)) / 3
    return clean + rng.normal(0, 0.4, clean.shape), clean


def _windows(x: Floats, taps: int) -> Floats:
    """Every position's neighbourhood, zeros beyond the ends: float64 [n, length, taps]."""
    half = taps // 2
    return np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (half, half))), taps, axis=1)


class Network:
    """A stack of filters: ``h = tanh(filter(h) + bias)``, the last one without tanh. ``[]`` returns its input."""

    def __init__(self, layers: list[str], rng: np.random.Generator) -> None:
        self.weights = [rng.normal(1 / TAPS[name], 0.1, TAPS[name]) for name in layers]
        self.biases = [0.0] * len(layers)

    def forward(self, x: Floats) -> list[Floats]:
        """The input and what each layer gives."""
        values = [x]
        for i, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = _windows(values[-1], len(w)) @ w + b
            values.append(z if i == len(self.weights) - 1 else np.tanh(z))
        return values

    def step(self, x: Floats, y: Floats) -> None:
        """One step of gradient descent on the mean squared error."""
        values = self.forward(x)
        slope = 2 * (values[-1] - y) / y.size
        for i in reversed(range(len(self.weights))):
            if i < len(self.weights) - 1:
                slope = slope * (1 - values[i + 1] ** 2)
            w = self.weights[i]
            gradient = np.einsum("nl,nlk->k", slope, _windows(values[i], len(w)))
            below = _windows(slope, len(w)) @ w[::-1]
            self.weights[i] = w - _RATE * gradient
            self.biases[i] -= _RATE * float(slope.sum())
            slope = below


def explained(network: Network, x: Floats, y: Floats) -> float:
    """Share of the variance of y, in percent; below 0 where the mean would do better."""
    return float(100 * (1 - ((network.forward(x)[-1] - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()))


def trainings(layers: list[str], repeat: int) -> Iterator[tuple[int, float, float, float]]:
    """Epochs, validation score, test score and seconds so far, at each fidelity of one training."""
    train, valid, test = signals(1, 40), signals(2, 40), signals(3, 40)
    network = Network(layers, np.random.default_rng([repeat, len(layers)]))
    started, done = time.perf_counter(), 0
    seconds = 0.0
    for epochs in EPOCHS:
        for _ in range(epochs - done):
            network.step(*train)
        seconds, done = time.perf_counter() - started, epochs
        yield epochs, explained(network, *valid), explained(network, *test), seconds


def main() -> None:
    space = StackSpace()
    print("key,epochs,repeat,valid,test,seconds")
    for key in sorted({space.key(a) for a in space.enumerate()}):
        for repeat in REPEATS:
            if (key, repeat) in NEVER_RUN:
                continue
            layers = [] if key == "empty" else key.split()
            for epochs, valid, test, seconds in trainings(layers, repeat):
                sys.stdout.write(f"{key},{epochs},{repeat},{valid:.4f},{test:.4f},{seconds:.6f}\n")


if __name__ == "__main__":
    main()
