"""The options before the command, and what commands share of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from harness.cli.completion import study_folders
from harness.errors import HarnessError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.registry import Registry


StudyFolder = Annotated[
    Path,
    typer.Argument(help="The study's folder, such as results/quickstart.", metavar="DIR", autocompletion=study_folders),
]


class TextOrJson(StrEnum):
    """How a command prints."""

    text = "text"
    json = "json"


def open_registry(ctx: typer.Context) -> Registry:
    """The installed plugins. Raises PluginError for a broken one under ``--strict-plugins``."""
    from harness.registry import Registry, default_registry

    return Registry(strict=True) if ctx.obj else default_registry()


def warn_of_broken(registry: Registry) -> None:
    """One line on standard error for each plugin that could not be registered."""
    for b in registry.broken:
        typer.echo(f"warning: {b.title} is broken: {b.error}", err=True)


def open_console(file: TextIO | None = None) -> Console:
    """Standard output, or ``file``, as a console of 100 columns where it is no terminal. Nothing is read as markup."""
    import shutil

    from rich.console import Console

    width = 100 if file is not None else max(shutil.get_terminal_size((100, 24)).columns, 60)
    return Console(file=file, width=width, markup=False, highlight=False, emoji=False)


@contextmanager
def open_output(path: Path | None) -> Iterator[Console]:
    """A console on ``path``, or on standard output. Raises HarnessError where it cannot be written."""
    if path is None:
        yield open_console()
        return
    text = StringIO()
    yield open_console(text)
    try:
        path.write_text(text.getvalue(), encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def own_output() -> Iterator[None]:
    """What a plugin's code prints in the block goes to standard error: standard output is the command's."""
    with redirect_stdout(sys.stderr):
        yield


def print_json(value: Any) -> None:
    """``value`` as indented JSON on standard output."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
