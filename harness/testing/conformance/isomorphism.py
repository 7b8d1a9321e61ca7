"""Whether two cells are the same graph, and whether they compute the same."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from harness.spaces import CellGraph

_IDENTITIES = frozenset({"skip", "skip_connect", "skip-connect", "identity"})


class Colouring:
    """Colour refinement (Weisfeiler and Leman 1968), with one table of colours for all graphs that are compared."""

    def __init__(self) -> None:
        self._names: dict[Any, int] = {}

    def __call__(self, cell: CellGraph) -> list[int]:
        """A colour for each node: nodes that an isomorphism may exchange, also between cells, have equal ones."""
        v = cell.nodes
        edges = cell.adjacency.tolist()
        into = [[j for j in range(v) if edges[j][i]] for i in range(v)]
        out = [[j for j in range(v) if edges[i][j]] for i in range(v)]
        found = [self._name(o) for o in cell.ops.tolist()]
        for _ in range(v):
            count = len(set(found))
            found = [
                self._name((found[i], tuple(sorted(found[j] for j in a)), tuple(sorted(found[j] for j in b))))
                for i, (a, b) in enumerate(zip(into, out, strict=True))
            ]
            if len(set(found)) == count:
                break
        return found

    def _name(self, signature: Any) -> int:
        return self._names.setdefault(signature, len(self._names))


def isomorphic(a: CellGraph, b: CellGraph, x: Sequence[int], y: Sequence[int]) -> bool:
    """Exact, by backtracking among nodes of equal colour; x, y: the cells' colours, of one `Colouring`."""
    if sorted(x) != sorted(y):
        return False
    v = a.nodes
    image: list[int] = []

    def extend(i: int) -> bool:
        if i == v:
            return True
        for candidate in range(v):
            if candidate in image or y[candidate] != x[i]:
                continue
            if all(
                a.adjacency[j, i] == b.adjacency[image[j], candidate]
                and a.adjacency[i, j] == b.adjacency[candidate, image[j]]
                for j in range(i)
            ):
                image.append(candidate)
                if extend(i + 1):
                    return True
                image.pop()
        return False

    return extend(0)


def _mix(*parts: object) -> str:
    return blake2b(repr(parts).encode(), digest_size=12).hexdigest()


def computation(cell: CellGraph, operations: Sequence[str]) -> str:
    """What arrives at the output as a tree: shared nodes unfolded, identities contracted, order of inputs ignored."""
    inputs: list[list[str]] = []
    values: list[str] = []
    for i in range(cell.nodes):
        own: list[str] = []
        for j in range(i):
            if cell.adjacency[j, i]:
                own += inputs[j] if operations[cell.ops[j]] in _IDENTITIES else [values[j]]
        own.sort()
        inputs.append(own)
        values.append(_mix(operations[cell.ops[i]], own))
    return values[-1]
