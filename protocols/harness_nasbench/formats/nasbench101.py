"""NAS-Bench-101's ``nasbench_only108.tfrecord`` and ``nasbench_full.tfrecord``.

Each record is the JSON list ``[module hash, epochs, adjacency digits, operations, base64 ModelMetrics]``, one
for each trained network: 3 repeats of each cell and, in the full file, of each of 4, 12, 36 and 108 epochs.

ModelMetrics (proto2): 1 repeated EvaluationData, 2 int32 trainable parameters, 3 double total seconds. EvaluationData:
doubles 1 epoch, 2 training seconds, 3 train, 4 validation, 5 test accuracy; 6 string checkpoint. Three evaluations:
before training, halfway, at the end; accuracies are fractions. Source: the benchmark's api.py and model_metrics.proto.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.errors import DataError
from harness_nasbench.formats import protobuf
from harness_nasbench.formats.tfrecord import read_records

__all__ = ["EPOCHS", "OPERATIONS", "REPEATS", "Evaluation", "Record", "decode_record", "read"]

EPOCHS = (4, 12, 36, 108)
REPEATS = 3
MAX_VERTICES = 7
OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")

_HASH = re.compile(r"[0-9a-f]{32}")
_DIGITS = re.compile(r"[01]+")
_MAX_SECONDS = 1e8
_DOUBLES = struct.Struct("<BdBdBdBdBd")
_TAGS = tuple(number << 3 | protobuf.DOUBLE for number in range(1, 6))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation during a training: accuracies are fractions, `training_time` seconds since its start."""

    training_time: float
    validation_accuracy: float
    test_accuracy: float


@dataclass(frozen=True, slots=True)
class Record:
    """One trained network.

    `adjacency`: int8 [v, v], upper triangular, read-only. `operations`: v names, the first "input", the last "output".
    `parameters`: trainable ones. `halfway`, `final`: the second and third evaluation, as the official API reads them.
    """

    module_hash: str
    epochs: int
    adjacency: npt.NDArray[np.int8]
    operations: tuple[str, ...]
    parameters: int
    halfway: Evaluation
    final: Evaluation


def read(path: Path, *, progress: Callable[[int, int], None] | None = None) -> Iterator[Record]:
    """Yield the records of an official file, one in memory at a time.

    Raises `DataError` with the byte offset on damage, and on a record that is not NAS-Bench-101's.
    """
    count = 0
    for offset, data in read_records(path, progress=progress):
        try:
            record = decode_record(data)
        except ValueError as error:
            raise DataError(f"{path}: byte {offset}: record {count} is not NAS-Bench-101's: {error}") from error
        count += 1
        yield record
    if not count:
        raise DataError(f"{path}: holds no records")


def decode_record(data: bytes) -> Record:
    """The record that its bytes describe. Raises ValueError, saying what is wrong."""
    try:
        parts = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error
    kinds = (str, int, str, str, str)
    if type(parts) is not list or tuple(map(type, parts)) != kinds:
        raise ValueError("not a list of hash, epochs, adjacency, operations and metrics")
    module_hash, epochs, digits, names, packed = parts
    if not _HASH.fullmatch(module_hash):
        raise ValueError(f"module hash {module_hash[:40]!r}")
    if epochs not in EPOCHS:
        raise ValueError(f"{epochs} epochs, not one of {EPOCHS}")
    adjacency = _adjacency(digits)
    operations = tuple(names.split(","))
    _check_operations(operations, len(adjacency))
    try:
        raw = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"metrics are not base64: {error}") from error
    return Record(module_hash, epochs, adjacency, operations, *_metrics(raw))


@lru_cache(maxsize=4096)
def _adjacency(digits: str) -> npt.NDArray[np.int8]:
    vertices = math.isqrt(len(digits))
    if not 2 <= vertices <= MAX_VERTICES or vertices**2 != len(digits) or not _DIGITS.fullmatch(digits):
        raise ValueError(
            f"adjacency {digits[:60]!r} is no square of at most {MAX_VERTICES} x {MAX_VERTICES} digits 0 and 1"
        )
    matrix = (np.frombuffer(digits.encode("ascii"), dtype=np.int8) - ord("0")).reshape(vertices, vertices)
    if np.tril(matrix).any():
        raise ValueError(f"adjacency {digits} is not upper triangular")
    matrix.setflags(write=False)
    return matrix


def _check_operations(names: tuple[str, ...], vertices: int) -> None:
    inner = names[1:-1]
    if len(names) != vertices or names[0] != "input" or names[-1] != "output" or not set(inner) <= set(OPERATIONS):
        raise ValueError(f"operations {','.join(names)[:120]!r} for {vertices} vertices")


def _metrics(data: bytes) -> tuple[int, Evaluation, Evaluation]:
    """Parameters, and the evaluations halfway and at the end."""
    evaluations: list[bytes] = []
    parameters = None
    for number, kind, value in protobuf.fields(data):
        if number == 1:
            if kind != protobuf.BYTES or not isinstance(value, bytes):
                raise ValueError(f"ModelMetrics.evaluation_data of wire type {kind}")
            evaluations.append(value)
        elif number == 2:
            if kind != protobuf.VARINT or not isinstance(value, int):
                raise ValueError(f"ModelMetrics.trainable_parameters of wire type {kind}")
            parameters = value
    if len(evaluations) != 3:
        raise ValueError(f"{len(evaluations)} evaluations instead of 3")
    if parameters is None or not 0 < parameters < 1 << 31:
        raise ValueError(f"{parameters} trainable parameters")
    return parameters, _evaluation(evaluations[1]), _evaluation(evaluations[2])


def _evaluation(data: bytes) -> Evaluation:
    numbers = [math.nan] * 5
    if len(data) >= _DOUBLES.size and (usual := _DOUBLES.unpack_from(data))[::2] == _TAGS:
        numbers = list(usual[1::2])  # all five in order, as the official writer puts them
        data = data[_DOUBLES.size :]
    for number, kind, value in protobuf.fields(data):
        if number <= 5:
            if kind != protobuf.DOUBLE or not isinstance(value, float):
                raise ValueError(f"EvaluationData field {number} of wire type {kind}")
            numbers[number - 1] = value
    _, seconds, _, validation, test = numbers
    if not 0 <= seconds <= _MAX_SECONDS:
        raise ValueError(f"an evaluation after {seconds} seconds")
    if not (0 <= validation <= 1 and 0 <= test <= 1):
        raise ValueError(f"accuracies {validation}, {test}: not fractions")
    return Evaluation(seconds, validation, test)
