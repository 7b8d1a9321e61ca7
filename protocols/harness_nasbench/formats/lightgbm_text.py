"""LightGBM's text model format (v2 to v4), as a pickled Booster holds it: numerical splits, regression.

After a header of ``key=value`` lines, each ``Tree=i`` block lists ``split_feature``, ``threshold``, ``decision_type``,
``left_child``, ``right_child`` by inner node and ``leaf_value`` by leaf. A negative child c is leaf ``-c - 1``. A row
goes left where its feature is at most the threshold. `decision_type`: bit 0 categorical, bits 2 and 3 what counts as
missing (0 nothing, 1 zero, 2 NaN). This module reads it because LightGBM's own parser trusts the numbers in the text.
"""

from __future__ import annotations

import numpy as np

from harness_nasbench.formats.trees import Forest, Tree

__all__ = ["parse"]

_HEADER = {"num_class": "1", "num_tree_per_iteration": "1"}
_MISSING_ZERO = 1 << 2


def parse(text: str, *, iterations: int = 0) -> Forest:
    """The first `iterations` trees of a model; all if not positive. ValueError for another kind or damage."""
    head, *blocks = text.split("\nTree=")
    lines = head.split("\n")
    if lines[0] != "tree" or "average_output" in lines:
        raise ValueError("not a LightGBM model of boosted trees")
    header = _pairs(lines[1:])
    for key, value in _HEADER.items():
        if header.get(key) != value:
            raise ValueError(f"header: {key} is {header.get(key)!r} instead of {value!r}")
    objective = header.get("objective", "").split()
    if not objective or objective[0] not in ("regression", "regression_l2") or "sqrt" in objective:
        raise ValueError(f"header: objective {header.get('objective')!r} where 'regression' is expected")
    features = _integer(header.get("max_feature_idx", ""), "header: max_feature_idx", 1 << 20) + 1
    if not blocks or "\nend of trees" not in blocks[-1]:
        raise ValueError("the model ends early: no 'end of trees'")
    blocks[-1] = blocks[-1].split("\nend of trees")[0]
    declared = header.get("tree_sizes", "").split()
    if declared and len(declared) != len(blocks):
        raise ValueError(f"{len(blocks)} trees where {len(declared)} are declared")
    trees = [_tree(block, number) for number, block in enumerate(blocks)]
    chosen = trees[:iterations] if iterations > 0 else trees
    return Forest.of_trees(chosen, features=features, base=0.0, inclusive=True, dtype="float64")


def _tree(block: str, number: int) -> Tree:
    place = f"tree {number}"
    lines = block.split("\n")
    if lines[0] != str(number):
        raise ValueError(f"{place}: stands as tree {lines[0][:20]!r}")
    pairs = _pairs(lines[1:])
    leaves = _integer(pairs.get("num_leaves", ""), f"{place}: num_leaves", 1 << 24)
    if leaves < 1 or pairs.get("num_cat", "0") != "0" or pairs.get("is_linear", "0") != "0":
        raise ValueError(f"{place}: {leaves} leaves, categorical or linear")
    inner = leaves - 1
    values = _numbers(pairs, "leaf_value", leaves, place)
    left, right, feature, kind = (
        _whole(pairs, key, inner, place) for key in ("left_child", "right_child", "split_feature", "decision_type")
    )
    if (kind & 1).any() or (kind & _MISSING_ZERO).any():
        raise ValueError(f"{place}: a categorical split, or one that takes zero as missing")
    for child in (left, right):
        if ((child < -leaves) | (child >= inner)).any():
            raise ValueError(f"{place}: a child that does not exist")
    children = [np.concatenate([np.where(c < 0, inner - c - 1, c), np.full(leaves, -1)]) for c in (left, right)]
    pad = np.zeros(leaves)
    threshold = np.concatenate([_numbers(pairs, "threshold", inner, place), pad])
    return Tree(
        children[0],
        children[1],
        np.concatenate([feature, pad.astype(np.int64)]),
        threshold,
        np.concatenate([np.zeros(inner), values]),
    )


def _pairs(lines: list[str]) -> dict[str, str]:
    return {key: value for key, sign, value in (line.partition("=") for line in lines) if sign}


def _integer(text: str, what: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > most:
        raise ValueError(f"{what} is {text[:20]!r}")
    return int(text)


def _numbers(pairs: dict[str, str], key: str, count: int, place: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    words = pairs.get(key, "").split()
    if len(words) != count:
        raise ValueError(f"{place}: {len(words)} values of {key} instead of {count}")
    try:
        return np.array([float(word) for word in words], dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{place}: {key}: {error}") from error


def _whole(pairs: dict[str, str], key: str, count: int, place: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    numbers = _numbers(pairs, key, count, place)
    if not (np.abs(numbers) < 1 << 31).all() or (numbers != np.floor(numbers)).any():
        raise ValueError(f"{place}: {key} holds something else than small whole numbers")
    return numbers.astype(np.int64)
