"""Results from elsewhere: rows of a CSV file, checked where they enter, as records of a folder."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.data.reading import read_file
from harness.errors import RecordError
from harness.records.lines import IngestedRecord, IngestedSpec
from harness.records.store import SEARCHES, Folder, Store, read_folder

NEEDED = ("task", "strategy", "role", "seed", "test_accuracy")
OPTIONAL = ("valid_accuracy", "queries", "epochs", "seconds", "train_seed", "epoch", "arch", "source")
ROLES = ("search", "sampling")


def ingest(file: Path, folder: Path) -> Folder:
    """Add the rows of ``file`` to a folder of results from elsewhere; what the folder then holds.

    A row is one final score: ``task, strategy, role`` (``search``, or ``sampling``: a random architecture of the space
    that the strategy searched), ``seed, test_accuracy`` in percent; an empty accuracy is a run that is missing. A row
    that is there already is added once. Raises RecordError, with file and line, for what is wrong; nothing is added
    then.
    """
    if (folder / SEARCHES).exists():
        raise RecordError(f"{folder} holds a study that was run here; results from elsewhere take another --study")
    there = read_folder(folder).ingested
    new: dict[str, tuple[int, IngestedRecord]] = {}
    for line, record in rows_of(file):
        known = new[record.id][1] if record.id in new else there.get(record.id)
        if known is None:
            new[record.id] = line, record
        elif _said(known) != _said(record):
            where = f"line {new[record.id][0]}" if record.id in new else f"a record of {folder}"
            raise RecordError(f"{file}:{line}: {told(record.spec)} is in {where} too, with other values; keep one")
    with Store.open(folder) as store:
        for _, record in new.values():
            store.append(record)
    return read_folder(folder)


def told(spec: IngestedSpec) -> str:
    """A run in words."""
    more = "".join(
        f", {name} {value}" for name in ("train_seed", "epoch") if (value := getattr(spec, name)) is not None
    )
    return f"{spec.role} of {spec.strategy} on {spec.task}, seed {spec.seed}{more}"


def _said(record: IngestedRecord) -> tuple[Any, ...]:
    return record.score, record.valid, record.queries, record.epochs, record.seconds, record.arch


def rows_of(file: Path) -> list[tuple[int, IngestedRecord]]:
    """Each row with its line. Raises RecordError."""
    try:
        data = read_file(file)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise RecordError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecordError(f"{file} is no UTF-8 text: save it as CSV in UTF-8") from error
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True, strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or ()]
        _check(file, header)
        reader.fieldnames = header
        sha = hashlib.sha256(data).hexdigest()
        found = [(reader.line_num, _record(file, reader.line_num, row, sha)) for row in reader]
    except csv.Error as error:
        raise RecordError(f"{file}:{reader.line_num}: not CSV: {error}") from error
    scores = [r.score for _, r in found if r.score is not None]
    if not scores:
        raise RecordError(f"{file} has no row with a test_accuracy")
    if max(scores) <= 1:
        raise RecordError(f"{file}: test_accuracy is in percent, and no value here is above 1; multiply by 100")
    return found


def _check(file: Path, header: list[str]) -> None:
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise RecordError(f"{file}:1: no column {', '.join(missing)}; a header has {', '.join(NEEDED)}")
    odd = [name for name in header if name not in (*NEEDED, *OPTIONAL)]
    if odd or len(set(header)) < len(header):
        wrong = f"column {', '.join(map(repr, odd))} is unknown" if odd else "a column stands twice"
        raise RecordError(f"{file}:1: {wrong}; optional ones are {', '.join(OPTIONAL)}")


def _record(file: Path, line: int, row: Mapping[str | None, Any], sha: str) -> IngestedRecord:
    if None in row or any(value is None for value in row.values()):
        raise RecordError(f"{file}:{line}: not as many values as the header has columns")
    cells: dict[str, str] = {name: value.strip() for name, value in row.items() if name is not None}

    def text(name: str) -> str:
        if not cells[name]:
            raise RecordError(f"{file}:{line}: {name} is empty")
        return cells[name]

    def number(name: str, kind: Callable[[str], Any], low: float, high: float, what: str) -> Any:
        if not cells.get(name):
            return None
        try:
            value = kind(cells[name])
            if not (math.isfinite(value) and low <= value <= high):
                raise ValueError
        except (ValueError, OverflowError):
            raise RecordError(f"{file}:{line}: {name} is {cells[name][:60]!r}, not {what}") from None
        return value

    if text("role") not in ROLES:
        raise RecordError(f"{file}:{line}: role is {cells['role'][:60]!r}, not search or sampling")
    text("seed")
    whole, positive = "a whole number from 0 on", "a number from 0 on"
    spec = IngestedSpec(
        task=text("task"),
        strategy=text("strategy"),
        role="search" if cells["role"] == "search" else "sampling",
        seed=number("seed", int, 0, 2**63 - 1, whole),
        train_seed=number("train_seed", int, 0, 2**63 - 1, whole),
        epoch=number("epoch", int, 0, 2**63 - 1, whole),
    )
    return IngestedRecord(
        id=spec.id,
        spec=spec,
        score=number("test_accuracy", float, 0, 100, "a percentage from 0 to 100"),
        valid=number("valid_accuracy", float, 0, 100, "a percentage from 0 to 100"),
        queries=number("queries", int, 0, 2**63 - 1, whole),
        epochs=number("epochs", float, 0, math.inf, positive),
        seconds=number("seconds", float, 0, math.inf, positive),
        arch=cells.get("arch") or None,
        source=cells.get("source") or None,
        file_sha256=sha,
    )
