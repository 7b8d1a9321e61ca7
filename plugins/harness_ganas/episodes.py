"""Episodes: n architectures built together through a space's script, with all that PPO needs of them later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness import Architecture, Decision, Script
from harness_ganas.encoder import Graphs, join, stack

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Step:
    """One decision as the generator sees it; its arrays stand in `Episodes`.

    option_nodes: of a pointer, the graph node of each option, empty for other kinds.
    recurrent: decided by the edge decoder (kinds edge and pointer), else by the operator head. encodes: the partial
    graph is embedded anew; otherwise those of the block's first decision are used again. opens: the first
    decision of a series of the edge decoder. A block is a series of decisions on one node of one cell, or of pointers
    in one cell.
    """

    kind: str
    cell: int
    node: int
    source: int | None
    slot: int
    options: int
    option_ops: tuple[int, ...] | None
    option_nodes: tuple[int, ...]
    recurrent: bool
    encodes: bool
    opens: bool


@dataclass(frozen=True, slots=True)
class Episodes:
    """n finished episodes of T decisions.

    steps: T. graphs: the distinct partial graphs that were embedded, and rows: int64 [T, n], the one that each decision
    was made on. actions: int64 [T, n]; legal: bool [T, n, options], padded with False; active: bool [T, n], False
    where the episode was done; block_op: int64 [T, n], the operation chosen earlier in the block, -1 none; told:
    int64 [T, n], what the edge decoder decided just before: an edge or none, or the graph node pointed to. good: bool
    [T, n], actions judged valid. archs, violations: what came out; violations int64 [n].
    """

    steps: tuple[Step, ...]
    graphs: Graphs
    rows: Ints
    actions: Ints
    legal: Bools
    active: Bools
    block_op: Ints
    told: Ints
    good: Bools
    archs: list[Architecture]
    violations: Ints

    def __len__(self) -> int:
        return len(self.archs)

    def take(self, index: Ints) -> Episodes:
        """The chosen episodes, with the graphs that they need."""
        used, rows = np.unique(self.rows[:, index], return_inverse=True)
        return Episodes(
            self.steps, self.graphs.take(used), rows.reshape(len(self.steps), len(index)), self.actions[:, index],
            self.legal[:, index], self.active[:, index], self.block_op[:, index], self.told[:, index],
            self.good[:, index], [self.archs[i] for i in index.tolist()], self.violations[index],
        )  # fmt: skip

    @property
    def valid(self) -> list[Architecture]:
        return [a for a, v in zip(self.archs, self.violations.tolist(), strict=True) if v == 0]


class Policy(Protocol):
    """What decides while episodes are rolled out. ``embed`` is called before the decisions that need it."""

    def embed(self, graphs: Graphs, rows: Ints) -> None: ...

    def decide(self, step: Step, legal: Bools, block_op: Ints, told: Ints, rng: np.random.Generator) -> Ints: ...


def roll_out(script: Script, policy: Policy, n: int, rng: np.random.Generator, *, masked: bool) -> Episodes:
    """n episodes under ``policy``. ``masked``: only legal actions are possible; else rewards teach validity."""
    state = script.start(n, masked=masked)
    judge = None if masked else _Judge(script, n)
    steps: list[Step] = []
    graphs: list[Graphs] = []
    embedded = 0
    # Episodes that took the same actions are in the same state: their graph is embedded once.
    prefix = np.zeros(n, dtype=np.int64)
    rows = np.zeros(n, dtype=np.int64)
    told = np.zeros(n, dtype=np.int64)
    block_op = np.full(n, -1, dtype=np.int64)
    columns: dict[str, list[Any]] = {k: [] for k in ("rows", "actions", "legal", "active", "block_op", "told", "good")}
    while (decision := script.decision(state)) is not None:
        before = steps[-1] if steps else None
        if before is not None and not _same_block(before, decision):
            before = None
        if before is None:
            block_op = np.full(n, -1, dtype=np.int64)
        step = _step(decision, before)
        if step.encodes:
            _, first, again = np.unique(prefix, return_index=True, return_inverse=True)
            some = stack(script.partial(state)).take(first)
            rows = embedded + again.reshape(n)
            policy.embed(some, again.reshape(n))
            graphs.append(some)
            embedded += len(first)
        legal = decision.legal | decision.done[:, None]
        actions = policy.decide(step, legal, block_op, told, rng)
        actions = np.where(decision.done, 0, actions)
        good = np.ones(n, dtype=np.bool_) if judge is None else judge.judge(decision, actions)
        for name, column in zip(columns, (rows, actions, legal, ~decision.done, block_op, told, good), strict=True):
            columns[name].append(column)
        steps.append(step)
        state = script.apply(state, actions)
        _, prefix = np.unique(prefix * decision.options + actions, return_inverse=True)
        prefix = prefix.reshape(n)
        told = np.array(step.option_nodes)[actions] if step.option_nodes else actions
        if not step.recurrent and step.option_ops is not None:
            block_op = np.where(decision.done, block_op, np.array(step.option_ops)[actions])
    archs, violations = script.finish(state)
    widest = max(s.options for s in steps)
    legal = np.zeros((len(steps), n, widest), dtype=np.bool_)
    for t, column in enumerate(columns.pop("legal")):
        legal[t, :, : column.shape[1]] = column
    stacked = {name: np.stack(column) for name, column in columns.items()}
    return Episodes(tuple(steps), join(graphs), legal=legal, archs=archs, violations=violations, **stacked)


def _same_block(before: Step, d: Decision) -> bool:
    """Decisions on one node of one cell; successive pointers too, since some scripts name each by a node of its own."""
    pointers = before.kind == d.kind == "pointer"
    return before.cell == d.cell and (before.node == d.node or pointers)


def _step(d: Decision, before: Step | None) -> Step:
    """``before``: the last decision of the same block, if any."""
    recurrent = d.kind in ("edge", "pointer")
    opens = recurrent and (before is None or not before.recurrent)
    encodes = not recurrent or before is None
    ops = None if d.option_ops is None else tuple(int(o) for o in d.option_ops)
    nodes: tuple[int, ...] = ()
    if d.kind == "pointer":
        nodes = tuple(range(d.options)) if d.option_nodes is None else tuple(int(v) for v in d.option_nodes)
    return Step(d.kind, d.cell, d.node, d.source, d.slot, d.options, ops, nodes, recurrent, encodes, opens)


class _Judge:
    """Which actions of an unmasked roll-out are valid: those that the masked script allows after valid ones.

    It builds the same cells with the masked script at the same time. After its first invalid action an episode can no
    longer be judged: its later actions count as valid, and the masked script builds some legal cell in its place.
    """

    def __init__(self, script: Script, n: int) -> None:
        self._script, self._state = script, script.start(n, masked=True)
        self._off = np.zeros(n, dtype=np.bool_)

    def judge(self, asked: Decision, actions: Ints) -> Bools:
        good = np.ones(len(actions), dtype=np.bool_)
        while (own := self._script.decision(self._state)) is not None and own.slot <= asked.slot:
            legal = own.legal | own.done[:, None]
            some = legal.argmax(axis=1)
            if own.slot == asked.slot:
                allowed = legal[np.arange(len(actions)), actions]
                judged = ~self._off & ~own.done & ~asked.done
                good = allowed | ~judged
                self._off |= ~good
                some = np.where(allowed & ~self._off, actions, some)
            self._state = self._script.apply(self._state, some)
            if own.slot == asked.slot:
                break
        return good
