"""NAS-Bench-101's official file into a table: one row a cell, every column a file of its own.

Columns, for each e of 4, 12, 36, 108 epochs that the file has: ``eE_valid`` and ``eE_test`` [%], means of the trainings
that exist, ``eE_trainings`` how many these are, ``eE_seconds`` what they took together; ``eE_valid_rK``,
``eE_test_rK`` and ``eE_seconds_rK`` of each, NaN where it was never run, in the file's order; and half-way through
each, ``eE_half_valid``, ``eE_half_test``, ``eE_half_seconds`` [rows, 3]. ``code``: the cell as the file has it, packed;
``hash``: its module hash; ``params``. Rows are in the order of the cells' numbers in `CellIndex`, which is a table
beside this one.
"""

from __future__ import annotations

from array import array
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import DataError
from harness.data.tables import Progress, sha256, write_table
from harness.statistics.ties import rounded
from harness_nasbench.datasets import NASBENCH101
from harness_nasbench.formats import nasbench101 as official
from harness_nasbench.recorded import equal_share
from harness_nasbench.spaces.nasbench101_costs import totals
from harness_nasbench.spaces.nasbench101_hash import BITS, EDGES, LABELINGS, OPS, OUTPUT, VERTICES, module_hash, unpack
from harness_nasbench.spaces.nasbench101_index import CELLS, CellIndex, cell_index
from harness_nasbench.spaces.nasbench101_table import write_index

NAME = "nasbench101"
IMPORTER = f"{NAME}/2"
MOST_OTHER_PARAMS = 0.01
SPLITS = {
    "validation": "final validation accuracy, 10,000 of CIFAR-10's training images",
    "test": "final test accuracy, CIFAR-10's 10,000 test images",
}
SPLIT_SIZES = {"train": 40_000, "validation": 10_000, "test": 10_000}
_FIELDS = ("valid", "test", "seconds", "half_valid", "half_test", "half_seconds")
_CHUNK = 16_384
_MOST = CELLS * official.REPEATS * len(official.EPOCHS)

Columns = dict[str, npt.NDArray[Any]]


def import_table(source: Path, where: Path, progress: Progress | None = None) -> Path:
    """Write the table of a ``.tfrecord`` under ``where``, and the index of cells; returns the folder of both.

    A file with only a part of the cells makes a partial table, unless it has one of the official names. Raises
    DataError with the file, the place and the reason; an existing table stays untouched then.
    """
    report = progress or (lambda what, done: None)
    if not source.is_file():
        raise DataError(f"{source}: {NAME} is imported from a .tfrecord file; this is none")
    trainings = _Trainings.read(source, report)
    report("checking cells", 0.0)
    index = cell_index()
    columns, facts = _columns(source, trainings, index, report)
    digest = sha256(source)
    names = {file.name: file.sha256 for file in NASBENCH101.files}
    facts["published"] = digest in names.values()
    if source.name in names and not facts["complete"]:
        raise DataError(
            f"{source}: {facts['cells']:,} of {CELLS:,} cells, {facts['trainings']:,} trainings: the download is cut "
            "short; a table of a part of the cells is made from a file of another name"
        )
    report("writing", 0.0)
    write_index(where / NAME / "index", index)
    write_table(
        where / NAME / "scores", columns, benchmark=NAME, source=source.name, source_sha256=digest,
        version=source.stem, licence=NASBENCH101.licence, importer=IMPORTER, facts=facts,
    )  # fmt: skip
    report("writing", 1.0)
    return where / NAME


class _Trainings:
    """Every training in the file, in its order, as plain arrays: 80 bytes each."""

    def __init__(self) -> None:
        self.codes, self.epochs, self.params = array("I"), array("H"), array("q")
        self.hashes = bytearray()
        self.values = array("d")

    @classmethod
    def read(cls, source: Path, report: Progress) -> _Trainings:
        what = f"reading {source.name}"
        found = cls()
        codes, epochs, params, values, hashes = (
            found.codes.append, found.epochs.append, found.params.append, found.values.extend, found.hashes.extend,
        )  # fmt: skip
        for record in official.read(source, progress=lambda done, of: report(what, done / max(of, 1))):
            if len(found.codes) == _MOST:
                raise DataError(f"{source}: more than {_MOST:,} trainings, which is all that NAS-Bench-101 has")
            half, final = record.halfway, record.final
            codes(pack_cell(record.adjacency.tobytes(), record.operations))
            epochs(record.epochs)
            params(record.parameters)
            hashes(bytes.fromhex(record.module_hash))
            values((
                100.0 * final.validation_accuracy, 100.0 * final.test_accuracy, final.training_time,
                100.0 * half.validation_accuracy, 100.0 * half.test_accuracy, half.training_time,
            ))  # fmt: skip
        return found


@lru_cache(maxsize=1 << 16)
def pack_cell(adjacency: bytes, operations: tuple[str, ...]) -> int:
    """A cell of 2 to 7 vertices as one packed encoding: fewer vertices stand first, the output last."""
    n = len(operations)
    place = [*range(n - 1), OUTPUT]
    matrix = 0
    for u in range(n):
        for v in range(u + 1, n):
            if adjacency[u * n + v]:
                matrix |= _BIT[place[u], place[v]]
    labelling = 0
    for v in range(1, OUTPUT):
        labelling = labelling * len(OPS) + (OPS.index(operations[v]) if v < n - 1 else 0)
    return matrix * LABELINGS + labelling


_BIT = {edge: 1 << (BITS - 1 - k) for k, edge in enumerate(EDGES)}


def _columns(source: Path, trainings: _Trainings, index: CellIndex, report: Progress) -> tuple[Columns, dict[str, Any]]:
    codes = np.frombuffer(trainings.codes, dtype=np.uint32)
    epochs = np.frombuffer(trainings.epochs, dtype=np.uint16)
    hashes = np.frombuffer(trainings.hashes, dtype=np.uint8).reshape(-1, 16)
    params = np.frombuffer(trainings.params, dtype=np.int64)
    values = np.frombuffer(trainings.values, dtype=np.float64).reshape(-1, len(_FIELDS))

    cells = np.concatenate([index.find(_genes(codes[i : i + _CHUNK])) for i in range(0, len(codes), _CHUNK)])
    if (cells < 0).any():
        first = int((cells < 0).argmax())
        raise DataError(f"{source}: training {first}: its graph is no NAS-Bench-101 cell")
    present, first_of, row = np.unique(cells, return_index=True, return_inverse=True)
    _check_hashes(source, hashes, first_of, row, codes, index, present, report)
    if (differs := (params != params[first_of][row]) & (codes == codes[first_of][row])).any():
        i = int(differs.argmax())
        raise DataError(
            f"{source}: training {i}: {params[i]} parameters, another of its cell has {params[first_of[row[i]]]}"
        )
    columns: Columns = {
        "code": codes[first_of], "hash": hashes[first_of], "params": params[first_of],
    }  # fmt: skip
    facts: dict[str, Any] = {"cells": len(present), "trainings": len(codes), "splits": SPLITS}
    facts |= {"split_sizes": SPLIT_SIZES, "other_params": _check_params(source, columns)}
    shares, every = {}, len(present) == CELLS
    found = sorted(set(epochs.tolist()))
    for number in found:
        of_epoch = np.flatnonzero(epochs == number)
        if len(missing := np.setdiff1d(np.arange(len(present)), row[of_epoch])):
            digest = hashes[first_of[missing[0]]].tobytes().hex()
            raise DataError(
                f"{source}: {len(missing):,} cells have no training of {number} epochs, the first is {digest}"
            )
        every &= len(of_epoch) == official.REPEATS * len(present)
        if (many := np.bincount(row[of_epoch])).max() > official.REPEATS:
            digest = columns["hash"][many.argmax()].tobytes().hex()
            raise DataError(f"{source}: {digest} has {many.max()} trainings of {number} epochs, not {official.REPEATS}")
        columns |= _epoch_columns(f"e{number}", row[of_epoch], values[of_epoch], len(present))
        valid, test = values[of_epoch, 0], values[of_epoch, 1]
        shares[str(number)] = equal_share(valid, test, f"{source}: trainings of {number} epochs")
    facts |= {"epochs": found, "equal_share": shares, "complete": every, "finals": _finals(columns, found[-1])}
    if found[-1] != official.EPOCHS[-1]:
        raise DataError(f"{source}: no training of {official.EPOCHS[-1]} epochs, which the final score is")
    return columns, facts


def _genes(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    """uint8 [n, 26] of packed encodings."""
    matrix, labels = np.divmod(codes.astype(np.int64), LABELINGS)
    bits = matrix[:, None] >> np.arange(BITS - 1, -1, -1) & 1
    operations = labels[:, None] // len(OPS) ** np.arange(VERTICES - 3, -1, -1) % len(OPS)
    return np.concatenate([bits, operations], axis=1).astype(np.uint8)


def _check_hashes(
    source: Path,
    hashes: npt.NDArray[np.uint8],
    first_of: npt.NDArray[np.int64],
    row: npt.NDArray[np.int64],
    codes: npt.NDArray[np.uint32],
    index: CellIndex,
    present: npt.NDArray[np.int64],
    report: Progress,
) -> None:
    """Every training's hash is that of its graph, so that file, reader and index agree on every cell."""
    for n, i in enumerate(first_of.tolist()):
        if n % _CHUNK == 0:
            report("checking cells", n / len(first_of))
        expected = module_hash(unpack(int(codes[i])))
        if hashes[i].tobytes().hex() != expected:
            raise DataError(
                f"{source}: training {i}: hash {hashes[i].tobytes().hex()}, but that of its graph is {expected}"
            )
    if (differs := (hashes != hashes[first_of][row]).any(axis=1)).any():
        i = int(differs.argmax())
        one, other = hashes[first_of[row[i]]].tobytes().hex(), hashes[i].tobytes().hex()
        raise DataError(f"{source}: training {i}: hash {other}, but its graph is that of {one}")


def _check_params(source: Path, columns: Columns) -> float:
    """Share of cells whose parameters are not those of the formula; raises DataError where they are many."""
    codes, params = columns["code"], columns["params"]
    formula = np.concatenate([totals(_genes(codes[i : i + _CHUNK]))[1] for i in range(0, len(codes), _CHUNK)])
    other = formula != params
    if other.mean() > MOST_OTHER_PARAMS:
        i = int(other.argmax())
        digest = columns["hash"][i].tobytes().hex()
        raise DataError(
            f"{source}: {other.mean():.0%} of the cells have other parameters than their graphs, the first is "
            f"{digest}: {params[i]} instead of {formula[i]:.0f}"
        )
    return float(other.mean())


def _epoch_columns(stem: str, row: npt.NDArray[np.int64], values: npt.NDArray[np.float64], rows: int) -> Columns:
    """The columns of one number of epochs from its trainings' rows [n] and values [n, fields]."""
    order = np.argsort(row, kind="stable")
    row = row[order]
    starts = np.searchsorted(row, np.arange(rows))
    repeat = np.arange(len(row)) - starts[row]
    spread = np.full((len(_FIELDS), official.REPEATS, rows), np.nan)
    spread[:, repeat, row] = values[order].T
    trainings = (~np.isnan(spread[0])).sum(axis=0)
    columns: Columns = {f"{stem}_trainings": trainings.astype(np.int16)}
    for field, each in zip(_FIELDS, spread, strict=True):
        if field.startswith("half"):
            columns[f"{stem}_{field}"] = np.ascontiguousarray(each.T, dtype=np.float32)
            continue
        total = np.nansum(each, axis=0)
        columns[f"{stem}_{field}"] = total if field == "seconds" else rounded(total / trainings)
        columns |= {
            f"{stem}_{field}_r{k}": each[k].copy() if field == "seconds" else rounded(each[k])
            for k in range(official.REPEATS)
        }
    return columns


def _finals(columns: Columns, epochs: int) -> list[str]:
    """Finals: the mean, and each single repeat that every cell has."""
    repeats = range(official.REPEATS)
    return ["mean", *(f"repeat:{k}" for k in repeats if not np.isnan(columns[f"e{epochs}_test_r{k}"]).any())]
