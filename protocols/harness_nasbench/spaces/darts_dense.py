"""CSNAS's cell space (Nguyen and Chang 2021): DARTS-like cells in which every possible edge carries an operation.

Section III: node j of a cell is the sum over all earlier nodes i of o_ij(x_i), ``none`` among the operations o, and the
cell's output concatenates its intermediate nodes. N = 4 gives 14 edges a cell, N = 5, the paper's headline, 20.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from itertools import permutations
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.errors import InvalidArchitecture
from harness.spaces import Architecture, CellBatch, CellGraph, Choice, ChoiceScript, Script, SearchSpace, on_path
from harness_nasbench.spaces.darts_costs import OPS, input_costs, network, operation_costs, skeleton_costs

OPERATIONS: Final = ("none", *OPS)
NONE: Final = 0
CELLS: Final = ("normal", "reduce")
_BITS = 3
"""Of one operation in a cell's code."""

Ints = npt.NDArray[np.int64]


@cache
def _renumberings(nodes: int) -> Ints:
    """For every order of so many intermediate nodes, the place in [predecessor, node] of each edge of the new cell:
    int64 [nodes!, edges]."""
    found = []
    for order in permutations(range(nodes)):
        old = [0, 1, *(2 + node for node in order)]
        found.append([old[p] * nodes + order[j] for j in range(nodes) for p in range(j + 2)])
    return np.array(found, dtype=np.int64).reshape(len(found), -1)


class DenseDartsSpace(SearchSpace):
    """A normal and a reduction cell of N intermediate nodes: one of eight operations on each possible edge.

    Choices are in the order of DARTS's edges: node by node, the two inputs first; every encoding is valid. A cell of
    the ``darts`` space, with two inputs a node, is one with ``none`` on all other edges.

    The graph of a cell has operations on nodes: both inputs; for each intermediate node the operations on its edges,
    then their sum; the output, which concatenates the sums. Pruned ones lack ``none``, sums that nothing reaches (they
    are zero) and the operations that read these. Costs are those of what stays, in the network of the paper's search:
    8 cells (6 normal, 2 reduction) and 16 initial channels, multiply-adds and parameters, counted as in ``darts``.

    The key numbers the intermediate nodes that something reaches canonically.
    """

    operations = ("c_{k-2}", "c_{k-1}", *OPERATIONS, "add", "output")
    cells = 2

    def __init__(self, nodes: int = 5, *, layers: int = 8, channels: int = 16) -> None:
        if not 1 <= nodes <= 5:
            raise ValueError(f"nodes is {nodes}, want 1 to 5")
        self.nodes, self.edges = nodes, [(p, j) for j in range(2, 2 + nodes) for p in range(j)]
        self.name = f"darts-dense-{nodes}"
        self.choices = tuple(Choice(f"{c}_{j}_{p}", OPERATIONS) for c in CELLS for p, j in self.edges)
        self.max_nodes = 2 + len(self.edges) + nodes + 1
        self._layers, self._channels = layers, channels
        positions = network(layers, channels, nodes)
        self._positions = [[p for p in positions if p.reduction == bool(c)] for c in range(len(CELLS))]

    # -- what an architecture is ------------------------------------------------------------------------------------

    def key(self, arch: Architecture) -> str:
        half = len(self.edges)
        return "/".join(self._cell_key(arch[c * half : (c + 1) * half]) for c in range(len(CELLS)))

    def _cell_key(self, ops: Architecture) -> str:
        """Number of nodes that something reaches, and the smallest code of their edges under any renumbering."""
        live = self._live(ops)
        m = len(live) - 2
        matrix = np.zeros((m + 2, m), dtype=np.int64)
        for (p, j), op in zip(self.edges, ops, strict=True):
            if p in live and j in live:
                matrix[live.index(p), live.index(j) - 2] = op
        edges = matrix.ravel()[_renumberings(m)]
        # A renumbering that turns an edge backwards loses it.
        whole = edges[(edges > 0).sum(axis=1) == (matrix > 0).sum()]
        codes = whole @ (1 << (_BITS * np.arange(edges.shape[1], dtype=np.int64)))
        return f"{m}:{int(codes.min())}"

    def _live(self, ops: Architecture) -> list[int]:
        """The inputs, and the intermediate nodes that something reaches."""
        found = [0, 1]
        for (p, j), op in zip(self.edges, ops, strict=True):
            if op != NONE and p in found and j not in found:
                found.append(j)
        return found

    def describe(self, arch: Architecture) -> str:
        """As NAS-Bench-201 writes a cell: ``normal=|op~0|op~1|+|op~0|op~1|op~2|+... reduce=...``."""
        names = iter(OPERATIONS[op] for op in self.check(arch))
        cells = []
        for cell in CELLS:
            nodes = ["|" + "|".join(f"{next(names)}~{p}" for p in range(j)) + "|" for j in range(2, 2 + self.nodes)]
            cells.append(f"{cell}=" + "+".join(nodes))
        return " ".join(cells)

    def parse(self, text: str) -> Architecture:
        match = self._notation.fullmatch(text.strip())
        if match is None:
            raise InvalidArchitecture(
                f"{text[:300]!r} is not of the form 'normal=|op~0|op~1|+|op~0|op~1|op~2|+... reduce=...' with "
                f"{self.nodes} nodes a cell and op of {', '.join(OPERATIONS)}"
            )
        return tuple(OPERATIONS.index(op) for op in match.groups())

    @cached_property
    def _notation(self) -> re.Pattern[str]:
        op = f"({'|'.join(OPERATIONS)})"
        nodes = [r"\|" + r"\|".join(f"{op}~{p}" for p in range(j)) + r"\|" for j in range(2, 2 + self.nodes)]
        cell = r"\+".join(nodes)
        return re.compile(f"normal={cell} reduce={cell}")

    # -- what strategies learn from ---------------------------------------------------------------------------------

    @cached_property
    def _places(self) -> tuple[list[int], list[int]]:
        """The graph node of each edge's operation, and of each state: the inputs, then the sums."""
        operations: list[int] = []
        states, at = [0, 1], 2
        for j in range(2, 2 + self.nodes):
            operations += range(at, at + j)
            states.append(at + j)
            at += j + 1
        return operations, states

    @cached_property
    def _template(self) -> npt.NDArray[np.bool_]:
        """bool [v, v] of the cell with every edge."""
        operations, states = self._places
        adjacency = np.zeros((self.max_nodes, self.max_nodes), dtype=np.bool_)
        for (p, j), node in zip(self.edges, operations, strict=True):
            adjacency[states[p], node] = adjacency[node, states[j]] = True
        adjacency[states[2:], -1] = True
        return adjacency

    def _labels(self, ops: Ints) -> Ints:
        """Operations of the cell's nodes, int64 [n, v]; ops: int64 [n, edges], -1 where undecided."""
        operations, states = self._places
        labels = np.empty((len(ops), self.max_nodes), dtype=np.int64)
        labels[:, :2], labels[:, -1] = (0, 1), len(self.operations) - 1
        labels[:, states[2:]] = len(self.operations) - 2
        labels[:, operations] = np.where(ops < 0, -1, ops + 2)
        return labels

    def graph(self, arch: Architecture, *, pruned: bool = True) -> tuple[CellGraph, ...]:
        found = []
        for cell, ops in enumerate(self.as_array([arch]).reshape(len(CELLS), 1, -1)):
            labels, adjacency = self._labels(ops)[0], self._template
            flops, params = self._cell_costs(ops[0], cell)
            if pruned:
                adjacency = adjacency.copy()
                absent = np.array(self._places[0])[ops[0] == NONE]
                adjacency[absent] = adjacency[:, absent] = False
                stays = on_path(adjacency, (0, 1), self.max_nodes - 1)
                stays[[0, 1, -1]] = True
                labels, adjacency = labels[stays], adjacency[np.ix_(stays, stays)]
                flops, params = flops[:, stays], params[:, stays]
            found.append(CellGraph(labels, adjacency, flops, params))
        return tuple(found)

    def partial_graphs(self, taken: Ints) -> tuple[CellBatch, ...]:
        """The cells as written, undecided edges as nodes of operation -1."""
        n, half = len(taken), len(self.edges)
        adjacency = np.broadcast_to(self._template, (n, self.max_nodes, self.max_nodes))
        return tuple(
            CellBatch(self._labels(taken[:, c * half : (c + 1) * half]), adjacency.copy()) for c in range(len(CELLS))
        )

    @cached_property
    def scripts(self) -> Mapping[str, Script]:
        """``default``: the operation of each edge, in the order of the choices."""
        nodes = [(c, node) for c in range(len(CELLS)) for node in self._places[0]]
        every = np.arange(len(OPERATIONS), dtype=np.int64) + 2
        script = ChoiceScript(
            self.radices, is_valid=self.is_valid, partial=self.partial_graphs, node_of=nodes,
            option_ops=[every] * len(nodes),
        )  # fmt: skip
        return {"default": script}

    # -- costs ------------------------------------------------------------------------------------------------------

    def _cell_costs(self, ops: Ints, cell: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """FLOPs and parameters of each node at each position, float64 [positions, v]; ops: int64 [edges]."""
        positions = self._positions[cell]
        flops = np.zeros((len(positions), self.max_nodes))
        params = np.zeros_like(flops)
        live = self._live(tuple(ops.tolist()))
        used = np.array([op != NONE and p in live for (p, _), op in zip(self.edges, ops.tolist(), strict=True)])
        nodes = np.array(self._places[0])[used]
        for i, at in enumerate(positions):
            strided = np.array([int(at.reduction and p < 2) for p, _ in self.edges])[used]
            for array, of_op, of_input in zip((flops, params), operation_costs(at), input_costs(at), strict=True):
                array[i, :2] = of_input
                array[i, nodes] = of_op[ops[used] - 1, strided]
        return flops, params

    def costs(self, archs: Sequence[Architecture]) -> Mapping[str, npt.NDArray[np.float64]]:
        flops, params = (np.full(len(archs), c) for c in skeleton_costs(self._layers, self._channels, self.nodes))
        for i, arch in enumerate(archs):
            for cell in self.graph(arch):
                assert cell.flops is not None
                assert cell.params is not None
                flops[i] += cell.flops.sum()
                params[i] += cell.params.sum()
        return {"params": params, "flops": flops}
