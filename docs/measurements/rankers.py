"""Measure strategies that learn an order: KTau on architectures never labelled, and what they report.

    python docs/measurements/rankers.py --strategy renas --strategy "e2epp tensor=false" \\
        --task nasbench201/cifar10 --labels 90,423 --seeds 10 --pair "renas|e2epp tensor=false"

A strategy is a name, with parameters that differ from its defaults. Each run labels so many architectures and verifies
ten more (``verify=0``: none). Several numbers of labels are several budgets of one study, so that they share their
draws. What is there in ``--results`` is not run again.

Three tables: KTau, final scores and CPU seconds of each entry; verdicts against matched random search, corrected over
the whole study; and of each ``--pair`` the mean difference over common search seeds.
"""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd

import harness
from harness.cli.study_options import parameter

REFERENCE_SEEDS = 100
VERIFIED = 10
SHOWN = {
    "ktau_rows": "KTau, rows", "ktau": "KTau, keys", "ktau_valid": "KTau, validation", "score": "final",
    "best_of_ten": "best of ten",
}  # fmt: skip


def entry_of(text: str) -> dict[str, Any]:
    """``name key=value ...`` as an entry of a study, labelled by the text."""
    name, *pairs = text.split()
    return {"name": name, "label": text, "params": dict(map(parameter, pairs)), "tuning_queries": 0}


def spread(values: pd.Series, digits: int) -> str:
    """Mean ± standard deviation (ddof 1)."""
    known = values.dropna()
    return f"{known.mean():.{digits}f} ± {known.std():.{digits}f}" if len(known) else "-"


def table(runs: pd.DataFrame) -> pd.DataFrame:
    """A line for each entry, task and number of paid queries."""
    lines = []
    for (task, budget, label), group in runs.groupby(["task", "budget_queries", "label"], sort=False):
        line = {"entry": label, "task": task, "queries": int(budget), "n": len(group)}
        line |= {shown: spread(group[c], 2 if c in ("score", "best_of_ten") else 3) for c, shown in SHOWN.items()}
        lines.append(line | {"CPU s": f"{group['cpu_seconds'].median():.1f}"})
    return pd.DataFrame(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategy", action="append", required=True, help='such as "renas layers=2"; repeatable')
    parser.add_argument("--task", required=True, help="names, separated by commas")
    parser.add_argument("--labels", default="90,423")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="the study's own seed")
    parser.add_argument("--pair", action="append", default=[], help='two of the strategies, as "A|B"; repeatable')
    parser.add_argument("--column", default="ktau", help="what pairs are compared by")
    parser.add_argument("--name", default="rankers")
    parser.add_argument("--results", default="results")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    results = harness.run_study(
        {
            "name": options.name,
            "seed": options.seed,
            "seeds": options.seeds,
            "reference_seeds": REFERENCE_SEEDS,
            "budget": [{"queries": int(n) + VERIFIED} for n in options.labels.split(",")],
            "tasks": [{"name": name} for name in options.task.split(",")],
            "strategies": [entry_of(text) for text in options.strategy],
        },
        results=options.results,
        jobs=options.jobs,
    )
    runs = results.runs[results.runs["role"] == "entry"]
    print(table(runs).to_string(index=False), "\n")
    shown = ["title", "label", "final_mean", "search_mean", "vs_search_p_study", "vs_search_verdict"]
    rows = results.rows
    print(rows.loc[rows["role"] == "entry", [c for c in shown if c in rows]].to_string(index=False), "\n")
    for pair in options.pair:
        first, _, second = pair.partition("|")
        print(results.paired(first, second, options.column).to_string(index=False), "\n")


if __name__ == "__main__":
    main()
