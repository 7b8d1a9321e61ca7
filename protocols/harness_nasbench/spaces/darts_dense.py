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
from harness.spaces import PAD, Architecture, CellBatch, CellGraph, Choice, ChoiceScript, Script, SearchSpace, summed
from harness_nasbench.spaces.darts_costs import OPS, input_costs, network, operation_costs, skeleton_costs

OPERATIONS: Final = ("none", *OPS)
NONE: Final = 0
CELLS: Final = ("normal", "reduce")
_BITS = 3
"""Of one operation in a cell's code."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@cache
def _renumberings(nodes: int) -> Ints:
    """For every order of the intermediate nodes, the place of each edge of the new cell in [predecessor, node]: int64
    [nodes!, edges]."""
    found = []
    for order in permutations(range(nodes)):
        old = [0, 1, *(2 + node for node in order)]
        found.append([old[p] * nodes + order[j] for j in range(nodes) for p in range(j + 2)])
    return np.array(found, dtype=np.int64).reshape(len(found), -1)


class DenseDartsSpace(SearchSpace):
    """CSNAS's dense cells: two of five nodes, one of eight operations on each of 20 possible edges, all summed.

    A normal and a reduction cell of ``nodes`` intermediate nodes each; the space's name ends with this number.

    Choices are in the order of DARTS's edges: node by node, the two inputs first; every encoding is valid. A cell of
    the ``darts`` space, with two inputs a node, is a cell of this space with ``none`` on all other edges.

    The graph of a cell has operations on nodes: both inputs; for each intermediate node the operations on its edges,
    then their sum; the output, which concatenates the sums. Pruned ones lack ``none``, sums that nothing reaches (they
    are zero) and the operations that read these. Costs are those of what stays, in the network of the paper's search:
    8 cells (6 normal, 2 reduction) and 16 initial channels, multiply-adds and parameters, counted as in ``darts``.

    The key numbers canonically the intermediate nodes that an input reaches.
    """

    name = "darts-dense-5"
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
        return "/".join(f"{m}:{code}" for m, code in self._minimal(arch))

    def canonical(self, arch: Architecture) -> Architecture:
        """The cells of the key: the nodes that an input reaches, canonically numbered, and ``none`` on other edges."""
        codes = [code for _, code in self._minimal(self.check(arch))]
        return tuple(code >> _BITS * e & (1 << _BITS) - 1 for code in codes for e in range(len(self.edges)))

    def _minimal(self, arch: Architecture) -> list[tuple[int, int]]:
        """`_minimal_cell` of each cell."""
        half = len(self.edges)
        return [self._minimal_cell(arch[c * half : (c + 1) * half]) for c in range(len(CELLS))]

    def _minimal_cell(self, ops: Architecture) -> tuple[int, int]:
        """Number of nodes that an input reaches, and the smallest code of their edges under any renumbering."""
        matrix = np.zeros((2 + self.nodes, self.nodes), dtype=np.int64)
        live = [0, 1]
        for (p, j), op in zip(self.edges, ops, strict=True):
            if op != NONE and p in live:
                matrix[p, j - 2] = op
                if j not in live:
                    live.append(j)
        m = len(live) - 2
        targets = np.array(live[2:], dtype=np.int64) - 2
        edges = matrix[np.array(live)[:, None], targets].ravel()[_renumberings(m)]
        # A renumbering that turns an edge backwards loses it.
        whole = edges[(edges > 0).sum(axis=1) == (matrix > 0).sum()]
        codes = whole @ (1 << (_BITS * np.arange(edges.shape[1], dtype=np.int64)))
        return m, int(codes.min())

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

    def graphs(self, archs: Sequence[Architecture], *, pruned: bool = True) -> tuple[CellBatch, ...]:
        halves = self.as_array(archs).reshape(len(archs), len(CELLS), len(self.edges))
        return tuple(self._batch(halves[:, c], self._cell_costs[c], pruned) for c in range(len(CELLS)))

    def graph(self, arch: Architecture, *, pruned: bool = True) -> tuple[CellGraph, ...]:
        return tuple(batch.cell(0) for batch in self.graphs([arch], pruned=pruned))

    def _batch(self, ops: Ints, costs: list[tuple[Floats, Floats]], pruned: bool) -> CellBatch:
        """The graphs of one cell of n architectures; ops: int64 [n, edges]."""
        n, every = len(ops), np.arange(len(self.edges))
        operations, states = self._places
        used, live = self._reached(ops)
        priced = []
        for of_op, inputs in costs:  # float64 [positions, edges, options], [positions, 2]
            nodes = np.zeros((n, len(inputs), self.max_nodes))
            nodes[:, :, :2] = inputs
            nodes[:, :, operations] = np.where(used[:, None], of_op[:, every, ops].transpose(1, 0, 2), 0.0)
            priced.append(nodes)
        labels = self._labels(ops)
        adjacency = np.broadcast_to(self._template, (n, self.max_nodes, self.max_nodes))
        if not pruned:
            return CellBatch(labels, adjacency.copy(), *priced)
        stays = np.ones((n, self.max_nodes), dtype=np.bool_)
        stays[:, operations], stays[:, states[2:]] = used, live[:, 2:]
        order = np.argsort(~stays, axis=1, kind="stable")
        adjacency = adjacency & stays[:, :, None] & stays[:, None, :]
        rows = np.arange(n)[:, None, None]
        return CellBatch(
            np.take_along_axis(np.where(stays, labels, PAD), order, axis=1),
            adjacency[rows, order[:, :, None], order[:, None, :]],
            *(np.take_along_axis(nodes * stays[:, None], order[:, None], axis=2) for nodes in priced),
        )

    def _reached(self, ops: Ints) -> tuple[Bools, Bools]:
        """Which edges carry a value, bool [n, edges], and which states do, the inputs first: bool [n, N + 2]."""
        used = np.zeros(ops.shape, dtype=np.bool_)
        live = np.zeros((len(ops), 2 + self.nodes), dtype=np.bool_)
        live[:, :2] = True
        for e, (p, j) in enumerate(self.edges):
            used[:, e] = (ops[:, e] != NONE) & live[:, p]
            live[:, j] |= used[:, e]
        return used, live

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

    @cached_property
    def _cell_costs(self) -> list[list[tuple[Floats, Floats]]]:
        """For each cell, FLOPs then parameters: of each option on each edge, float64 [positions, edges, options], and
        of the two inputs, [positions, 2]."""
        found = []
        for positions in self._positions:
            tables = []
            for quantity in range(2):
                of_op = np.zeros((len(positions), len(self.edges), len(OPERATIONS)))
                inputs = np.zeros((len(positions), 2))
                for i, at in enumerate(positions):
                    strided = [int(at.reduction and p < 2) for p, _ in self.edges]
                    of_op[i, :, 1:] = operation_costs(at)[quantity].T[strided]
                    inputs[i] = input_costs(at)[quantity]
                tables.append((of_op, inputs))
            found.append(tables)
        return found

    def costs(self, archs: Sequence[Architecture]) -> Mapping[str, Floats]:
        flops, params = skeleton_costs(self._layers, self._channels, self.nodes)
        return summed(self.graphs(archs), flops=flops, params=params)


class DenseDarts4Space(DenseDartsSpace):
    """CSNAS's dense cells: two of four nodes, one of eight operations on each of 14 possible edges, all summed."""

    name = "darts-dense-4"

    def __init__(self) -> None:
        super().__init__(4)
