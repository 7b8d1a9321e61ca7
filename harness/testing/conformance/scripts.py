"""Space checks: architectures built decision by decision."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.spaces import Architecture, Decision, Script
from harness.testing.conformance.report import Skipped, check, expect, expect_refusal
from harness.testing.conformance.spaces import SpaceSubject

_BATCH = 300
_WIDEST = 200_000


def _scripts(subject: SpaceSubject) -> list[str]:
    return list(subject.space.scripts)


def _draw(decision: Decision, rng: np.random.Generator, *, masked: bool) -> npt.NDArray[np.int64]:
    """A uniform legal option for each architecture (masked), or any option; 0 where it is done."""
    legal = decision.legal if masked else np.ones_like(decision.legal)
    lottery = np.where(legal, rng.random(legal.shape), -1.0)
    return np.where(decision.done, 0, lottery.argmax(axis=1)).astype(np.int64)


@check("space", "every masked completion of a script is valid", cases=_scripts)
def masked(subject: SpaceSubject, case: str) -> str:
    """300 random completions: valid, without violations, within ``max_decisions``; decisions keep to their slots' kind
    and options, and always leave something legal; partial graphs are of the vocabulary; an illegal action raises
    ValueError.
    """
    space, script = subject.space, subject.space.scripts[case]
    rng = np.random.default_rng(0)
    state = script.start(_BATCH)
    slots: dict[int, tuple[Any, ...]] = {}
    steps = refused = 0
    while (decision := script.decision(state)) is not None:
        steps += 1
        expect(steps <= script.max_decisions, f"more than max_decisions = {script.max_decisions} decisions")
        _check_decision(decision, script, slots, len(space.operations))
        _check_partial(subject, script, state)
        refused += _check_refusal(script, state, decision)
        state = script.apply(state, _draw(decision, rng, masked=True))
    archs, violations = script.finish(state)
    expect(len(archs) == len(violations) == _BATCH, f"{len(archs)} architectures came out of {_BATCH}")
    expect(not violations.any(), f"{int((violations > 0).sum())} of {_BATCH} finished with violations")
    for arch in archs:
        expect(space.is_valid(arch), f"it finished with {arch}, which is invalid")
    return f"{steps} decisions; {len(set(archs))} different architectures; {refused} illegal actions refused"


def _check_decision(d: Decision, script: Script, slots: dict[int, tuple[Any, ...]], operations: int) -> None:
    expect(0 <= d.slot < script.slots, f"slot {d.slot} of {script.slots}")
    ops = None if d.option_ops is None else tuple(d.option_ops.tolist())
    form = (d.kind, d.options, ops)
    expect(slots.setdefault(d.slot, form) == form, f"slot {d.slot} is first {slots[d.slot]}, then {form}")
    expect(d.legal.shape == (_BATCH, d.options), f"legal has shape {d.legal.shape}")
    expect(d.done.shape == (_BATCH,), f"done has shape {d.done.shape}")
    expect((d.legal.any(axis=1) | d.done).all(), f"slot {d.slot}: nothing is legal for an unfinished architecture")
    if ops is not None:
        expect(len(ops) == d.options and all(0 <= o < operations for o in ops), f"option_ops are {ops}")
    if d.option_nodes is not None:
        expect(d.kind == "pointer" and d.option_nodes.shape == (d.options,), f"option_nodes are {d.option_nodes}")


def _check_partial(subject: SpaceSubject, script: Script, state: Any) -> None:
    cells = script.partial(state)
    expect(isinstance(cells, tuple) and len(cells) == subject.space.cells, "partial: not one batch a cell")
    for cell in cells:
        n, v = cell.ops.shape
        expect(n == _BATCH and cell.adjacency.shape == (n, v, v), f"partial: shapes {cell.ops.shape}")
        known = (cell.ops >= -1) & (cell.ops < len(subject.space.operations))
        expect(known.all(), "partial: an unknown operation")


def _check_refusal(script: Script, state: Any, decision: Decision) -> int:
    """Tries one illegal action of an unfinished architecture, where there is one, and one that does not exist."""
    legal = np.where(decision.done, 0, decision.legal.argmax(axis=1)).astype(np.int64)
    tried = 0
    for row, option in [*np.argwhere(~decision.legal & ~decision.done[:, None])[:1].tolist(), (0, decision.options)]:
        if decision.done[row]:
            continue
        actions = legal.copy()
        actions[row] = option
        tried += 1
        expect_refusal(
            ValueError, f"slot {decision.slot} takes the illegal action {option}", script.apply, state, actions
        )
    return tried


@check("space", "an unmasked completion counts its violations", cases=_scripts)
def unmasked(subject: SpaceSubject, case: str) -> str:
    """300 random completions: zero violations exactly where the architecture is valid."""
    space, script = subject.space, subject.space.scripts[case]
    rng = np.random.default_rng(1)
    state = script.start(_BATCH, masked=False)
    while (decision := script.decision(state)) is not None:
        state = script.apply(state, _draw(decision, rng, masked=False))
    archs, violations = script.finish(state)
    for arch, count in zip(archs, violations, strict=True):
        valid = space.is_valid(arch)
        expect((count == 0) == valid, f"{arch} has {count} violations, and is_valid says {valid}")
    return f"{int((violations > 0).sum())} of {_BATCH} violated something"


@check("space", "a script reaches every architecture", cases=_scripts)
def reaches(subject: SpaceSubject, case: str) -> str:
    """All legal sequences of decisions of a small space are followed. The script ``default`` reaches every
    architecture; how many keys another one reaches is said, not judged.
    """
    everything = subject.everything
    reached = _follow(subject.space.scripts[case])
    missed = set(everything) - reached
    if case == "default":
        expect(not missed, f"{len(missed)} of {len(everything)} are out of reach, such as {min(missed, default=())}")
    keys, all_keys = (set(subject.space.keys(sorted(archs))) for archs in (reached, everything))
    return f"{len(reached)} of {len(everything)}, {len(keys)} of {len(all_keys)} keys"


def _follow(script: Script) -> set[Architecture]:
    """Every architecture that some sequence of legal actions finishes with."""
    sequences = np.zeros((1, 0), dtype=np.int64)
    while True:
        state = script.start(len(sequences))
        for step in range(sequences.shape[1]):
            state = script.apply(state, sequences[:, step])
        decision = script.decision(state)
        if decision is None:
            return set(script.finish(state)[0])
        options = np.where(decision.done[:, None], np.arange(decision.options) == 0, decision.legal)
        rows, actions = np.nonzero(options)
        if len(rows) > _WIDEST:
            raise Skipped(f"more than {_WIDEST} sequences of decisions are too many to follow")
        sequences = np.concatenate([sequences[rows], actions[:, None]], axis=1)
