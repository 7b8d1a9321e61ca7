"""Measure rankers: KTau on architectures that were never labelled, and the accuracy of what is reported.

    python docs/measurements/rankers.py --strategy renas --task nasbench201/cifar10 --labels 90,423 --seeds 10

Each run labels so many architectures and verifies ten more (``--param verify=0`` for none). KTau is tau-b of the order
against the final scores of 1,000 rows drawn by the task's law without replacement: once of all rows that were never
queried, once of those whose key was never queried either. Random search answers from the same oracle with the same
number of queries. ``best of ten`` is how papers report: the best test score among the ten best predicted. One JSON
line a run goes to ``--out``, and what it holds already is not run again; the table is on standard output.
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
from harness.statistics.metrics import ktau

SAMPLE = 1000


def unseen(evaluator: Evaluator, truth: Truth, oracle: Oracle, law: str, *, keys: bool) -> list[int]:
    """1,000 rows by the law that were never queried; with ``keys``, one a key, of keys never queried."""
    rng = stream(0, "measured rows", evaluator.task.name)
    weights = truth.weights[law]
    known = np.flatnonzero(~np.isnan(truth.final))
    p = None if weights is None else weights[known] / weights[known].sum()
    drawn = rng.choice(known, size=len(known) if p is None else int((p > 0).sum()), replace=False, p=p).tolist()
    names = evaluator.space.keys([truth.architectures[i] for i in drawn])
    paid_rows = {entry.row for entry in oracle.ledger}
    taken = set(evaluator.space.keys([entry.arch for entry in oracle.ledger]))
    found = []
    for row, name in zip(drawn, names, strict=True):
        if row in paid_rows or (keys and name in taken):
            continue
        if keys:
            taken.add(name)
        found.append(row)
        if len(found) == SAMPLE:
            break
    return found


def measure(name: str, task: str, labels: int, seed: int, params: dict[str, Any]) -> dict[str, Any]:
    """One run: its KTau, what it reports, and its seconds."""
    registry = default_registry()
    cls = registry.load("strategy", name)
    opened = registry.task(task)
    evaluator: Evaluator = registry.protocol(opened.protocol).open(opened)
    final = opened.finals[0]
    truth = evaluator.truth(final)
    assert truth is not None
    learned = hasattr(cls.Params(), "verify")
    verify = params.get("verify", 10) if learned else 10
    strategy: Strategy = cls(msgspec.convert(params, cls.Params))
    oracle = Oracle(
        evaluator.validator(), Budget(queries=labels + verify), space=under_law(evaluator.space, evaluator.law)
    )
    started, cpu = time.perf_counter(), time.process_time()
    with single_thread():
        try:
            returned = list(strategy.search(oracle, stream(0, task, name, seed)))
        except BudgetExhausted:
            assert oracle.incumbent is not None
            returned = [oracle.incumbent.arch]
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        found: dict[str, Any] = {}
        if strategy.ranker is not None:
            for column, keys in (("ktau", False), ("ktau_keys", True)):
                rows = unseen(evaluator, truth, oracle, evaluator.law, keys=keys)
                predicted = strategy.ranker.rank([truth.architectures[i] for i in rows])
                found[column] = ktau(predicted, truth.final[rows])
                if truth.valid is not None:
                    found[column + "_valid"] = ktau(predicted, truth.valid[rows])
    if learned:
        predicted_best = [o.arch for o in oracle.history[labels:]] if verify else returned[:10]
        ten = evaluator.final_scores(predicted_best, final=final).scores
        found["best_of_ten"] = float(np.nanmax(ten)) if len(ten) else None
    accuracy = float(evaluator.final_scores(returned[:1], final=final).scores[0])
    rank = 1 + int((truth.final[~np.isnan(truth.final)] > accuracy).sum())
    return {
        "strategy": name, "task": task, "labels": labels, "seed": seed, "params": params, **found,
        "final": accuracy, "rank": rank, "queries": oracle.paid[0], "seconds": seconds, "cpu": cpu,
        "phases": strategy.seconds,
    }  # fmt: skip


def table(runs: list[dict[str, Any]]) -> str:
    """Mean and standard deviation over seeds, one line for each strategy, task and number of labels."""
    heads = ("strategy", "task", "labels", "n", "ktau", "ktau keys", "final", "best of ten", "rank", "cpu s")
    rows: list[tuple[str, ...]] = [heads]
    groups: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for run in runs:
        groups.setdefault((run["strategy"], run["task"], run["labels"]), []).append(run)
    for (name, task, labels), group in groups.items():
        cells = []
        for column, digits in (("ktau", 3), ("ktau_keys", 3), ("final", 2), ("best_of_ten", 2)):
            values = np.array([run.get(column) for run in group], dtype=np.float64)
            std = values.std(ddof=1) if len(values) > 1 else np.nan
            cells.append(f"{values.mean():.{digits}f}±{std:.{digits}f}")
        rank, cpu = (np.mean([run[c] for run in group]) for c in ("rank", "cpu"))
        rows.append((name, task, str(labels), str(len(group)), *cells, f"{rank:.1f}", f"{cpu:.1f}"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def identity(run: dict[str, Any]) -> tuple[str, str, int, int, str]:
    """What makes two runs the same."""
    return run["strategy"], run["task"], run["labels"], run["seed"], json.dumps(run["params"], sort_keys=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategy", required=True, help="names, separated by commas")
    parser.add_argument("--task", required=True, help="names, separated by commas")
    parser.add_argument("--labels", default="90,423")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--param", action="append", default=[], help="name=value, as in a study")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    params = {}
    for text in options.param:
        key, _, value = text.partition("=")
        try:
            params[key] = json.loads(value)
        except json.JSONDecodeError:
            params[key] = value
    stored: dict[tuple[str, str, int, int, str], dict[str, Any]] = {}
    if options.out and options.out.exists():
        for line in options.out.read_text().splitlines():
            run = json.loads(line)
            stored[identity(run)] = run
    runs = []
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    for name, task, labels, seed in product(
        options.strategy.split(","), options.task.split(","), map(int, options.labels.split(",")), seeds
    ):
        asked = {"strategy": name, "task": task, "labels": labels, "seed": seed, "params": params}
        run = stored.get(identity(asked))
        if run is None:
            run = measure(name, task, labels, seed, params)
            if options.out:
                with options.out.open("a") as file:
                    file.write(json.dumps(run) + "\n")
        runs.append(run)
    print(table(runs))


if __name__ == "__main__":
    main()
