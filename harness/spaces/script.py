"""Scripts: n architectures built decision by decision, for autoregressive generators (ENAS, CTNAS, GA-NAS)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.spaces.graphs import CellBatch

Kind = Literal["op", "edge", "pointer", "count", "stop"]
Architecture = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the n architectures under construction decide next.

    kind: ``op`` an operation for ``node``; ``edge`` whether the edge ``source -> node`` exists (options: no, yes);
    ``pointer`` a node that feeds ``node``; ``count`` a number of nodes; ``stop`` whether the cell ends (no, yes).
    slot: the decision's place in the script's fixed vocabulary of decisions, 0 <= slot < ``Script.slots``; the same
    slot always has the same kind and options, so that a controller can keep one head or embedding per slot.
    legal: bool [n, options], at least one True in each row that is not done (masked scripts).
    done: bool [n], architectures that are finished and ignore their action.
    option_ops: for ``op``, int64 [options], each option's index in the space's ``operations``; else None.
    option_nodes: for ``pointer``, int64 [options], the node of the partial graph that each option names; None where
    option j is node j.
    """

    kind: Kind
    cell: int
    node: int
    options: int
    slot: int
    legal: npt.NDArray[np.bool_]
    done: npt.NDArray[np.bool_]
    source: int | None = None
    option_ops: npt.NDArray[np.int64] | None = None
    option_nodes: npt.NDArray[np.int64] | None = None


class Script(ABC):
    """How architectures of one space are built decision by decision. States are opaque; `apply` gives a new one."""

    slots: int
    """How many distinct decisions the script can ask."""
    max_decisions: int
    """The longest sequence of decisions."""

    @abstractmethod
    def start(self, n: int, *, masked: bool = True) -> Any:
        """The state of n empty architectures. Masked scripts always finish valid."""

    @abstractmethod
    def decision(self, state: Any) -> Decision | None:
        """The next decision, or None when all n are done. The architectures decide in step."""

    @abstractmethod
    def apply(self, state: Any, actions: npt.NDArray[np.int64]) -> Any:
        """The state after ``actions``, int64 [n]. Raises ValueError where a masked script is given an illegal one."""

    def decided(self, state: Any, actions: npt.NDArray[np.int64]) -> tuple[Decision, npt.NDArray[np.int64]]:
        """For `apply`: the decision that ``actions`` answer, and what each takes, 0 where it is done.

        Raises ValueError where nothing is left to decide, or an action is illegal.
        """
        decision = self.decision(state)
        if decision is None:
            raise ValueError("the script is finished")
        taken = np.where(decision.done, 0, np.asarray(actions, dtype=np.int64))
        inside = (taken >= 0) & (taken < decision.options)
        legal = inside & decision.legal[np.arange(len(taken)), np.where(inside, taken, 0)]
        if not (legal | decision.done).all():
            raise ValueError(f"an illegal action at slot {decision.slot} ({decision.kind} of node {decision.node})")
        return decision, taken

    @abstractmethod
    def partial(self, state: Any) -> tuple[CellBatch, ...]:
        """The graphs so far, one batch per distinct cell; undecided nodes have operation -1."""

    @abstractmethod
    def finish(self, state: Any) -> tuple[list[Architecture], npt.NDArray[np.int64]]:
        """The architectures and the number of violations of each, int64 [n]; 0 is valid."""


def dead_ends(
    archs: Iterable[Architecture], options: Sequence[int]
) -> Callable[[npt.NDArray[np.int64], int], npt.NDArray[np.bool_]]:
    """``dead`` of a `ChoiceScript` that may finish with ``archs`` alone; options: how many each choice has."""
    beginnings = {arch[:length] for arch in archs for length in range(1, len(options) + 1)}

    def dead(prefixes: npt.NDArray[np.int64], step: int) -> npt.NDArray[np.bool_]:
        found = [[(*prefix, o) not in beginnings for o in range(options[step])] for prefix in prefixes.tolist()]
        return np.array(found, dtype=np.bool_).reshape(len(found), options[step])

    return dead


@dataclass(frozen=True, slots=True)
class _ChoiceState:
    taken: npt.NDArray[np.int64]
    step: int
    masked: bool


class ChoiceScript(Script):
    """One ``op`` decision per choice, in order: the default for spaces whose choices are all operations.

    ``dead``, given the prefixes [n, step] and the step, marks the options that leave no valid completion, bool
    [n, options]; None where every encoding is valid. ``partial`` gives the graphs of such prefixes.
    """

    def __init__(
        self,
        options: Sequence[int],
        *,
        is_valid: Callable[[Architecture], bool],
        partial: Callable[[npt.NDArray[np.int64]], tuple[CellBatch, ...]],
        node_of: Sequence[tuple[int, int]] | None = None,
        option_ops: Sequence[npt.NDArray[np.int64]] | None = None,
        dead: Callable[[npt.NDArray[np.int64], int], npt.NDArray[np.bool_]] | None = None,
    ) -> None:
        self.options = tuple(options)
        self.slots = self.max_decisions = len(self.options)
        self._is_valid, self._partial, self._dead = is_valid, partial, dead
        self._node_of = node_of or [(0, i + 1) for i in range(len(self.options))]
        self._option_ops = option_ops

    def start(self, n: int, *, masked: bool = True) -> _ChoiceState:
        return _ChoiceState(np.full((n, len(self.options)), -1, dtype=np.int64), 0, masked)

    def decision(self, state: _ChoiceState) -> Decision | None:
        step = state.step
        if step == len(self.options):
            return None
        n, width = len(state.taken), self.options[step]
        legal = np.ones((n, width), dtype=np.bool_)
        if state.masked and self._dead is not None:
            legal &= ~self._dead(state.taken[:, :step], step)
        cell, node = self._node_of[step]
        ops = None if self._option_ops is None else self._option_ops[step]
        return Decision("op", cell, node, width, step, legal, np.zeros(n, dtype=np.bool_), option_ops=ops)

    def apply(self, state: _ChoiceState, actions: npt.NDArray[np.int64]) -> _ChoiceState:
        _, options = self.decided(state, actions)
        taken = state.taken.copy()
        taken[:, state.step] = options
        return _ChoiceState(taken, state.step + 1, state.masked)

    def partial(self, state: _ChoiceState) -> tuple[CellBatch, ...]:
        return self._partial(state.taken)

    def finish(self, state: _ChoiceState) -> tuple[list[Architecture], npt.NDArray[np.int64]]:
        if state.step < len(self.options):
            raise ValueError(f"{len(self.options) - state.step} decisions are still open")
        archs = [tuple(row) for row in state.taken.tolist()]
        return archs, np.array([0 if self._is_valid(a) else 1 for a in archs], dtype=np.int64)
