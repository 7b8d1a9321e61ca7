"""Boosted regression trees as flat arrays, evaluated for many rows at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Forest", "Tree"]

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
        self, trees: Sequence[Tree], *, features: int, base: float, inclusive: bool, dtype: type[np.floating[Any]]
    ) -> None:
        """Raises ValueError on a child or feature that does not exist, a node reached twice, and values not finite."""
        self.features, self.inclusive = features, inclusive
        self._dtype, self._base = dtype, dtype(base)
        self.depth = max((_depth(tree, features) for tree in trees), default=0)
        sizes = np.array([len(tree.left) for tree in trees], dtype=np.int64)
        self._roots = (
            np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp) if len(sizes) else np.zeros(0, np.intp)
        )
        parts = [_flat(tree, root) for tree, root in zip(trees, self._roots.tolist(), strict=True)]
        columns = [np.concatenate([part[i] for part in parts]) if parts else np.zeros(0) for i in range(4)]
        self._children, self._feature = columns[0].reshape(-1).astype(np.intp), columns[1].astype(np.intp)
        self._threshold, self._value = columns[2].astype(dtype), columns[3].astype(dtype)

    @property
    def base(self) -> float:
        return float(self._base)

    @property
    def dtype(self) -> str:
        """The precision that trees are added in: "float32" or "float64"."""
        return np.dtype(self._dtype).name

    def nodes(self) -> dict[str, npt.NDArray[Any]]:
        """All trees as columns [n], a row a node, for `of_nodes`: left, right (leaves name themselves), feature,
        threshold, value, and whether a tree begins."""
        root = np.zeros(len(self._value), dtype=np.bool_)
        root[self._roots] = True
        children = self._children.reshape(-1, 2).astype(np.int32)
        return {
            "left": children[:, 0].copy(), "right": children[:, 1].copy(), "feature": self._feature.astype(np.uint8),
            "threshold": self._threshold.astype(np.float64), "value": self._value.astype(np.float64), "root": root,
        }  # fmt: skip

    @classmethod
    def of_nodes(
        cls,
        nodes: Mapping[str, npt.NDArray[Any]],
        *,
        features: int,
        base: float,
        inclusive: bool,
        dtype: str,
        depth: int,
    ) -> Forest:
        """The forest that `nodes` gave. Raises ValueError on a child or feature that does not exist."""
        if dtype not in ("float32", "float64"):
            raise ValueError(f"trees added in {dtype}")
        precision: type[np.floating[Any]] = np.float32 if dtype == "float32" else np.float64
        found = cls([], features=features, base=base, inclusive=inclusive, dtype=precision)
        found._children = np.stack([nodes["left"], nodes["right"]], axis=1).reshape(-1).astype(np.intp)
        found._feature = nodes["feature"].astype(np.intp)
        found._threshold, found._value = nodes["threshold"].astype(precision), nodes["value"].astype(precision)
        found._roots = np.flatnonzero(nodes["root"])
        found.depth = depth
        count = len(found._value)
        if not 0 <= depth <= count or not ((found._children >= 0) & (found._children < count)).all():
            raise ValueError("a child that does not exist")
        if (found._feature >= features).any() or (found._feature < 0).any():
            raise ValueError(f"a split on a feature beyond the {features} there are")
        return found

    def __len__(self) -> int:
        return len(self._roots)

    def predict(self, rows: npt.ArrayLike) -> npt.NDArray[Any]:
        """Predictions [n] of rows [n, features]. A row's does not depend on the other rows. NaN is not allowed."""
        x = np.ascontiguousarray(rows, dtype=self._dtype)
        if x.ndim != 2 or x.shape[1] != self.features or np.isnan(x).any():
            raise ValueError(f"rows {x.shape} are not numbers [n, {self.features}]")
        out = np.empty(len(x), dtype=self._dtype)
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
        total = np.zeros(len(x), dtype=self._dtype)
        for leaf in self._value[node.T]:
            total += leaf
        result: npt.NDArray[Any] = self._base + total
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


def _flat(tree: Tree, root: int) -> tuple[npt.NDArray[Any], ...]:
    """Children as pairs [n, 2] of places in the forest; leaves point at themselves, and unused features at column 0."""
    own = np.arange(len(tree.left))
    leaf = tree.left < 0
    children = np.stack([np.where(leaf, own, tree.left), np.where(leaf, own, tree.right)], axis=1) + root
    return children, np.where(leaf, 0, tree.feature), tree.threshold, tree.value
