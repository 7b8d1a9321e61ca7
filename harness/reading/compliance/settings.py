"""Rules of a setting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.errors import counted
from harness.reading.compliance.finding import Ruling
from harness.reading.study import SettingRuns, StudyRuns


def _random_sampling(_: StudyRuns, setting: SettingRuns) -> Ruling:
    s = setting.sampling
    if s is None:
        return False, "random sampling of this task is not in the study's folder, so there is no RI"
    how = f"exact over {s.n} rows" if s.exact else f"from {s.n} draws" + (f", {s.failed} failed" if s.failed else "")
    return True, f"{s.mean:.2f} +- {s.std:.2f}, {how}, law {setting.setting.law}"


def _one_final_protocol(_: StudyRuns, setting: SettingRuns) -> Ruling:
    digests = {r.outcome.spec.data_digest for r in setting.runs if r.outcome is not None}
    if len(digests) > 1:
        return False, f"runs were scored by {len(digests)} different versions of the data"
    seed = setting.setting.final_seed
    same = f"final {setting.setting.final!r} for every entry"
    return True, same + ("" if seed is None else f", training seed {seed}")


def _final_on_test(_: StudyRuns, setting: SettingRuns) -> Ruling:
    splits = {r.outcome.split for r in setting.runs if r.outcome is not None}
    if setting.sampling is not None:
        splits.add(setting.sampling.split)
    if "valid" in splits:
        return False, "no test data exist here: the final score is the validation score that the search itself saw"
    if setting.about.validated_on == "test":
        return False, "validation scores are measured on the test data: the search saw what it is scored on"
    return True, "final scores are measured on data that no strict search sees"


def _protocol_named(_: StudyRuns, setting: SettingRuns) -> Ruling:
    outcomes = [r.outcome for r in setting.runs if r.outcome is not None]
    unnamed = sum(not o.provenance.get("task") for o in outcomes)
    if unnamed:
        return False, f"{counted(unnamed, 'run does', 'runs do')} not say which protocol and data they were scored by"
    if setting.about.recorded and any(not o.spec.data_digest for o in outcomes):
        return False, "the records carry no digest of the data"
    digest = ", and the digest of the data," if setting.about.recorded else ""
    return True, f"protocol and data{digest} stand in every outcome"


def _one_training(_: StudyRuns, setting: SettingRuns) -> Ruling:
    s = setting.setting
    if s.search_task != s.task:
        return False, f"searched on {s.search_task}, scored on {s.task}: two trainings"
    if setting.about.one_training is None:
        return None, "the task does not say whether validation and final score come from one training"
    if setting.about.one_training:
        return True, "validation and final score come from one training of one network"
    return False, "validation and final score come from different trainings, so they also differ by noise"


def _final_epoch(_: StudyRuns, setting: SettingRuns) -> Ruling:
    stated = {_epoch(r.outcome.provenance) for r in setting.runs if r.outcome is not None} - {""}
    if stated == {"final"}:
        return True, "scores of the last epoch"
    if stated:
        return False, f"scores of the {', '.join(sorted(stated))} epoch"
    return None, "the protocol does not say which epoch its scores are of"


def _epoch(provenance: dict[str, Any]) -> str:
    task = provenance.get("task")
    return str(task.get("epoch", "")) if isinstance(task, dict) else ""


def _with_and_without_tricks(study: StudyRuns, setting: SettingRuns) -> Ruling:
    if setting.about.recorded:
        return None, "recorded: every architecture was trained under the one protocol of the benchmark"
    base = setting.setting.task.partition("@")[0]
    variants = {_tricks(s) for s in study.settings if s.setting.task.partition("@")[0] == base}
    named = ", ".join(variant or "no tricks" for variant in sorted(variants))
    if len(variants) < 2:
        return False, f"trained under one protocol only, {named}"
    if "" not in variants:
        return False, f"trained with tricks only: {named}"
    return True, f"protocols of this data set: {named}"


def _tricks(setting: SettingRuns) -> str:
    """As the task itself says; else what its name says behind the data set."""
    for run in setting.runs:
        task = None if run.outcome is None else run.outcome.provenance.get("task")
        if isinstance(task, dict) and "tricks" in task:
            return "+".join(map(str, task["tricks"]))
    return setting.setting.task.partition("@")[2]


SETTING_RULES: dict[str, Callable[[StudyRuns, SettingRuns], Ruling]] = {
    "random-sampling": _random_sampling,
    "one-final-protocol": _one_final_protocol,
    "final-score-on-test": _final_on_test,
    "protocol-named": _protocol_named,
    "one-training": _one_training,
    "final-epoch": _final_epoch,
    "with-and-without-tricks": _with_and_without_tricks,
}
