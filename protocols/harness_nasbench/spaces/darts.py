"""The DARTS cell space as NAS-Bench-301 searches it (Liu et al., ICLR 2019; Zela et al., ICLR 2022)."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cache, cached_property, partial
from itertools import combinations, permutations
from operator import index
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.errors import InvalidArchitecture
from harness.spaces import Architecture, CellBatch, CellGraph, Choice, Script, SearchSpace
from harness_nasbench.spaces.darts_costs import CELL_NODES, OPS, cell_costs, network, skeleton_costs
from harness_nasbench.spaces.darts_script import DartsScript, wired_batches

CELLS: Final = ("normal", "reduce")
NODES: Final = (2, 3, 4, 5)
PAIRS: Final = {node: tuple(combinations(range(node), 2)) for node in NODES}
"""The predecessors that a node may have; node 2 has no choice."""
CELL_GENES: Final = 11
_PREFIX: Final = "NetworkSelectorDatasetInfo:darts:"
_FIRST_EDGE: Final = {2: 0, 3: 2, 4: 5, 5: 9}

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


def _wired(genes: Sequence[int]) -> list[tuple[tuple[int, int], int, int]]:
    """Of one cell's 11 genes: predecessors, operation on the lower, operation on the higher, for each node."""
    found = [(PAIRS[2][0], genes[0], genes[1])]
    for i, node in enumerate(NODES[1:]):
        pair, low, high = genes[2 + 3 * i : 5 + 3 * i]
        found.append((PAIRS[node][pair], low, high))
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
    # Only those with the smallest pairs can give the smallest cell.
    least = min(pairs for pairs, _ in found)
    return tuple(sorted({item for item in found if item[0] == least}))


def canonical_cell(genes: Cell) -> tuple[int, ...]:
    """Three input pairs and eight operations, equal for cells that differ in their nodes' numbers and only for them."""
    options = _relabellings((genes[2], genes[5], genes[8]))
    ops = (genes[0], genes[1], genes[3], genes[4], genes[6], genes[7], genes[9], genes[10])
    least = min(tuple([ops[i] for i in source]) for _, source in options)
    return options[0][0] + least


class DartsSpace(SearchSpace):
    """A normal and a reduction cell: each the input pairs of nodes 3, 4, 5 and two operations for each of nodes 2 to 5.

    Nodes 0 and 1 are the outputs of the two cells before. A node's two predecessors are distinct, as NAS-Bench-301
    has it, so every encoding is valid: (180 x 7^8)^2 of them. ``low`` and ``high`` name the operations on the edge from
    the predecessor of smaller and of larger number.

    The graph of a cell has 11 nodes: both inputs, one node per operation (low before high, node by node), the
    output. An operation that reads intermediate node k has edges from both operations that k adds up; all eight lead to
    the output, which concatenates, so nothing is ever pruned. Costs are those of the network that NAS-Bench-301
    trains, 8 cells (6 normal, 2 reduction) and 32 initial channels: multiply-adds, and parameters without the
    auxiliary head.

    The key numbers the intermediate nodes canonically; inputs, and operations apart from their order, stay as they are.
    """

    name = "darts"
    choices = (*_cell_choices("normal"), *_cell_choices("reduce"))
    operations = ("c_{k-2}", "c_{k-1}", *OPS, "output")
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

    def describe(self, arch: Architecture) -> str:
        g = self.genotype(arch)
        return f"Genotype(normal={g.normal}, normal_concat=range(2, 6), reduce={g.reduce}, reduce_concat=range(2, 6))"

    def parse(self, text: str) -> Architecture:
        """Of a genotype as Python would print it. Raises InvalidArchitecture; evaluates nothing."""
        try:
            call = ast.parse(text.strip(), mode="eval").body
            if not isinstance(call, ast.Call) or call.args or getattr(call.func, "id", None) != "Genotype":
                raise ValueError("want Genotype(normal=..., normal_concat=..., reduce=..., reduce_concat=...)")
            fields = {str(k.arg): _literal(k.value) for k in call.keywords}
            if sorted(fields) != sorted(Genotype._fields):
                raise ValueError(f"want {', '.join(Genotype._fields)}; found {', '.join(fields)}")
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
            raise InvalidArchitecture(f"not a DARTS genotype: {error}: {text[:300]!r}") from None
        return self.from_genotype(fields)

    def genotype(self, arch: Architecture) -> Genotype:
        """In DARTS's notation, each node's lower predecessor first."""
        cells: list[Edges] = []
        for genes in (arch[:CELL_GENES], arch[CELL_GENES:]):
            cells.append([])
            for (a, b), low, high in _wired(genes):
                cells[-1] += [(OPS[low], a), (OPS[high], b)]
        return Genotype(cells[0], range(2, 6), cells[1], range(2, 6))

    def from_genotype(self, genotype: Mapping[str, Any] | Any) -> Architecture:
        """The encoding of a mapping, or an object with attributes, of a genotype's four fields.

        Raises InvalidArchitecture where a node names one predecessor twice (which the official converter would lose
        without a word), reads a later node, uses another operation, or where not all four nodes are concatenated.
        """
        genes: list[int] = []
        for cell in CELLS:
            field = genotype.get if isinstance(genotype, Mapping) else partial(getattr, genotype)
            given: Any = field(cell, None)
            try:
                edges = [(str(op), index(source)) for op, source in given]
                concat = sorted(map(index, field(f"{cell}_concat", ())))
            except (TypeError, ValueError):
                raise InvalidArchitecture(f"{cell} cell: want (operation, node) pairs, found {given!r}") from None
            if len(edges) != 8 or concat != list(NODES):
                raise InvalidArchitecture(f"{cell} cell: want 8 edges and nodes 2 to 5 concatenated: {edges}, {concat}")
            for i, node in enumerate(NODES):
                genes += self._node_genes(cell, node, {source: op for op, source in edges[2 * i : 2 * i + 2]})
        return tuple(genes)

    @staticmethod
    def _node_genes(cell: str, node: int, ops: Mapping[int, str]) -> list[int]:
        """One node's genes, given the operation on each of its predecessors."""
        sources = tuple(sorted(ops))
        if sources not in PAIRS[node]:
            named = ", ".join(map(str, sources))
            raise InvalidArchitecture(f"{cell} cell: node {node} needs two different nodes below it, found {named}")
        unknown = [op for op in ops.values() if op not in OPS]
        if unknown:
            raise InvalidArchitecture(f"{cell} cell: node {node} has {unknown[0]!r}; operations are {', '.join(OPS)}")
        pair = [PAIRS[node].index((sources[0], sources[1]))] if node > 2 else []
        return [*pair, *(OPS.index(ops[source]) for source in sources)]

    def config(self, arch: Architecture) -> dict[str, str]:
        """NAS-Bench-301's own configuration: operation of each active edge, inputs of nodes 3 to 5."""
        found: dict[str, str] = {}
        for cell, genes in zip(CELLS, (arch[:CELL_GENES], arch[CELL_GENES:]), strict=True):
            for node, ((a, b), low, high) in zip(NODES, _wired(genes), strict=True):
                found[f"{_PREFIX}edge_{cell}_{_FIRST_EDGE[node] + a}"] = OPS[low]
                found[f"{_PREFIX}edge_{cell}_{_FIRST_EDGE[node] + b}"] = OPS[high]
                if node > 2:
                    found[f"{_PREFIX}inputs_node_{cell}_{node}"] = f"{a}_{b}"
        return found

    def from_config(self, config: Mapping[str, Any]) -> Architecture:
        """The inverse of `config`. Other keys of a full configuration (training settings) are passed over.

        Raises InvalidArchitecture where an active edge lacks its operation or an inactive one has one.
        """
        left = {
            name: str(value) for name, value in config.items()
            if name.startswith((f"{_PREFIX}edge_", f"{_PREFIX}inputs_node_"))
        }  # fmt: skip
        genes: list[int] = []
        for cell in CELLS:
            for node in NODES:
                pairs = {f"{a}_{b}": (a, b) for a, b in PAIRS[node]}
                inputs = left.pop(f"{_PREFIX}inputs_node_{cell}_{node}", None) if node > 2 else "0_1"
                if inputs not in pairs:
                    known = ", ".join(pairs)
                    raise InvalidArchitecture(f"{cell} cell: inputs of node {node} are {inputs!r}, want one of {known}")
                ops: dict[int, str] = {}
                for source in pairs[inputs]:
                    edge = _FIRST_EDGE[node] + source
                    op = left.pop(f"{_PREFIX}edge_{cell}_{edge}", None)
                    if op is None:
                        raise InvalidArchitecture(f"{cell} cell: edge {edge} ({source} to {node}) has no operation")
                    ops[source] = op
                genes += self._node_genes(cell, node, ops)
        if left:
            raise InvalidArchitecture(f"set, but inactive or unknown: {', '.join(sorted(left))}")
        return tuple(genes)

    def edges(self, archs: Sequence[Architecture]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """`config` of each as numbers: the operation of every edge, int64 [n, 2, 14], -1 where inactive; and the option
        of the inputs of nodes 3, 4, 5, int64 [n, 2, 3]."""
        preds, ops = self._wiring(archs)
        found = np.full((len(archs), 2, 14), -1, dtype=np.int64)
        edge = preds + np.array(list(_FIRST_EDGE.values()))[:, None]
        n, c = np.ogrid[: len(archs), :2]
        found[n[..., None], c[..., None], edge.reshape(len(archs), 2, 8)] = ops.reshape(len(archs), 2, 8)
        return found, self.as_array(archs).reshape(-1, 2, CELL_GENES)[:, :, [2, 5, 8]]

    # -- what strategies learn from ---------------------------------------------------------------------------------

    def _wiring(self, archs: Sequence[Architecture]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Predecessors and operations (indices into `OPS`), int64 [n, cell, node, low or high] each."""
        genes = self.as_array(archs).reshape(-1, 2, CELL_GENES)
        preds = np.zeros((len(genes), 2, 4, 2), dtype=np.int64)
        preds[:, :, 0] = PAIRS[2][0]
        for i, node in enumerate(NODES[1:]):
            preds[:, :, 1 + i] = np.array(PAIRS[node])[genes[:, :, 2 + 3 * i]]
        return preds, genes[:, :, [0, 1, 3, 4, 6, 7, 9, 10]].reshape(-1, 2, 4, 2)

    def graphs(self, archs: Sequence[Architecture], *, pruned: bool = True) -> tuple[CellBatch, ...]:
        preds, ops = self._wiring(archs)
        found = []
        for batch, positions, cell in zip(wired_batches(preds, ops), self._positions, range(2), strict=True):
            flops, params = cell_costs(
                ops[:, cell].reshape(-1, 8), preds[:, cell].reshape(-1, 8) < 2, positions
            )  # fmt: skip
            found.append(CellBatch(batch.ops, batch.adjacency, flops, params))
        return tuple(found)

    def graph(self, arch: Architecture, *, pruned: bool = True) -> tuple[CellGraph, ...]:
        return tuple(
            CellGraph(b.ops[0], b.adjacency[0], None if b.flops is None else b.flops[0],
                      None if b.params is None else b.params[0])
            for b in self.graphs([arch])
        )  # fmt: skip

    def costs(self, archs: Sequence[Architecture]) -> Mapping[str, npt.NDArray[np.float64]]:
        flops, params = (np.full(len(archs), base) for base in skeleton_costs(self._layers, self._channels))
        for batch in self.graphs(archs):
            assert batch.flops is not None
            assert batch.params is not None
            flops += batch.flops.sum(axis=(1, 2))
            params += batch.params.sum(axis=(1, 2))
        return {"params": params, "flops": flops}

    @cached_property
    def scripts(self) -> Mapping[str, Script]:
        """``default``: per node two predecessors, then their two operations; normal cell first."""
        return {"default": DartsScript()}


def _literal(value: ast.expr) -> Any:
    """A literal, or ``range`` of literals."""
    if isinstance(value, ast.Call) and getattr(value.func, "id", None) == "range" and not value.keywords:
        bounds = [ast.literal_eval(a) for a in value.args]
        if len(bounds) == 2 and all(isinstance(b, int) and 0 <= b < 100 for b in bounds):
            return list(range(*bounds))
        raise ValueError("want range(2, 6)")
    return ast.literal_eval(value)
