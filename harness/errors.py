"""The errors that a user meets. Each says what was wrong, where, and what to do."""

from __future__ import annotations

import difflib
import traceback
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean 'x' or 'y'?`` with up to three known names like ``name``; empty where none is like it.

    ``cora`` is like every name that ends with ``/cora``.
    """
    names = sorted(known)
    near = [n for n in names if n.rpartition("/")[2] == name][:3] or difflib.get_close_matches(
        name, names, n=3, cutoff=0.6
    )
    return "did you mean " + " or ".join(repr(n) for n in near) + "?" if near else ""


class HarnessError(Exception):
    """Base of every error that the command line shows without a traceback.

    field: which field of the study is wrong, such as ``tasks[1].name``, where known. status: the exit status.
    """

    field: str | None = None
    status: int = 2


class UnknownName(HarnessError):
    """A strategy, protocol, task, space or executor that nothing provides."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str = "") -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        message = f"unknown {kind} {name!r}"
        if near := nearest(name, self.known):
            message += f"; {near}"
        elif self.known:
            shown = ", ".join(self.known[:12]) + (", ..." if len(self.known) > 12 else "")
            message += f"; known: {shown}"
        super().__init__(message + (f" ({hint})" if hint else ""))


class StudyError(HarnessError):
    """A study that is malformed or contradicts itself. Names the file and the line or field."""


class DataError(HarnessError):
    """A data file or table that cannot be trusted. Names the file, the place and the reason."""


class DataMissing(HarnessError):
    """A task whose data is not on this machine. Names what is missing and the command that gets it."""


class PluginError(HarnessError):
    """A plugin that is broken, misspelt, incomplete, or provides a name twice."""


class RecordError(HarnessError):
    """A results folder or record that cannot be read or written."""


class Unwritten(RecordError):
    """A record that the disk did not take. What was written before is kept, and the same study resumes."""

    status = 3


class EarlierRecords(RecordError):
    """A results folder that an earlier version wrote."""


GATE_STATUS = {
    "determinism": 10, "schema": 11, "missing": 12, "budget": 13, "data": 14, "seeds": 15, "margin": 16, "metric": 17
}  # fmt: skip
"""Why a gate cannot compare -> the exit status."""


class GateError(HarnessError):
    """Two sides that a gate cannot compare, or a gate that is malformed. kind: a key of `GATE_STATUS`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.status = kind, GATE_STATUS[kind]

    def __reduce__(self) -> tuple[type[GateError], tuple[str, str]]:
        return type(self), (self.kind, str(self))


class InvalidArchitecture(HarnessError, ValueError):
    """An architecture that is not of the search space. Never paid."""


class StillAsking(BaseException):
    """A strategy that has been refused a million times and asks again: its search is ended.

    No `Exception`, so that the ``except Exception`` that swallowed every refusal before does not swallow this one.
    """


class UnknownArchitecture(HarnessError, LookupError):
    """A valid architecture that a partial table has no score for. Never paid."""


class BudgetExhausted(HarnessError):
    """The search is over: the budget is spent, every row is known, or too many calls were free.

    ``scores`` holds what `Oracle.query_many` answered before the end; ``ended_by`` says why the search ended.
    Letting it propagate out of `Strategy.search` is the ordinary way to stop.
    """

    def __init__(self, ended_by: str, scores: list[float] | None = None) -> None:
        super().__init__(f"the search has ended: {ended_by}")
        self.ended_by = ended_by
        self.scores: list[float] = scores if scores is not None else []

    def __reduce__(self) -> tuple[type[BudgetExhausted], tuple[str, list[float]]]:
        return type(self), (self.ended_by, self.scores)


def in_one_line(error: BaseException, frames: Sequence[traceback.FrameSummary] = ()) -> str:
    """The error with the last of ``frames``; by default the innermost place where it was raised."""
    place = list(frames or traceback.extract_tb(error.__traceback__))[-1:]
    return f"{type(error).__name__}: {error}" + "".join(f" ({Path(f.filename).name}:{f.lineno})" for f in place)


@contextmanager
def as_plugin_error(what: str) -> Iterator[None]:
    """An error of a plugin's own code is raised as a PluginError about ``what``; a HarnessError stays as it is."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        raise PluginError(f"{what}: {in_one_line(error)}") from error


def shortened(text: str, most: int = 300) -> str:
    """On one line and `visible`, the middle left out beyond ``most`` characters: an error says last where it was
    raised."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= most else f"{line[: most * 2 // 3]} … {line[-most // 3 :]}"


def counted(n: float, one: str, many: str | None = None) -> str:
    """``1 run``, ``2 runs``; ``many`` where the plural takes more than an s."""
    return f"{n:.10g} {one if n == 1 else many or one + 's'}"


def visible(text: str) -> str:
    """Control characters and those that turn or hide text as ``\\u202e``, line ends and tabs as they are."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"\\u{ord(sign):04x}" if sign not in "\n\t" and unicodedata.category(sign) in _HIDDEN else sign for sign in text
    )


_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
