"""Export predicted against true rank of a learned order (ReNAS, Figure 2): one CSV line an architecture, 1 the best.

    python docs/measurements/ranks.py --strategy renas --task nasbench201/cifar10 --labels 90 --out ranks.csv

The architectures are the first 1,000 keys, in a draw by the task's law, that the search of ``--labels`` queries never
paid for; true ranks are by final scores. A strategy may have parameters: ``--strategy "renas tensor=paper"``.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import harness
from harness.cli.study_options import parameter
from harness.records.identity import stream
from harness.registry import default_registry
from harness.running.environment import single_thread
from harness.running.ranking import drawn_rows, unseen
from harness.running.search import carry_out
from harness.statistics.metrics import rank

POINTS = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategy", required=True, help='such as "renas layers=2"')
    parser.add_argument("--task", required=True)
    parser.add_argument("--labels", type=int, default=90)
    parser.add_argument("--seed", type=int, default=0, help="the search seed")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    name, *pairs = options.strategy.split()
    cls = default_registry().load("strategy", name)
    params: dict[str, Any] = {"verify": 0} if hasattr(cls.Params(), "verify") else {}
    params |= dict(map(parameter, pairs))
    evaluator = harness.open_task(options.task)
    final = next(iter(evaluator.task.finals))
    truth = evaluator.truth(final)
    if truth is None:
        raise SystemExit(f"{options.task} records no scores, so there is no true rank of 1,000 architectures")
    validator = evaluator.validator()
    oracle = harness.Oracle(validator, harness.Budget(queries=options.labels))
    with single_thread():
        rng = stream(0, options.task, name, options.seed)
        found = carry_out(lambda: cls(msgspec.convert(params, cls.Params)), oracle, rng)
    ranker = found.strategy.ranker
    if ranker is None:
        raise SystemExit(found.error or f"{name} learns no order")
    rows = drawn_rows(stream(0, "ranks", options.task), truth, evaluator.law)
    archs = [truth.architectures[int(row)] for row in rows]
    keys, _ = unseen(archs, validator, [paid.arch for paid in oracle.ledger], POINTS)
    kept = rows[keys]
    predicted, scores = np.asarray(ranker.rank([archs[i] for i in keys])), evaluator.score.sign * truth.final[kept]
    points = np.stack([rank(predicted, predicted), rank(scores, scores)], axis=1)
    with options.out.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["row", "predicted", "true"])
        lines.writerows(np.column_stack([kept, points]).tolist())
    print(f"{len(points)} architectures: {options.out}")


if __name__ == "__main__":
    main()
