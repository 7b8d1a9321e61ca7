"""The NAS-Bench-101 cell space (Ying et al., ICML 2019): at most 7 vertices and 9 edges, three operations."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import HarnessError, InvalidArchitecture
from harness.spaces import Architecture, CellBatch, CellGraph, Choice, Script, SearchSpace
from harness_nasbench.spaces.nasbench101_costs import OPERATIONS, cell_graphs, totals
from harness_nasbench.spaces.nasbench101_hash import (
    BITS,
    EDGES,
    OPS,
    OUTPUT,
    VERTICES,
    is_valid,
    module_hash,
    successors,
)
from harness_nasbench.spaces.nasbench101_index import CellIndex, as_genes, cell_index
from harness_nasbench.spaces.nasbench101_scripts import CTNASScript, VertexScript

_NAMES = ("input", *OPS, "output")
_VALID_ENCODINGS = 373_754_169
"""Valid encodings, of 2^21 x 3^5; `build_index` counted them."""
_CHUNK = 16_384
"""Cells whose costs are computed at once (80 MB)."""


class NASBench101Space(SearchSpace):
    """NAS-Bench-101: cells of at most seven vertices and nine edges.

    21 edge bits above the diagonal, row by row, and the operations of vertices 1 to 5.

    An encoding is valid where, after pruning, the input reaches the output and at most 9 edges are left. The key is the
    benchmark's module hash. Key, costs and, by default, `graph` are those of the pruned cell.

    With ``index`` validity and keys are table look-ups instead of computations; no answer changes. ``rows`` are the
    encodings for which a table has a score (any sequence, may be lazy); with them ``rows`` is the default law.
    Laws: ``encodings`` and ``official`` are the same, uniform encodings redrawn until valid, as the benchmark's
    notebook samples; ``classes`` is uniform over the 423,624 cells, ``rows`` over the rows.

    The costs belong to the encoding: where the output's channels do not divide evenly, the first vertices take the
    remainder, so that isomorphic encodings may differ by a few parameters. `describe` gives the two fields of
    the benchmark's records, ``<49 adjacency digits>|<7 operations, comma-separated>``; `parse` also takes fewer
    vertices, and JSON ``{"matrix": [[...]], "ops": [...]}``.
    """

    name = "nasbench101"
    choices = (
        *(Choice(f"edge_{u}_{v}", ("absent", "present")) for u, v in EDGES),
        *(Choice(f"op_{v}", OPS) for v in range(1, OUTPUT)),
    )
    operations = OPERATIONS
    max_nodes = VERTICES
    laws: tuple[str, ...] = ("encodings", "official", "classes")
    default_law = "official"
    all_valid = False

    def __init__(self, *, index: CellIndex | None = None, rows: Sequence[Architecture] | None = None) -> None:
        self._index, self._rows = index, rows
        if rows is not None:
            if not len(rows):
                raise HarnessError("nasbench101: a table without rows is no space")
            self.laws, self.default_law = (*type(self).laws, "rows"), "rows"

    @property
    def size(self) -> int | None:
        return _VALID_ENCODINGS

    # -- what an architecture is ------------------------------------------------------------------------------------

    def is_valid(self, arch: Architecture) -> bool:
        return is_valid(arch) if self._index is None else self._index.cell(arch) >= 0

    def key(self, arch: Architecture) -> str:
        if self._index is None or self._index.hashes is None:
            return module_hash(arch)
        cell = self._index.cell(arch)
        if cell < 0:
            raise InvalidArchitecture(f"{arch!r} is not an architecture of {self.name}")
        return self._index.hash(cell)

    def keys(self, archs: Sequence[Architecture]) -> list[str]:
        if self._index is None:
            return [module_hash(a) for a in archs]
        cells = self._index.find(as_genes(archs))
        if len(cells) and cells.min() < 0:
            bad = archs[int(np.argmin(cells))]
            raise InvalidArchitecture(f"{bad!r} is not an architecture of {self.name}")
        return self._index.hash_all(cells)

    def canonical(self, arch: Architecture) -> Architecture:
        """The encoding that stands for the cell of ``arch`` in the index: pruned, interior vertices first."""
        cell = (self._index or cell_index()).cell(arch)
        if cell < 0:
            raise InvalidArchitecture(f"{arch!r} is not an architecture of {self.name}")
        return (self._index or cell_index()).architectures[cell]

    def describe(self, arch: Architecture) -> str:
        matrix = [[0] * VERTICES for _ in range(VERTICES)]
        for bit, (u, v) in zip(arch, EDGES, strict=False):
            matrix[u][v] = int(bit)
        ops = ["input", *(OPS[o] for o in arch[BITS:]), "output"]
        return "".join(str(bit) for row in matrix for bit in row) + "|" + ",".join(ops)

    def parse(self, text: str) -> Architecture:
        """Raises InvalidArchitecture that says what is wrong, also for cells that the benchmark's limits exclude."""
        text = text.strip()
        if text.startswith("{"):
            try:
                record = json.loads(text)
                matrix, ops = record["matrix"], record["ops"]
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise InvalidArchitecture(f"not a nasbench101 cell, want JSON with matrix and ops: {text!r}") from error
            return self.from_matrix(matrix, ops)
        digits, bar, names = text.partition("|")
        side = round(len(digits) ** 0.5)
        if not bar or not digits or set(digits) - {"0", "1"} or side * side != len(digits):
            raise InvalidArchitecture(f"not a nasbench101 cell, want a square of 0 and 1, '|', operations: {text!r}")
        rows = [[int(bit) for bit in digits[i : i + side]] for i in range(0, len(digits), side)]
        return self.from_matrix(rows, names.split(","))

    def from_matrix(self, matrix: Any, ops: Any) -> Architecture:
        """The encoding of an adjacency matrix and operation names of 2 to 7 vertices. Raises InvalidArchitecture."""
        try:
            matrix = [list(row) for row in matrix]
            ops = [str(op) for op in ops]
        except TypeError:
            raise InvalidArchitecture(f"not an adjacency matrix with operations: {matrix!r}, {ops!r}") from None
        n = len(matrix)
        if not 2 <= n <= VERTICES or any(len(row) != n for row in matrix) or len(ops) != n:
            raise InvalidArchitecture(f"want a square matrix of 2 to 7 vertices, as many operations: {matrix}, {ops}")
        if any(bit not in (0, 1) or (bit and v <= u) for u, row in enumerate(matrix) for v, bit in enumerate(row)):
            raise InvalidArchitecture(f"the adjacency matrix is not 0 and 1, all above the diagonal: {matrix}")
        if ops[0] != "input" or ops[-1] != "output" or any(op not in OPS for op in ops[1:-1]):
            raise InvalidArchitecture(f"want input, operations of {', '.join(OPS)}, output: {ops}")
        place = [*range(n - 1), OUTPUT]
        edges = {(place[u], place[v]) for u in range(n) for v in range(u + 1, n) if matrix[u][v]}
        labels = [OPS.index(op) for op in ops[1:-1]] + [0] * (VERTICES - n)
        arch = (*(int(edge in edges) for edge in EDGES), *labels)
        if not is_valid(arch):
            kept, follow = successors(arch)
            edges_left = sum(mask.bit_count() for mask in follow)
            reason = f"{edges_left} edges after pruning, 9 allowed" if kept else "input and output are not connected"
            raise InvalidArchitecture(f"not a valid nasbench101 cell: {reason}: {matrix}")
        return arch

    # -- how architectures are drawn and varied ---------------------------------------------------------------------

    def _sample(self, rng: np.random.Generator, n: int, law: str) -> list[Architecture]:
        if law in ("encodings", "official"):
            return super()._sample(rng, n, "encodings")
        pool = self._rows if law == "rows" and self._rows is not None else (self._index or cell_index()).architectures
        return [pool[i] for i in rng.integers(0, len(pool), size=n).tolist()]

    def mutate(self, arch: Architecture, rng: random.Random) -> Architecture:
        """The benchmark's own mutation at rate 1: each edge flips with probability 1/7, each operation is replaced by
        another with probability 1/5; redrawn until valid and another encoding (``NASBench.ipynb``, which also lets
        an unchanged encoding through)."""
        while True:
            child = [1 - bit if rng.random() < 1 / VERTICES else bit for bit in arch[:BITS]]
            for op in arch[BITS:]:
                change = rng.random() < 1 / (VERTICES - 2)
                child.append((op + 1 + int(rng.random() * (len(OPS) - 1))) % len(OPS) if change else op)
            found = tuple(child)
            if found != arch and self.is_valid(found):
                return found

    def enumerate(self) -> Iterator[Architecture]:
        """Raises HarnessError: there are 373,754,169 valid encodings. `cell_architectures` has one of each cell."""
        raise HarnessError(f"{self.name} has {_VALID_ENCODINGS:,} valid encodings; enumerate its 423,624 cells instead")

    @property
    def cell_architectures(self) -> Sequence[Architecture]:
        """One encoding of each of the 423,624 cells."""
        return (self._index or cell_index()).architectures

    # -- what strategies learn from ---------------------------------------------------------------------------------

    def graph(self, arch: Architecture, *, pruned: bool = True) -> tuple[CellGraph, ...]:
        return (self.graphs([arch], pruned=pruned)[0].cell(0),)

    def graphs(self, archs: Sequence[Architecture], *, pruned: bool = True) -> tuple[CellBatch, ...]:
        return (cell_graphs(as_genes(archs), pruned=pruned),)

    def costs(self, archs: Sequence[Architecture]) -> Mapping[str, npt.NDArray[np.float64]]:
        genes = as_genes(archs)
        parts = [totals(genes[i : i + _CHUNK]) for i in range(0, len(genes), _CHUNK)]
        flops, params = (np.concatenate(p) for p in zip(*parts, strict=True)) if parts else (np.zeros(0), np.zeros(0))
        return {"params": params, "flops": flops}

    @cached_property
    def scripts(self) -> Mapping[str, Script]:
        """``default`` vertex by vertex; ``ctnas`` as CTNAS's controller decides."""
        return {"default": VertexScript(), "ctnas": CTNASScript()}
