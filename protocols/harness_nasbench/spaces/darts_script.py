"""Building DARTS cells decision by decision, as ENAS-like controllers do, and their graphs on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.spaces import PAD, Architecture, CellBatch, Decision, Script
from harness_nasbench.spaces.darts_costs import CELL_NODES, OPERATION_NODES, OPS

_OUTPUT_NODE: Final = CELL_NODES - 1
_ADD_OP: Final = 2 + len(OPS)
_OUTPUT_OP: Final = _ADD_OP + 1
_NODES: Final = 4
_ADDITIONS: Final = np.array([4, 7, 10, 13])

Ints = npt.NDArray[np.int64]


def state_node(state: int) -> int:
    """The graph node that a pointer's option names: an input, or the addition of an intermediate node."""
    return state if state < 2 else 3 * state - 2


def wired_batches(preds: Ints, ops: Ints) -> tuple[CellBatch, CellBatch]:
    """Graphs of both cells without costs; preds, ops: int64 [n, cell, node, 2], -1 where undecided.

    An addition is a node once both its operations are decided, the output once all are. An operation has its edges,
    to its predecessor and to its addition, from the pointer on; an addition leads to the output once it is a node.
    """
    n = len(preds)
    found = []
    for cell in range(2):
        wires, chosen = preds[:, cell].reshape(n, 8), ops[:, cell].reshape(n, 8)
        labels = np.full((n, CELL_NODES), PAD, dtype=np.int64)
        labels[:, :2] = 0, 1
        complete = (chosen[:, ::2] >= 0) & (chosen[:, 1::2] >= 0)
        labels[:, OPERATION_NODES] = np.where(chosen >= 0, chosen + 2, PAD)
        labels[:, _ADDITIONS] = np.where(complete, _ADD_OP, PAD)
        labels[:, _OUTPUT_NODE] = np.where(complete.all(axis=1), _OUTPUT_OP, PAD)
        adjacency = np.zeros((n, CELL_NODES, CELL_NODES), dtype=np.bool_)
        for state in range(2 + _NODES - 1):
            adjacency[:, state_node(state), OPERATION_NODES] = wires == state
        adjacency[:, OPERATION_NODES, np.repeat(_ADDITIONS, 2)] = wires >= 0
        adjacency[:, _ADDITIONS, _OUTPUT_NODE] = complete
        found.append(CellBatch(labels, adjacency))
    return found[0], found[1]


@dataclass(frozen=True, slots=True)
class CellsSoFar:
    """preds, ops: int64 [n, cell, node, first or second], -1 where undecided; slot: the next decision."""

    preds: Ints
    ops: Ints
    slot: int
    masked: bool


class DartsScript(Script):
    """For each node 2 to 5, normal cell first: two pointers to what it reads, then the operation on each.

    A pointer's options are the numbers of the states before the node: 0 and 1 the inputs, 2 and on the earlier nodes
    (``Decision.option_nodes`` gives the graph nodes that they stand for). ``Decision.node`` is the graph node of the
    operation that reads it, for pointers and operations alike. Masked, the second pointer differs from the first. The
    order of the two is free and is not kept: the encoding puts the lower predecessor first.

    A node that reads one predecessor twice, or has an operation that is not allowed (unmasked only), is one violation;
    the first has no encoding, so its genes are -1.
    """

    slots = max_decisions = 2 * _NODES * 4

    def __init__(self, kept: Iterable[int] = range(len(OPS))) -> None:
        """kept: the operations that are allowed."""
        self._kept = np.isin(np.arange(len(OPS)), list(kept))

    def start(self, n: int, *, masked: bool = True) -> CellsSoFar:
        empty = np.full((n, 2, _NODES, 2), -1, dtype=np.int64)
        return CellsSoFar(empty, empty, 0, masked)

    @staticmethod
    def _place(slot: int) -> tuple[int, int, bool, int]:
        """Cell, node counted from 0, whether an operation, first or second."""
        cell, rest = divmod(slot, 4 * _NODES)
        node, step = divmod(rest, 4)
        return cell, node, step >= 2, step % 2

    def decision(self, state: CellsSoFar) -> Decision | None:
        n = len(state.preds)
        if state.slot == self.slots or n == 0:
            return None
        cell, node, is_op, which = self._place(state.slot)
        graph_node, done = 2 + 3 * node + which, np.zeros(n, dtype=np.bool_)
        if is_op:
            legal = np.tile(self._kept | (not state.masked), (n, 1))
            return Decision(
                "op", cell, graph_node, len(OPS), state.slot, legal, done, option_ops=np.arange(2, 2 + len(OPS))
            )
        options = node + 2
        legal = np.ones((n, options), dtype=np.bool_)
        if which and state.masked:
            legal[np.arange(n), state.preds[:, cell, node, 0]] = False
        named = np.array([state_node(s) for s in range(options)], dtype=np.int64)
        return Decision("pointer", cell, graph_node, options, state.slot, legal, done, option_nodes=named)

    def apply(self, state: CellsSoFar, actions: Ints) -> CellsSoFar:
        decision, taken = self.decided(state, actions)
        cell, node, _, which = self._place(state.slot)
        field = "ops" if decision.kind == "op" else "preds"
        so_far = getattr(state, field).copy()
        so_far[:, cell, node, which] = taken
        return replace(state, **{field: so_far, "slot": state.slot + 1})

    def partial(self, state: CellsSoFar) -> tuple[CellBatch, ...]:
        return wired_batches(state.preds, state.ops)

    def finish(self, state: CellsSoFar) -> tuple[list[Architecture], Ints]:
        if self.decision(state) is not None:
            raise ValueError(f"{self.slots - state.slot} decisions are still open")
        order = np.argsort(state.preds, axis=3, kind="stable")
        preds, ops = np.take_along_axis(state.preds, order, 3), np.take_along_axis(state.ops, order, 3)
        twice = preds[..., 0] == preds[..., 1]
        ops = np.where(twice[..., None], -1, ops)
        columns = []
        for cell in range(2):
            for node in range(_NODES):
                if node:
                    option = np.full((node + 2, node + 2), -1, dtype=np.int64)
                    for i, (a, b) in enumerate(combinations(range(node + 2), 2)):
                        option[a, b] = i
                    columns.append(option[preds[:, cell, node, 0], preds[:, cell, node, 1]])
                columns += [ops[:, cell, node, 0], ops[:, cell, node, 1]]
        found: Ints = (twice | ~self._kept[ops].all(axis=3)).sum(axis=(1, 2)).astype(np.int64)
        return [tuple(row) for row in np.stack(columns, axis=1).tolist()], found
