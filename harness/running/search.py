"""One search, from the strategy's constructor to its answer. Runs and conformance checks share it."""

from __future__ import annotations

import math
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, Literal

import numpy as np

from harness.errors import BudgetExhausted, StillAsking, in_one_line
from harness.search.oracle import Oracle, best_first
from harness.spaces import Architecture
from harness.strategy import Strategy

_MOST_RETURNED = 100
_MOST_FRAMES = 10


@dataclass(frozen=True, slots=True)
class Searched:
    """The result of a search. It holds no final score.

    strategy: with its ranker, notes and phases; a blank one where its constructor raised. returned: architectures of
    the space, best first, at most 100. status: ``infeasible`` where the constraints left nothing to return. error: None
    where the status is ``ok``, else one line with the innermost place in the author's own code. frames: the author's
    frames, innermost last, one line each. raised: the exception that ``error`` is about, where there was one. ended_by:
    what ended the oracle, else ``strategy``, or ``error``. seconds: of wall time; cpu_seconds: of this process. notes,
    phases: `Strategy.notes` and `Strategy.seconds` as a record keeps them.
    """

    strategy: Strategy
    returned: list[Architecture]
    status: Literal["ok", "failed", "infeasible"]
    error: str | None
    frames: tuple[str, ...]
    raised: BaseException | None
    ended_by: str
    seconds: float
    cpu_seconds: float
    notes: dict[str, Any]
    phases: dict[str, float]


class Unusable(Exception):
    """A strategy's answer cannot be used. The message is the run's error."""


class _Blank(Strategy):
    """Stands for a strategy whose constructor raised: it has no ranker and no notes."""

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        return []


def carry_out(make: Callable[[], Strategy], oracle: Oracle, rng: np.random.Generator, top: int = 1) -> Searched:
    """Make the strategy and let it search. What it raises becomes the error of the result.

    A search that reaches the end of its budget returns its ``top`` best validated architectures. Whatever is no
    `Exception`, such as a time limit, is raised further, except SystemExit
    and `StillAsking`.
    """
    strategy: Strategy = _Blank()
    returned: list[Architecture] = []
    raised: BaseException | None = None
    started, cpu = time.perf_counter(), time.process_time()
    try:
        strategy = make()
        returned = _checked(strategy.search(oracle, rng), oracle)
    except BudgetExhausted as end:
        if oracle.ended_by is None:
            raised = Unusable("search raised BudgetExhausted though the oracle had not ended it")
            raised.__traceback__ = end.__traceback__
        else:
            returned = best_first(oracle, top)
    except (Exception, SystemExit, StillAsking) as caught:
        raised = caught
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    notes: dict[str, Any] = {}
    phases: dict[str, float] = {}
    try:
        notes, phases = _kept("notes", strategy.notes, plain), _kept("seconds", strategy.seconds, _number)
    except (Unusable, AttributeError) as caught:
        raised = raised or caught
    status: Literal["ok", "failed", "infeasible"] = "ok"
    error: str | None = None
    frames: list[traceback.FrameSummary] = []
    if raised is not None:
        frames = _author_frames(raised, type(strategy))
        status, error = "failed", told(raised, frames)
    elif not returned:
        status, error = _nothing(oracle)
    ended_by = oracle.ended_by or ("error" if status == "failed" else "strategy")
    lines = tuple(f"{Path(f.filename).name}:{f.lineno}, in {f.name}: {f.line}" for f in frames[-_MOST_FRAMES:])
    return Searched(strategy, returned, status, error, lines, raised, ended_by, seconds, cpu, notes, phases)


def _nothing(oracle: Oracle) -> tuple[Literal["failed", "infeasible"], str]:
    """Why nothing was returned: because of the constraints where they left nothing to return."""
    if oracle.incumbents:
        return "failed", "search returned no architecture"
    if oracle.constraints:
        return "infeasible", "no feasible architecture was found"
    if oracle.ledger.calls == 0:
        return "failed", "search returned no architecture"
    return "failed", "every training failed" if len(oracle.ledger) else "nothing that was asked for has a score"


def _checked(answer: Any, oracle: Oracle) -> list[Architecture]:
    """The returned architectures. Raises Unusable where there is one that cannot be reported."""
    if isinstance(answer, str) or not isinstance(answer, Sequence):
        raise Unusable(f"search returned {type(answer).__name__}, not a sequence of architectures")
    if oracle.space.is_valid(answer):  # type: ignore[arg-type]
        raise Unusable(f"search returned one architecture, {answer!r}, not a sequence of them: return [arch]")
    returned: list[Architecture] = []
    for arch in list(answer)[:_MOST_RETURNED]:
        if not oracle.space.is_valid(arch):
            raise Unusable(f"search returned what is no architecture: {oracle.space.fault(arch)}")
        returned.append(tuple(int(a) for a in arch))
    return returned


def _kept(what: str, given: Any, keep: Callable[[Any], Any]) -> dict[str, Any]:
    """`Strategy.notes` or `Strategy.seconds` as a record keeps them. Raises Unusable where ``keep`` refuses a value."""
    if not isinstance(given, dict):
        raise Unusable(f"{what}: they are a {type(given).__name__}, not a dict")
    kept = {}
    for name, value in given.items():
        try:
            kept[str(name)] = keep(value)
        except TypeError as error:
            raise Unusable(f"{what}: {name!r}: {error}") from error
    return kept


def _number(value: Any) -> float:
    if not isinstance(value, Real):
        raise TypeError(f"{value!r} is no number")
    return round(float(value), 6)


def plain(value: Any) -> Any:
    """JSON values only; numpy scalars become plain ones, NaN and infinity None. Raises TypeError for anything else."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    raise TypeError(f"{type(value).__name__} is no JSON value")


def told(error: BaseException, frames: Sequence[traceback.FrameSummary] = ()) -> str:
    """The error in one line, with the last of ``frames``; by default the innermost place where it was raised."""
    return str(error) if isinstance(error, Unusable) else in_one_line(error, frames)


def _author_frames(error: BaseException, cls: type) -> list[traceback.FrameSummary]:
    """The frames in the packages of the strategy's classes, without those of the harness and of libraries."""
    own = {_top(base.__module__) for base in cls.__mro__} - {"harness"} - sys.stdlib_module_names
    frames = list(traceback.walk_tb(error.__traceback__))
    if not own:  # the strategy was not made: take the first code that is not the harness's own
        tops = (_top(frame.f_globals.get("__name__", "")) for frame, _ in frames)
        own = {next((top for top in tops if top != "harness"), "")}
    kept = [(frame, line) for frame, line in frames if _top(frame.f_globals.get("__name__", "")) in own]
    return list(traceback.StackSummary.extract(iter(kept)))


def _top(module: str) -> str:
    return module.partition(".")[0]
