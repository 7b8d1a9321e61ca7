"""The command line ``nas-harness``. One module a command, imported when the command is used; no logic of its own.

A new command is one line in `COMMANDS` and a module of that name in this package with a Typer ``app``. Nothing imported
here, or at the top of a command's module, is heavier than Typer: ``--help`` answers as fast as the interpreter starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from harness.errors import HarnessError, UnknownName, visible

COMMANDS = {
    "run": "Run a study, or what is missing of it, and print its report.",
    "replay": "Carry searches of a study out again, and say whether they agree.",
    "debug": "Carry one search out again in this process, with every query and the traceback.",
    "report": "Print the tables of a finished study, or export them.",
    "gate": "Compare a study with reference records: did a strategy get worse?",
    "leaderboard": "Build a static site of one or many results folders.",
    "list": "List what is installed: plugins, strategies, protocols, tasks, spaces.",
    "describe": "Describe a strategy with its parameters, a task, a protocol or a space.",
    "results": "Join results of several machines, show the records of a run, verify a folder.",
    "data": "Turn official benchmark files into tables; fetch, verify and describe them.",
    "new": "Make a plugin: a strategy, a protocol, a space or a metric, with its tests and its gate.",
    "check": "Run the conformance checks on a strategy, a space or a protocol.",
}
"""Command -> what it does, in the order of ``--help``."""

_MODULE = {"list": "listing"}
"""Modules with another name than their command: the command's name is taken in this package."""

BAD_INPUT = 2
INTERRUPTED = 130
_ANYWHERE = ("--debug", "--strict-plugins")
_Refusal: type[Any] = typer.BadParameter.__mro__[2]  # click's ClickException, wherever this Typer keeps it


class Commands(typer.core.TyperGroup):
    """The group that imports a command's module when the command is named."""

    def invoke(self, ctx: Any) -> Any:
        """Say that Ctrl-C ended the command: Typer alone ends without a message."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Abort from None

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Raises UnknownName, offering the nearest command."""
        if cmd_name not in COMMANDS:
            raise UnknownName("command", cmd_name, COMMANDS, hint="nas-harness --help")
        command = typer.main.get_command(import_module(f"harness.cli.{_MODULE.get(cmd_name, cmd_name)}").app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"nas-harness {version('nas-harness')}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks. May stand anywhere.")] = False,
    strict_plugins: Annotated[
        bool, typer.Option("--strict-plugins", help="A broken plugin is an error. May stand anywhere.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Compare neural architecture search strategies on the same tasks, with the same counted budget, and with random
    sampling beside every result.

    \b
    Examples:
      nas-harness list tasks
      nas-harness run --strategy random-search --task nasbench-graph/cora --seeds 8 --budget 100
      nas-harness report results/quickstart

    Exit status: 0 done; 1 some runs or checks failed; 2 bad input; 3 the machine or the cluster stopped a study;
    130 interrupted.
    """
    ctx.obj = strict_plugins  # read by `settings.open_registry`; --debug is read by `main`


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status. An error is one message on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without the plus-minus sign still shows the report
    words = list(sys.argv[1:] if argv is None else argv)
    end = words.index("--") if "--" in words else len(words)
    first = [w for w in words[:end] if w in _ANYWHERE]
    words = first + [w for w in words[:end] if w not in _ANYWHERE] + words[end:]
    debug = "--debug" in first
    try:
        status = typer.main.get_command(app).main(args=words, prog_name="nas-harness", standalone_mode=False)
        sys.stdout.flush()
    except _Refusal as refusal:
        refusal.show()
        return int(refusal.exit_code)
    except HarnessError as error:
        return _refuse(str(error), debug, error.status)
    except typer.Abort:
        typer.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        again = "" if debug else " (not expected; run again with --debug for the traceback)"
        return _refuse(f"{type(error).__name__}: {error}{again}", debug)
    return status if isinstance(status, int) else 0


def _refuse(message: str, debug: bool, status: int = BAD_INPUT) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    typer.echo(f"{typer.style('error:', fg='red', bold=True)} {visible(message)}", err=True)
    return status
