"""The harness from Python: run a study, read its results, open a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import HarnessError, UnknownName
from harness.protocol import Evaluator
from harness.reading.results import Results, read_results
from harness.registry import Registry, default_registry
from harness.running.campaign import carry_out_study
from harness.running.execution import Stopped
from harness.running.plan import Evaluators
from harness.running.progress import open_progress
from harness.running.settings import Settings
from harness.running.study import Study, load_study, study_from


def run_study(
    study: Study | Mapping[str, Any] | Path | str,
    *,
    results: Path | str = "results",
    quiet: bool = False,
    registry: Registry | None = None,
    **settings: Any,
) -> Results:
    """Run what is missing of a study, and read its results.

    study: a file, or its content as a mapping. results: the folder of all studies. settings: executor, cluster, jobs,
    device, run_timeout, final_timeout, run_memory (bytes), keep_queries, retry_failed, as the options of ``nas-harness
    run``: ``run_study(study, jobs=2)``.

    Raises HarnessError for what is wrong with the study, before any run starts. A run that fails raises nothing: it is
    among the results. Ctrl-C keeps what is done and raises KeyboardInterrupt. Where the machine or the cluster could
    not carry out the rest, `Stopped` is raised. The same call then goes on from there.
    """
    how = _settings(settings)
    text = None
    if isinstance(study, (str, Path)):
        text = Path(study).read_text(encoding="utf-8") if Path(study).is_file() else None
        study = load_study(Path(study))
    elif isinstance(study, (Mapping, Study)):
        study = study_from(study)
    else:
        raise HarnessError(f"run_study({study!r}): give a study file, or what stands in it as a mapping")
    with open_progress(quiet) as listener:
        summary = carry_out_study(
            study,
            registry=registry or default_registry(),
            results=Path(results),
            settings=how,
            listener=listener,
            text=text,
        )
    if summary.interrupted:
        raise KeyboardInterrupt
    if summary.stopped is not None:
        raise Stopped(summary.stopped)
    return read_results(summary.folder)


def _settings(given: Mapping[str, Any]) -> Settings:
    """Raises HarnessError for a setting that there is not, or of another type."""
    known = [f.name for f in fields(Settings)]
    for name in given:
        if name not in known:
            raise UnknownName("setting of run_study", name, known)
    try:
        return msgspec.convert(given, Settings)
    except msgspec.ValidationError as error:
        raise HarnessError(f"run_study: {error}") from None


def open_task(name: str, *, registry: Registry | None = None) -> Evaluator:
    """The opened task: its space, its validator, its final scores and, where they are recorded, all of them.

    Raises UnknownName with the nearest names, DataMissing with the command that gets the data, and HarnessError where
    ``name`` is no text.
    """
    if not isinstance(name, str):
        raise HarnessError(f"open_task({name!r}): name a task, such as 'nasbench-graph/cora' (nas-harness list tasks)")
    return Evaluators(registry or default_registry())(name)
