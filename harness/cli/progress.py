"""How a running study is shown: a bar with the time left on a terminal, plain lines elsewhere; on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from harness.errors import counted
from harness.running.campaign import Listener, Silent

if TYPE_CHECKING:
    from harness.records.store import Record
    from harness.running.plan import RunSpec


def outcome_line(record: Record) -> str:
    """A finished run in one line."""
    mode = "" if record.mode == "strict" else f" ({record.mode})"
    run = f"{record.label}{mode} on {record.task}, seed {record.seeds.search}"
    if record.status != "ok":
        return f"{run}: {record.status}: {record.error}"
    score = "no score" if record.final.score is None else f"{record.final.score:.2f}"
    return f"{run}: {score} after {counted(record.paid.queries, 'query', 'queries')}"


class Lines:
    """A line for each finished run."""

    def __init__(self) -> None:
        self.total = self.done = 0

    def planned(self, total: int, already_done: int) -> None:
        self.total, self.done = total, already_done
        typer.echo(f"{counted(total, 'run')}, {already_done} already there", err=True)

    def started(self, run: RunSpec) -> None:
        return

    def finished(self, record: Record) -> None:
        self.done += 1
        typer.echo(f"{self.done}/{self.total} {outcome_line(record)}", err=True)

    def note(self, message: str) -> None:
        typer.echo(f"note: {message}", err=True)


class Bar:
    """A bar with the run that started last and the time left; failures stay above it."""

    def __init__(self, progress: Any) -> None:
        self.progress = progress
        self.task: Any = None
        self.failed = 0

    def planned(self, total: int, already_done: int) -> None:
        self.task = self.progress.add_task("starting", total=total - already_done, failed="")
        if already_done:
            self.progress.console.print(f"{already_done} of {counted(total, 'run')} already there")

    def started(self, run: RunSpec) -> None:
        self.progress.update(self.task, description=run.title)

    def finished(self, record: Record) -> None:
        if record.status != "ok":
            self.failed += 1
            self.progress.console.print(outcome_line(record), style="red")
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
