"""How a running study is shown: a bar with the time left on a terminal, plain lines elsewhere; on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.errors import counted
from harness.running.campaign import Listener, Silent


class Lines:
    """A line for each finished item."""

    def __init__(self) -> None:
        self.total = self.done = 0

    def stage(self, what: str, total: int, already: int) -> None:
        self.total, self.done = total, already
        print(f"{counted(total, what)}, {already} already there", file=sys.stderr)

    def started(self, title: str) -> None:
        return

    def finished(self, title: str, said: str, failed: bool) -> None:
        self.done += 1
        print(f"{self.done}/{self.total} {title}: {said}", file=sys.stderr)

    def note(self, message: str) -> None:
        print(f"note: {message}", file=sys.stderr)


class Bar:
    """A bar with the item that started last and the time left; failures stay above it."""

    def __init__(self, progress: Any) -> None:
        self.progress = progress
        self.task: Any = None
        self.failed = 0

    def stage(self, what: str, total: int, already: int) -> None:
        if self.task is not None:
            self.progress.update(self.task, description="done")
        self.task, self.failed = self.progress.add_task(f"{what}s", total=total - already, failed=""), 0
        if already:
            self.progress.console.print(f"{already} of {counted(total, what)} already there")

    def started(self, title: str) -> None:
        self.progress.update(self.task, description=title)

    def finished(self, title: str, said: str, failed: bool) -> None:
        if failed:
            self.failed += 1
            self.progress.console.print(f"{title}: {said}", style="red")
        self.progress.update(self.task, advance=1, failed=f"{self.failed} failed" if self.failed else "")

    def note(self, message: str) -> None:
        self.progress.console.print(f"note: {message}")


@contextmanager
def open_progress(quiet: bool) -> Iterator[Listener]:
    """The listener for this standard error."""
    if quiet:
        yield Silent()
    elif not sys.stderr.isatty():
        yield Lines()
    else:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True, markup=False, highlight=False, emoji=False)
        columns = (
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[failed]}", style="red", markup=False),
            TextColumn("{task.description}", markup=False),
        )
        with Progress(*columns, console=console) as progress:
            yield Bar(progress)
