"""regression-nas: the comparator's network, trained to predict absolute scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from harness import Architecture, SearchSpace
from harness_ctnas.encoder import Embedding, Inputs
from harness_ctnas.params import RegressionNASParams
from harness_ctnas.training import adam, batches

Floats = npt.NDArray[np.float64]


class Regressor:
    """R(a) = Z_a w + c, fitted by mean squared error."""

    def __init__(self, space: SearchSpace, params: RegressionNASParams, generator: torch.Generator) -> None:
        self._space, self._batch, self._generator = space, params.batch, generator
        self._embedding = Embedding.of(params)
        self.network = self._embedding.network(space, generator)
        bound = self.network.size**-0.5
        self.w = nn.Parameter(torch.empty(self.network.size).uniform_(-bound, bound, generator=generator))
        self.c = nn.Parameter(torch.empty(1).uniform_(-bound, bound, generator=generator))
        network = nn.ParameterList([*self.network.parameters(), self.w, self.c])
        self._optimiser = adam(network, params.lr, params)

    def rank(self, archs: Sequence[Architecture]) -> Floats:
        """The predicted score of each, float64 [n], scaled as the labels were."""
        with torch.inference_mode():
            parts = [self._predict(self.encode(archs[at : at + 512])) for at in range(0, len(archs), 512)]
            return torch.cat(parts).double().numpy() if parts else np.zeros(0)

    def encode(self, archs: Sequence[Architecture]) -> Inputs:
        return self._embedding.encode(self._space, archs)

    def _predict(self, given: Inputs) -> Tensor:
        found: Tensor = self.network(given) @ self.w + self.c
        return found

    def fit(self, labelled: Inputs, targets: Tensor, epochs: int) -> None:
        """targets: float32 [n]."""
        for _ in range(epochs):
            for rows in batches(len(targets), self._batch, self._generator):
                loss = mse_loss(self._predict(labelled.take(rows)), targets[rows])
                self._optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                self._optimiser.step()
