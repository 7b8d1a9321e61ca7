"""xgboost's old binary model format (before 1.3's JSON), as a pickled Booster of 1.0 to 1.2 holds it.

Layout, little-endian: optional ``CONFIG-offset:`` and int64 (where a configuration begins that prediction does not
need); optional ``binf``; the learner's parameters, 136 bytes (float base score, uint32 features, int32 classes, ...);
objective and booster names, each uint64 length and text; the model's parameters, 160 bytes (int32 trees first); then
for each tree 148 bytes of parameters (int32 roots, nodes, deleted, depth, features, leaf vector), its nodes of 20 bytes
(int32 parent, left, right, uint32 feature with the default direction in bit 31, float threshold or leaf value), and 16
bytes of statistics each.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from harness_nasbench.formats.trees import Forest, Tree

__all__ = ["OBJECTIVES", "parse"]

OBJECTIVES = ("reg:squarederror", "reg:linear")
"""Objectives whose prediction is the sum of the trees."""

_PREFIX, _MAGIC = b"CONFIG-offset:", b"binf"
_LEARNER = struct.Struct("<fIiii116x")
_MODEL = struct.Struct("<4iq2i128x")
_TREE = struct.Struct("<6i124x")
_NODE = np.dtype([("parent", "<i4"), ("left", "<i4"), ("right", "<i4"), ("feature", "<u4"), ("value", "<f4")])
_STATISTICS = 16
_LENGTH = struct.Struct("<Q")


def parse(data: bytes) -> Forest:
    """The trees of a model. Raises ValueError with the byte offset on damage or an unknown kind of model."""
    position = 0
    if data.startswith(_PREFIX):
        position = len(_PREFIX) + 8
    if data[position : position + 4] == _MAGIC:
        position += 4
    elif data[position : position + 1] in (b"{", b"L", b"N"):
        raise ValueError(f"byte {position}: a JSON or UBJSON model of a later xgboost, not the old binary format")
    (base, features, classes, _, _), position = _unpack(_LEARNER, data, position)
    if not math.isfinite(base) or not 0 < features <= 1 << 20 or classes not in (0, 1):
        raise ValueError(f"byte {position - _LEARNER.size}: base score {base}, {features} features, {classes} classes")
    objective, position = _text(data, position)
    booster, position = _text(data, position)
    if objective not in OBJECTIVES or booster != "gbtree":
        raise ValueError(f"a {booster!r} model for {objective!r}, where one of trees for {OBJECTIVES[0]!r} is expected")
    (count, _, _, _, _, groups, leaf_vector), position = _unpack(_MODEL, data, position)
    if not 0 <= count <= len(data) // (_TREE.size + _NODE.itemsize) or groups not in (0, 1) or leaf_vector:
        raise ValueError(f"byte {position - _MODEL.size}: {count} trees of {groups} outputs")
    trees = []
    for number in range(count):
        try:
            tree, position = _tree(data, position)
        except ValueError as error:
            raise ValueError(f"tree {number}: {error}") from error
        trees.append(tree)
    try:
        return Forest.of_trees(trees, features=features, base=base, inclusive=False, dtype="float32")
    except ValueError as error:
        raise ValueError(f"{len(trees)} trees: {error}") from error


def _tree(data: bytes, position: int) -> tuple[Tree, int]:
    start = position
    (_, nodes, _, _, _, leaf_vector), position = _unpack(_TREE, data, position)
    end = position + nodes * (_NODE.itemsize + _STATISTICS)
    if nodes < 1 or leaf_vector or end > len(data):
        raise ValueError(f"byte {start}: {nodes} nodes where {len(data) - position} bytes are left")
    node = np.frombuffer(data, dtype=_NODE, count=nodes, offset=position)
    feature = (node["feature"] & 0x7FFFFFFF).astype(np.int64)
    left, right = node["left"].astype(np.int64), node["right"].astype(np.int64)
    return Tree(left, right, feature, node["value"], node["value"]), end


def _unpack(layout: struct.Struct, data: bytes, position: int) -> tuple[tuple[Any, ...], int]:
    if position + layout.size > len(data):
        raise ValueError(f"byte {position}: the model ends early")
    return layout.unpack_from(data, position), position + layout.size


def _text(data: bytes, position: int) -> tuple[str, int]:
    (length,), start = _unpack(_LENGTH, data, position)
    if length > 100 or start + length > len(data):
        raise ValueError(f"byte {position}: a name of {length} characters")
    return data[start : start + length].decode("ascii", "replace"), start + length
