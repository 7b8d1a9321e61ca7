"""Measure CTNAS, its regression rival and matched random search on one set of labels.

    python docs/measurements/ctnas.py --task nasbench201/cifar10 --seeds 10 --out ctnas.jsonl

Each run labels so many architectures and verifies ten more. CTNAS and its rival label the same architectures, so their
difference is paired by seed. What a run would have reported without verification stands in its notes, so one search
gives both. KTau: tau-b against the final scores of 1,000 rows drawn by the task's law among those never queried;
``keys``: of keys never queried, one row each. Random search: the best validated of as many random architectures,
over 100 seeds. One JSON line a run goes to ``--out``; what it holds already is not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness import Budget, BudgetExhausted, Evaluator, Oracle, Strategy, Truth
from harness.records.identity import stream
from harness.registry import default_registry
from harness.running.environment import single_thread
from harness.spaces.base import under_law
from harness.statistics.inference import holm, mann_whitney, t_interval, welch_intervals
from harness.statistics.metrics import ktau

SAMPLE, VERIFIED, RANDOM_SEEDS = 1000, 10, 100


class Task:
    """An opened task and the rows that its orders are measured on."""

    def __init__(self, name: str) -> None:
        registry = default_registry()
        opened = registry.task(name)
        self.name, self.final = name, opened.finals[0]
        self.evaluator: Evaluator = registry.protocol(opened.protocol).open(opened)
        truth = self.evaluator.truth(self.final)
        assert truth is not None
        self.truth: Truth = truth
        weights = truth.weights[self.evaluator.law]
        known = np.flatnonzero(~np.isnan(truth.final))
        p = None if weights is None else weights[known] / weights[known].sum()
        size = len(known) if p is None else int((p > 0).sum())
        rng = stream(0, "measured rows", name)
        self.rows = rng.choice(known, size=min(size, 8 * SAMPLE), replace=False, p=p).tolist()
        self.keys = self.evaluator.space.keys([truth.architectures[i] for i in self.rows])

    def oracle(self, queries: int) -> Oracle:
        space = under_law(self.evaluator.space, self.evaluator.law)
        return Oracle(self.evaluator.validator(), Budget(queries=queries), space=space)

    def score(self, arch: tuple[int, ...]) -> float:
        return float(self.evaluator.final_scores([arch], final=self.final).scores[0])

    def unseen(self, oracle: Oracle, *, keys: bool) -> list[int]:
        rows = {entry.row for entry in oracle.ledger}
        taken = set(self.evaluator.space.keys([entry.arch for entry in oracle.ledger])) if keys else set()
        found = []
        for row, key in zip(self.rows, self.keys, strict=True):
            if row not in rows and key not in taken:
                found.append(row)
                if keys:
                    taken.add(key)
        return found[:SAMPLE]


def measure(task: Task, name: str, labels: int, seed: int, params: dict[str, Any]) -> dict[str, Any]:
    cls = default_registry().load("strategy", name)
    strategy: Strategy = cls(msgspec.convert(params, cls.Params))
    oracle = task.oracle(labels + VERIFIED)
    started, cpu = time.perf_counter(), time.process_time()
    with single_thread():
        returned = strategy.search(oracle, stream(0, task.name, "ctnas", seed))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        found = {}
        assert strategy.ranker is not None
        for column, keys in (("ktau", False), ("ktau_keys", True)):
            rows = task.unseen(oracle, keys=keys)
            predicted = strategy.ranker.rank([task.truth.architectures[i] for i in rows])
            found[column] = ktau(predicted, task.truth.final[rows])
    recommended = task.evaluator.space.parse(strategy.notes["recommended"])
    return {
        "strategy": name, "task": task.name, "labels": labels, "seed": seed, "params": params, **found,
        "verified": task.score(returned[0]), "recommended": task.score(recommended), "seconds": seconds, "cpu": cpu,
        "phases": strategy.seconds, "notes": strategy.notes,
    }  # fmt: skip


def random_search(task: Task, labels: int) -> tuple[list[float], list[float]]:
    """Final scores of the best validated of ``labels`` and of ten more queries, over 100 seeds."""
    cls = default_registry().load("strategy", "random-search")
    found: tuple[list[float], list[float]] = ([], [])
    for seed, (column, queries) in product(range(RANDOM_SEEDS), enumerate((labels, labels + VERIFIED))):
        oracle = task.oracle(queries)
        try:
            best = cls(cls.Params()).search(oracle, stream(0, task.name, "random-search", seed))[0]
        except BudgetExhausted:
            assert oracle.incumbent is not None
            best = oracle.incumbent.arch
        found[column].append(task.score(best))
    return found


def summary(task: Task, labels: int, runs: list[dict[str, Any]]) -> list[tuple[str, float | None]]:
    """Prints a task's figures; the p-values of verified and recommended CTNAS against random search."""
    print(f"\n{task.name}, {labels} labels")
    groups: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        groups.setdefault(run["strategy"], []).append(run)
    for name, group in groups.items():
        cells = []
        for column, digits in (("ktau", 3), ("ktau_keys", 3), ("recommended", 2), ("verified", 2), ("cpu", 1)):
            values = np.array([run[column] for run in group])
            spread = values.std(ddof=1) if len(values) > 1 else np.nan
            cells.append(f"{column} {values.mean():.{digits}f} ± {spread:.{digits}f}")
        print(f"  {name:15} n {len(group)}  " + "  ".join(cells))
    if len(groups) == 2:
        ours, theirs = ({run["seed"]: run for run in group} for group in groups.values())
        for column, digits in (("ktau", 3), ("ktau_keys", 3), ("recommended", 2), ("verified", 2)):
            difference = [ours[s][column] - theirs[s][column] for s in sorted(set(ours) & set(theirs))]
            interval = t_interval(difference)
            ends = "" if interval is None else f" [{interval.low:+.{digits}f}, {interval.high:+.{digits}f}]"
            print(f"  {column} difference {np.mean(difference):+.{digits}f}{ends}")
    tests = []
    first = next(iter(groups.values()))
    for column, reference in zip(("recommended", "verified"), random_search(task, labels), strict=True):
        scores = np.array([run[column] for run in first])
        difference, low, high = welch_intervals(scores[:, None], np.array(reference)[:, None])
        test = mann_whitney(scores, reference)
        tests.append((f"{task.name} {column}", None if test is None else test.p))
        spread = f"{np.mean(reference):.2f} ± {np.std(reference, ddof=1):.2f} (n {len(reference)})"
        print(f"  {column}: random search {spread}, difference {difference[0]:+.2f} [{low[0]:+.2f}, {high[0]:+.2f}]")
    return tests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", required=True, help="names, separated by commas")
    parser.add_argument("--strategy", default="ctnas,regression-nas")
    parser.add_argument("--labels", type=int, default=423)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--param", action="append", default=[], help="name=value, as in a study")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--summary", action="store_true", help="of all runs that --out holds of these parameters")
    options = parser.parse_args()
    params = {key: _value(text) for key, _, text in (p.partition("=") for p in options.param)}
    stored = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    stored = [run for run in stored if run["params"] == params and run["labels"] == options.labels]
    known = {(run["strategy"], run["task"], run["seed"]) for run in stored}
    tasks = [Task(name) for name in options.task.split(",")]
    names = options.strategy.split(",")
    if not options.summary:
        seeds = range(options.first_seed, options.first_seed + options.seeds)
        for seed, task, name in product(seeds, tasks, names):
            if (name, task.name, seed) not in known:
                run = measure(task, name, options.labels, seed, params)
                stored.append(run)
                with options.out.open("a") as file:
                    file.write(json.dumps(run) + "\n")
    tests = []
    for task in tasks:
        tests += summary(task, options.labels, [r for r in stored if r["task"] == task.name and r["strategy"] in names])
    print("\nMann-Whitney against random search, adjusted by Holm")
    for (name, _), p in zip(tests, holm([p for _, p in tests]), strict=True):
        print(f"  {name:40} {'too few runs' if p is None else f'{p:.2g}'}")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


if __name__ == "__main__":
    main()
