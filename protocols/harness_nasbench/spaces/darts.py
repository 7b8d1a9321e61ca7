"""The DARTS cell space as NAS-Bench-301 searches it (Liu et al., ICLR 2019; Zela et al., ICLR 2022)."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from functools import cache, cached_property, partial
from itertools import permutations
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.errors import InvalidArchitecture
from harness.spaces import Architecture, CellBatch, CellGraph, Choice, Script, SearchSpace, summed
from harness_nasbench.formats import darts_cells
from harness_nasbench.spaces.darts_costs import CELL_NODES, OPS, cell_costs, network, skeleton_costs
from harness_nasbench.spaces.darts_script import DartsScript, wired_batches

CELLS: Final = ("normal", "reduce")
NODES: Final = (2, 3, 4, 5)
PAIRS: Final = dict(zip(NODES, darts_cells.PAIRS, strict=True))
"""The predecessors that a node may have; node 2 has no choice."""
CELL_GENES: Final = 11
_RANGE = re.compile(r"range\(2, ?6\)")

Cell = tuple[int, ...]
Edges = list[tuple[str, int]]


class Genotype(NamedTuple):
    """DARTS's own notation: per cell eight (operation, predecessor), two for each of the nodes 2 to 5."""

    normal: Edges
    normal_concat: range
    reduce: Edges
    reduce_concat: range


def _cell_choices(cell: str) -> list[Choice]:
    found: list[Choice] = []
    for node in NODES:
        if node > 2:
            found.append(Choice(f"{cell}_inputs_{node}", tuple(f"{a}_{b}" for a, b in PAIRS[node])))
        found += [Choice(f"{cell}_op_{node}_{end}", OPS) for end in ("low", "high")]
    return found


@cache
def _relabellings(pairs: tuple[int, int, int]) -> tuple[tuple[tuple[int, int, int], tuple[int, ...]], ...]:
    """Every renumbering of the intermediate nodes that keeps predecessors first: the new input pairs, and where each of
    the eight new operations comes from."""
    wires = [PAIRS[2][0], *(PAIRS[node][p] for node, p in zip(NODES[1:], pairs, strict=True))]
    found = []
    for order in permutations(range(4)):
        place = {0: 0, 1: 1, **{node: 2 + order[i] for i, node in enumerate(NODES)}}
        if any(place[a] > place[node] or place[b] > place[node] for node, (a, b) in zip(NODES, wires, strict=True)):
            continue
        new_pairs, source = [0] * 4, [0] * 8
        for i, (a, b) in enumerate(wires):
            low, high = place[a], place[b]
            slot = order[i]
            new_pairs[slot] = PAIRS[slot + 2].index((min(low, high), max(low, high)))
            source[2 * slot : 2 * slot + 2] = (2 * i, 2 * i + 1) if low < high else (2 * i + 1, 2 * i)
        found.append(((new_pairs[1], new_pairs[2], new_pairs[3]), tuple(source)))
    # Only renumberings with the smallest pairs can give the smallest cell.
    least = min(pairs for pairs, _ in found)
    return tuple(sorted({item for item in found if item[0] == least}))


def canonical_cell(genes: Cell) -> tuple[int, ...]:
    """Three input pairs and eight operations, equal for cells that differ in their nodes' numbers and only for them."""
    options = _relabellings((genes[2], genes[5], genes[8]))
    ops = (genes[0], genes[1], genes[3], genes[4], genes[6], genes[7], genes[9], genes[10])
    least = min(tuple([ops[i] for i in source]) for _, source in options)
    return options[0][0] + least


class DartsSpace(SearchSpace):
    """DARTS, as NAS-Bench-301 has it: two cells of four nodes, two inputs each, seven operations.

    A normal and a reduction cell: each the input pairs of nodes 3, 4, 5 and two operations for each of nodes 2 to 5.

    Nodes 0 and 1 are the outputs of the two cells before. A node's two predecessors are distinct, as NAS-Bench-301
    has it, so every encoding is valid: (180 x 7^8)^2 of them. ``low`` and ``high`` name the operations on the edge from
    the predecessor of smaller and of larger number.

    The graph of a cell has 15 nodes: both inputs; for each intermediate node its operations, low before high, and the
    addition of the two; the output, which concatenates the four additions, so that nothing is ever pruned. (CTNAS's
    graph of the inputs and eight operations alone does not say which two operations are added in a node that no other
    node reads, and so gives different networks one graph.) Costs are those of the network that NAS-Bench-301
    trains, 8 cells (6 normal, 2 reduction) and 32 initial channels: multiply-adds, and parameters without the
    auxiliary head.

    The key numbers the intermediate nodes canonically; inputs, and operations apart from their order, stay as they are.
    """

    name = "darts"
    choices = (*_cell_choices("normal"), *_cell_choices("reduce"))
    operations = ("c_{k-2}", "c_{k-1}", *OPS, "add", "output")
    cells = 2
    max_nodes = CELL_NODES

    def __init__(self, *, layers: int = 8, channels: int = 32) -> None:
        self._layers, self._channels = layers, channels
        positions = network(layers, channels)
        self._positions = [[p for p in positions if p.reduction == bool(c)] for c in range(len(CELLS))]

    # -- what an architecture is ------------------------------------------------------------------------------------

    def key(self, arch: Architecture) -> str:
        cells = canonical_cell(arch[:CELL_GENES]) + canonical_cell(arch[CELL_GENES:])
        return "".join(map(str, cells))

    def canonical(self, arch: Architecture) -> Architecture:
        """The cells of the key, their nodes numbered canonically."""
        genes: list[int] = []
        for cell in (arch[:CELL_GENES], arch[CELL_GENES:]):
            p3, p4, p5, *ops = canonical_cell(cell)
            genes += [*ops[:2], p3, *ops[2:4], p4, *ops[4:6], p5, *ops[6:]]
        return tuple(genes)

    def describe(self, arch: Architecture) -> str:
        g = self.genotype(arch)
        return f"Genotype(normal={g.normal}, normal_concat=range(2, 6), reduce={g.reduce}, reduce_concat=range(2, 6))"

    def parse(self, text: str) -> Architecture:
        """The architecture of a genotype as Python prints it. It evaluates nothing. Raises InvalidArchitecture."""
        try:
            call = ast.parse(_RANGE.sub("[2, 3, 4, 5]", text.strip()), mode="eval").body
            if not isinstance(call, ast.Call) or call.args or getattr(call.func, "id", None) != "Genotype":
                raise ValueError("want Genotype(normal=..., normal_concat=..., reduce=..., reduce_concat=...)")
            fields = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
            if sorted(fields) != sorted(Genotype._fields):
                raise ValueError(f"want {', '.join(Genotype._fields)}; found {', '.join(fields)}")
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
            raise InvalidArchitecture(f"not a DARTS genotype: {error}: {text[:300]!r}") from None
        return self.from_genotype(fields)

    def genotype(self, arch: Architecture) -> Genotype:
        """In DARTS's notation, each node's lower predecessor first."""
        cells = darts_cells.to_genotype(self.as_cells([arch])[0])
        return Genotype(cells["normal"], range(2, 6), cells["reduce"], range(2, 6))

    def from_genotype(self, genotype: Mapping[str, Any] | Any) -> Architecture:
        """The encoding of a mapping, or an object with attributes, of a genotype's four fields.

        Raises InvalidArchitecture where a node names one predecessor twice (the official converter would silently drop
        one), reads a later node, uses another operation, or where not all four nodes are concatenated.
        """
        field = genotype.get if isinstance(genotype, Mapping) else partial(getattr, genotype)
        try:
            for cell in CELLS:
                concat = field(f"{cell}_concat", None)
                if concat is None or sorted(concat) != list(NODES):
                    raise ValueError(f"{cell} cell: nodes 2 to 5 are to be concatenated, found {concat}")
            return self.check(self._encoding(darts_cells.from_genotype(field("normal", ()), field("reduce", ()))))
        except (TypeError, ValueError) as error:
            raise InvalidArchitecture(f"not a genotype of {self.name}: {error}") from None

    def config(self, arch: Architecture) -> dict[str, str]:
        """NAS-Bench-301's own configuration: the operation of each active edge, the inputs of nodes 3 to 5."""
        return darts_cells.to_config(self.as_cells([arch])[0])

    def from_config(self, config: Mapping[str, Any]) -> Architecture:
        """The inverse of `config`. Other keys of a full configuration (training settings) are ignored.

        Raises InvalidArchitecture where an active edge lacks its operation or an inactive one has one.
        """
        try:
            return self.check(self._encoding(darts_cells.from_config(config)))
        except (TypeError, ValueError) as error:
            raise InvalidArchitecture(f"not a configuration of {self.name}: {error}") from None

    def as_cells(self, archs: Sequence[Architecture]) -> npt.NDArray[np.int8]:
        """(operation, predecessor) of both cells of each, int8 [n, cell, node, low or high, 2], as surrogates take."""
        genes = self.as_array(archs).reshape(-1, 2, CELL_GENES)
        found = np.zeros((len(genes), 2, len(NODES), 2, 2), dtype=np.int8)
        found[..., 0] = genes[:, :, [0, 1, 3, 4, 6, 7, 9, 10]].reshape(-1, 2, len(NODES), 2)
        found[:, :, 0, :, 1] = PAIRS[2][0]
        for i, node in enumerate(NODES[1:]):
            found[:, :, 1 + i, :, 1] = np.array(PAIRS[node])[genes[:, :, 2 + 3 * i]]
        return found

    @staticmethod
    def _encoding(cells: npt.NDArray[np.int8]) -> Architecture:
        """Of one architecture's checked cells [2, 4, 2, 2]."""
        genes: list[int] = []
        for cell in cells.tolist():
            for node, edges in zip(NODES, cell, strict=True):
                (low_op, low), (high_op, high) = sorted(edges, key=lambda edge: edge[1])
                genes += [PAIRS[node].index((low, high))] if node > 2 else []
                genes += [low_op, high_op]
        return tuple(genes)

    # -- what strategies learn from ---------------------------------------------------------------------------------

    def graphs(self, archs: Sequence[Architecture], *, pruned: bool = True) -> tuple[CellBatch, ...]:
        cells = self.as_cells(archs).astype(np.int64)
        ops, preds = cells[..., 0], cells[..., 1]
        found = []
        for batch, positions, cell in zip(wired_batches(preds, ops), self._positions, range(2), strict=True):
            flops, params = cell_costs(ops[:, cell].reshape(-1, 8), preds[:, cell].reshape(-1, 8) < 2, positions)
            found.append(CellBatch(batch.ops, batch.adjacency, flops, params))
        return tuple(found)

    def graph(self, arch: Architecture, *, pruned: bool = True) -> tuple[CellGraph, ...]:
        return tuple(batch.cell(0) for batch in self.graphs([arch]))

    def costs(self, archs: Sequence[Architecture]) -> Mapping[str, npt.NDArray[np.float64]]:
        flops, params = skeleton_costs(self._layers, self._channels)
        return summed(self.graphs(archs), flops=flops, params=params)

    @cached_property
    def scripts(self) -> Mapping[str, Script]:
        """``default``: per node two predecessors, then their two operations; normal cell first."""
        return {"default": DartsScript()}
