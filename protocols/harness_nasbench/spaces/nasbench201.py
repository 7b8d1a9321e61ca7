"""NAS-Bench-201's topology space: a cell of four nodes whose six edges carry one of five operations each.

Source: Dong & Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search" (ICLR 2020), and
the network of its public code. The skeleton repeats the cell 15 times: three stages of five with 16, 32 and 64
channels, a residual block that halves the map between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from harness import Architecture, CellBatch, CellGraph, Choice, InvalidArchitecture, on_path
from harness_nasbench.formats.nasbench201_cells import EDGES, NOTATION, OPERATIONS
from harness_nasbench.spaces.enumerated import EnumeratedSpace, Enumeration, Ints

NONE, SKIP, CONV1, CONV3, POOL = range(len(OPERATIONS))
DATASETS = {"cifar10": (10, 32), "cifar100": (100, 32), "imagenet16-120": (120, 16)}
"""Classes and image size."""

CHANNELS = (16, 32, 64)
CELLS_PER_STAGE = 5
_NODES = len(EDGES) + 2


def _term(source: str, op: int) -> str:
    """A summand of a node in the official ``to_unique_str(consider_zero=True)``.

    A skip is its source itself; an edge that is ``none`` or starts at a node that is exactly ``#`` is ``#``.
    """
    if op == NONE or source == "#":
        return "#"
    return source if op == SKIP else f"({source})@{OPERATIONS[op]}"


@lru_cache(maxsize=1)
def _enumeration() -> Enumeration:
    """All 15,625 strings, each node's computed once per setting of the edges that reach it."""
    ops = range(len(OPERATIONS))
    found: dict[str, int] = {}
    class_of: list[int] = []
    first: list[int] = []
    for e01, e02, e12 in product(ops, repeat=3):
        node1 = _term("0", e01)
        node2 = "+".join(sorted((_term("0", e02), _term(node1, e12))))
        terms = [[_term(node, op) for op in ops] for node in ("0", node1, node2)]
        for three in product(*terms):
            key = "+".join(sorted(three))
            index = found.setdefault(key, len(found))
            if index == len(first):
                first.append(len(class_of))
            class_of.append(index)
    encodings = np.indices((len(OPERATIONS),) * len(EDGES), dtype=np.int64).reshape(len(EDGES), -1).T
    return Enumeration(np.ascontiguousarray(encodings), np.array(class_of), tuple(found), np.array(first))


def _template() -> npt.NDArray[np.bool_]:
    """bool [8, 8]: input, one node per edge, output; an edge feeds the edges that start where it ends."""
    adjacency = np.zeros((_NODES, _NODES), dtype=np.bool_)
    for i, (source, target) in enumerate(EDGES):
        adjacency[0, i + 1] = source == 0
        adjacency[i + 1, -1] = target == 3
        for j, (start, _) in enumerate(EDGES):
            adjacency[i + 1, j + 1] = start == target
    return adjacency


@lru_cache(maxsize=1)
def _pruned_shapes() -> tuple[Ints, npt.NDArray[np.bool_]]:
    """For each of the 2^6 sets of ``none`` edges: the nodes kept [64, 8] (-1: padding), adjacency [64, 8, 8]."""
    template = _template()
    kept = np.full((2 ** len(EDGES), _NODES), -1, dtype=np.int64)
    adjacency = np.zeros((2 ** len(EDGES), _NODES, _NODES), dtype=np.bool_)
    for mask in range(2 ** len(EDGES)):
        absent = [i + 1 for i in range(len(EDGES)) if mask >> i & 1]
        present = template.copy()
        present[absent] = False
        present[:, absent] = False
        stays = on_path(present, [0], _NODES - 1)
        stays[[0, -1]] = True
        nodes = np.flatnonzero(stays)
        kept[mask, : len(nodes)] = nodes
        adjacency[mask, : len(nodes), : len(nodes)] = present[np.ix_(nodes, nodes)]
    return kept, adjacency


class NASBench201Space(EnumeratedSpace):
    """NAS-Bench-201: five operations on the six edges of a cell.

    Choices: the operation of each edge, in the order of the architecture string.

    ``dataset`` (cifar10, cifar100, imagenet16-120) sets image size and classes, and with them only the costs. The key
    is the official string with zero handling (6,466 classes); rows are architectures, since isomorphic cells were
    trained apart.

    Graphs have operations on nodes: input, the six edges, output. Pruned ones lack ``none`` edges and what lies on no
    input-output path. Their costs, one row per repetition of the cell (15): a convolution has k^2 C^2 + 2 C parameters
    and 2 k^2 C^2 HW FLOPs, a pooling 9 C HW FLOPs, as NAS-Bench-101's are counted. `costs` is the whole network's, as
    the benchmark's own files count it: FLOPs are the multiply-accumulates of all convolutions and of the classifier.
    """

    name = "nasbench201"
    choices = tuple(Choice(f"{source}->{target}", OPERATIONS) for source, target in EDGES)
    operations = ("input", *OPERATIONS, "output")
    max_nodes = _NODES
    key_differs = (
        "the official string keeps a '#' for every absent summand, so that cells of equal graphs without their absent "
        "edges may have several keys; it merges cells that differ in skip connections only"
    )
    laws = ("encodings", "classes")
    default_law = "encodings"

    def __init__(self, dataset: str = "cifar10") -> None:
        if dataset not in DATASETS:
            raise ValueError(f"unknown data set {dataset!r}; known: {', '.join(DATASETS)}")
        self.dataset = dataset
        self.classes, self.image = DATASETS[dataset]

    @property
    def enumeration(self) -> Enumeration:
        return _enumeration()

    # -- notation ---------------------------------------------------------------------------------------------------

    def describe(self, arch: Architecture) -> str:
        """The architecture string, such as ``|nor_conv_3x3~0|+|none~0|...~1|+|...~0|...~1|...~2|``."""
        a, b, c, d, e, f = (OPERATIONS[op] for op in self.check(arch))
        return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"

    def parse(self, text: str) -> Architecture:
        match = NOTATION.fullmatch(text.strip())
        if match is None:
            raise InvalidArchitecture(
                f"{text!r} is not of the form '|op~0|+|op~0|op~1|+|op~0|op~1|op~2|' with op of {', '.join(OPERATIONS)}"
            )
        return tuple(OPERATIONS.index(op) for op in match.groups())

    # -- graphs -----------------------------------------------------------------------------------------------------

    def graph(self, arch: Architecture, *, pruned: bool = True) -> tuple[CellGraph, ...]:
        return (self.graphs([self.check(arch)], pruned=pruned)[0].cell(0),)

    def graphs(self, archs: Sequence[Architecture], *, pruned: bool = True) -> tuple[CellBatch, ...]:
        return (self._batch(self.as_array(archs), pruned),)

    def _batch(self, encodings: Ints, pruned: bool) -> CellBatch:
        n = len(encodings)
        written = np.empty((n, _NODES), dtype=np.int64)
        written[:, 0], written[:, 1:-1], written[:, -1] = 0, encodings + 1, len(self.operations) - 1
        if pruned:
            kept, adjacencies = _pruned_shapes()
            mask = (encodings == NONE) @ (1 << np.arange(len(EDGES)))
            nodes = kept[mask]
            ops = np.where(nodes >= 0, np.take_along_axis(written, np.maximum(nodes, 0), axis=1), -1)
            adjacency = adjacencies[mask]
        else:
            ops, adjacency = written, np.broadcast_to(_template(), (n, _NODES, _NODES)).copy()
        return self._priced(ops, adjacency)

    def _priced(self, ops: Ints, adjacency: npt.NDArray[np.bool_]) -> CellBatch:
        flops, params = self._operation_costs
        return CellBatch(ops, adjacency, flops[ops].transpose(0, 2, 1), params[ops].transpose(0, 2, 1))

    def partial_graphs(self, taken: Ints) -> tuple[CellBatch, ...]:
        """The cell as written, undecided edges as nodes of operation -1."""
        batch = self._batch(np.maximum(taken, 0), pruned=False)
        batch.ops[:, 1:-1][taken < 0] = -1
        return (self._priced(batch.ops, batch.adjacency),)

    # -- costs ------------------------------------------------------------------------------------------------------

    @property
    def _maps(self) -> tuple[int, ...]:
        """Area of the feature map in each stage."""
        return tuple((self.image >> stage) ** 2 for stage in range(len(CHANNELS)))

    @cached_property
    def _operation_costs(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """FLOPs and parameters of each operation of the vocabulary in each of the 15 cells: float64 [8, 15].

        The last row, to which -1 refers, is for nodes without an operation.
        """
        flops = np.zeros((len(self.operations) + 1, len(CHANNELS)))
        params = np.zeros_like(flops)
        for stage, (c, area) in enumerate(zip(CHANNELS, self._maps, strict=True)):
            for op, kernel in ((CONV1, 1), (CONV3, 3)):
                params[op + 1, stage] = kernel**2 * c**2 + 2 * c
                flops[op + 1, stage] = 2 * kernel**2 * c**2 * area
            flops[POOL + 1, stage] = 9 * c * area
        return np.repeat(flops, CELLS_PER_STAGE, axis=1), np.repeat(params, CELLS_PER_STAGE, axis=1)

    @cached_property
    def _network_costs(self) -> tuple[dict[int, tuple[int, int]], tuple[int, int]]:
        """(params, MACs) that one edge adds with each convolution, and those of the network around the cells."""
        c0, c2 = CHANNELS[0], CHANNELS[-1]
        classifier = c2 * self.classes + self.classes
        params = 3 * 9 * c0 + 2 * c0 + 2 * c2 + classifier
        macs = 3 * 9 * c0 * self._maps[0] + classifier
        for c, area in zip(CHANNELS[:-1], self._maps[1:], strict=True):
            convolutions = 9 * c * 2 * c + 9 * (2 * c) ** 2 + c * 2 * c
            params += convolutions + 2 * 2 * 2 * c
            macs += convolutions * area
        edge = {}
        for op, kernel in ((CONV1, 1), (CONV3, 3)):
            weights = [kernel**2 * c**2 for c in CHANNELS]
            edge[op] = (
                CELLS_PER_STAGE * sum(w + 2 * c for w, c in zip(weights, CHANNELS, strict=True)),
                CELLS_PER_STAGE * sum(w * area for w, area in zip(weights, self._maps, strict=True)),
            )
        return edge, (params, macs)

    def costs(self, archs: Sequence[Architecture]) -> Mapping[str, npt.NDArray[np.float64]]:
        """``params`` and ``flops`` of the whole network for this data set, plain counts, float64 [n]."""
        edge, (params, macs) = self._network_costs
        encodings = self.as_array(archs)
        total = {"params": np.full(len(encodings), float(params)), "flops": np.full(len(encodings), float(macs))}
        for op, (more_params, more_macs) in edge.items():
            count = (encodings == op).sum(axis=1)
            total["params"] += count * more_params
            total["flops"] += count * more_macs
        return total
