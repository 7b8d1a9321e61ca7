"""Boosted regression trees as flat arrays, evaluated for many rows at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["COLUMNS", "Forest", "Tree"]

_KINDS = {
    "left": "i4", "right": "i4", "feature": "i4", "threshold": "f8", "value": "f8", "root": "?",
}  # fmt: skip
COLUMNS = tuple(_KINDS)
_CELLS_AT_ONCE = 1 << 18
"""Rows times trees evaluated together, so that the work arrays stay in the cache."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree. `left`, `right`: int [n], -1 at leaves; `feature` int [n]; `threshold`, `value` float [n].

    Node 0 is the root.
    """

    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    threshold: npt.NDArray[Any]
    value: npt.NDArray[Any]


class Forest:
    """A sum of trees in their order, added one by one in the precision of `dtype`, on top of `base`.

    A row goes left where its feature is below the threshold, or at it if `inclusive`.
    """

    def __init__(
        self,
        nodes: Mapping[str, npt.NDArray[Any]],
        *,
        features: int,
        base: float,
        inclusive: bool,
        dtype: str,
        depth: int,
    ) -> None:
        """nodes: `COLUMNS` [n], a row a node, tree after tree: left, right (leaves name themselves), feature,
        threshold, value, and whether a tree begins. dtype: "float32" or "float64". depth: the most levels of a tree.

        Raises ValueError on a child or feature that does not exist.
        """
        if dtype not in ("float32", "float64"):
            raise ValueError(f"trees added in {dtype}")
        self.nodes, self.features, self.inclusive, self.dtype, self.depth = nodes, features, inclusive, dtype, depth
        self.base = float(np.dtype(dtype).type(base))
        self._children = np.stack([nodes["left"], nodes["right"]], axis=1).reshape(-1).astype(np.intp)
        self._feature = nodes["feature"].astype(np.intp)
        self._threshold, self._value = nodes["threshold"].astype(dtype), nodes["value"].astype(dtype)
        self._roots = np.flatnonzero(nodes["root"])
        count = len(self._value)
        if not 0 <= depth <= count or not ((self._children >= 0) & (self._children < count)).all():
            raise ValueError("a child that does not exist")
        if (self._feature >= features).any() or (self._feature < 0).any():
            raise ValueError(f"a split on a feature beyond the {features} there are")

    @classmethod
    def of_trees(cls, trees: Sequence[Tree], *, features: int, base: float, inclusive: bool, dtype: str) -> Forest:
        """Raises ValueError on a child or feature that does not exist, a node reached twice, and values not finite."""
        depth = max((_depth(tree, features) for tree in trees), default=0)
        parts, start = [], 0
        for tree in trees:
            parts.append(_nodes(tree, start))
            start += len(tree.left)
        nodes = {
            name: np.concatenate([np.zeros(0, kind), *(part[i] for part in parts)]).astype(kind)
            for i, (name, kind) in enumerate(_KINDS.items())
        }
        return cls(nodes, features=features, base=base, inclusive=inclusive, dtype=dtype, depth=depth)

    def __len__(self) -> int:
        return len(self._roots)

    def predict(self, rows: npt.ArrayLike) -> npt.NDArray[Any]:
        """Predictions [n] of rows [n, features]. A row's does not depend on the other rows. NaN is not allowed."""
        x = np.ascontiguousarray(rows, dtype=self.dtype)
        if x.ndim != 2 or x.shape[1] != self.features or np.isnan(x).any():
            raise ValueError(f"rows {x.shape} are not numbers [n, {self.features}]")
        out = np.empty(len(x), dtype=self.dtype)
        step = max(1, _CELLS_AT_ONCE // max(1, len(self)))
        for start in range(0, len(x), step):
            out[start : start + step] = self._predict(x[start : start + step])
        return out

    def _predict(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        offset = (np.arange(len(x)) * self.features)[:, None]
        flat = x.ravel()
        node = np.broadcast_to(self._roots, (len(x), len(self)))
        for _ in range(self.depth):
            here, there = flat[self._feature[node] + offset], self._threshold[node]
            right = here > there if self.inclusive else here >= there
            node = self._children[2 * node + right]
        total = np.zeros(len(x), dtype=self.dtype)
        for leaf in self._value[node.T]:
            total += leaf
        result: npt.NDArray[Any] = total.dtype.type(self.base) + total
        return result


def _depth(tree: Tree, features: int) -> int:
    """How many levels a tree has below its root. Raises ValueError where it is no tree."""
    count = len(tree.left)
    if not count:
        raise ValueError("a tree without nodes")
    if not (np.isfinite(tree.value).all() and np.isfinite(tree.threshold).all()):
        raise ValueError("a tree with values that are not finite")
    level, seen, depth = np.zeros(1, dtype=np.int64), 0, 0
    reached = np.zeros(count, dtype=bool)
    while True:
        reached[level] = True
        seen += len(level)
        inner = level[tree.left[level] >= 0]
        if not len(inner):
            return depth
        if (tree.feature[inner] < 0).any() or (tree.feature[inner] >= features).any():
            raise ValueError(f"a split on a feature beyond the {features} there are")
        level = np.concatenate([tree.left[inner], tree.right[inner]])
        depth += 1
        if (level < 0).any() or (level >= count).any() or seen + len(level) > count:
            raise ValueError("a child that does not exist or is reached twice")
        if reached[level].any() or len(np.unique(level)) < len(level):
            raise ValueError("a node that is reached twice")


def _nodes(tree: Tree, start: int) -> tuple[npt.NDArray[Any], ...]:
    """The columns of a tree whose root is at ``start``; leaves split on column 0."""
    own = np.arange(len(tree.left))
    leaf = tree.left < 0
    left, right = (np.where(leaf, own, child) + start for child in (tree.left, tree.right))
    return left, right, np.where(leaf, 0, tree.feature), tree.threshold, tree.value, own == 0
