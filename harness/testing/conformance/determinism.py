"""Strategy checks: the seed decides the search, and nothing else does."""

from __future__ import annotations

import json
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np

from harness.running.environment import WORKER_VARIABLES
from harness.testing.conformance.report import Failed, NotRun, Skipped, check, expect
from harness.testing.conformance.subjects import HUNG, StrategySubject

_SEEDS = (1, 2, 3)


@check("strategy", "two fresh processes with different hash seeds give the same trajectory")
def fresh_processes(subject: StrategySubject) -> None:
    """Queries, answers, result, notes and learned order agree between two new processes, with PYTHONHASHSEED 1 and 2,
    and with this one.
    """
    cls = subject.cls
    if "training" in cls.needs:
        raise NotRun("the strategy trains networks itself: it needs a live task")
    if "<locals>" in cls.__qualname__:
        raise Skipped("the class is defined inside a function, where another process cannot import it from")
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if cls.__module__ == "__main__" and not os.path.isfile(file or ""):
        raise Skipped("the class is typed in a notebook or at a prompt, where another process cannot import it from")
    order = {
        "module": cls.__module__, "file": file, "name": cls.__qualname__,
        "params": msgspec.to_builtins(subject.params), "limit": subject.limit,
    }  # fmt: skip
    with ThreadPoolExecutor() as both:
        answers = list(both.map(lambda seed: _answer(order, seed, 2 * subject.limit + 30), ("1", "2")))
    for answer in answers:
        subject.stopped = subject.stopped or answer.get("stopped", "")
        if "trajectory" not in answer:
            raise Failed(f"in a fresh process: {answer['error']}")
    found = [answer["trajectory"] for answer in answers]
    expect(found[0] == found[1], "the two processes gave different trajectories: it depends on hash order or process")
    here = subject.trial(subject.task()).trajectory
    expect(found[0] == here, "a fresh process gave another trajectory than this one: something outlives a search")


def _answer(order: dict[str, Any], hash_seed: str, limit: float) -> dict[str, Any]:
    """What a new process printed last: its ``trajectory``, or an ``error`` and why no other is started."""
    environment = {**os.environ, **WORKER_VARIABLES, "PYTHONHASHSEED": hash_seed}
    environment["PYTHONPATH"] = os.pathsep.join(p or os.getcwd() for p in sys.path)
    command = [sys.executable, "-m", "harness.testing.conformance._child"]
    try:
        child = subprocess.run(
            command, env=environment, input=json.dumps(order), capture_output=True, text=True, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return {"error": "the search hung and had to be killed", "stopped": HUNG}
    answer, said = child.stdout.strip().splitlines()[-1:], child.stderr.strip().splitlines()[-1:]
    if answer and answer[0].startswith("{"):
        return dict(json.loads(answer[0]))
    if said:
        return {"error": said[0]}
    error = f"the search ended its process (exit status {child.returncode})"
    return {"error": error, "stopped": "an earlier search ended its process"}


@check("strategy", "the same seed gives the same trajectory")
def same_seed(subject: StrategySubject) -> None:
    """Two searches in this process agree, the second under other states of the global random generators."""
    first = subject.trial(subject.task()).trajectory
    with _global_state_restored():
        _disturb(17)
        second = subject.trial(subject.task()).trajectory
    expect(first == second, "a second search with the same seed gave another trajectory")


@check("strategy", "another seed gives another trajectory")
def other_seeds(subject: StrategySubject) -> None:
    """Of three seeds, at least two query other architectures, or in another order."""
    found = {subject.trial(subject.task(), seed=s).oracle.ledger.digest() for s in _SEEDS}
    expect(len(found) > 1, f"seeds {_SEEDS} all gave the same queries: the search does not draw from its generator")


@check("strategy", "global random state is left as found")
def global_state(subject: StrategySubject) -> None:
    """`random`, numpy's global generator and torch's, if imported by then, are the same after a search."""
    subject.trial(subject.task())  # what is imported late is imported now
    with _global_state_restored():
        _disturb(23)
        before = _state()
        subject.trial(subject.task())
        after = _state()
    changed = [name for name in before if before[name] != after.get(name)]
    expect(not changed, f"the search changed the global state of {', '.join(changed)}")


def _generators() -> dict[str, tuple[Callable[[], Any], Callable[[Any], object], Callable[[int], object]]]:
    """Of each global generator that is imported, what gives its state, what sets it, and what seeds it."""
    found: dict[str, Any] = {
        "random": (random.getstate, random.setstate, random.seed),
        "numpy.random": (np.random.get_state, np.random.set_state, np.random.seed),
    }
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        cpu = torch.default_generator  # alone: what seeds devices too could not give their states back
        found["torch"] = (cpu.get_state, cpu.set_state, cpu.manual_seed)
    return found


def _state() -> dict[str, bytes]:
    found = {name: state() for name, (state, _, _) in _generators().items()}
    if "torch" in found:
        found["torch"] = found["torch"].numpy()  # a pickled tensor says where its memory lies
    return {name: pickle.dumps(state) for name, state in found.items()}


@contextmanager
def _global_state_restored() -> Iterator[None]:
    states = [(restore, state()) for state, restore, _ in _generators().values()]
    try:
        yield
    finally:
        for restore, state in states:
            restore(state)


def _disturb(number: int) -> None:
    for _, _, seed in _generators().values():
        seed(number)
