"""NAS-Bench-Macro: the official JSON file, and its CSV form ``arch,test_run0,test_run1,test_run2,params,flops``.

Source: Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search" (CVPR 2021) and its repository.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.reading import read_file
from harness.errors import DataError
from harness_nasbench.formats.csv_rows import decimal, integer, rows

__all__ = ["CELLS", "HEADER", "LAYERS", "RUNS", "MacroTable", "read_csv", "read_json"]

LAYERS, RUNS = 8, 3
CELLS = 3**LAYERS
HEADER = ("arch", *(f"test_run{run}" for run in range(RUNS)), "params", "flops")

_ARCHITECTURE = re.compile(f"[012]{{{LAYERS}}}")
_MOST = 10**12


@dataclass(frozen=True, slots=True)
class MacroTable:
    """All 6,561 architectures in the order of their strings, "00000000" first.

    `blocks`: int8 [6561, 8], 0 identity, 1 MB3_K3, 2 MB6_K5. `test`: float64 [6561, 3], percent, one column a run.
    `params`, `flops`: int64 [6561].
    """

    architectures: tuple[str, ...]
    blocks: npt.NDArray[np.int8]
    test: npt.NDArray[np.float64]
    params: npt.NDArray[np.int64]
    flops: npt.NDArray[np.int64]


def read_csv(path: Path) -> MacroTable:
    """Read the CSV form; `DataError` with line and reason on anything missing, repeated or out of range."""
    return _table(path, _csv_rows(path))


def _csv_rows(path: Path) -> Iterator[tuple[str, str, list[float], int, int]]:
    for line, (arch, *runs, params, flops) in rows(path, HEADER, max_rows=CELLS):
        yield (
            f"line {line}",
            arch,
            [decimal(t, 0.0, 100.0, path=path, line=line, column=f"test_run{i}") for i, t in enumerate(runs)],
            integer(params, 1, _MOST, path=path, line=line, column="params"),
            integer(flops, 1, _MOST, path=path, line=line, column="flops"),
        )


def read_json(path: Path) -> MacroTable:
    """Read the official JSON, ``{arch: {test_acc: [3], mean_acc, std, params, flops}}``.

    Raises `DataError` on malformed JSON, a repeated or missing architecture, a missing or mistyped field, and a
    `mean_acc` that is not the mean of the three runs.
    """
    try:
        data = json.loads(read_file(path).decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {error.lineno} column {error.colno}: not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON of the official form: {error}") from error
    if not isinstance(data, dict):
        raise DataError(f"{path}: a JSON {type(data).__name__} instead of an object of architectures")
    return _table(path, _json_rows(path, data))


def _json_rows(path: Path, data: dict[str, Any]) -> Iterator[tuple[str, str, list[float], int, int]]:
    for arch, entry in data.items():
        place = f"architecture {arch[:40]!r}"
        if not isinstance(entry, dict):
            raise DataError(f"{path}: {place}: not an object")
        runs = entry.get("test_acc")
        if not isinstance(runs, list) or len(runs) != RUNS or not all(_within(value, 0.0, 100.0) for value in runs):
            raise DataError(f"{path}: {place}: 'test_acc' is not {RUNS} percentages")
        mean = entry.get("mean_acc", sum(runs) / RUNS)
        if not _within(mean, 0.0, 100.0) or abs(mean - sum(runs) / RUNS) > 0.011:
            raise DataError(
                f"{path}: {place}: 'mean_acc' is {str(mean)[:40]}, the mean of 'test_acc' {sum(runs) / RUNS:.4f}"
            )
        for cost in ("params", "flops"):
            if not _within(entry.get(cost), 1, _MOST) or entry[cost] != int(entry[cost]):
                raise DataError(f"{path}: {place}: {cost!r} is {str(entry.get(cost))[:40]}, not a count")
        yield place, arch, [float(value) for value in runs], int(entry["params"]), int(entry["flops"])


def _within(value: Any, low: float, high: float) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and low <= value <= high


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        again = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{again[:40]!r} occurs twice")
    return result


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _table(path: Path, entries: Iterable[tuple[str, str, list[float], int, int]]) -> MacroTable:
    found: dict[str, tuple[str, list[float], int, int]] = {}
    for place, arch, runs, params, flops in entries:
        if not _ARCHITECTURE.fullmatch(arch):
            hint = "; leading zeros were lost" if arch.isdecimal() and len(arch) < LAYERS else ""
            raise DataError(f"{path}: {place}: {arch[:40]!r} is no string of {LAYERS} digits 0 to 2{hint}")
        if arch in found:
            raise DataError(f"{path}: {place}: architecture {arch} again, first at {found[arch][0]}")
        found[arch] = (place, runs, params, flops)
    if len(found) != CELLS:
        raise DataError(f"{path}: {len(found):,} architectures instead of {CELLS:,}")
    order = sorted(found)
    return MacroTable(
        tuple(order),
        np.array([[int(digit) for digit in arch] for arch in order], dtype=np.int8),
        np.array([found[arch][1] for arch in order], dtype=np.float64),
        np.array([found[arch][2] for arch in order], dtype=np.int64),
        np.array([found[arch][3] for arch in order], dtype=np.int64),
    )
