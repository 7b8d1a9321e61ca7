"""YAHPO Gym's surrogate of NAS-Bench-301, opened from its table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness import Architecture, Fidelity
from harness.data.tables import Table
from harness.protocol import Floats
from harness_nasbench.formats import yahpo
from harness_nasbench.spaces.darts import DartsSpace

YAHPO_EPOCHS = (12, 25, 50, yahpo.MAX_EPOCH)
"""The fidelities, of the 1 to 98 epochs that the model knows: each has about half the epochs of the next."""


class Yahpo:
    """YAHPO Gym's network: accuracy and seconds after any epoch of one training, so that epochs are resumable."""

    timed = True
    fidelities = tuple(Fidelity(f"{epochs} epochs", epochs, resumable=True) for epochs in YAHPO_EPOCHS)

    def __init__(self, table: Table) -> None:
        """Raises DataError where the table does not hold the model; ImportError without onnx and onnxruntime."""
        self._space = DartsSpace()
        self._model = yahpo.Surrogate(table.folder / Path(table.meta.source).name, table["onnx"].tobytes())

    def predict(self, archs: Sequence[Architecture], level: int) -> tuple[Floats, Floats | None]:
        inputs = yahpo.encode(self._space.as_cells(archs))
        valid, seconds = self._model.predict(inputs, YAHPO_EPOCHS[level])
        return valid.astype(np.float64), seconds.astype(np.float64)

    def expected(self, archs: Sequence[Architecture]) -> Floats:
        return self.predict(archs, len(YAHPO_EPOCHS) - 1)[0]
