"""Checks, how they are run, and what came of them."""

from __future__ import annotations

import inspect
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from harness.errors import UnknownName
from harness.running.search import told

Kind = Literal["strategy", "space", "protocol"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Status = Literal["passed", "failed", "skipped", "not run"]


class Failed(Exception):
    """Raised by a check: what does not hold."""


class Skipped(Exception):
    """Raised by a check: why it does not apply."""


class NotRun(Exception):
    """Raised by a check: what is missing here, without which it cannot be run, and how to get it."""


def expect(holds: object, why: str) -> None:
    """Raises Failed with ``why`` unless it ``holds``."""
    if not holds:
        raise Failed(why)


def expect_refusal(error: type[Exception], why: str, call: Callable[..., object], *args: Any, **options: Any) -> None:
    """Raises Failed with ``why`` unless the call raises ``error``."""
    try:
        call(*args, **options)
    except error:
        return
    raise Failed(why)


@dataclass(frozen=True, slots=True)
class Check:
    """One property. ``run`` returns where it holds (None, or a remark), else raises `Failed` or `Skipped`.

    With ``cases`` it is run once for each. The docstring of ``run`` says what holds where it passes.
    """

    kind: Kind
    name: str
    run: Callable[..., str | None]
    cases: Callable[[Any], Iterable[str]] | None = None

    @property
    def meaning(self) -> str:
        """What holds where it passes, on one line."""
        return " ".join((inspect.getdoc(self.run) or "").split())


CHECKS: list[Check] = []
"""Every check, in the order in which they are run."""


def check(
    kind: Kind, name: str, cases: Callable[[Any], Iterable[str]] | None = None
) -> Callable[[Callable[..., str | None]], Callable[..., str | None]]:
    """Registers a function of a subject (and a case) as a check."""

    def register(function: Callable[..., str | None]) -> Callable[..., str | None]:
        CHECKS.append(Check(kind, name, function, cases))
        return function

    return register


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check on one case. trace: the traceback of what the subject's own code raised."""

    check: str
    status: Status
    why: str
    seconds: float
    meaning: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of all checks of one subject. ``ok``: it conforms: none failed, and each was run on something."""

    kind: Kind
    name: str
    results: tuple[Result, ...]

    @property
    def ran(self) -> tuple[Result, ...]:
        """Those that apply and were run, passed or failed."""
        return tuple(r for r in self.results if r.status in ("passed", "failed"))

    @property
    def failed(self) -> tuple[Result, ...]:
        return tuple(r for r in self.results if r.status == "failed")

    @property
    def skipped(self) -> tuple[Result, ...]:
        return tuple(r for r in self.results if r.status == "skipped")

    @property
    def not_run(self) -> tuple[Result, ...]:
        """Those that apply and could not be run here."""
        return tuple(r for r in self.results if r.status == "not run")

    @property
    def unchecked(self) -> tuple[str, ...]:
        """The checks that could not be run on anything."""
        some = {_name(r) for r in self.results if r.status != "not run"}
        return tuple(dict.fromkeys(_name(r) for r in self.not_run if _name(r) not in some))

    @property
    def ok(self) -> bool:
        return bool(self.ran) and not self.failed and not self.unchecked

    @property
    def verdict(self) -> str:
        if self.failed:
            return "does not conform"
        if not self.ran:
            return "is not checked: nothing ran"
        if self.unchecked:
            return f"is not checked: {len(self.unchecked)} of its checks could not be run on anything"
        if self.not_run:
            return "conforms as far as it could be checked"
        return "conforms"

    @property
    def seconds(self) -> float:
        return sum(r.seconds for r in self.results)

    @property
    def summary(self) -> str:
        """One line: how many checks there are, apply and ran, passed, failed and were skipped."""
        counts = (
            f"{len(self.results)} checks, {len(self.ran)} apply and ran: {len(self.ran) - len(self.failed)} passed, "
            f"{len(self.failed)} failed; {len(self.skipped)} skipped; {len(self.not_run)} not run; {self.seconds:.1f} s"
        )
        return f"{self.kind} {self.name} {self.verdict} ({counts})"

    def __str__(self) -> str:
        return self.text()

    def text(self, *, verbose: bool = False) -> str:
        """A line a check. A cause that made several fail is told at the first. verbose: what each check means, and the
        tracebacks."""
        lines, first = [self.summary], dict[str, str]()
        for r in self.results:
            told_before = first.setdefault(r.why, r.check) if r.status == "failed" else r.check
            why = r.why if told_before == r.check else f"for the same cause as {told_before!r}"
            lines.append(f"  {r.status:7} {r.seconds:5.1f} s  {r.check}" + (f": {why}" if why else ""))
            if verbose:
                lines.append(f"          {r.meaning}")
                if r.trace and told_before == r.check:
                    lines += [f"          | {line}" for line in r.trace.rstrip().splitlines()]
        return "\n".join(lines)


def run_checks(kind: Kind, name: str, subject: Any, only: Iterable[str], heard: Callable[[Result], None]) -> Report:
    """The checks of ``kind`` on ``subject``, or those whose names start with one of ``only``.

    heard: is told of each result as it comes. An exception that is none of Failed, Skipped and NotRun is a failure too.
    Raises UnknownName for an ``only`` that no check's name starts with.
    """
    starts = tuple(only)
    names = [c.name for c in CHECKS if c.kind == kind]
    for start in starts:
        if not any(n.startswith(start) for n in names):
            raise UnknownName(f"{kind} check", start, names)
    results: list[Result] = []
    for item in CHECKS:
        if item.kind == kind and (not starts or item.name.startswith(starts)):
            for result in _results(item, subject):
                results.append(result)
                heard(result)
    return Report(kind, name, tuple(results))


def unmade(kind: Kind, subject: Any, error: Exception, heard: Callable[[Result], None]) -> Report:
    """The report on what could not be made, so that nothing could be checked: it failed."""
    name = str(getattr(subject, "name", "") or getattr(subject, "__name__", type(subject).__name__))
    why = str(error) if isinstance(error, Failed) else told(error)
    trace = "" if isinstance(error, Failed) else "".join(traceback.format_exception(error))
    result = Result("it can be made", "failed", why, 0.0, "It is made, and says of itself what checks need.", trace)
    heard(result)
    return Report(kind, name, (result,))


def _results(item: Check, subject: Any) -> Iterator[Result]:
    """What comes of one check: a result, or one for each of its cases."""
    if item.cases is None:
        yield _run(item, item.name, subject)
        return
    try:
        cases = list(item.cases(subject))
    except Exception as error:
        yield Result(item.name, "failed", told(error), 0.0, item.meaning)
        return
    for case in cases:
        yield _run(item, f"{item.name} [{case}]", subject, case)


def _name(result: Result) -> str:
    return result.check.partition(" [")[0]


def _run(item: Check, name: str, *args: Any) -> Result:
    started = time.perf_counter()
    status: Status = "passed"
    why = trace = ""
    try:
        why = item.run(*args) or ""
    except Failed as error:
        status, why = "failed", str(error)
        trace = "".join(traceback.format_exception(error.__cause__)) if error.__cause__ is not None else ""
    except Skipped as error:
        status, why = "skipped", str(error)
    except NotRun as error:
        status, why = "not run", str(error)
    except Exception as error:
        status, why, trace = "failed", told(error), traceback.format_exc()
    return Result(name, status, why, time.perf_counter() - started, item.meaning, trace)
