"""NAS-Bench-201 into a table: 15,625 rows in the order of the encodings, every column a file of its own.

Columns, for each data set d (cifar10, cifar100, imagenet16_120) and e of 12 and 200 epochs: ``d_eE_valid`` and
``d_eE_test`` [%], means of the trainings that exist; ``d_eE_valid_sS`` for single seeds S, NaN where a seed was never
run; ``d_eE_seconds`` and ``d_eE_trainings``, where the source has them, of all trainings averaged in the validation
mean, ``d_eE_seconds_sS`` of one; ``d_latency`` [s]; ``index``, the official one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import DataError
from harness.tables import Progress, sha256, write_table
from harness_nasbench.formats.nasbench201_cells import DATASETS
from harness_nasbench.spaces.nasbench201 import NASBench201Space

NAME = "nasbench201"
LICENCE = "MIT"
EPOCHS = (12, 200)
MOST_EQUAL = 0.2
"""A validation column that equals a test column in more rows than this is refused. By chance it is about 2 %."""
SPLITS = {
    "cifar10": {"validation": "cifar10-valid x-valid (trained on 25k)", "test": "cifar10 ori-test (trained on 50k)"},
    "cifar100": {"validation": "cifar100 x-valid", "test": "cifar100 x-test"},
    "imagenet16_120": {"validation": "ImageNet16-120 x-valid", "test": "ImageNet16-120 x-test"},
}
TABLES = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16_120": "imagenet16-120"}
"""The data set that each column prefix stands for."""

Columns = dict[str, npt.NDArray[Any]]


def import_table(source: Path, where: Path, progress: Progress | None = None) -> Path:
    """Write the table under ``where`` from a CSV file in the documented layout; returns its folder.

    Raises DataError with the file, the place and the reason; an existing table stays untouched then.
    """
    report = progress or (lambda what, done: None)
    report(f"reading {source.name}", 0.0)
    columns, operations, facts, version = _read(source)
    report("checking", 0.8)
    columns = _in_space_order(columns, operations)
    facts |= {"splits": SPLITS, "equal_share": _check_splits(source, columns), "finals": _finals(columns)}
    report("writing", 0.9)
    folder = where / NAME
    write_table(
        folder, columns, benchmark=NAME, source=source.name, source_sha256=sha256(source), version=version,
        licence=LICENCE, importer=f"{NAME}/1", facts=facts,
    )  # fmt: skip
    report("done", 1.0)
    return folder


def _read(source: Path) -> tuple[Columns, npt.NDArray[np.int8], dict[str, Any], str]:
    if source.suffix != ".csv":
        raise DataError(f"{source}: not a file that {NAME} is imported from; it reads a .csv in the documented layout")
    return _read_csv(source)


def _read_csv(source: Path) -> tuple[Columns, npt.NDArray[np.int8], dict[str, Any], str]:
    from harness_nasbench.formats.nasbench201_csv import RUN_COLUMNS, read_csv

    found = read_csv(source)
    archs = [tuple(ops) for ops in found.operations.tolist()]
    columns: Columns = {"index": np.arange(len(archs), dtype=np.int32)}
    for prefix in DATASETS:
        expected = NASBench201Space(TABLES[prefix]).costs(archs)["params"]
        differs = np.abs(found.columns[f"{prefix}_params_m"] * 1e6 - expected) > 0.5
        if differs.any():
            index = int(differs.argmax())
            raise DataError(
                f"{source}: index {index}: {prefix}_params_m is {found.columns[f'{prefix}_params_m'][index]}, but "
                f"{found.architectures[index]} has {expected[index] / 1e6:.6f} million parameters"
            )
        for epochs in EPOCHS:
            for split in ("valid", "test"):
                columns[f"{prefix}_e{epochs}_{split}"] = found.columns[f"{prefix}_{split}_{epochs}ep"]
        columns[f"{prefix}_latency"] = found.columns[f"{prefix}_latency_s"]
    for run, name in enumerate(RUN_COLUMNS):
        columns[f"cifar10_e200_test_run{run}"] = found.columns[name]
    facts = {"repeats": "means over the seeds that exist after 200 epochs, one training after 12; seeds not recorded"}
    return columns, found.operations, facts, "CSV of means"


def _in_space_order(columns: Columns, operations: npt.NDArray[np.int8]) -> Columns:
    order = np.lexsort(operations.T[::-1])
    return {name: np.ascontiguousarray(column[order]) for name, column in columns.items()}


def _check_splits(source: Path, columns: Columns) -> dict[str, float]:
    """Share of rows whose validation equals their test score, for each data set and number of epochs.

    Published tables exist in which one split is labelled as the other.
    """
    shares = {}
    for prefix in DATASETS:
        for epochs in EPOCHS:
            valid, test = columns[f"{prefix}_e{epochs}_valid"], columns[f"{prefix}_e{epochs}_test"]
            share = float((valid == test).mean())
            shares[f"{prefix}_e{epochs}"] = round(share, 6)
            if share > MOST_EQUAL:
                raise DataError(
                    f"{source}: {prefix} after {epochs} epochs: validation equals test accuracy in {share:.0%} of the "
                    "rows, so one of the two is mislabelled"
                )
    return shares


def _finals(columns: Columns) -> dict[str, list[str]]:
    """The mean, and single seeds that every row has."""
    found = {}
    for prefix in DATASETS:
        single = columns.get(f"{prefix}_e200_test_s777")
        whole = single is not None and not np.isnan(single).any()
        found[prefix] = ["mean", *(["repeat:777"] if whole else [])]
    return found
