"""NAS-Bench-301's two DARTS cells: genotype and official config, both ways, and the categories that surrogates take.

Cells are an int8 array [n, 2, 4, 2, 2]: normal and reduce, four nodes, two inputs each, (operation, predecessor). The
operation is an index into `OPERATIONS`. Predecessors 0 and 1 are the cell's inputs, 2 to 4 its earlier nodes.
Source: nasbench301's configspace.json and representations.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["EDGES", "KINDS", "NODES", "OPERATIONS", "PAIRS", "PREFIX", "categories", "check_cells"]
__all__ += ["from_config", "from_genotype", "to_config", "to_genotype"]

OPERATIONS = (
    "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"
)  # fmt: skip
KINDS = ("normal", "reduce")
NODES = 4
EDGES = 14
PREFIX = "NetworkSelectorDatasetInfo:darts:"
PAIRS = tuple(tuple(itertools.combinations(range(node + 2), 2)) for node in range(NODES))
"""Of each node the pairs of predecessors, in the order of the official choices; the first node has one."""

_START = np.array([0, 2, 5, 9])
_PAIR_INDEX = np.full((NODES, 5, 5), -1, dtype=np.int8)
for _node, _pairs in enumerate(PAIRS):
    for _index, (_low, _high) in enumerate(_pairs):
        _PAIR_INDEX[_node, _low, _high] = _PAIR_INDEX[_node, _high, _low] = _index

Cells = npt.NDArray[np.int8]
Genotype = Sequence[Sequence[tuple[str, int]]]


def check_cells(cells: npt.ArrayLike) -> Cells:
    """The cells as int8 [n, 2, 4, 2, 2]. Raises ValueError for another shape, an unknown operation, a predecessor that
    is no earlier vertex or is named twice at one node (the official converter silently drops one of the two)."""
    array = np.asarray(cells)
    if array.ndim != 5 or array.shape[1:] != (2, NODES, 2, 2) or array.dtype.kind not in "iu":
        raise ValueError(f"cells of shape {array.shape} and dtype {array.dtype} instead of integers [n, 2, 4, 2, 2]")
    operation, predecessor = array[..., 0], array[..., 1]
    earlier = np.arange(2, NODES + 2)[None, None, :, None]
    for wrong, what in (
        ((operation < 0) | (operation >= len(OPERATIONS)), "an unknown operation"),
        ((predecessor < 0) | (predecessor >= earlier), "a predecessor that is no earlier vertex"),
        (predecessor[..., :1] == predecessor[..., 1:], "the same predecessor twice"),
    ):
        if wrong.any():
            row, kind, node, _ = np.argwhere(wrong)[0]
            raise ValueError(f"architecture {row}, {KINDS[kind]} cell, node {node}: {what}")
    return array.astype(np.int8)


def categories(cells: npt.ArrayLike) -> tuple[Cells, Cells]:
    """The official categories of each cell.

    Returns (edges int8 [n, 2, 14], pairs int8 [n, 2, 3]): the operation on each edge, -1 where there is none, and for
    the last three nodes the index of their predecessors in `PAIRS`. An edge's number is the predecessor's plus 0, 2, 5
    or 9, by its node. Raises ValueError as `check_cells` does.
    """
    checked = check_cells(cells)
    operation, predecessor = checked[..., 0], checked[..., 1].astype(np.intp)
    count = len(checked)
    edges = np.full((count, 2, EDGES), -1, dtype=np.int8)
    number = (_START[None, None, :, None] + predecessor).reshape(count, 2, 2 * NODES)
    np.put_along_axis(edges, number, operation.reshape(count, 2, 2 * NODES), axis=2)
    pairs = _PAIR_INDEX[np.arange(NODES)[None, None, :], predecessor[..., 0], predecessor[..., 1]]
    return edges, pairs[:, :, 1:]


def from_genotype(normal: Sequence[tuple[str, int]], reduce: Sequence[tuple[str, int]]) -> Cells:
    """One architecture [2, 4, 2, 2] from DARTS notation: for each cell eight (operation name, predecessor)."""
    cells = []
    for kind, cell in zip(KINDS, (normal, reduce), strict=True):
        if len(cell) != 2 * NODES:
            raise ValueError(f"{kind} cell: {len(cell)} edges instead of {2 * NODES}")
        for name, _ in cell:
            if name not in OPERATIONS:
                raise ValueError(f"{kind} cell: operation {name!r} is none of {', '.join(OPERATIONS)}")
        cells.append([(OPERATIONS.index(name), predecessor) for name, predecessor in cell])
    checked: Cells = check_cells(np.array(cells).reshape(1, 2, NODES, 2, 2))[0]
    return checked


def to_genotype(cells: npt.ArrayLike) -> dict[str, list[tuple[str, int]]]:
    """{"normal": eight (operation name, predecessor), "reduce": the same} of one architecture [2, 4, 2, 2]."""
    checked = check_cells(np.asarray(cells)[None])[0].reshape(2, 2 * NODES, 2).tolist()
    return {kind: [(OPERATIONS[o], p) for o, p in cell] for kind, cell in zip(KINDS, checked, strict=True)}


def to_config(cells: npt.ArrayLike) -> dict[str, str]:
    """The official ConfigSpace dictionary of one architecture [2, 4, 2, 2]."""
    edges, pairs = categories(np.asarray(cells)[None])
    config: dict[str, str] = {}
    for k, kind in enumerate(KINDS):
        for edge in np.flatnonzero(edges[0, k] >= 0):
            config[f"{PREFIX}edge_{kind}_{edge}"] = OPERATIONS[edges[0, k, edge]]
        for node in range(1, NODES):
            low, high = PAIRS[node][pairs[0, k, node - 1]]
            config[f"{PREFIX}inputs_node_{kind}_{node + 2}"] = f"{low}_{high}"
    return config


def from_config(config: Mapping[str, str]) -> Cells:
    """One architecture [2, 4, 2, 2], inputs in rising order, from the official dictionary; other keys are ignored.

    Raises ValueError where an edge that the chosen inputs need is absent or has an unknown operation, where an edge is
    given that they do not use, and for unknown inputs.
    """
    cells = np.zeros((2, NODES, 2, 2), dtype=np.int8)
    used: set[str] = set()
    for k, kind in enumerate(KINDS):
        for node in range(NODES):
            name = f"{PREFIX}inputs_node_{kind}_{node + 2}"
            text = config.get(name, "0_1" if node == 0 else None)
            pair = next((pair for pair in PAIRS[node] if text == f"{pair[0]}_{pair[1]}"), None)
            if pair is None:
                raise ValueError(f"{name} is {text!r}")
            for slot, predecessor in enumerate(pair):
                edge = f"{PREFIX}edge_{kind}_{_START[node] + predecessor}"
                if config.get(edge) not in OPERATIONS:
                    raise ValueError(f"{edge} is {config.get(edge)!r}, but {name} needs it")
                used.add(edge)
                cells[k, node, slot] = OPERATIONS.index(config[edge]), predecessor
    unused = sorted(key for key in config if key.startswith(f"{PREFIX}edge_") and key not in used)
    if unused:
        raise ValueError(f"{unused[0]} is given, but no node takes it")
    return cells
