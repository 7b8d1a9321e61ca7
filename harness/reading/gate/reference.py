"""Reference records: what a gate compares with, small enough to be kept beside the code."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import RecordError
from harness.reading.gate.pairs import read_side
from harness.records.lines import OutcomeRecord, PlanRecord, SamplingRecord, SearchRecord
from harness.records.store import FILES, Folder, read_folder

KEY = "reference"
"""Where the reason stands in the provenance of a reference's searches."""
_KEPT = ("study.toml", "environment.json")


def write_reference(folder: Path, against: Path, reason: str) -> int:
    """Write the entries' records in ``folder`` to ``against``, in place of the reference that is there; bytes written.

    Matched random search and paid queries are left out; ``reason`` stands in the provenance of every search.
    Raises RecordError where a run is missing, and where ``against`` is the folder of a study, not of a reference.
    """
    check_replaceable(against, reason)
    found, _ = read_side(folder)
    plans = [_entries_alone(plan) for plan in found.heads]
    kept = {i for plan in plans for cell in plan.cells for i in (*cell.searches, *cell.outcomes)}
    samplings = dict.fromkeys(about.sampling for plan in plans for about in plan.settings)
    lines: dict[type[Any], Iterable[msgspec.Struct]] = {
        SearchRecord: [_with(r, reason) for i, r in found.searches.items() if i in kept],
        OutcomeRecord: [r for i, r in found.outcomes.items() if i in kept],
        SamplingRecord: [found.samplings[i] for i in samplings if i in found.samplings],
        PlanRecord: plans,
    }
    files = {FILES[kind]: _jsonl(of) for kind, of in lines.items()}
    files |= {name: (folder / name).read_bytes() for name in _KEPT if (folder / name).is_file()}
    _write_all(against, files)
    return sum(map(len, files.values()))


def check_replaceable(against: Path, reason: str) -> None:
    """Raises RecordError where there is no reason, and where ``against`` is the folder of a study."""
    if not reason.strip():
        raise RecordError("--update needs a --reason, which stands in the provenance of the reference")
    there: Folder = read_folder(against)
    if any(KEY not in r.provenance for r in there.searches.values()):
        raise RecordError(f"{against} is the folder of a study, not of reference records; name a new folder")


def _entries_alone(plan: PlanRecord) -> PlanRecord:
    own = [k for k, entry in enumerate(plan.entries) if entry.role == "entry"]
    return msgspec.structs.replace(
        plan,
        reference_seeds=0,
        replaces=[],
        entries=[plan.entries[k] for k in own],
        cells=[msgspec.structs.replace(c, entry=own.index(c.entry)) for c in plan.cells if c.entry in own],
    )


def _with(record: SearchRecord, reason: str) -> SearchRecord:
    return msgspec.structs.replace(record, provenance={**record.provenance, KEY: {"reason": reason}})


def _jsonl(records: Iterable[msgspec.Struct]) -> bytes:
    return b"".join(msgspec.json.encode(r, order="deterministic") + b"\n" for r in records)


def _write_all(folder: Path, files: dict[str, bytes]) -> None:
    """All parts are on the disk before the first takes its place. Raises RecordError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / f"{name}.part").write_bytes(data)
        for name in files:
            os.replace(folder / f"{name}.part", folder / name)
    except OSError as error:
        raise RecordError(f"{folder} cannot be written: {error.strerror}") from error
