"""NAS-Bench-201 as a CSV table: accuracies after 12 and 200 epochs, costs, and single CIFAR-10 test scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.errors import DataError
from harness_nasbench.formats.csv_rows import decimal, integer, rows
from harness_nasbench.formats.nasbench201_cells import CELLS, DATASETS, check_architectures

__all__ = ["HEADER", "RUN_COLUMNS", "CsvTable", "read_csv"]

RUN_COLUMNS = tuple(f"cifar10_test_200ep_run{run}" for run in range(3))
_ACCURACIES = {f"{split}_{epochs}ep": (0.0, 100.0) for epochs in (12, 200) for split in ("valid", "test")}
_COSTS = {"params_m": (1e-3, 100.0), "flops_m": (1e-3, 1e5), "latency_s": (1e-6, 1e3)}
_LIMITS = {f"{data}_{column}": limits for data in DATASETS for column, limits in (_ACCURACIES | _COSTS).items()}
_LIMITS |= dict.fromkeys(RUN_COLUMNS, (0.0, 100.0))
HEADER = ("index", "arch", *_LIMITS)


@dataclass(frozen=True, slots=True)
class CsvTable:
    """All 15,625 architectures in the official order.

    `architectures`: the benchmark's strings. `operations`: int8 [15625, 6], indices into `OPERATIONS` by `EDGES`.
    `columns`: column name -> float64 [15625]; accuracies in percent, ``_params_m`` and ``_flops_m`` in millions,
    ``_latency_s`` in seconds; NaN only in `RUN_COLUMNS`, where a run does not exist.
    """

    architectures: tuple[str, ...]
    operations: npt.NDArray[np.int8]
    columns: dict[str, npt.NDArray[np.float64]]


def read_csv(path: Path) -> CsvTable:
    """Read the table. Rows may come in any order; `index` is the official one.

    Raises `DataError` with file, line and reason: another header, a missing or repeated row or architecture, a cell
    that is no number or out of range, an empty cell outside `RUN_COLUMNS`.
    """
    lines: dict[int, int] = {}
    architectures = [""] * CELLS
    values = np.full((CELLS, len(_LIMITS)), np.nan)
    for line, cells in rows(path, HEADER, max_rows=CELLS):
        index = integer(cells[0], 0, CELLS - 1, path=path, line=line, column="index")
        first = lines.setdefault(index, line)
        if first != line:
            raise DataError(f"{path}: line {line}: index {index} again, first on line {first}")
        architectures[index] = cells[1]
        for place, (text, (name, (low, high))) in enumerate(zip(cells[2:], _LIMITS.items(), strict=True)):
            if text or name not in RUN_COLUMNS:
                values[index, place] = decimal(text, low, high, path=path, line=line, column=name)
    if len(lines) != CELLS:
        absent = next(index for index in range(CELLS) if index not in lines)
        raise DataError(f"{path}: {CELLS - len(lines):,} of {CELLS:,} rows are missing, the first is index {absent}")
    operations = check_architectures(architectures, str(path), "index")
    columns = {name: np.ascontiguousarray(values[:, place]) for place, name in enumerate(_LIMITS)}
    return CsvTable(tuple(architectures), operations, columns)
