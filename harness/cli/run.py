"""``nas-harness run``: carry out a study, from a file or from options, and print its report."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli import completion
from harness.cli.settings import open_console, open_registry, warn_of_broken
from harness.errors import HarnessError, StudyError

app = typer.Typer(add_completion=False, rich_markup_mode=None)

STOPPED = 3
INTERRUPTED = 130
_Texts = list[str] | None


@app.command()
def run(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="The study file.", metavar="STUDY.toml", autocompletion=completion.study_files)
    ] = None,
    strategy: Annotated[
        _Texts, typer.Option("--strategy", "-s", help="A strategy; repeatable.", autocompletion=completion.strategies)
    ] = None,
    task: Annotated[
        _Texts, typer.Option("--task", "-t", help="A task; repeatable.", autocompletion=completion.tasks)
    ] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", help="Search seeds; fewer than 8 is non-compliant.")] = None,
    budget: Annotated[str | None, typer.Option("--budget", help="100 (queries), or queries=100,seconds=2e4.")] = None,
    mode: Annotated[str | None, typer.Option("--mode", help="Mode of every strategy named; default strict.")] = None,
    param: Annotated[_Texts, typer.Option("--param", "-p", help="key=value, of the only strategy; repeatable.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="The study's name, and its folder's.")] = None,
    reference_seeds: Annotated[
        int | None,
        typer.Option("--reference-seeds", help="Seeds of matched random search; default 200, or as --seeds."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The study's own seed; default 0.")] = None,
    tuning_queries: Annotated[
        int | None, typer.Option("--tuning-queries", help="Queries spent on tuning; not stated is non-compliant.")
    ] = None,
    results: Annotated[Path, typer.Option("--results", help="Where studies are kept.")] = Path("results"),
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", help="Worker processes; default: one a core, or a GPU of --device."),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Where trainings run: cpu, cuda, or such as cuda:0,cuda:1.")
    ] = None,
    executor: Annotated[str, typer.Option("--executor", help="process, serial, dask, or a plugin's.")] = "process",
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="Address of a Dask scheduler; default: one in this process.")
    ] = None,
    run_timeout: Annotated[float, typer.Option("--run-timeout", help="Seconds that a search may take.")] = 3600.0,
    final_timeout: Annotated[
        float, typer.Option("--final-timeout", help="Seconds that a final training may take, where a task trains.")
    ] = 86400.0,
    run_memory: Annotated[
        str | None, typer.Option("--run-memory", help="Memory that a run may hold, such as 2GiB; default a fair share.")
    ] = None,
    keep_queries: Annotated[bool, typer.Option("--keep-queries", help="Keep every query in queries/<id>.npz.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run again runs that failed or timed out.")
    ] = False,
    verify: Annotated[
        int, typer.Option("--verify", min=0, help="Carry out this many finished searches again, and compare.")
    ] = 0,
    log_dir: Annotated[
        Path | None, typer.Option("--log-dir", help="Write TensorBoard's scalars of trainings, where a task trains.")
    ] = None,
    log_file: Annotated[Path | None, typer.Option("--log-file", help="Append each event as a line of JSON.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no report.")] = False,
) -> None:
    """Run a study, or what is missing of it, and print its report. A file or options describe the study.

    \b
    Examples:
      nas-harness run quickstart.toml --jobs 2
      nas-harness run --strategy regularized-evolution --strategy random-search \\
          --task nasbench-graph/cora --seeds 8 --budget 100 --name first
      nas-harness run --strategy regularized-evolution --param sample=5 \\
          --task nasbench201/cifar10 --seeds 8 --budget queries=100,seconds=2e4

    Exit status: 0 done; 1 some runs failed, or differ when they are verified; 2 bad input; 3 the machine or the cluster
    could not carry out the rest; 130 interrupted. After 3 and 130, the same command resumes.
    """
    if executor == "serial":
        from harness.running.environment import start_single_threaded

        start_single_threaded()
    if log_dir is not None:
        _log_scalars(log_dir)
    from harness.cli.study_options import parse_memory, study_of
    from harness.errors import counted
    from harness.running.campaign import carry_out_study
    from harness.running.progress import open_progress
    from harness.running.settings import Settings
    from harness.running.study import load_study, located_in

    options = {
        "strategy": strategy,
        "task": task,
        "seeds": seeds,
        "budget": budget,
        "mode": mode,
        "param": param,
        "name": name,
        "reference_seeds": reference_seeds,
        "seed": seed,
        "tuning_queries": tuning_queries,
    }
    said: dict[str, Any] = {option: value for option, value in options.items() if value is not None}
    if file is None:
        study, text = study_of(**said), None
    elif said:
        extra = ", ".join(f"--{option.replace('_', '-')}" for option in said)
        raise StudyError(f"{extra} cannot be given with the study file {file}; write it into the file")
    else:
        study, text = load_study(file), file.read_text(encoding="utf-8")
    registry = open_registry(ctx)
    warn_of_broken(registry)
    located = nullcontext() if file is None or text is None else located_in(file, text)
    settings = Settings(
        executor=executor,
        cluster=cluster,
        jobs=jobs,
        device=device,
        run_timeout=run_timeout,
        final_timeout=final_timeout,
        run_memory=None if run_memory is None else parse_memory(run_memory),
        keep_queries=keep_queries,
        retry_failed=retry_failed,
    )
    with open_progress(quiet, log_file) as listener, located:
        summary = carry_out_study(
            study,
            registry=registry,
            results=results,
            settings=settings,
            listener=listener,
            text=text,
        )
    if summary.interrupted or summary.stopped is not None:
        done = summary.already + summary.finished
        why = "interrupted" if summary.stopped is None else f"stopped: {summary.stopped}"
        searches = counted(summary.waiting, "search", "searches")
        waiting = f", and {searches} to be finally trained" if summary.waiting else ""
        kept = f"{done} of {summary.total} runs are kept in {summary.folder}{waiting}"
        typer.echo(f"{why}\n{kept}; the same command again resumes", err=True)
        raise typer.Exit(INTERRUPTED if summary.stopped is None else STOPPED)
    differ = False
    if verify:
        from harness.cli.replay import say
        from harness.reading.replay import replay

        found = replay(summary.folder, registry=registry, sample=verify, settings=settings, keep=True)
        differ = say(found, quiet=quiet)
    if not quiet:
        from harness.reading.report.section import Choice
        from harness.reading.report.sections import write_report

        write_report(summary.folder, Choice(), open_console())
        typer.echo(f"{counted(summary.total, 'run')} in {summary.folder} ({summary.finished} new)")
    for why in summary.failed:
        typer.echo(why, err=True)
    if summary.failed_id is not None:
        typer.echo(f"to look into it: nas-harness debug {summary.folder} {summary.failed_id[:12]}", err=True)
    if summary.failed or differ:
        raise typer.Exit(1)


def _log_scalars(folder: Path) -> None:
    """Tell this process, and so its workers, where to write. Raises HarnessError where TensorBoard is missing or the
    folder cannot be written."""
    from importlib.util import find_spec
    from tempfile import TemporaryFile

    from harness.running.environment import LOG_DIR

    if find_spec("tensorboard") is None:
        raise HarnessError("--log-dir writes for TensorBoard, which is not installed: pip install tensorboard")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise HarnessError(f"--log-dir {folder} cannot be written: {error.strerror}") from error
    os.environ[LOG_DIR] = str(folder.resolve())
