"""Every cell of NAS-Bench-101, and a look-up from encoding to cell that computes no hash.

The 2^21 adjacency matrices are pruned at once; each then belongs to a *shape*, the isomorphism class of its pruned
graph with operations left out, by one of the 120 permutations of its interior vertices. Carrying the operations along
by the same permutation, and merging labellings that an automorphism of the shape exchanges, numbers the 423,624 cells.
An encoding is then found by three table look-ups. The isomorphism is exact: it enumerates permutations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import permutations
from typing import overload

import numpy as np
import numpy.typing as npt

from harness.errors import InvalidArchitecture
from harness.spaces import Architecture
from harness_nasbench.spaces.nasbench101_hash import (
    BITS,
    EDGES,
    GENES,
    LABELINGS,
    MAX_EDGES,
    OPS,
    OUTPUT,
    VERTICES,
    module_hash,
    pack,
    unpack,
)

CELLS = 423_624
"""The number of cells that the benchmark trained (Ying et al. 2019)."""

_INTERIOR = VERTICES - 2
_ORDERS = np.array(list(permutations(range(_INTERIOR))), dtype=np.int64)
"""[120, 5]: where each interior vertex goes."""
_ORDER_BITS, _ORDER_MASK = 7, 127
_PAIRS = [(u, v) for u in range(VERTICES) for v in range(VERTICES) if u != v and v != 0 and u != OUTPUT]
"""Ordered pairs of vertices between which a relabelled cell may have an edge: 31."""


def as_genes(archs: Sequence[Architecture]) -> npt.NDArray[np.uint8]:
    """uint8 [n, 26]. Raises InvalidArchitecture where one has not 26 small genes."""
    try:
        parts = list(map(bytes, archs))
    except (TypeError, ValueError):
        raise InvalidArchitecture("an architecture of nasbench101 is a tuple of 26 option indices") from None
    if not set(map(len, parts)) <= {GENES}:
        raise InvalidArchitecture("an architecture of nasbench101 has 26 genes: 21 edges and 5 operations")
    return np.frombuffer(b"".join(parts), dtype=np.uint8).reshape(len(parts), GENES)


_POWERS = np.zeros((GENES, 2), dtype=np.float32)
_POWERS[:BITS, 0] = 2.0 ** np.arange(BITS - 1, -1, -1)
_POWERS[BITS:, 1] = 3.0 ** np.arange(_INTERIOR - 1, -1, -1)


def pack_genes(genes: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Matrix (21 bits, -1 where a gene is out of range) and labelling of each row of uint8 [n, 26]: int64 [n] each."""
    # Below 2^24, so exact in float32, whose matrix product is several times faster than an integer one.
    matrix, labelling = (genes.astype(np.float32) @ _POWERS).astype(np.int64).T
    if genes.size and (genes[:, :BITS].max() > 1 or genes[:, BITS:].max() >= len(OPS)):
        good = (genes[:, :BITS].max(axis=1) <= 1) & (genes[:, BITS:].max(axis=1) < len(OPS))
        return np.where(good, matrix, -1), np.where(good, labelling, 0)
    return matrix, labelling


class PackedArchitectures(Sequence[Architecture]):
    """Encodings stored as packed ints and unpacked when read; a memory-mapped column opens at once."""

    def __init__(self, codes: npt.NDArray[np.uint32]) -> None:
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> Architecture: ...

    @overload
    def __getitem__(self, index: slice) -> PackedArchitectures: ...

    def __getitem__(self, index: int | slice) -> Architecture | PackedArchitectures:
        if isinstance(index, slice):
            return PackedArchitectures(self.codes[index])
        return unpack(int(self.codes[index]))

    def __iter__(self) -> Iterator[Architecture]:
        for start in range(0, len(self.codes), 65536):
            yield from map(unpack, self.codes[start : start + 65536].tolist())


@dataclass(frozen=True, eq=False)
class CellIndex:
    """Which cell each of the 2^21 x 243 encodings is.

    matrices: int32 [2^21], ``shape * 128 + order`` of each adjacency matrix, -1 where it is invalid.
    labels: uint8 [128, 243], each labelling of the interior vertices after each order.
    cells: int32 [shapes, 243], the cell of a shape under a labelling.
    representatives: uint32 [cells], one packed pruned encoding of each cell.
    encodings: int64 [cells], how many valid encodings each cell has.
    hashes: uint8 [cells, 16], the benchmark's module hashes, or None where they were not computed.
    """

    matrices: npt.NDArray[np.int32]
    labels: npt.NDArray[np.uint8]
    cells: npt.NDArray[np.int32]
    representatives: npt.NDArray[np.uint32]
    encodings: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.representatives)

    @cached_property
    def _flat(self) -> tuple[memoryview, memoryview, memoryview]:
        """Views whose items are plain ints, several times faster to read one by one than numpy's."""
        return self.matrices.reshape(-1).data, self.labels.reshape(-1).data, self.cells.reshape(-1).data

    @cached_property
    def _digests(self) -> memoryview:
        assert self.hashes is not None
        return self.hashes.reshape(-1).data

    def cell(self, arch: Architecture) -> int:
        """The cell's number, -1 where ``arch`` is not a valid encoding. About 2 us."""
        code = pack(arch)
        if code < 0:
            return -1
        matrix, labelling = divmod(code, LABELINGS)
        matrices, labels, cells = self._flat
        found: int = matrices[matrix]
        if found < 0:
            return -1
        labelling = labels[(found & _ORDER_MASK) * LABELINGS + labelling]
        number: int = cells[(found >> _ORDER_BITS) * LABELINGS + labelling]
        return number

    def number(self, arch: Architecture) -> int:
        """`cell`. Raises KeyError where ``arch`` is not a valid encoding."""
        if (cell := self.cell(arch)) < 0:
            raise KeyError(arch)
        return cell

    def find(self, genes: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """`cell` of each row of uint8 [n, 26]: int64 [n]."""
        matrix, labelling = pack_genes(genes)
        found = np.where(matrix >= 0, self.matrices[matrix], -1)
        order = self.labels.reshape(-1)[(found & _ORDER_MASK) * LABELINGS + labelling]
        number = self.cells.reshape(-1)[(found >> _ORDER_BITS) * LABELINGS + order]
        return np.where(found >= 0, number, -1).astype(np.int64)

    @property
    def architectures(self) -> PackedArchitectures:
        """One encoding of each cell, in order of cell number."""
        return PackedArchitectures(self.representatives)

    def hash(self, cell: int) -> str:
        """The module hash of a cell; computed where the index holds none."""
        if self.hashes is None:
            return module_hash(unpack(int(self.representatives[cell])))
        return self._digests[16 * cell : 16 * cell + 16].hex()

    def hash_all(self, cells: npt.NDArray[np.int64]) -> list[str]:
        """`hash` of each of int64 [n]."""
        if self.hashes is None:
            unique, back = np.unique(cells, return_inverse=True)
            known = [self.hash(int(c)) for c in unique]
            return [known[i] for i in back.tolist()]
        text = self.hashes[cells].tobytes().hex()
        return [text[i : i + 32] for i in range(0, len(text), 32)]


def _edge_masks() -> npt.NDArray[np.int64]:
    """int64 [128]: the matrix bits that join two vertices of each vertex set."""
    return np.array(
        [
            sum(1 << (BITS - 1 - k) for k, (u, v) in enumerate(EDGES) if kept >> u & 1 and kept >> v & 1)
            for kept in range(1 << VERTICES)
        ]
    )


def prune_matrices(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Each 21-bit adjacency matrix without edges that lie on no path from input to output: int64 [n]; 0: no path."""
    bit = {edge: BITS - 1 - k for k, edge in enumerate(EDGES)}
    forward = np.ones_like(codes)
    for v in range(1, VERTICES):
        reached = np.zeros_like(codes)
        for u in range(v):
            reached |= codes >> bit[u, v] & forward >> u
        forward |= (reached & 1) << v
    backward = np.full_like(codes, 1 << OUTPUT)
    for u in range(OUTPUT - 1, -1, -1):
        reaches = np.zeros_like(codes)
        for v in range(u + 1, VERTICES):
            reaches |= codes >> bit[u, v] & backward >> v
        backward |= (reaches & 1) << u
    kept = forward & backward
    return codes & np.where(kept & 1, _edge_masks()[kept], 0)


def _images(codes: npt.NDArray[np.int64], source: Sequence[tuple[int, int]], order: int) -> npt.NDArray[np.int64]:
    """Edge sets over ``source`` pairs (first pair most significant) with vertices moved by an order, over `_PAIRS`."""
    moved = [0, *(1 + _ORDERS[order]).tolist(), OUTPUT]
    target = {pair: len(_PAIRS) - 1 - k for k, pair in enumerate(_PAIRS)}
    image = np.zeros_like(codes)
    width = len(source)
    for low in range(0, width, 8):
        table = np.zeros(256, dtype=np.int64)
        for k in range(low, min(low + 8, width)):
            u, v = source[width - 1 - k]
            table |= (np.arange(256) >> (k - low) & 1) << target[moved[u], moved[v]]
        image |= table[codes >> low & 255]
    return image


def _label_tables() -> npt.NDArray[np.uint8]:
    """uint8 [128, 243]: each labelling with its vertices moved by each order; the last 8 rows are unused."""
    weights = 3 ** np.arange(_INTERIOR - 1, -1, -1)
    digits = np.arange(LABELINGS)[:, None] // weights % 3
    table = np.zeros((1 << _ORDER_BITS, LABELINGS), dtype=np.uint8)
    table[: len(_ORDERS)] = weights[_ORDERS] @ digits.T
    return table


def build_index() -> CellIndex:
    """Compute the index: a few seconds, about 14 MB."""
    pruned = prune_matrices(np.arange(1 << BITS, dtype=np.int64))
    valid = (pruned != 0) & (np.bitwise_count(pruned) <= MAX_EDGES)
    graphs, graph_of = np.unique(pruned[valid], return_inverse=True)

    canonical = np.full(len(graphs), np.iinfo(np.int64).max)
    order_of = np.zeros(len(graphs), dtype=np.int64)
    for order in range(len(_ORDERS)):
        image = _images(graphs, EDGES, order)
        better = image < canonical
        canonical[better] = image[better]
        order_of[better] = order
    shapes, shape_of = np.unique(canonical, return_inverse=True)

    labels = _label_tables()
    matrices = np.full(1 << BITS, -1, dtype=np.int32)
    matrices[valid] = (shape_of << _ORDER_BITS | order_of)[graph_of]

    used = np.stack(
        [
            (shapes & sum(1 << (len(_PAIRS) - 1 - k) for k, pair in enumerate(_PAIRS) if v in pair)) != 0
            for v in range(1, OUTPUT)
        ],
        axis=1,
    )
    weights = 3 ** np.arange(_INTERIOR - 1, -1, -1)
    plain = (used[:, None, :] * (np.arange(LABELINGS)[:, None] // weights % 3)) @ weights
    least = plain.astype(np.uint8)
    for order in range(len(_ORDERS)):
        same = _images(shapes, _PAIRS, order) == shapes
        least[same] = np.minimum(least[same], labels[order][plain[same]])
    numbers, cell_of = np.unique(np.arange(len(shapes))[:, None] * LABELINGS + least, return_inverse=True)
    cells = cell_of.reshape(len(shapes), LABELINGS).astype(np.int32)

    shape, labelling = np.divmod(numbers, LABELINGS)
    chosen = _representatives(graphs, shape_of, len(shapes))
    undone = labels[_inverse_orders()[order_of[chosen]][shape], labelling]
    representatives = (graphs[chosen][shape] * LABELINGS + undone).astype(np.uint32)

    matrices_of_shape = np.bincount(shape_of[graph_of], minlength=len(shapes))
    labellings = np.bincount(cells.reshape(-1), minlength=len(numbers))
    encodings = (matrices_of_shape[shape] * labellings).astype(np.int64)
    return CellIndex(matrices, labels, cells, representatives, encodings)


def _representatives(
    graphs: npt.NDArray[np.int64], shape_of: npt.NDArray[np.int64], shapes: int
) -> npt.NDArray[np.int64]:
    """int64 [shapes]: of each shape, the smallest matrix whose unused vertices come last."""
    touches = np.stack(
        [
            (graphs & sum(1 << (BITS - 1 - k) for k, edge in enumerate(EDGES) if v in edge)) != 0
            for v in range(1, OUTPUT)
        ],
        axis=1,
    )
    tidy = np.flatnonzero((touches[:, :-1] >= touches[:, 1:]).all(axis=1))
    found, first = np.unique(shape_of[tidy], return_index=True)
    assert len(found) == shapes
    return tidy[first]


def _inverse_orders() -> npt.NDArray[np.int64]:
    """int64 [120]: the number of each order's inverse."""
    number = {tuple(order): i for i, order in enumerate(_ORDERS.tolist())}
    return np.array([number[tuple(np.argsort(order).tolist())] for order in _ORDERS])


@cache
def cell_index() -> CellIndex:
    """The index of this process, built at the first call."""
    return build_index()
