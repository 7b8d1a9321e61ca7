"""NAS-Bench-201 into a table: 15,625 rows in the order of the encodings, every column a file of its own.

Columns, for each data set d (cifar10, cifar100, imagenet16_120) and e of 12 and 200 epochs: ``d_eE_valid`` and
``d_eE_test`` [%], means of the trainings that exist; ``d_eE_valid_sS`` for single seeds S, NaN where a seed was never
run; ``d_eE_seconds`` and ``d_eE_trainings``, where the source has them, of all trainings averaged in the validation
mean, ``d_eE_seconds_sS`` of one; ``cifar10_e200_test_runN``, single trainings where the source names no seeds;
``d_latency`` [s]; ``index``, the official one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness import Architecture, DataError
from harness.data.tables import Progress, sha256, write_table
from harness.statistics.ties import rounded
from harness_nasbench.datasets import NASBENCH201
from harness_nasbench.formats.nasbench201_cells import DATASETS
from harness_nasbench.recorded import equal_share
from harness_nasbench.spaces.nasbench201 import NASBench201Space

if TYPE_CHECKING:
    from harness_nasbench.formats.nasbench201 import OfficialTable

NAME = "nasbench201"
IMPORTER = f"{NAME}/2"
EPOCHS = (12, 200)
SEEDS = (777, 888, 999, 111)
SPLITS = {
    "cifar10": (("cifar10-valid", "x-valid"), ("cifar10", "ori-test")),
    "cifar100": (("cifar100", "x-valid"), ("cifar100", "x-test")),
    "imagenet16_120": (("ImageNet16-120", "x-valid"), ("ImageNet16-120", "x-test")),
}
"""Published names (training, split) of validation and test. ``cifar10-valid`` trains on half of CIFAR-10's images."""
TABLES = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16_120": "imagenet16-120"}
"""The data set that each column prefix stands for."""

Columns = dict[str, npt.NDArray[Any]]


def import_table(source: Path, where: Path, progress: Progress | None = None) -> Path:
    """Write the table under ``where``; returns its folder.

    source: NAS-Bench-201's ``.pth``, NATS-Bench's ``.pickle.pbz2`` or its ``-simple`` folder, or a ``.csv`` of means.
    Raises DataError with the file, the place and the reason; an existing table stays untouched then.
    """
    report = progress or (lambda what, done: None)
    report(f"reading {source.name}", 0.0)
    columns, operations, facts = _read(source, report)
    report("checking", 0.8)
    columns = _in_space_order(columns, operations)
    columns = {n: rounded(c) if "_valid" in n or "_test" in n else c for n, c in columns.items()}
    splits = {p: {"validation": " ".join(v), "test": " ".join(t)} for p, (v, t) in SPLITS.items()}
    shares = {}
    for prefix, epochs in product(DATASETS, EPOCHS):
        stem, place = f"{prefix}_e{epochs}", f"{source}: {prefix} after {epochs} epochs"
        shares[stem] = equal_share(columns[f"{stem}_valid"], columns[f"{stem}_test"], place)
    facts |= {"splits": splits, "equal_share": shares, "finals": _finals(columns)}
    report("writing", 0.9)
    folder = where / NAME
    write_table(
        folder, columns, benchmark=NAME, source=source.name, source_sha256=sha256_of(source),
        version=source.name.split(".")[0], licence=NASBENCH201.licence, importer=IMPORTER, facts=facts,
    )  # fmt: skip
    report("done", 1.0)
    return folder


def sha256_of(source: Path) -> str:
    """SHA-256 of a file, or of a folder's file names and their digests."""
    if not source.is_dir():
        return sha256(source)
    lines = (f"{file.name} {sha256(file)}\n" for file in sorted(source.iterdir()) if file.is_file())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _read(source: Path, report: Progress) -> tuple[Columns, npt.NDArray[np.int8], dict[str, Any]]:
    if source.suffix == ".csv":
        return _read_csv(source)
    if source.is_dir() or source.suffix in (".pth", ".pbz2"):
        from harness_nasbench.formats.nasbench201 import read_official

        found = read_official(source, progress=lambda done, of: report(f"reading {source.name}", 0.8 * done / of))
        facts = {"repeats": "means over the seeds that exist; each seed apart, absent ones absent"}
        return official_columns(source, found), found.operations, facts
    kind = "does not exist" if not source.exists() else "is none of them"
    raise DataError(
        f"{source}: {NAME} is imported from a .pth, a .pickle.pbz2, a NATS-tss folder or a .csv of means; this {kind}"
    )


def official_columns(source: Path, found: OfficialTable) -> Columns:
    """The columns of an official file, in its own order: every seed apart, and their means.

    Raises DataError where the file lacks a data set or a number of epochs, or its parameters are not this space's.
    """
    columns: Columns = {"index": np.arange(len(found.architectures), dtype=np.int32)}
    archs = [tuple(ops) for ops in found.operations.tolist()]
    for prefix, (validation, test) in SPLITS.items():
        for epochs in EPOCHS:
            stem = f"{prefix}_e{epochs}"
            seconds = {}
            for name, (dataset, split) in (("valid", validation), ("test", test)):
                seeds = {s: found.final[key] for s in SEEDS if (key := (epochs, dataset, split, s)) in found.final}
                values = np.array(list(seeds.values())).reshape(len(seeds), len(archs))
                trainings = (~np.isnan(values)).sum(axis=0)
                if not trainings.all():
                    index = int((trainings == 0).argmax())
                    raise DataError(f"{source}: architecture {index}: no {dataset} {split} after {epochs} epochs")
                columns[f"{stem}_{name}"] = np.nansum(values, axis=0) / trainings
                columns |= {f"{stem}_{name}_s{seed}": column for seed, column in seeds.items()}
                if name == "valid":
                    columns[f"{stem}_trainings"] = trainings.astype(np.int8)
                    took = {s: found.train_seconds.get((epochs, dataset, s)) for s in seeds}
                    seconds = {s: np.where(np.isnan(seeds[s]), np.nan, t) for s, t in took.items() if t is not None}
            columns |= _seconds(stem, seconds, columns[f"{stem}_trainings"])
        _check_params(source, prefix, found.params[validation[0]], archs, found.architectures)
        if validation[0] in found.latency:
            columns[f"{prefix}_latency"] = found.latency[validation[0]]
    return columns


def _seconds(stem: str, seconds: dict[int, npt.NDArray[np.float64]], trainings: npt.NDArray[np.int8]) -> Columns:
    """Training seconds of each seed and of all together; nothing where a training's time is unknown."""
    each = np.array(list(seconds.values())).reshape(len(seconds), len(trainings))
    if not np.array_equal((~np.isnan(each)).sum(axis=0), trainings):
        return {}
    return {f"{stem}_seconds": np.nansum(each, axis=0)} | {f"{stem}_seconds_s{s}": t for s, t in seconds.items()}


def _check_params(
    source: Path, prefix: str, millions: npt.NDArray[np.float64], archs: list[Architecture], names: Sequence[str]
) -> None:
    """Refuse a file whose networks are not those of this space: its parameters follow from the architecture."""
    expected = NASBench201Space(TABLES[prefix]).costs(archs)["params"] / 1e6
    differs = ~(np.abs(millions - expected) < 0.5e-6)
    if differs.any():
        i = int(differs.argmax())
        raise DataError(
            f"{source}: index {i}: {millions[i]} million {prefix} parameters, but {names[i]} has {expected[i]:.6f}"
        )


def _read_csv(source: Path) -> tuple[Columns, npt.NDArray[np.int8], dict[str, Any]]:
    from harness_nasbench.formats.nasbench201_csv import RUN_COLUMNS, read_csv

    found = read_csv(source)
    archs = [tuple(ops) for ops in found.operations.tolist()]
    columns: Columns = {"index": np.arange(len(archs), dtype=np.int32)}
    for prefix in DATASETS:
        _check_params(source, prefix, found.columns[f"{prefix}_params_m"], archs, found.architectures)
        for epochs in EPOCHS:
            for split in ("valid", "test"):
                columns[f"{prefix}_e{epochs}_{split}"] = found.columns[f"{prefix}_{split}_{epochs}ep"]
        columns[f"{prefix}_latency"] = found.columns[f"{prefix}_latency_s"]
    for run, name in enumerate(RUN_COLUMNS):
        columns[f"cifar10_e200_test_run{run}"] = found.columns[name]
    facts = {
        "repeats": "means over the seeds that exist after 200 epochs, one training after 12; of CIFAR-10's test set up "
        "to three single trainings, numbered as they come, their seeds not recorded"
    }
    return columns, found.operations, facts


def _in_space_order(columns: Columns, operations: npt.NDArray[np.int8]) -> Columns:
    order = np.lexsort(operations.T[::-1])
    return {name: np.ascontiguousarray(column[order]) for name, column in columns.items()}


def _finals(columns: Columns) -> dict[str, list[str]]:
    """Finals: the mean, and each single seed that every row has."""
    found = {}
    for prefix in DATASETS:
        single = columns.get(f"{prefix}_e200_test_s777")
        whole = single is not None and not np.isnan(single).any()
        found[prefix] = ["mean", *(["repeat:777"] if whole else [])]
    return found
