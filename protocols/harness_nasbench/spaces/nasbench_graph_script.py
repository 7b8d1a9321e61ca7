"""NAS-Bench-Graph's script: node by node, first what feeds it, then its operation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from harness import Architecture, CellBatch, Decision, Script
from harness_nasbench.spaces.nasbench_graph import LINKS, NODES, OPERATIONS, SKIP, relabelled

_UNDECIDED = -1
_STEPS: tuple[tuple[str, int], ...] = (
    ("op", 1), ("pointer", 2), ("op", 2), ("pointer", 3), ("op", 3), ("pointer", 4), ("op", 4),
)  # fmt: skip
"""What is decided at each step, and for which node; node 1 always follows the input."""


@dataclass(frozen=True, slots=True)
class _State:
    links: npt.NDArray[np.int64]
    ops: npt.NDArray[np.int64]
    step: int
    masked: bool


class LinkScript(Script):
    """Seven decisions. Option p of a ``pointer`` is node p, 0 the input.

    Masked, the links are always the beginning of one of the nine lists, and the last operation is not the fourth
    ``skip``. Unmasked, all 24 lists are possible: each is relabelled as the listed one that is isomorphic to it; four
    skips are the only violation.
    """

    slots = max_decisions = len(_STEPS)

    def start(self, n: int, *, masked: bool = True) -> _State:
        links = np.full((n, NODES), _UNDECIDED, dtype=np.int64)
        links[:, 0] = 0
        return _State(links, np.full((n, NODES), _UNDECIDED, dtype=np.int64), 0, masked)

    def decision(self, state: _State) -> Decision | None:
        if state.step == len(_STEPS):
            return None
        kind, node = _STEPS[state.step]
        n = len(state.links)
        done = np.zeros(n, dtype=np.bool_)
        if kind == "pointer":
            legal = np.ones((n, node), dtype=np.bool_)
            if state.masked:
                allowed = np.array([links[:node] for links in LINKS])
                same = (state.links[:, None, : node - 1] == allowed[None, :, :-1]).all(axis=2)
                legal = (same[:, :, None] & (allowed[None, :, -1, None] == np.arange(node))).any(axis=1)
            return Decision("pointer", 0, node, node, state.step, legal, done)
        legal = np.ones((n, len(OPERATIONS)), dtype=np.bool_)
        if state.masked and node == NODES:
            legal[:, SKIP] = (state.ops[:, : NODES - 1] != SKIP).any(axis=1)
        option_ops = np.arange(len(OPERATIONS), dtype=np.int64) + 1
        return Decision("op", 0, node, len(OPERATIONS), state.step, legal, done, option_ops=option_ops)

    def apply(self, state: _State, actions: npt.NDArray[np.int64]) -> _State:
        decision, taken = self.decided(state, actions)
        field = "links" if decision.kind == "pointer" else "ops"
        column = getattr(state, field).copy()
        column[:, decision.node - 1] = taken
        return replace(state, **{field: column, "step": state.step + 1})

    def partial(self, state: _State) -> tuple[CellBatch, ...]:
        n = len(state.links)
        ops = np.full((n, NODES + 2), _UNDECIDED, dtype=np.int64)
        ops[:, 0], ops[:, -1] = 0, len(OPERATIONS) + 1
        ops[:, 1:-1] = np.where(state.ops >= 0, state.ops + 1, _UNDECIDED)
        adjacency = np.zeros((n, NODES + 2, NODES + 2), dtype=np.bool_)
        for i in range(NODES):
            linked = np.flatnonzero(state.links[:, i] != _UNDECIDED)
            adjacency[linked, state.links[linked, i], i + 1] = True
        feeds = adjacency[:, 1:-1].any(axis=2)
        adjacency[:, 1:-1, -1] = (state.links != _UNDECIDED) & ~feeds
        return (CellBatch(ops, adjacency),)

    def finish(self, state: _State) -> tuple[list[Architecture], npt.NDArray[np.int64]]:
        if state.step < len(_STEPS):
            raise ValueError(f"{len(_STEPS) - state.step} decisions are still open")
        archs: list[Architecture] = []
        for links, ops in zip(state.links.tolist(), state.ops.tolist(), strict=True):
            graph, order = relabelled()[tuple(links)]
            archs.append((graph, *(ops[i] for i in order)))
        return archs, (state.ops == SKIP).all(axis=1).astype(np.int64)
