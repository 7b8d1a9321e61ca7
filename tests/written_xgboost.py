"""Writes xgboost's old binary model format, as a pickled Booster of 1.2 holds it."""

from __future__ import annotations

import struct

import numpy as np

from harness_nasbench.formats.trees import Tree
from harness_nasbench.formats.xgboost_binary import (
    _LEARNER,
    _LENGTH,
    _MAGIC,
    _MODEL,
    _NODE,
    _PREFIX,
    _STATISTICS,
    _TREE,
    OBJECTIVES,
)


def write_booster(trees: list[Tree], *, features: int, base: float = 0.5) -> bytes:
    """A model without configuration and statistics."""
    out = _MAGIC + _LEARNER.pack(base, features, 0, 0, 0)
    for name in (OBJECTIVES[0], "gbtree"):
        out += _LENGTH.pack(len(name)) + name.encode("ascii")
    out += _MODEL.pack(len(trees), 1, features, 0, 0, 1, 0)
    for tree in trees:
        node = np.zeros(len(tree.left), dtype=_NODE)
        node["left"], node["right"], node["feature"] = tree.left, tree.right, tree.feature
        node["value"] = np.where(tree.left < 0, tree.value, tree.threshold)
        out += _TREE.pack(1, len(node), 0, 0, features, 0) + node.tobytes() + bytes(_STATISTICS * len(node))
    out += bytes(4 * len(trees))
    return _PREFIX + struct.pack("<q", len(out) + len(_PREFIX) + 8) + out
