"""analog-nasbench: NAS-Bench-201's cells on CIFAR-10 under five training protocols, from the package's ``data.anb``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data import safe_pickle
from harness.errors import DataError
from harness_nasbench.formats.nasbench201_cells import CELLS, OPERATIONS

__all__ = ["EDGE_ORDER", "OPERATION_ORDER", "PROTOCOLS", "read"]

PROTOCOLS = ("baseline", "ptq", "qat", "noisy", "analog")

OPERATION_ORDER = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
"""What the file's operation indices 0 to 4 mean."""
EDGE_ORDER = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""The edge of each of the file's six positions.

The package documents neither order. Both are established by comparison with NAS-Bench-201: of all 120 x 720 pairs of an
operation order and an edge order, this one gives the highest Pearson correlation of `baseline` with NAS-Bench-201's
CIFAR-10 test accuracy after 200 epochs over all 15,625 cells, 0.99936. The next are 0.99398 (edges reversed), 0.99088
(the two convolutions swapped) and 0.98610 (both); all others are below 0.95.
"""

_OPERATIONS = np.array([OPERATIONS.index(name) for name in OPERATION_ORDER], dtype=np.int8)
_EDGES = [0, 1, 3, 2, 4, 5]
"""Position in the file of each of NAS-Bench-201's edges."""
_ALLOWED = {
    ("analognasbench.data", name): safe_pickle.Stub.named(name) for name in ("Architecture", "DriftMeasurement")
}


def read(path: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Of each protocol, accuracy in percent on CIFAR-10's test images: float64 [15625].

    Cells are in NAS-Bench-201's order of encodings. The file's values of drift over time are not read.

    It does not import the package. Raises `DataError` naming file, architecture and reason.
    """
    data = safe_pickle.load_path(path, allow=_ALLOWED)
    if not isinstance(data, dict) or len(data) != CELLS:
        raise DataError(f"{path}: not the {CELLS:,} architectures of analog-nasbench")
    raw = np.empty((CELLS, len(_EDGES)), dtype=np.int8)
    accuracy = np.empty((CELLS, len(PROTOCOLS)))
    for row, (key, entry) in enumerate(data.items()):
        place = f"{path}: architecture {str(key)[:60]}"
        if (
            type(key) is not tuple
            or len(key) != len(_EDGES)
            or any(type(op) is not int or not 0 <= op <= 4 for op in key)
        ):
            raise DataError(f"{place}: not six operation indices")
        fields = _fields(entry, "Architecture", place)
        if fields.get("architecture") != key:
            raise DataError(f"{place}: its entry is about architecture {str(fields.get('architecture'))[:60]}")
        raw[row] = key
        accuracy[row] = [_percent(fields, f"{protocol}_accuracy", place) for protocol in PROTOCOLS]
    order = np.lexsort(_OPERATIONS[raw][:, _EDGES].T[::-1])
    return {name: np.ascontiguousarray(accuracy[order, p]) for p, name in enumerate(PROTOCOLS)}


def _fields(entry: Any, kind: str, place: str) -> dict[str, Any]:
    if not isinstance(entry, safe_pickle.Stub) or entry.kind != kind or type(entry.state) is not dict:
        raise DataError(f"{place}: no {kind} record")
    return entry.state


def _percent(fields: dict[str, Any], name: str, place: str) -> float:
    value = fields.get(name)
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= 100:  # type: ignore[arg-type,operator]
        raise DataError(f"{place}: {name!r} is {str(value)[:40]}, not a percentage")
    return float(value)  # type: ignore[arg-type]
