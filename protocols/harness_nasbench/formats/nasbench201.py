"""NAS-Bench-201's official files: the ``.pth``, NATS-Bench's ``.pickle.pbz2``, and its ``-simple`` folder.

All hold, for each architecture and number of training epochs (12 or 200, "less" and "full" in the ``.pth``), the
trainings by (data set, seed). Each training stores the accuracy on the splits, at every epoch or at the last one only,
and seconds. With 200 epochs ``cifar100`` and ``ImageNet16-120`` have x-valid and x-test at the last epoch only. They
have ``ori-test``, which is both together, at all epochs; it is never used for validation here. A training that is not
in the file is NaN.
Source: AutoDL-Projects and NATS-Bench, api_utils.py (ArchResults, ResultsCount).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data import safe_pickle
from harness.errors import DataError
from harness_nasbench.formats.nasbench201_cells import CELLS, check_architectures
from harness_nasbench.formats.torch_file import load_torch

__all__ = ["DATASETS", "EPOCHS", "SEEDS", "SPLITS", "OfficialTable", "read_official"]

EPOCHS = (12, 200)
DATASETS = ("cifar10-valid", "cifar10", "cifar100", "ImageNet16-120")
SPLITS = ("x-valid", "x-test", "ori-test")
SEEDS = (777, 888, 999, 111)

_BUDGETS = {"less": 12, "full": 200, "12": 12, "200": 200}
_MAX_SECONDS = 1e7

Column = npt.NDArray[np.float64]


def _column() -> Column:
    return np.full(CELLS, np.nan)


@dataclass(slots=True)
class OfficialTable:
    """All 15,625 architectures in the official order; arrays are float64 [15625], NaN where the file has nothing.

    `final`: (epochs, data set, split, seed) -> accuracy in percent after the last epoch. `train_seconds`: (epochs, data
    set, seed) -> seconds of the whole training. `params`: data set -> millions. `latency`: data set -> seconds a batch.
    `present`: bool [15625], architectures that the file holds results of.
    """

    architectures: tuple[str, ...] = ()
    operations: npt.NDArray[np.int8] = field(default_factory=lambda: np.zeros((0, 6), dtype=np.int8))
    present: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(CELLS, dtype=bool))
    final: dict[tuple[int, str, str, int], Column] = field(default_factory=dict)
    train_seconds: dict[tuple[int, str, int], Column] = field(default_factory=dict)
    params: dict[str, Column] = field(default_factory=dict)
    latency: dict[str, Column] = field(default_factory=dict)


def read_official(
    path: Path, *, partial: bool = False, progress: Callable[[int, int], None] | None = None
) -> OfficialTable:
    """Read an official file or folder, keeping one block of architectures in memory beside the arrays.

    `partial` accepts results of some architectures only. `progress(architectures, 15625)` is called for each.
    Raises `DataError` naming the file, the entry and the reason: damage, a pickle that asks for code, another
    benchmark, missing architectures.
    """
    reader = _Reader(str(path), progress)
    if path.is_dir():
        meta = safe_pickle.load_path(path / "meta.pickle.pbz2")
        reader.architectures(meta)
        for file in sorted(path.glob("[0-9]*.pickle.pbz2")):
            stem = file.name.split(".")[0]
            reader.name = str(file)
            reader.entry(int(stem) if stem.isdecimal() else -1, safe_pickle.load_path(file))
        reader.name = str(path)
    else:
        hooks = {"arch2infos": reader.entry}
        load = load_torch if path.suffix == ".pth" else safe_pickle.load_path
        reader.architectures(load(path, on_entry=hooks))
    found = int(reader.table.present.sum())
    if not found or (found < CELLS and not partial):
        raise DataError(f"{path}: results of {found:,} architectures instead of {CELLS:,}")
    return reader.table


class _Reader:
    """Fills a table from the state dictionaries of the official classes."""

    def __init__(self, name: str, progress: Callable[[int, int], None] | None) -> None:
        self.name, self.progress, self.table, self.done = name, progress, OfficialTable(), 0

    def refuse(self, where: str, reason: str) -> DataError:
        return DataError(f"{self.name}: {where}: {reason}")

    def architectures(self, data: Any) -> None:
        texts = data.get("meta_archs") if isinstance(data, dict) else None
        if not isinstance(texts, (list, tuple)):
            raise DataError(f"{self.name}: no list meta_archs: not a file of NAS-Bench-201 or NATS-Bench")
        self.table.operations = check_architectures(texts, self.name)
        self.table.architectures = tuple(texts)

    def entry(self, index: Any, budgets: Any) -> None:
        """Take one architecture's results, then empty them: the unpickler keeps a reference to every part."""
        where = f"architecture {str(index)[:20]}"
        if type(index) is not int or not 0 <= index < CELLS or self.table.present[index]:
            raise self.refuse(where, "no index, or one that came before")
        if not isinstance(budgets, dict) or not budgets:
            raise self.refuse(where, "no results by epochs")
        for budget, state in budgets.items():
            epochs = _BUDGETS.get(str(budget))
            if epochs is None:
                raise self.refuse(where, f"results for {str(budget)[:20]!r} epochs: not the topology space")
            self.results(index, epochs, state, f"{where}, {epochs} epochs")
        self.table.present[index] = True
        _empty(budgets)
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, CELLS)

    def results(self, index: int, epochs: int, state: Any, where: str) -> None:
        trainings = self.part(state, "all_results", where)
        if state.get("arch_index", index) != index:
            raise self.refuse(where, f"results of architecture {str(state['arch_index'])[:20]}")
        costs: dict[str, list[tuple[int, float, float]]] = {}
        for key, training in trainings.items():
            if type(key) is not tuple or len(key) != 2 or key[0] not in DATASETS or key[1] not in SEEDS:
                raise self.refuse(where, f"training {str(key)[:60]} is none of {', '.join(DATASETS)} by seed")
            dataset, seed = key
            place = f"{where}, {dataset}, seed {seed}"
            if self.part({"": training}, "", place).get("epochs") != epochs:
                raise self.refuse(place, f"trained for {str(training.get('epochs'))[:20]} epochs")
            self.training(index, epochs, dataset, seed, training, place)
            latency = [v for v in self.listed(training.get("latency"), place) if v > 0]
            mean = math.fsum(latency) / len(latency) if latency else math.nan
            params = self.number(training.get("params"), 1e6, place, "params")
            costs.setdefault(dataset, []).append((seed, params, mean))
        for dataset, each in costs.items():
            self.costs(index, dataset, each)

    def training(self, index: int, epochs: int, dataset: str, seed: int, training: dict[str, Any], place: str) -> None:
        table, last = self.table, epochs - 1
        accuracies = self.part(training, "eval_acc1es", place)
        for split in SPLITS:
            if f"{split}@{last}" in accuracies:
                value = self.number(accuracies[f"{split}@{last}"], 100, place, split)
                table.final.setdefault((epochs, dataset, split, seed), _column())[index] = value
        times = training.get("train_times")
        if times is not None:
            times = self.part(training, "train_times", place)
            total = math.fsum(
                self.number(times.get(i), _MAX_SECONDS, place, f"train_times[{i}]") for i in range(epochs)
            )
            table.train_seconds.setdefault((epochs, dataset, seed), _column())[index] = total

    def costs(self, index: int, dataset: str, each: list[tuple[int, float, float]]) -> None:
        """Take the costs of one training; where trainings differ, the official API takes seed 888."""
        chosen = next((costs for costs in each if costs[0] == 888), each[0])
        self.table.params.setdefault(dataset, _column())[index] = chosen[1]
        latency = [costs[2] for costs in each if not math.isnan(costs[2])]
        if latency:
            self.table.latency.setdefault(dataset, _column())[index] = math.fsum(latency) / len(latency)

    def part(self, state: Any, name: str, where: str) -> dict[Any, Any]:
        value = state.get(name) if isinstance(state, dict) else None
        if not isinstance(value, dict):
            raise self.refuse(where, f"no dictionary {name!r}" if name else "not the state of a training")
        return value

    def number(self, value: Any, most: float, where: str, name: str) -> float:
        if type(value) not in (int, float) or not 0 <= value <= most:
            raise self.refuse(where, f"{name} is {str(value)[:40]}, not a number from 0 to {most:g}")
        return float(value)

    def listed(self, value: Any, where: str) -> list[float]:
        values = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
        if not all(type(v) in (int, float) and math.isfinite(v) for v in values):
            raise self.refuse(where, "latency is no list of seconds")
        return [float(v) for v in values]


def _empty(value: dict[Any, Any]) -> None:
    """Empty a tree of dictionaries and lists, the innermost first."""
    pending: list[dict[Any, Any] | list[Any]] = [value]
    while pending:
        part = pending.pop()
        children = part.values() if isinstance(part, dict) else part
        pending.extend(child for child in children if isinstance(child, (dict, list)))
        part.clear()
