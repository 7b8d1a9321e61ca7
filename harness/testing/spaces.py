"""Two tiny search spaces with everything that real ones have, for quick tests of strategies and protocols."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import InvalidArchitecture
from harness.spaces import (
    Architecture,
    CellBatch,
    CellGraph,
    Choice,
    ChoiceScript,
    Decision,
    Script,
    SearchSpace,
    on_path,
    summed,
)
from harness.spaces.script import dead_ends

_WIDTHS = (4, 8)
"""Channels of the two repetitions of a cell in the network."""
_PIXELS = 64


def _weights(op: str) -> int:
    """Parameters of an operation per squared channel: ``conv3`` has a 3 x 3 kernel."""
    return int(op[4:]) ** 2 if op.startswith("conv") else 0


class _ToySpace(SearchSpace):
    """What both have in common: pruning, and costs of the network of two cells, 4 and 8 channels wide, on 64 pixels."""

    def graph(self, arch: Architecture, *, pruned: bool = True) -> tuple[CellGraph, ...]:
        (written,) = self.partial_graphs(self.as_array([arch]))
        ops, adjacency = written.ops[0], written.adjacency[0]
        if pruned:
            carries = np.array([self.operations[o] != "none" for o in ops])
            keep = on_path(adjacency & carries[:, None] & carries, [0], len(ops) - 1)
            keep[[0, -1]] = True
            ops, adjacency = ops[keep], adjacency[np.ix_(keep, keep)]
        per_op = np.array([_weights(self.operations[o]) for o in ops], dtype=np.float64)
        params = np.array([per_op * w * w for w in _WIDTHS])
        return (CellGraph(ops, adjacency, flops=params * _PIXELS, params=params),)

    def costs(self, archs: Sequence[Architecture]) -> Mapping[str, npt.NDArray[np.float64]]:
        """``params`` and ``flops`` (one multiply-add each) of the pruned network, float64 [n]."""
        return summed(self.graphs(archs))


class ToyEdgeSpace(_ToySpace):
    """Two parallel branches of two edges, one operation an edge: every encoding is valid.

    A branch with ``none`` on it carries nothing. Isomorphic: the same multiset of live branches, so that with the
    default two convolutions 256 encodings make 55 classes (9 live branches, at most two of them, any order).
    """

    max_nodes = 6
    laws = ("encodings", "classes")

    def __init__(self, convolutions: int = 2) -> None:
        kernels = tuple(f"conv{2 * i + 1}" for i in range(convolutions))
        self.name = "toy-edges" if convolutions == 2 else f"toy-edges-{convolutions}"
        self.edge_ops = ("none", "skip", *kernels)
        self.choices = tuple(Choice(edge, self.edge_ops) for edge in ("in->a", "a->out", "in->b", "b->out"))
        self.operations = ("input", *self.edge_ops, "output")

    @staticmethod
    def _branches(arch: Architecture) -> list[tuple[int, int]]:
        return sorted(b for b in ((arch[0], arch[1]), (arch[2], arch[3])) if b[0] and b[1])

    def key(self, arch: Architecture) -> str:
        return "+".join(f"{self.edge_ops[a]}.{self.edge_ops[b]}" for a, b in self._branches(arch)) or "nothing"

    def describe(self, arch: Architecture) -> str:
        a, b, c, d = (self.edge_ops[o] for o in arch)
        return f"{a}~{b}|{c}~{d}"

    def parse(self, text: str) -> Architecture:
        names = re.split(r"[~|]", text)
        if not re.fullmatch(r"\w+~\w+\|\w+~\w+", text) or not set(names) <= set(self.edge_ops):
            raise InvalidArchitecture(f"{text!r} is not of the form 'skip~conv1|none~conv3' over {self.edge_ops}")
        return tuple(self.edge_ops.index(n) for n in names)

    @cached_property
    def _representatives(self) -> list[Architecture]:
        return list({self.key(a): a for a in self.enumerate()}.values())

    def _sample(self, rng: np.random.Generator, n: int, law: str) -> list[Architecture]:
        if law == "classes":
            found = self._representatives
            return [found[i] for i in rng.integers(0, len(found), size=n)]
        return super()._sample(rng, n, law)

    def partial_graphs(self, taken: npt.NDArray[np.int64]) -> tuple[CellBatch, ...]:
        n = len(taken)
        ops = np.full((n, 6), -1, dtype=np.int64)
        ops[:, 0], ops[:, 5] = 0, len(self.operations) - 1
        ops[:, 1:5] = np.where(taken >= 0, taken + 1, -1)
        adjacency = np.zeros((n, 6, 6), dtype=np.bool_)
        adjacency[:, [0, 1, 2, 0, 3, 4], [1, 2, 5, 3, 4, 5]] = True
        return (CellBatch(ops, adjacency),)


_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
_AT = (0, 2, 3, 5, 6, 7)
"""Where each edge stands among the choices; the operations of nodes 1 and 2 stand at 1 and 4."""


class ToyNodeSpace(_ToySpace):
    """Two inner nodes between input and output, any edges: invalid encodings and isomorphic twins.

    Valid: a path leads from the input to the output, over at most five edges in all. Isomorphic: the same graph after
    pruning, whatever the inner nodes are called. 256 encodings.
    """

    name = "toy-nodes"
    max_nodes = 4
    all_valid = False
    node_ops = ("conv1", "conv3")
    operations = ("input", "conv1", "conv3", "output")
    choices = tuple(
        Choice(name, ("conv1", "conv3") if name.startswith("op") else ("no", "yes"))
        for name in ("0->1", "op1", "0->2", "1->2", "op2", "0->3", "1->3", "2->3")
    )
    most_edges = 5

    def is_valid(self, arch: Architecture) -> bool:
        if not self._is_encoding(arch):
            return False
        adjacency = self.partial_graphs(self.as_array([arch]))[0].adjacency[0]
        return bool(adjacency.sum() <= self.most_edges and on_path(adjacency, [0], 3)[3])

    @cached_property
    def _valid(self) -> list[Architecture]:
        return list(self.enumerate())

    @property
    def size(self) -> int | None:
        return len(self._valid)

    def key(self, arch: Architecture) -> str:
        (cell,) = self.graph(arch)
        last = cell.nodes - 1
        forms = []
        for inner in permutations(range(1, last)):
            order = [0, *inner, last]
            bits = "".join("01"[int(x)] for x in cell.adjacency[np.ix_(order, order)].ravel())
            forms.append(bits + ":" + ",".join(self.operations[cell.ops[i]] for i in order))
        return min(forms)

    def describe(self, arch: Architecture) -> str:
        edges = [edge for edge, at in zip(_EDGES, _AT, strict=True) if arch[at]]
        into = [",".join(str(u) for u, target in edges if target == v) for v in range(4)]
        return f"{self.node_ops[arch[1]]}({into[1]}) {self.node_ops[arch[4]]}({into[2]}) output({into[3]})"

    def parse(self, text: str) -> Architecture:
        found = re.fullmatch(r"(\w+)\((0?)\) (\w+)\(([01,]*)\) output\(([012,]*)\)", text)
        if found is None or not {found[1], found[3]} <= set(self.node_ops):
            raise InvalidArchitecture(f"{text!r} is not of the form 'conv1(0) conv3(0,1) output(1,2)'")
        into = [{int(c) for c in found[g].replace(",", "")} for g in (2, 4, 5)]
        arch = [0] * 8
        for (u, v), at in zip(_EDGES, _AT, strict=True):
            arch[at] = int(u in into[v - 1])
        arch[1], arch[4] = self.node_ops.index(found[1]), self.node_ops.index(found[3])
        return self.check(tuple(arch))

    def partial_graphs(self, taken: npt.NDArray[np.int64]) -> tuple[CellBatch, ...]:
        n = len(taken)
        ops = np.zeros((n, 4), dtype=np.int64)
        ops[:, 1:3] = np.where(taken[:, [1, 4]] >= 0, taken[:, [1, 4]] + 1, -1)
        ops[:, 3] = 3
        adjacency = np.zeros((n, 4, 4), dtype=np.bool_)
        for (u, v), at in zip(_EDGES, _AT, strict=True):
            adjacency[:, u, v] = taken[:, at] == 1
        return (CellBatch(ops, adjacency),)

    @cached_property
    def scripts(self) -> Mapping[str, Script]:
        return {"default": _NodeScript(self)}


class _NodeScript(ChoiceScript):
    """An operation for each inner node after its incoming edges: decisions of both kinds."""

    def __init__(self, space: ToyNodeSpace) -> None:
        dead = dead_ends(space._valid, space.radices)
        super().__init__(space.radices, is_valid=space.is_valid, partial=space.partial_graphs, dead=dead)

    def decision(self, state: Any) -> Decision | None:
        plain = super().decision(state)
        if plain is None:
            return None
        if plain.slot in _AT:
            u, v = _EDGES[_AT.index(plain.slot)]
            return replace(plain, kind="edge", node=v, source=u)
        return replace(plain, node={1: 1, 4: 2}[plain.slot], option_ops=np.array([1, 2]))
