"""Whether the scores in the records are those of the task's table. Edited scores are found here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.errors import DataError, DataMissing, InvalidArchitecture, PluginError, UnknownArchitecture, UnknownName
from harness.protocol import Evaluator
from harness.reading.compliance.finding import Ruling
from harness.reading.study import SettingRuns
from harness.spaces import Architecture

_CLOSE = 1e-6
"""Final scores that differ by less, in the score's unit, are the same: a table may store float32."""


def scores_as_in_the_table(setting: SettingRuns, open_task: Callable[[str], Evaluator] | None) -> Ruling:
    """Final scores of every run, incumbent and returned architecture, and random sampling's mean, against the table."""
    if not setting.about.recorded:
        return None, "its scores are trained, not recorded"
    if setting.sampling is not None and not setting.sampling.exact:
        return None, "its scores are computed, not recorded in a table"
    if open_task is None:
        return None, "the table was not opened"
    try:
        evaluator = open_task(setting.setting.task)
    except UnknownName:
        return None, "no plugin that is installed here has the task"
    except (DataMissing, DataError, PluginError) as error:
        return None, f"the table is not here: {error}"
    digests = {r.outcome.spec.data_digest for r in setting.runs if r.outcome is not None}
    if not digests:
        return None, "no run has been scored"
    if digests != {evaluator.data_digest}:
        return None, "the table that is here is not the one of the records"
    return _compared(setting, evaluator)


def _compared(setting: SettingRuns, evaluator: Evaluator) -> Ruling:
    final = setting.setting.final
    told: dict[Architecture, list[tuple[str, float]]] = {}
    for entry in setting.everyone:
        for run in entry.runs:
            name = f"{entry.entry.title}, seed {run.seed}"
            found = [(i.arch, score) for i, score in run.incumbents]
            if run.outcome is not None:
                found += zip(run.search.returned, run.outcome.scores, strict=False)
            if run.outcome is not None and run.outcome.arch is not None:
                found.append((run.outcome.arch, run.outcome.score))
            for arch, score in found:
                if score is not None:
                    told.setdefault(arch, []).append((name, score))
    archs = list(told)
    try:
        known = evaluator.final_scores(archs, final=final).scores if archs else np.empty(0)
    except (InvalidArchitecture, UnknownArchitecture) as error:
        return False, f"an architecture of the records is not of the table: {error}"
    for arch, score in zip(archs, known.tolist(), strict=True):
        for name, said in told[arch]:
            if not abs(said - score) <= _CLOSE:
                there = evaluator.space.describe(arch)
                return False, f"{name} says {said:.6g} of {there}, the table {score:.6g}"
    s = setting.sampling
    truth = evaluator.truth(final) if s is not None and s.exact and not setting.setting.constraints else None
    if s is not None and truth is not None:
        mean, std = truth.mean_std(setting.setting.law)
        if abs(mean - s.mean) > _CLOSE or abs(std - s.std) > _CLOSE:
            return False, f"random sampling says {s.mean:.6g} +- {s.std:.6g}, the table {mean:.6g} +- {std:.6g}"
    return True, f"final scores of {len(archs)} architectures, and random sampling, are those of the table"
