"""Whether two cells are the same graph, and whether they compute the same."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from harness.spaces import CellGraph

_IDENTITIES = frozenset({"skip", "skip_connect", "skip-connect", "identity"})


def _mix(*parts: object) -> str:
    return blake2b(repr(parts).encode(), digest_size=12).hexdigest()


def colours(cell: CellGraph) -> list[str]:
    """Colour refinement (Weisfeiler and Leman 1968): nodes that an isomorphism may exchange have equal colours."""
    v = cell.nodes
    found = [str(int(o)) for o in cell.ops]
    for _ in range(v):
        found = [
            _mix(
                found[i],
                sorted(found[j] for j in range(v) if cell.adjacency[j, i]),
                sorted(found[j] for j in range(v) if cell.adjacency[i, j]),
            )
            for i in range(v)
        ]
    return found


def invariant(cells: Sequence[CellGraph]) -> str:
    """Equal for isomorphic cells; seldom equal for others."""
    return _mix(*(sorted(colours(c)) for c in cells))


def isomorphic(a: CellGraph, b: CellGraph) -> bool:
    """Exact, by backtracking within equal colours."""
    x, y = colours(a), colours(b)
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
