"""Building NAS-Bench-101 cells decision by decision: vertex by vertex, or as CTNAS's controller does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.spaces import PAD, Architecture, CellBatch, Decision, Script
from harness_nasbench.spaces.nasbench101_costs import OPERATION_OF_OPTION, OPERATIONS, reach
from harness_nasbench.spaces.nasbench101_hash import BITS, EDGES, MAX_EDGES, OPS, OUTPUT, VERTICES

_INPUT_OP, _OUTPUT_OP = 0, len(OPERATIONS) - 1
_INTERIOR: Final = VERTICES - 2
_STOP: Final = len(OPS)
"""The option of an operation decision that makes the vertex the output."""

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CellsSoFar:
    """n unfinished cells.

    labels: int64 [n, 7], option per vertex, -1 undecided. output: int64 [n], the output's vertex, 0 while unknown.
    edges: bool [n, 7, 7]. slot: the next decision. picked: int64 [n], an edge's first endpoint.
    """

    labels: Ints
    output: Ints
    edges: Bools
    slot: int
    masked: bool
    picked: Ints


def _empty(n: int, masked: bool) -> CellsSoFar:
    return CellsSoFar(
        np.full((n, VERTICES), -1, dtype=np.int64), np.zeros(n, dtype=np.int64),
        np.zeros((n, VERTICES, VERTICES), dtype=np.bool_), 0, masked, np.zeros(n, dtype=np.int64),
    )  # fmt: skip


def _batch(state: CellsSoFar) -> tuple[CellBatch, ...]:
    """The graphs so far; the output stands at its own vertex, after the last interior one."""
    ops = np.where(state.labels >= 0, OPERATION_OF_OPTION[state.labels], PAD)
    ops[:, 0] = _INPUT_OP
    known = np.flatnonzero(state.output)
    ops[known, state.output[known]] = _OUTPUT_OP
    return (CellBatch(ops, state.edges.copy()),)


def _finished(state: CellsSoFar) -> Bools:
    """Edges of finished cells, bool [n, 7, 7]: the output moves to vertex 6, vertices never built have none."""
    edges, rows = state.edges.copy(), np.arange(len(state.output))
    into = edges[rows, :, state.output].copy()
    edges[rows, :, state.output] = False
    edges[:, :, OUTPUT] = into
    return edges


def _encodings(state: CellsSoFar) -> list[Architecture]:
    """The finished cells as encodings."""
    genes = np.zeros((len(state.output), BITS + _INTERIOR), dtype=np.int64)
    u, v = np.array(EDGES).T
    genes[:, :BITS] = _finished(state)[:, u, v]
    genes[:, BITS:] = np.maximum(state.labels[:, 1:OUTPUT], 0)
    return [tuple(row) for row in genes.tolist()]


def violations(state: CellsSoFar) -> Ints:
    """Faults of finished cells as written, int64 [n]; 0 where the cell is valid, since pruning then removes all faults.

    Each interior vertex without predecessor, each interior vertex with no path to the output, more than 9 edges, and
    an output that the input does not reach count one.
    """
    edges, vertex = _finished(state), np.arange(VERTICES)
    interior = (vertex[None] > 0) & (vertex[None] < state.output[:, None])
    forward, backward = reach(edges)
    orphans = (interior & ~edges.any(axis=1)).sum(axis=1)
    lost = (interior & ~backward).sum(axis=1)
    crowded = edges.sum(axis=(1, 2)) > MAX_EDGES
    kept = forward & backward
    pruned_edges = (edges & kept[:, :, None] & kept[:, None, :]).sum(axis=(1, 2))
    valid = kept[:, 0] & (pruned_edges <= MAX_EDGES)
    found: Ints = np.where(valid, 0, orphans + lost + crowded + ~backward[:, 0]).astype(np.int64)
    return found


class VertexScript(Script):
    """Vertex by vertex: its operation (or: it is the output), then an edge or none from each earlier vertex.

    After five interior vertices the next is the output without asking. Masked, every vertex ends on a path from input
    to output with at most 9 edges in all, and every such cell can be built. Unmasked, `violations` are counted.
    """

    slots = max_decisions = _INTERIOR + BITS

    _order: Final = tuple(
        slot
        for v in range(1, VERTICES)
        for slot in [*([(v, None)] if v < OUTPUT else []), *((v, u) for u in range(v))]
    )  # fmt: skip

    def start(self, n: int, *, masked: bool = True) -> CellsSoFar:
        return _empty(n, masked)

    def decision(self, state: CellsSoFar) -> Decision | None:
        if state.slot == self.slots:
            return None
        node, source = self._order[state.slot]
        done = (state.output > 0) & (state.output < node)
        if done.all():
            return None
        n = len(done)
        if source is None:
            legal = np.ones((n, _STOP + 1), dtype=np.bool_)
            if state.masked:
                legal[:, :_STOP] = (self._committed(state, node) < MAX_EDGES)[:, None]
            ops = np.append(OPERATION_OF_OPTION, _OUTPUT_OP)
            return Decision("op", 0, node, _STOP + 1, state.slot, legal, done, option_ops=ops)
        legal = np.ones((n, 2), dtype=np.bool_)
        if state.masked:
            loose = ~state.edges[:, source].any(axis=1)
            closing = self._output(state, node) == node
            # A vertex before the output needs an edge, and the last source is the last chance for one.
            fed = state.edges[:, :, node].any(axis=1)
            legal[:, 0] = np.where(closing, ~loose, fed | (source < node - 1))
            legal[:, 1] = loose | (self._committed(state, node) < MAX_EDGES)
        return Decision("edge", 0, node, 2, state.slot, legal, done, source=source)

    @staticmethod
    def _output(state: CellsSoFar, node: int) -> Ints:
        return np.where((state.output == 0) & (node == OUTPUT), OUTPUT, state.output)

    def _committed(self, state: CellsSoFar, node: int) -> Ints:
        """The fewest edges that the cell will have: its edges, and one for each vertex without a successor."""
        vertex = np.arange(VERTICES)
        built = (vertex < node) | ((state.labels >= 0) & (vertex == node))
        loose = built & ~state.edges.any(axis=2)
        return np.asarray(state.edges.sum(axis=(1, 2)) + loose.sum(axis=1))

    def apply(self, state: CellsSoFar, actions: Ints) -> CellsSoFar:
        decision, taken = self.decided(state, actions)
        active = ~decision.done
        node, output = decision.node, state.output
        if decision.kind == "op":
            labels = state.labels.copy()
            labels[:, node] = np.where(active & (taken < _STOP), taken, -1)
            return replace(
                state, labels=labels, output=np.where(active & (taken == _STOP), node, output), slot=state.slot + 1
            )
        assert decision.source is not None
        edges = state.edges.copy()
        edges[:, decision.source, node] = active & (taken == 1)
        return replace(state, edges=edges, output=self._output(state, node), slot=state.slot + 1)

    def partial(self, state: CellsSoFar) -> tuple[CellBatch, ...]:
        return _batch(state)

    def finish(self, state: CellsSoFar) -> tuple[list[Architecture], Ints]:
        if self.decision(state) is not None:
            raise ValueError("decisions are still open")
        return _encodings(state), violations(state)


class CTNASScript(Script):
    """The decisions of CTNAS's controller (Chen et al., released code ``core/controller/nasbench.py``).

    The number n of interior vertices (1 to 5); for each vertex one predecessor among the earlier ones and, but for the
    output, an operation; then 8 - n extra edges by their two endpoints among all n + 2 vertices. Equal endpoints are no
    edge, and duplicates count once. There are always 18 decisions, at most 9 edges, and a path from input to output;
    vertices without one are pruned. Unmasked, an endpoint may name a vertex that the cell lacks: no edge either.

    Cells of different n differ in which decisions they take, so a batch passes through up to 26 slots and a cell
    is ``done`` at those that it does not take; each cell's own 18 stand in the controller's order. The slot of an
    endpoint has ``node`` -1, as has the count: they concern no vertex in particular.
    """

    slots = 1 + (_INTERIOR + 1) + _INTERIOR + 2 * (MAX_EDGES - 2)
    max_decisions = slots
    _first_endpoint: Final = 1 + (_INTERIOR + 1) + _INTERIOR

    def start(self, n: int, *, masked: bool = True) -> CellsSoFar:
        return _empty(n, masked)

    def _active(self, slot: int, interior: Ints) -> Bools:
        """Which cells take the decision of ``slot``, given their numbers of interior vertices (0: not yet chosen)."""
        if slot == 0:
            return np.ones(len(interior), dtype=np.bool_)
        if slot >= self._first_endpoint:
            return np.asarray(slot - self._first_endpoint < 2 * (MAX_EDGES - 1 - interior))
        vertex, is_op = divmod(slot - 1, 2)
        return np.asarray(interior > vertex) if is_op else np.asarray(interior >= vertex)

    def _next(self, slot: int, interior: Ints) -> int:
        """The first slot from ``slot`` on that some cell takes."""
        while slot < self.slots and not self._active(slot, interior).any():
            slot += 1
        return slot

    def decision(self, state: CellsSoFar) -> Decision | None:
        slot = state.slot
        if slot == self.slots or not len(state.output):
            return None
        interior = np.maximum(state.output - 1, 0)
        done = ~self._active(slot, interior)
        n = len(done)
        if slot == 0:
            return Decision("count", 0, -1, _INTERIOR, 0, np.ones((n, _INTERIOR), dtype=np.bool_), done)
        if slot >= self._first_endpoint:
            legal = (np.arange(VERTICES)[None] <= state.output[:, None]) | (not state.masked)
            return Decision("pointer", 0, -1, VERTICES, slot, legal, done)
        vertex, is_op = divmod(slot - 1, 2)
        options = len(OPS) if is_op else vertex + 1
        legal = np.ones((n, options), dtype=np.bool_)
        if is_op:
            return Decision("op", 0, vertex + 1, options, slot, legal, done, option_ops=OPERATION_OF_OPTION)
        return Decision("pointer", 0, vertex + 1, options, slot, legal, done)

    def apply(self, state: CellsSoFar, actions: Ints) -> CellsSoFar:
        decision, taken = self.decided(state, actions)
        rows = np.flatnonzero(~decision.done)
        labels, output, edges, picked = state.labels, state.output, state.edges, state.picked
        slot = state.slot
        if decision.kind == "count":
            output = taken + 2
        elif decision.kind == "op":
            labels = labels.copy()
            labels[rows, decision.node] = taken[rows]
        elif slot < self._first_endpoint:
            edges = edges.copy()
            edges[rows, taken[rows], decision.node] = True
        elif (slot - self._first_endpoint) % 2 == 0:
            picked = taken
        else:
            edges = edges.copy()
            low, high = np.minimum(picked, taken)[rows], np.maximum(picked, taken)[rows]
            edges[rows, low, high] |= (low != high) & (high <= output[rows])
        return CellsSoFar(labels, output, edges, self._next(slot + 1, output - 1), state.masked, picked)

    def partial(self, state: CellsSoFar) -> tuple[CellBatch, ...]:
        return _batch(state)

    def finish(self, state: CellsSoFar) -> tuple[list[Architecture], Ints]:
        if self.decision(state) is not None:
            raise ValueError("decisions are still open")
        return _encodings(state), np.zeros(len(state.output), dtype=np.int64)
