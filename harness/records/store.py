"""The record of a run, and the append-only store under ``results/``."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.errors import RecordError
from harness.search.budget import Budget
from harness.spaces import Architecture

SCHEMA = 1
RUNS = "runs.jsonl"
BASELINES = "baselines.jsonl"
_SYNC_SECONDS = 0.5

Status = Literal["ok", "failed", "timeout", "infeasible"]


class Seeds(msgspec.Struct, frozen=True):
    """study: the study's. search: numbers the run. final: the training seed of the final score; null if recorded."""

    study: int
    search: int
    final: int | None = None


class Paid(msgspec.Struct, frozen=True):
    """What the search paid; epochs and seconds are null where the task records none."""

    queries: int
    epochs: float | None = None
    seconds: float | None = None


class Asked(msgspec.Struct, frozen=True):
    """Calls of the oracle by kind, and how many distinct keys were paid for."""

    total: int
    cached: int
    invalid: int
    infeasible: int = 0
    missing: int = 0
    keys: int = 0


class Outcome(msgspec.Struct, frozen=True):
    """The reported architecture's scores.

    score: the final score; split: ``test`` or ``valid``; value: which final (``mean``, ``repeat:777``, ``single``);
    valid: its score on the search task at full fidelity; rank = 1 + rows with a strictly better final score;
    regret, valid_regret: distance to the best row's, never negative; null where truth is not known.
    """

    score: float | None
    split: str
    value: str
    valid: float | None = None
    rank: int | None = None
    regret: float | None = None
    valid_regret: float | None = None


class RankQuality(msgspec.Struct, frozen=True):
    """Kendall's tau of a learned order on architectures the run never queried.

    test, valid: tau-b against final and validation scores, on n distinct keys of which the run paid for none; eq13,
    ctnas: Eq. 13 of ReNAS and CTNAS's sign(0) = +1 variant, against final scores, on the same. test_rows: tau-b against
    final scores on n_rows rows that the run did not pay for, isomorphic twins of those it did among them; null where
    each key has one row, so that it would be ``test``, and in older records.
    """

    test: float | None
    valid: float | None
    eq13: float | None
    ctnas: float | None
    n: int
    test_rows: float | None = None
    n_rows: int | None = None


class Incumbent(msgspec.Struct, frozen=True, array_like=True):
    """A change of the incumbent: what had been paid by then, its validation score, its final score where recorded."""

    queries: int
    epochs: float | None
    seconds: float | None
    valid: float
    final: float | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One finished run. Scores are in the task's unit and orientation."""

    schema: int = SCHEMA
    id: str
    study: str
    task: str
    search_task: str
    strategy: str
    label: str
    role: Literal["row", "reference"] = "row"
    mode: str
    mode_settings: dict[str, Any] = {}
    """``oracle``, ``report`` and ``top`` of the mode: rows are matched with references of equal settings."""
    params: dict[str, Any]
    seeds: Seeds
    budget: Budget
    law: str
    constraints: list[str] = []
    status: Status = "ok"
    error: str | None = None
    paid: Paid
    asked: Asked
    ended_by: str
    returned: list[Architecture] = []
    reported: str | None = None
    """The reported architecture in the benchmark's notation."""
    final: Outcome
    ktau: RankQuality | None = None
    incumbents: list[Incumbent] = []
    queries_sha256: str
    tuning_queries: int | None = None
    ablation: str | None = None
    notes: dict[str, Any] = {}
    provenance: dict[str, Any] = {}
    timing: dict[str, Any] = {}
    environment: dict[str, Any] = {}


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """Random sampling of one (task, law, final, data digest): what every study of that task shares.

    mean, std (population's where exact, else ddof 1), n: rows or draws. draws: up to 1,000 stored final scores drawn
    by the law with a seed of their own. ceiling: the final score of the best-validated row. ktau_valid: tau-b between
    validation and final scores over all rows (or a sample of 20,000).
    """

    schema: int = SCHEMA
    id: str
    task: str
    search_task: str
    law: str
    final: str
    split: str
    data_digest: str
    score: dict[str, Any]
    mean: float
    std: float
    exact: bool
    n: int
    draws: list[float] = []
    ceiling: float | None = None
    best: float | None = None
    best_valid: float | None = None
    valid_mean: float | None = None
    ktau_valid: float | None = None
    constraints: list[str] = []
    provenance: dict[str, Any] = {}


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Record)
_baseline_decoder = msgspec.json.Decoder(Baseline)
_NO_RECORD = (msgspec.DecodeError, UnicodeDecodeError)


class _Version(msgspec.Struct, frozen=True):
    """Only the version of a line, so that a record of another one is named as such whatever its fields."""

    schema: int = SCHEMA


_version = msgspec.json.Decoder(_Version)


class Problem(msgspec.Struct, frozen=True):
    """A line of a store that is not a record."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}"


def read_records(folder: Path) -> tuple[list[Record], list[Problem]]:
    """Every whole record of ``folder``, each id once, and the lines that are none. Raises RecordError.

    Of several records of one id the first stands, unless it failed and a later one did not (``--retry-failed``).
    """
    path = folder / RUNS
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise RecordError(f"{folder} holds no {RUNS}; is it the folder of a study?") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
    records: dict[str, Record] = {}
    problems: list[Problem] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            schema = _version.decode(line).schema
            if schema != SCHEMA:
                problems.append(Problem(str(path), number, f"schema {schema}, this version reads {SCHEMA}; skipped"))
                continue
            record = _decoder.decode(line)
        except _NO_RECORD as error:
            torn = number == len(lines)
            why = "torn last line, skipped" if torn else f"not a record ({error}), skipped"
            problems.append(Problem(str(path), number, why))
            continue
        earlier = records.get(record.id)
        if earlier is None or (earlier.status != "ok" and record.status == "ok"):
            records[record.id] = record
    return list(records.values()), problems


def read_baselines(path: Path, problems: list[Problem] | None = None) -> dict[str, Baseline]:
    """The baselines of one file by id; the lines that are none are added to ``problems`` (they are computed again).

    Raises RecordError where the file is there and cannot be read.
    """
    if not path.is_file():
        return {}
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
    found: dict[str, Baseline] = {}
    told = problems if problems is not None else []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            schema = _version.decode(line).schema
            if schema != SCHEMA:
                told.append(Problem(str(path), number, f"schema {schema}, this version reads {SCHEMA}; skipped"))
                continue
            baseline = _baseline_decoder.decode(line)
        except _NO_RECORD as error:
            told.append(Problem(str(path), number, f"no random sampling ({error}), skipped"))
            continue
        found[baseline.id] = baseline
    return found


class Store:
    """Appends whole lines to one study's files. One coordinator at a time holds it.

    A line is in the file when `append` returns and on the disk after `sync`, which `append` calls at least every 0.5 s.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, int] = {}
        self._synced = time.monotonic()

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator[Store]:
        """Raises RecordError where the folder cannot be written or another process writes it."""
        store = cls(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RecordError(f"{folder} cannot be written: {error.strerror}; choose another with --results") from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RecordError(f"another process is writing {folder}; wait, or choose another --name") from None
            yield store
        finally:
            store.close()
            os.close(lock)

    def append(self, item: Record | Baseline) -> None:
        """Append one line. Raises RecordError where the disk refuses it; the file then ends in a torn line at worst."""
        name = RUNS if isinstance(item, Record) else BASELINES
        try:
            if name not in self._files:
                self._files[name] = self._open(name)
            line = memoryview(_encoder.encode(item) + b"\n")
            while line:
                line = line[os.write(self._files[name], line) :]
            if time.monotonic() - self._synced >= _SYNC_SECONDS:
                self.sync()
        except OSError as error:
            raise RecordError(f"{self.folder / name} cannot be written: {error.strerror}") from error

    def _open(self, name: str) -> int:
        path = self.folder / name
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            os.write(descriptor, b"\n")
        return descriptor

    def sync(self) -> None:
        for descriptor in self._files.values():
            os.fsync(descriptor)
        self._synced = time.monotonic()

    def close(self) -> None:
        for descriptor in self._files.values():
            os.fsync(descriptor)
            os.close(descriptor)
        self._files = {}
