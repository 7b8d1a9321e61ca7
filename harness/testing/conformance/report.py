"""Checks, how they are run, and what came of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from harness.running.search import told

Kind = Literal["strategy", "space", "protocol"]
Status = Literal["passed", "failed", "skipped"]


class Failed(Exception):
    """Raised by a check: what does not hold."""


class Skipped(Exception):
    """Raised by a check: why it does not apply or cannot be run here."""


def expect(holds: object, why: str) -> None:
    """Raises Failed with ``why`` unless it ``holds``."""
    if not holds:
        raise Failed(why)


@dataclass(frozen=True, slots=True)
class Check:
    """One property. ``run`` returns where it holds (None, or a remark), else raises `Failed` or `Skipped`.

    With ``cases`` it is run once for each.
    """

    kind: Kind
    name: str
    run: Callable[..., str | None]
    cases: Callable[[Any], Iterable[str]] | None = None


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
    """What came of one check on one case."""

    check: str
    status: Status
    why: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """What came of all checks of one subject. ``ok``: at least one ran and none failed."""

    kind: Kind
    name: str
    results: tuple[Result, ...]

    @property
    def ran(self) -> tuple[Result, ...]:
        """Those that apply and were run, passed or failed."""
        return tuple(r for r in self.results if r.status != "skipped")

    @property
    def failed(self) -> tuple[Result, ...]:
        return tuple(r for r in self.results if r.status == "failed")

    @property
    def skipped(self) -> tuple[Result, ...]:
        return tuple(r for r in self.results if r.status == "skipped")

    @property
    def ok(self) -> bool:
        return bool(self.ran) and not self.failed

    @property
    def seconds(self) -> float:
        return sum(r.seconds for r in self.results)

    @property
    def summary(self) -> str:
        """One line: how many checks there are, apply and ran, passed, failed and were skipped."""
        counts = (
            f"{len(self.results)} checks, {len(self.ran)} apply and ran: {len(self.ran) - len(self.failed)} passed, "
            f"{len(self.failed)} failed; {len(self.skipped)} skipped; {self.seconds:.1f} s"
        )
        verdict = "conforms" if self.ok else ("does not conform" if self.ran else "not checked: nothing ran")
        return f"{self.kind} {self.name} {verdict} ({counts})"

    def __str__(self) -> str:
        lines = [
            f"  {r.status:7} {r.check}" + (f": {r.why}" if r.why else "")
            for r in self.results
        ]  # fmt: skip
        return "\n".join([self.summary, *lines])


def run_checks(kind: Kind, name: str, subject: Any, only: Iterable[str] = ()) -> Report:
    """The checks of ``kind`` on ``subject``, or those whose names start with one of ``only``.

    An exception that is neither Failed nor Skipped is a failure too.
    """
    starts = tuple(only)
    results: list[Result] = []
    for item in CHECKS:
        if item.kind != kind or (starts and not item.name.startswith(starts)):
            continue
        if item.cases is None:
            results.append(_run(item.name, item.run, subject))
            continue
        try:
            cases = list(item.cases(subject))
        except Exception as error:
            results.append(Result(item.name, "failed", told(error), 0.0))
            continue
        results += [_run(f"{item.name} [{case}]", item.run, subject, case) for case in cases]
    return Report(kind, name, tuple(results))


def _run(name: str, function: Callable[..., str | None], *args: Any) -> Result:
    started = time.perf_counter()
    status: Status = "passed"
    why = ""
    try:
        why = function(*args) or ""
    except Failed as error:
        status, why = "failed", str(error)
    except Skipped as error:
        status, why = "skipped", str(error)
    except Exception as error:
        status, why = "failed", told(error)
    return Result(name, status, why, time.perf_counter() - started)
