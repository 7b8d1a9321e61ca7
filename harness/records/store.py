"""The append-only files of a results folder: one coordinator writes them, anyone reads them."""

from __future__ import annotations

import fcntl
import gc
import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.data.reading import open_file
from harness.errors import EarlierRecords, RecordError, Unwritten
from harness.records.lines import (
    SCHEMA,
    IngestedRecord,
    Line,
    OutcomeRecord,
    PlanRecord,
    ReplayRecord,
    SamplingRecord,
    SearchRecord,
    TrainingRecord,
)
from harness.records.sharing import Sharing

FILES: dict[type[Any], str] = {
    SearchRecord: "searches.jsonl",
    OutcomeRecord: "outcomes.jsonl",
    TrainingRecord: "trainings.jsonl",
    SamplingRecord: "samplings.jsonl",
    PlanRecord: "plans.jsonl",
    IngestedRecord: "ingested.jsonl",
    ReplayRecord: "replays.jsonl",
}
"""The file of each kind of line. To merge folders, join each of these files."""
SEARCHES = FILES[SearchRecord]
OUTCOMES = FILES[OutcomeRecord]
SAMPLINGS = FILES[SamplingRecord]
INGESTED = FILES[IngestedRecord]
_EARLIER = "runs.jsonl"
RESUMES = "what is done is kept, and the same command resumes"
_SYNC_SECONDS = 0.5
_UNEQUAL = ("timing", "environment", "file_sha256")
"""Fields in which two records of one id may differ."""

_Kind = TypeVar("_Kind", SearchRecord, OutcomeRecord, TrainingRecord, SamplingRecord, IngestedRecord)
_encoder = msgspec.json.Encoder(order="deterministic")
_decoders = {kind: msgspec.json.Decoder(kind) for kind in FILES}
_NO_RECORD = (msgspec.DecodeError, UnicodeDecodeError)


class _Version(msgspec.Struct, frozen=True):
    """The version of a line alone, so that a record of another version is recognised whatever its fields."""

    schema: int = SCHEMA


_version = msgspec.json.Decoder(_Version)


class Problem(msgspec.Struct, frozen=True):
    """A line of a store that cannot be used. other_schema: whether that is because another version wrote it."""

    file: str
    line: int
    why: str
    other_schema: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}"


@dataclass
class Folder:
    """What a results folder holds: records by id, plans in the order written, and the lines that cannot be used."""

    path: Path
    searches: dict[str, SearchRecord] = field(default_factory=dict)
    outcomes: dict[str, OutcomeRecord] = field(default_factory=dict)
    trainings: dict[str, TrainingRecord] = field(default_factory=dict)
    samplings: dict[str, SamplingRecord] = field(default_factory=dict)
    ingested: dict[str, IngestedRecord] = field(default_factory=dict)
    plans: list[PlanRecord] = field(default_factory=list)
    replays: dict[str, ReplayRecord] = field(default_factory=dict)
    """By search; where one of several differs, that one."""
    problems: list[Problem] = field(default_factory=list)
    sharing: Sharing = field(default_factory=Sharing)

    @property
    def heads(self) -> list[PlanRecord]:
        """The plans that no other plan replaces: together they are the folder's study."""
        replaced = {identity for plan in self.plans for identity in plan.replaces}
        return [plan for plan in self.plans if plan.id not in replaced]


@contextmanager
def _no_collections() -> Iterator[None]:
    """Records hold no cycles: looking for some takes a quarter of the time that reading many of them takes."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@_no_collections()
def read_folder(path: Path, *others: Path) -> Folder:
    """Everything in a results folder, or in several as one; empty where nothing is there yet.

    Of several records of one id the first is used, unless it failed and a later one did not (``--retry-failed``).
    Raises RecordError where a file cannot be read, EarlierRecords where the folder was written by an earlier version,
    and RecordError where two records of one id say different things.
    """
    folders = (path, *others)
    for folder in folders:
        if (folder / _EARLIER).is_file() and not (folder / SEARCHES).is_file():
            raise EarlierRecords(
                f"{folder} was written by an earlier version, whose records cannot be read here; run its study again "
                f"under another name or --results folder (nas-harness run {folder / 'study.toml'} --results ...)"
            )
    found = Folder(path)
    found.searches = _read(found, folders, SearchRecord)
    found.outcomes = _read(found, folders, OutcomeRecord)
    found.trainings = _read(found, folders, TrainingRecord)
    found.samplings = _read(found, folders, SamplingRecord)
    found.ingested = _read(found, folders, IngestedRecord)
    plans = {plan.id: plan for _, _, plan in _lines(folders, PlanRecord, found.problems)}
    found.plans = list(plans.values())
    for _, _, replay in _lines(folders, ReplayRecord, found.problems):
        known = found.replays.get(replay.search)
        if known is None or known.differs is None:
            found.replays[replay.search] = replay
    return found


def read_samplings(path: Path) -> dict[str, SamplingRecord]:
    """Random sampling by id, of the folder of all studies, where every draw has a score."""
    return {i: record for i, record in _read(Folder(path), (path,), SamplingRecord).items() if not record.failed}


def _read(into: Folder, folders: Sequence[Path], kind: type[_Kind]) -> dict[str, _Kind]:
    found: dict[str, _Kind] = {}
    place: dict[str, tuple[Path, int]] = {}
    for file, number, record in _lines(folders, kind, into.problems):
        if record.id != record.spec.id:
            why = "its id is not the digest of its specification, so it was edited or other code wrote it; left out"
            into.problems.append(Problem(str(file), number, why))
            continue
        earlier = found.get(record.id)
        if earlier is None or failures(earlier) > failures(record):
            found[record.id], place[record.id] = into.sharing(record), (file, number)
        elif contradict(earlier, record):
            one, other = (f"{there}:{line}" for there, line in (place[record.id], (file, number)))
            raise RecordError(
                f"{one} and {other} are both {record.id} and say different things: one was edited, or the code is not "
                "deterministic; remove the wrong line (nas-harness results verify finds it)"
            )
    return found


def contradict(one: Any, other: Any) -> bool:
    """Whether two records of one id say different things. One that failed contradicts none.

    Where only trainings of incumbents failed, the score of a first answer is its own all the same.
    """
    if failures(one) or failures(other):
        scored = isinstance(one, OutcomeRecord) and one.spec.report == "first" and one.status == other.status == "ok"
        return scored and not alike([one.arch, one.score, one.valid], [other.arch, other.score, other.valid])
    if one == other:
        return False
    said = _says(one), _says(other)
    return said[0] != said[1] and not alike(*map(msgspec.json.decode, said))


def alike(one: Any, other: Any) -> bool:
    """Equal; a mean of the same numbers may differ in its last digits where another machine adds in another order."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def failures(record: Any) -> float:
    """Of random sampling's draws, or of the trainings of an outcome's incumbents; infinite for another that failed.

    What is carried out again replaces it.
    """
    if isinstance(record, SamplingRecord):
        return record.failed
    if getattr(record, "status", "ok") != "ok":
        return math.inf
    trained = isinstance(record, OutcomeRecord) and record.spec.final_seed is not None
    return record.incumbents.count(None) if trained else 0


def _says(record: Any) -> bytes:
    plain = msgspec.structs.replace(record, **{name: {} for name in _UNEQUAL if hasattr(record, name)})
    return _encoder.encode(plain)


def _lines(folders: Sequence[Path], kind: type[Any], problems: list[Problem]) -> Iterator[tuple[Path, int, Any]]:
    """The whole lines of one kind with their places; others go to ``problems``. Raises RecordError."""
    for file in (folder / FILES[kind] for folder in folders):
        try:
            with open_file(file) as stream:
                yield from _records(file, stream, kind, problems)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise RecordError(f"{file} cannot be read: {error.strerror}") from error


def _records(
    file: Path, stream: Iterable[bytes], kind: type[Any], problems: list[Problem]
) -> Iterator[tuple[Path, int, Any]]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        record, why = None, ""
        try:
            record = _decoders[kind].decode(line)
            schema = record.schema
        except _NO_RECORD as error:
            schema = _schema_of(line)
            why = f"not a record ({error}), left out" if line.endswith(b"\n") else "torn last line, left out"
        if schema not in (None, SCHEMA):
            other = f"schema {schema}, this version reads {SCHEMA}; left out"
            problems.append(Problem(str(file), number, other, other_schema=True))
        elif record is None:
            problems.append(Problem(str(file), number, why))
        else:
            yield file, number, record


def _schema_of(line: bytes) -> int | None:
    """Of a line that is no record of this version; None where it is no record at all."""
    try:
        return _version.decode(line).schema
    except _NO_RECORD:
        return None


class Store:
    """Appends whole lines to one study's files. One coordinator at a time may do so.

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
                raise RecordError(f"another process is writing {folder}; wait, or rename the study") from None
            yield store
        finally:
            store.close()
            os.close(lock)

    def append(self, item: Line) -> None:
        """Append one line. Raises Unwritten where the disk refuses it; at worst the file then ends in a torn line."""
        name = FILES[type(item)]
        try:
            if name not in self._files:
                self._files[name] = self._open(name)
            line = memoryview(_encoder.encode(item) + b"\n")
            while line:
                line = line[os.write(self._files[name], line) :]
            if time.monotonic() - self._synced >= _SYNC_SECONDS:
                self.sync()
        except OSError as error:
            raise Unwritten(f"{self.folder / name} cannot be written: {error.strerror}; {RESUMES}") from error

    def _open(self, name: str) -> int:
        """Open a file to append to. What is torn off its end is removed; a whole line only lacks its end."""
        path = self.folder / name
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            last = path.read_bytes().rpartition(b"\n")[2]
            if _schema_of(last) is None:
                os.ftruncate(descriptor, size - len(last))
            else:
                os.write(descriptor, b"\n")
        return descriptor

    def sync(self) -> None:
        """Raises Unwritten where a file was removed meanwhile: what is written then is lost."""
        for name, descriptor in self._files.items():
            os.fsync(descriptor)
            if not os.fstat(descriptor).st_nlink:
                raise Unwritten(
                    f"{self.folder / name} was removed while the study ran, and what was written since is lost; "
                    "the same command runs again what is missing"
                )
        self._synced = time.monotonic()

    def close(self) -> None:
        for descriptor in self._files.values():
            os.fsync(descriptor)
            os.close(descriptor)
        self._files = {}
