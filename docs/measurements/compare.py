"""Tables and tests from the runs that ``rankers.py --out`` wrote.

    python docs/measurements/compare.py RUNS.jsonl

Prints, for every strategy with its parameters, task and number of labels: n, KTau of unseen rows with its 95 % t
interval, of unseen keys, and of these against validation scores; the strict final score, the paper's best of ten, and
the median of CPU seconds. Then strict final scores against random search with the same number of queries (two-sided
Mann-Whitney, Holm-adjusted over tasks). Then, for each pair named by ``--pair "A|B"``, the mean difference of A and B
with its 95 % interval: of the differences over seeds for two settings of one strategy, which share their labels seed by
seed, else Welch's.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from harness.statistics.inference import holm, mann_whitney, t_interval, welch_intervals

PUBLISHED = {"tensor": "paper", "orders": "all", "views": 1}
"""ReNAS's published tensors and augmentation."""
_SHOWN = (("ktau_keys", 3), ("ktau_keys_valid", 3), ("final", 2), ("best_of_ten", 2))
Runs = dict[tuple[str, str, int], dict[int, dict[str, Any]]]


def label(run: dict[str, Any]) -> str:
    """The strategy with what differs from its defaults; ReNAS's published features by that name."""
    params = dict(run["params"])
    words = [run["strategy"]]
    if all(params.get(k) == v for k, v in PUBLISHED.items()):
        params = {k: v for k, v in params.items() if k not in PUBLISHED}
        words.append("published")
    return " ".join(words + [f"{k}={v}" for k, v in sorted(params.items())])


def read(path: Path) -> Runs:
    """Runs by label, task and number of labels, then by seed."""
    found: Runs = {}
    for line in path.read_text().splitlines():
        run = json.loads(line)
        found.setdefault((label(run), run["task"], run["labels"]), {})[run["seed"]] = run
    return found


def column(group: dict[int, dict[str, Any]], name: str, seeds: Iterable[int] | None = None) -> np.ndarray:
    """float64 [seeds]; only runs that have it."""
    chosen = sorted(group) if seeds is None else seeds
    return np.array([group[s][name] for s in chosen if group[s].get(name) is not None], dtype=np.float64)


def spread(values: np.ndarray, digits: int) -> str:
    """Mean ± standard deviation (ddof 1)."""
    if not len(values):
        return "-"
    std = f"{values.std(ddof=1):.{digits}f}" if len(values) > 1 else "-"
    return f"{values.mean():.{digits}f} ± {std}"


def interval(values: np.ndarray, digits: int = 3) -> str:
    """The 95 % t interval of the mean."""
    found = t_interval(values) if len(values) > 1 else None
    return "-" if found is None else f"[{found[0]:.{digits}f}, {found[1]:.{digits}f}]"


def difference(
    a: dict[int, dict[str, Any]], b: dict[int, dict[str, Any]], name: str, paired: bool
) -> tuple[str, str, str]:
    """Numbers of runs, mean difference and its 95 % interval."""
    if paired:
        shared = sorted(set(a) & set(b))
        gap = column(a, name, shared) - column(b, name, shared)
        return str(len(shared)), f"{gap.mean():+.3f}", interval(gap)
    x, y = column(a, name), column(b, name)
    gap, low, high = (float(v[0]) for v in welch_intervals(x[:, None], y[:, None]))
    return f"{len(x)}, {len(y)}", f"{gap:+.3f}", f"[{low:.3f}, {high:.3f}]"


def show(rows: list[tuple[str, ...]]) -> None:
    """A Markdown table; the first row is its head."""
    print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows[1:]:
        print("| " + " | ".join(row) + " |")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--pair", action="append", default=[], help='two labels, as "A|B"')
    parser.add_argument("--benchmark", default="", help="only tasks whose names begin so; of them is Holm's family")
    parser.add_argument("--column", default="ktau", help="what pairs are compared by")
    options = parser.parse_args()
    runs = {k: v for k, v in read(options.runs).items() if k[1].startswith(options.benchmark)}

    rows: list[tuple[str, ...]] = [
        (
            "strategy",
            "task",
            "labels",
            "n",
            "KTau, rows",
            "95 %",
            "KTau, keys",
            "valid",
            "final",
            "best of ten",
            "CPU s",
        )
    ]
    for (name, task, labels), group in sorted(runs.items(), key=lambda item: (item[0][2], item[0])):
        tau = column(group, "ktau")
        shown = [spread(column(group, c), d) for c, d in _SHOWN]
        seconds = f"{np.median(column(group, 'cpu')):.1f}"
        rows.append((name, task, str(labels), str(len(group)), spread(tau, 3), interval(tau), *shown, seconds))
    show(rows)

    rows = [("strategy", "labels + 10", "task", "final", "random search", "difference", "p (Holm)")]
    for name, labels in sorted({(n, m) for n, _, m in runs if n != "random-search"}):
        tasks = [t for n, t, m in sorted(runs) if (n, m) == (name, labels) and ("random-search", t, m) in runs]
        reference = {t: runs["random-search", t, labels] for t in tasks}
        pairs = [(column(runs[name, t, labels], "final"), column(reference[t], "final")) for t in tasks]
        tests = [mann_whitney(a, b) for a, b in pairs]
        adjusted = holm([None if test is None else test.p for test in tests])
        for task, (a, b), p in zip(tasks, pairs, adjusted, strict=True):
            shown = "-" if p is None else f"{p:.2g}"
            rows.append((name, str(labels), task, spread(a, 2), spread(b, 2), f"{a.mean() - b.mean():+.2f}", shown))
    show(rows)

    rows = [("A", "B", "task", "labels", "n", f"mean A - B, {options.column}", "95 %")]
    for pair in options.pair:
        first, _, second = pair.partition("|")
        for (name, task, labels), group in sorted(runs.items()):
            other = runs.get((second, task, labels))
            if name == first and other is not None:
                n, gap, limits = difference(group, other, options.column, name.split()[0] == second.split()[0])
                rows.append((first, second, task, str(labels), n, gap, limits))
    show(rows)


if __name__ == "__main__":
    main()
