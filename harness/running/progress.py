"""How a running study is shown: a bar with the time left on a terminal, plain lines elsewhere; on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from harness.errors import HarnessError, counted
from harness.running.listening import Listener
from harness.running.under_way import lines, watched

_FEW = 50
"""Up to so many items, each gets a line of its own."""
_SECONDS_BETWEEN_LINES = 60.0


class _Counts(Listener):
    """What is under way, and what came of a stage so far."""

    def __init__(self) -> None:
        self.running = 0
        self.begin()

    def begin(self) -> None:
        """A stage begins. What is under way stays so."""
        self.failed = self.queries = self.waiting = 0
        self.left: float | None = None
        self.began = time.monotonic()

    def started(self, title: str) -> None:
        self.running += 1

    def ended(self, title: str, queries: int, left: float | None, waiting: int) -> None:
        self.running -= 1
        self.queries += queries
        self.left, self.waiting = left, waiting

    @property
    def going(self) -> list[str]:
        """In words, what waits for its final training, and what is under way."""
        waits = "waits for its final training" if self.waiting == 1 else "wait for their final trainings"
        said = [f"{counted(self.waiting, 'search', 'searches')} {waits}"] if self.waiting else []
        return [*said, f"{self.running} under way"]

    def a_second(self, done: int, what: str = "") -> list[str]:
        """In words, where anything is done."""
        rate = done / max(time.monotonic() - self.began, 1e-9)
        return [f"{rate:,.0f} {what}a second" if rate >= 10 else f"{rate:.2g} {what}a second"] if rate else []

    @property
    def time_left(self) -> list[str]:
        """In words, as far as it can be told."""
        return [f"about {duration(self.left)} left"] if self.left else []


class Lines(_Counts):
    """A line for each finished item; where they are many, one line a minute, also while none is finished."""

    def __init__(self) -> None:
        super().__init__()
        self.what = ""
        self.total = self.already = self.done = 0

    def stage(self, what: str, total: int, already: int) -> None:
        self.begin()
        self.what, self.total, self.already, self.done = what, total, already, already
        self.said = self.began
        print(f"{counted(total, what)}, {already} already there", file=sys.stderr)

    def finished(self, title: str, said: str, failed: bool) -> None:
        self.done += 1
        self.failed += failed
        if self.total < _FEW:
            self.said = time.monotonic()
            print(f"{self.done}/{self.total} {title}: {said}", file=sys.stderr)
        else:
            self._say(now=self.done == self.total)

    def ended(self, title: str, queries: int, left: float | None, waiting: int) -> None:
        super().ended(title, queries, left, waiting)
        self._say()

    def _say(self, *, now: bool = False) -> None:
        """How far the stage is, where a minute has passed since the last line."""
        time_is = time.monotonic()
        if now or time_is - self.said >= _SECONDS_BETWEEN_LINES:
            self.said = time_is
            print(self._line(), file=sys.stderr, flush=True)

    def _line(self) -> str:
        said = [f"{self.done}/{self.total} {self.what}s"]
        said += self.going if self.running or self.waiting else []
        said += [f"{self.failed} failed", *self.a_second(self.done - self.already)]
        said += self.a_second(self.queries, "queries ")
        said += self.time_left if self.done < self.total else []
        return ", ".join(said)

    def note(self, message: str) -> None:
        print(f"note: {message}", file=sys.stderr)


class Bar(_Counts):
    """A bar with the item that started last and the time left; failures stay above it."""

    def __init__(self, progress: Any) -> None:
        super().__init__()
        self.progress = progress
        self.task: Any = None

    def stage(self, what: str, total: int, already: int) -> None:
        if self.task is not None:
            self.progress.update(self.task, description="done")
        self.task = self.progress.add_task(f"{what}s", total=total - already, failed="", going="")
        self.begin()
        if already:
            self.progress.console.print(f"{already} of {counted(total, what)} already there")

    def started(self, title: str) -> None:
        super().started(title)
        self.progress.update(self.task, description=title, going=self._going())

    def ended(self, title: str, queries: int, left: float | None, waiting: int) -> None:
        super().ended(title, queries, left, waiting)
        self.progress.update(self.task, going=self._going())

    def _going(self) -> str:
        return ", ".join([*self.going, *self.a_second(self.queries, "queries "), *self.time_left])

    def finished(self, title: str, said: str, failed: bool) -> None:
        if failed:
            self.failed += 1
            self.progress.console.print(f"{title}: {said}", style="red")
        self.progress.update(self.task, advance=1, failed=f"{self.failed} failed" if self.failed else "")

    def note(self, message: str) -> None:
        self.progress.console.print(f"note: {message}")


class LogFile(Listener):
    """Each event as a line of JSON, beside what another listener shows."""

    def __init__(self, file: BinaryIO, beside: Listener) -> None:
        """file: unbuffered."""
        self.file, self.beside, self.full = file, beside, False

    def _write(self, event: str, **what: Any) -> None:
        if self.full:
            return
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **what}
        try:
            self.file.write(msgspec.json.encode(line) + b"\n")
        except OSError as error:  # a study does not end with what is told of it
            self.full = True
            self.beside.note(f"--log-file: {error.strerror}; nothing more is written to it")

    def stage(self, what: str, total: int, already: int) -> None:
        self._write("stage", what=what, total=total, already=already)
        self.beside.stage(what, total, already)

    def started(self, title: str) -> None:
        self._write("started", title=title)
        self.beside.started(title)

    def ended(self, title: str, queries: int, left: float | None, waiting: int) -> None:
        self.beside.ended(title, queries, left, waiting)

    def finished(self, title: str, said: str, failed: bool) -> None:
        self._write("finished", title=title, said=said, failed=failed)
        self.beside.finished(title, said, failed)

    def note(self, message: str) -> None:
        self._write("note", message=message)
        self.beside.note(message)


@contextmanager
def open_progress(quiet: bool, log_file: Path | None = None) -> Iterator[Listener]:
    """The listener for this standard error, and for a log file. Raises HarnessError where it cannot be written."""
    with ExitStack() as stack:
        shown = Listener() if quiet else Lines()
        if not quiet and sys.stderr.isatty():
            shown = Bar(stack.enter_context(_rich(stack.enter_context(watched()))))
        if log_file is not None:
            try:
                file = stack.enter_context(log_file.open("ab", buffering=0))
            except OSError as error:
                raise HarnessError(f"--log-file {log_file} cannot be written: {error.strerror}") from error
            shown = LogFile(file, shown)
        yield shown


def _rich(trainings: Path) -> Any:
    """A bar, and under it how the trainings go on that tell of themselves in the folder ``trainings``."""
    from rich.console import Console, Group
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.text import Text

    class WithTrainings(Progress):
        def get_renderable(self) -> Group:
            under_way = [Text(f"  {line}", overflow="ellipsis", no_wrap=True) for line in lines(trainings)]
            return Group(super().get_renderable(), *under_way)

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}", style="red", markup=False),
        TextColumn("{task.fields[going]}", markup=False),
        TextColumn("{task.description}", markup=False),
    )
    return WithTrainings(*columns, console=console, refresh_per_second=4)


def duration(seconds: float) -> str:
    """In words, in its largest unit."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return counted(round(seconds / size), unit)
    return counted(max(round(seconds), 1), "second")
