"""NAS-Bench-Graph's search space: nine directed acyclic graphs of four nodes, nine operations each.

Source: Qin et al., "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search" (NeurIPS 2022), and its package
`nas-bench-graph`. An architecture is a list of links, which gives each of four nodes its one predecessor (0 is the
input), and an operation for each node; the output concatenates the nodes that feed no other. 9 x 9^4 encodings, minus
the nine without any operation but ``skip``, fall into 26,206 classes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from harness import Architecture, CellBatch, CellGraph, Choice, InvalidArchitecture, Script
from harness_nasbench.spaces.enumerated import EnumeratedSpace, Enumeration, Ints

Links = tuple[int, ...]

LINKS: tuple[Links, ...] = (
    (0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 1), (0, 0, 1, 2), (0, 0, 1, 3), (0, 1, 1, 1), (0, 1, 1, 2), (0, 1, 2, 2),
    (0, 1, 2, 3),
)  # fmt: skip
"""Predecessor of each of the four nodes; node i + 1 is entry i, 0 is the input."""
OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
"""In the package's order, which the official hash is made of."""
SKIP = OPERATIONS.index("skip")
NODES = 4

_TWINS = {(0, 0, 0, 0): (0, 1, 2, 3), (0, 0, 0, 1): (1, 2), (0, 0, 1, 1): (2, 3), (0, 1, 1, 1): (1, 2, 3),
          (0, 1, 2, 2): (2, 3)}  # fmt: skip
"""Nodes that have one predecessor and feed nothing: their order has no meaning."""
_TWO_CHAINS = LINKS.index((0, 0, 1, 2))
_BASE = len(OPERATIONS) + 1
_NOTATION = re.compile(r"\[(\d),(\d),(\d),(\d)\]\|(\w+),(\w+),(\w+),(\w+)")


@lru_cache(maxsize=1)
def relabelled() -> dict[Links, tuple[int, tuple[int, ...]]]:
    """For each of the 24 possible lists of links, the listed graph it is isomorphic to, and the new order of its nodes.

    ``order[i]``: the old position of the node that becomes node i + 1.
    """
    found: dict[Links, tuple[int, tuple[int, ...]]] = {}
    for links in product(*(range(i + 1) for i in range(NODES))):
        for order in ((0, 1, 2, 3), *permutations(range(NODES))):
            label = {0: 0} | {old + 1: new + 1 for new, old in enumerate(order)}
            renamed = tuple(label[links[old]] for old in order)
            if renamed in LINKS:
                found[links] = LINKS.index(renamed), order
                break
    return found


def _hoist(links: Links, order: tuple[int, ...], k: int) -> tuple[Links, tuple[int, ...]]:
    """Move node k to the front: its successors now follow its predecessor, and all that followed the input follow k."""

    def renamed(predecessor: int) -> int:
        predecessor = links[k] if predecessor == k + 1 else predecessor
        return predecessor + 1 if predecessor <= k else predecessor

    rest = [j for j in range(NODES) if j != k]
    return (0, *(renamed(links[j]) for j in rest)), (order[k], *(order[j] for j in rest))


def _normal_form(links: Links, skips: tuple[bool, ...]) -> tuple[int, tuple[int, ...]]:
    """The listed graph without movable skips, and the order in which it takes the old nodes.

    A ``skip`` computes nothing, so its place on a path does not matter: it goes to the front. A skip stays only where
    it is a branch of its own (nothing follows it, another node has the same predecessor, and a node other than a skip
    precedes it), since it then adds an output of another width.
    """
    order: tuple[int, ...] = tuple(range(NODES))
    for k in range(NODES):
        if not skips[order[k]]:
            continue
        feeds = k + 1 in links
        beside = any(links[j] == links[k] for j in range(NODES) if j != k)
        above, only_skips = k + 1, True
        while above:
            only_skips &= skips[order[above - 1]]
            above = links[above - 1]
        if feeds or not beside or only_skips:
            links, order = _hoist(links, order, k)
    graph, again = relabelled()[links]
    return graph, tuple(order[i] for i in again)


def official_hash(encodings: Ints) -> Ints:
    """The package's ``Arch.valid_hash`` of encodings [n, 5]: int64 [n], equal for isomorphic architectures only.

    The places of the skips decide the normal form's graph and order (9 x 16 cases). Then the operations of
    interchangeable nodes are sorted.
    """
    graphs = np.empty((len(LINKS), 2**NODES), dtype=np.int64)
    orders = np.empty((len(LINKS), 2**NODES, NODES), dtype=np.int64)
    for g, links in enumerate(LINKS):
        for mask in range(2**NODES):
            graphs[g, mask], orders[g, mask] = _normal_form(links, tuple(bool(mask >> i & 1) for i in range(NODES)))
    ops = encodings[:, 1:]
    mask = (ops == SKIP) @ (1 << np.arange(NODES))
    graph = graphs[encodings[:, 0], mask]
    ops = np.take_along_axis(ops, orders[encodings[:, 0], mask], axis=1)
    for twin_links, nodes in _TWINS.items():
        here = np.flatnonzero(graph == LINKS.index(twin_links))[:, None]
        ops[here, nodes] = np.sort(ops[here, nodes], axis=1)
    swap = (graph == _TWO_CHAINS) & (ops[:, [0, 2]] @ [_BASE, 1] > ops[:, [1, 3]] @ [_BASE, 1])
    ops[swap] = ops[swap][:, [1, 0, 3, 2]]
    code: Ints = graph * _BASE**NODES + ops @ _BASE ** np.arange(NODES - 1, -1, -1)
    return code


@lru_cache(maxsize=1)
def _enumeration() -> Enumeration:
    radices = (len(LINKS),) + (len(OPERATIONS),) * NODES
    encodings = np.indices(radices, dtype=np.int64).reshape(len(radices), -1).T
    encodings = np.ascontiguousarray(encodings[(encodings[:, 1:] != SKIP).any(axis=1)])
    codes = official_hash(encodings)
    hashes, class_of = np.unique(codes, return_inverse=True)
    digits = hashes[:, None] // _BASE ** np.arange(NODES, -1, -1) % _BASE
    itself = encodings @ _BASE ** np.arange(NODES, -1, -1)
    representatives = np.searchsorted(itself, digits @ _BASE ** np.arange(NODES, -1, -1))
    return Enumeration(encodings, class_of, tuple(map(str, hashes.tolist())), representatives)


def _adjacencies() -> npt.NDArray[np.bool_]:
    """bool [9, 6, 6]: input, four nodes, output."""
    adjacency = np.zeros((len(LINKS), NODES + 2, NODES + 2), dtype=np.bool_)
    for g, links in enumerate(LINKS):
        for i, predecessor in enumerate(links):
            adjacency[g, predecessor, i + 1] = True
            adjacency[g, i + 1, -1] = i + 1 not in links
    return adjacency


class NASBenchGraphSpace(EnumeratedSpace):
    """NAS-Bench-Graph: nine graphs of four nodes, nine operations.

    Choices: ``graph``, one of nine lists of links, then ``node1`` to ``node4``, one of nine operations each.

    A graph has six nodes: input, the four in order, and the output, which takes the nodes that feed no other. Every
    node lies on a path, so pruning changes nothing. Widths differ by data set, so no costs per node are given.
    The key is the official hash; rows are classes.
    """

    name = "nasbench-graph"
    choices = (
        Choice("graph", tuple("[" + ",".join(map(str, links)) + "]" for links in LINKS)),
        *(Choice(f"node{i + 1}", OPERATIONS) for i in range(NODES)),
    )
    operations = ("input", *OPERATIONS, "output")
    max_nodes = NODES + 2
    key_differs = (
        "the official hash moves a skip that follows the input before all else, even where nothing follows it, and "
        "so merges networks with and without the input among their outputs"
    )
    laws = ("encodings", "rows", "classes")
    default_law = "rows"
    all_valid = False
    rows_are_classes = True

    @property
    def enumeration(self) -> Enumeration:
        return _enumeration()

    @property
    def hashes(self) -> Ints:
        """The official hash of each row, int64 [26206], ascending."""
        return np.array(self.enumeration.keys, dtype=np.int64)

    def describe(self, arch: Architecture) -> str:
        """Links and operations, such as ``[0,0,1,2]|gcn,gat,skip,fc``."""
        graph, *ops = self.check(arch)
        return f"{self.choices[0].options[graph]}|{','.join(OPERATIONS[op] for op in ops)}"

    def parse(self, text: str) -> Architecture:
        match = _NOTATION.fullmatch(text.replace(" ", ""))
        if match is None:
            raise InvalidArchitecture(f"{text!r} is not of the form '[0,0,1,2]|gcn,gat,skip,fc'")
        links, ops = tuple(map(int, match.groups()[:NODES])), match.groups()[NODES:]
        if links not in LINKS:
            raise InvalidArchitecture(f"{text!r}: {list(links)} is not one of the nine lists of links")
        for op in ops:
            if op not in OPERATIONS:
                raise InvalidArchitecture(f"{text!r}: unknown operation {op!r}; known: {', '.join(OPERATIONS)}")
        return self.check((LINKS.index(links), *(OPERATIONS.index(op) for op in ops)))

    @cached_property
    def _adjacency(self) -> npt.NDArray[np.bool_]:
        return _adjacencies()

    def graph(self, arch: Architecture, *, pruned: bool = True) -> tuple[CellGraph, ...]:
        return (self.graphs([self.check(arch)], pruned=pruned)[0].cell(0),)

    def graphs(self, archs: Sequence[Architecture], *, pruned: bool = True) -> tuple[CellBatch, ...]:
        encodings = self.as_array(archs)
        ops = np.empty((len(encodings), NODES + 2), dtype=np.int64)
        ops[:, 0], ops[:, 1:-1], ops[:, -1] = 0, encodings[:, 1:] + 1, len(self.operations) - 1
        return (CellBatch(ops, self._adjacency[encodings[:, 0]]),)

    @cached_property
    def scripts(self) -> Mapping[str, Script]:
        from harness_nasbench.spaces.nasbench_graph_script import LinkScript

        return {"default": LinkScript()}
