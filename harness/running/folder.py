"""What stands in a study's folder beside its records."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from harness.errors import Unwritten
from harness.records.lines import PlanRecord
from harness.records.store import RESUMES, Folder, Store
from harness.running.environment import describe_environment
from harness.running.plan import Plan

LOGS = "logs"
"""The folder for the output of runs, inside a study's folder."""


def queries_file(folder: Path, identity: str) -> Path:
    """The file of a search's queries, if they are kept."""
    return folder / "queries" / f"{identity}.npz"


def describe(store: Store, found: Folder, plan: Plan, text: str | None) -> None:
    """Write the study as it is run beside its records. A plan that is the latest already is not written again."""
    folder = store.folder
    write(folder / "study.toml", msgspec.toml.encode(plan.study) if text is None else text.encode())
    environment = msgspec.json.encode(describe_environment(), order="deterministic")
    write(folder / "environment.json", msgspec.json.format(environment, indent=1) + b"\n")
    heads = found.heads
    if [head.content for head in heads] != [plan.record.content]:
        record: PlanRecord = msgspec.structs.replace(plan.record, replaces=[head.id for head in heads])
        store.append(record)
        found.plans.append(record)


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises Unwritten."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        raise Unwritten(f"{path} cannot be written: {error.strerror}; {RESUMES}") from error
