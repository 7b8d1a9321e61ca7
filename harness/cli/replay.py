"""``nas-harness replay``: carry searches of a study out again, and say whether they agree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.settings import StudyFolder, open_registry

if TYPE_CHECKING:
    from harness.reading.replay import Replayed

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def replay(
    ctx: typer.Context,
    folder: StudyFolder,
    ids: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of searches, or how they begin; default: a sample.", metavar="[ID]..."),
    ] = None,
    sample: Annotated[int, typer.Option("--sample", min=1, help="How many, where no id is given.")] = 5,
    seed: Annotated[int, typer.Option("--seed", help="Draws the sample.")] = 0,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="Worker processes; default: one a core.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="Where trainings run, as in run.")] = None,
) -> None:
    """Carry searches out again, with the code and the data that they were made with, and compare all that they say.

    The folder notes it (replays.jsonl); a search that differs breaks the compliance rule "deterministic".

    \b
    Examples:
      nas-harness replay results/quickstart
      nas-harness replay results/quickstart 3f2a --jobs 1

    Exit status: 0 all agree; 1 some differ; 2 bad input.
    """
    from harness.reading.replay import replay as again
    from harness.running.settings import Settings

    registry = open_registry(ctx)
    settings = Settings(jobs=jobs, device=device)
    if say(again(folder, ids or (), registry=registry, sample=sample, seed=seed, settings=settings, keep=True)):
        raise typer.Exit(1)


def say(found: Iterable[Replayed], *, quiet: bool = False) -> bool:
    """Print a line for each search, on standard error where it differs; whether any differs."""
    differ = False
    for search in found:
        if search.differs is not None:
            differ = True
            typer.echo(f"{search.id[:12]} {search.title}: {search.differs}", err=True)
        elif not quiet:
            typer.echo(f"{search.id[:12]} {search.title}: agrees")
    return differ
