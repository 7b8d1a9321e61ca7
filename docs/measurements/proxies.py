"""Measure how zero-cost proxies order a table: Spearman's rho and Kendall's tau with its final and validation scores.

    python docs/measurements/proxies.py --task nasbench201/cifar10 --proxy proxy-synflow --rows 15625 --out synflow.csv
    python docs/measurements/proxies.py --task nasbench201/cifar10 --proxy proxy-snip --param images=digits --out d.csv

The rows are the first of one random order of the table, the same for every proxy, so that more rows keep those that
were scored. What ``--out`` holds is not computed again, and ``--minutes`` ends a call early: call it again to go on.
Rows that a proxy gives no finite number come last, as in a search. Intervals are 95 % bootstrap ones over rows (1,000
draws) where fewer than all were scored. ``--out`` must be of the same task, proxy, parameters and seed.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from scipy.stats import kendalltau, spearmanr

import harness
from harness.cli.study_options import parameter
from harness.registry import default_registry

ORDER_SEED = 0
DRAWS = 1000
BLOCK = 20


def known(out: Path) -> list[tuple[int, float]]:
    """Rows and their proxies, as far as they were computed."""
    if not out.exists():
        return []
    with out.open(newline="") as lines:
        return [(int(row), float(value)) for row, value in csv.reader(lines)]


def described(proxies: np.ndarray, scores: np.ndarray, *, whole: bool) -> str:
    """Rho and tau of the rows that have a score, with their intervals unless these are the whole table."""
    there = ~np.isnan(scores)
    proxies, scores = proxies[there], scores[there]
    found = correlations(proxies, scores)
    if whole:
        return f"rho {found[0]:.3f}, tau {found[1]:.3f}"
    rng = np.random.default_rng(ORDER_SEED)
    draws = [rng.integers(len(scores), size=len(scores)) for _ in range(DRAWS)]
    low, high = np.quantile([correlations(proxies[d], scores[d]) for d in draws], (0.025, 0.975), axis=0)
    rho, tau = (f"{found[k]:.3f} ({low[k]:.3f} to {high[k]:.3f})" for k in (0, 1))
    return f"rho {rho}, tau {tau}"


def correlations(proxies: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Spearman's rho and Kendall's tau-b."""
    return float(spearmanr(proxies, scores).statistic), float(kendalltau(proxies, scores).statistic)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", required=True)
    parser.add_argument("--proxy", required=True)
    parser.add_argument("--param", action="append", default=[], help="such as images=digits; repeatable")
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of initialisation and batch")
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    evaluator = harness.open_task(options.task)
    truth = evaluator.truth("mean")
    assert truth is not None, f"{options.task} records no scores"
    cls = default_registry().load("strategy", options.proxy)
    strategy: Any = cls(msgspec.convert(dict(map(parameter, options.param)), cls.Params))
    oracle = harness.Oracle(evaluator.validator(), harness.Budget(queries=1))
    proxy = strategy.proxy(oracle, np.random.default_rng(options.seed))

    order = np.random.default_rng(ORDER_SEED).permutation(np.flatnonzero(~np.isnan(truth.final)))[: options.rows]
    done = known(options.out)
    started, cpu = time.monotonic(), time.process_time()
    with options.out.open("a", newline="") as lines:
        writer = csv.writer(lines)
        for at in range(len(done), len(order), BLOCK):
            if time.monotonic() - started > 60 * options.minutes:
                break
            block = order[at : at + BLOCK].tolist()
            values = proxy([truth.architectures[row] for row in block]).tolist()
            writer.writerows(zip(block, map(repr, values), strict=True))
            lines.flush()
    found = known(options.out)[: options.rows]
    if len(found) > len(done):
        print(f"{(time.process_time() - cpu) / (len(found) - len(done)):.3f} CPU s a network")
    rows = np.array([row for row, _ in found])
    assert (rows == order[: len(rows)]).all(), f"{options.out} is of another task or order"
    raw = np.array([value for _, value in found])
    proxies = np.where(np.isfinite(raw), raw, -np.inf)
    print(f"{options.proxy} {' '.join(options.param)} {options.task}: n = {len(rows)} of {len(truth.final)}", end="; ")
    print(f"{int((~np.isfinite(raw)).sum())} undefined")
    for name, column in (("final", truth.final), ("validation", truth.valid)):
        if column is not None:
            print(f"{name}: {described(proxies, evaluator.score.sign * column[rows], whole=len(rows) == len(column))}")


if __name__ == "__main__":
    main()
