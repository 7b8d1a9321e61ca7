"""How well shared weights order architectures, and what DARTS chooses: over seeds, on a live task.

Prints Kendall's tau-b between a supernet's accuracies and those of trainings from scratch, on the same architectures,
for each seed of the supernet; and of the cells that DARTS finds the share of edges that skip. Trainings and supernets
go through the store of trainings: a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import harness
from harness.records.identity import stream
from harness.registry import default_registry
from harness.running.environment import single_thread
from harness.statistics.metrics import ktau


def described(values: list[float]) -> str:
    """Mean, standard deviation, smallest and largest."""
    found = np.array(values)
    return f"{found.mean():.3f} +- {found.std(ddof=1):.3f}, {found.min():.3f} to {found.max():.3f} (n = {len(found)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="cluttered-digits")
    parser.add_argument("--protocol", default="base", help="of trainings from scratch, and of DARTS")
    parser.add_argument("--supernet", default="supernet", help="the same protocol with a supernet")
    parser.add_argument("--architectures", type=int, default=30, help="drawn at random")
    parser.add_argument("--repeats", type=int, default=2, help="trainings from scratch of each, averaged")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--epochs", type=float, default=240.0, help="budget of a search by DARTS")
    options = parser.parse_args()

    name = f"train/{options.data}@nasbench201"
    plain, shared = (harness.open_task(f"{name}+{p}") for p in (options.protocol, options.supernet))
    archs = plain.space.sample(stream(0, "oneshot", name), options.architectures)
    started = time.process_time()
    repeats = [plain.final_scores(archs, final="trained", seed=s).scores for s in range(options.repeats)]
    final = np.mean(repeats, axis=0)
    print(f"from scratch: mean {final.mean():.1f}, sd {final.std(ddof=1):.1f}, {final.min():.1f} to {final.max():.1f}")
    if options.repeats > 1:
        print(f"tau of two repeats: {ktau(repeats[0], repeats[1]):.3f}")
    print(f"{time.process_time() - started:.0f} CPU s", flush=True)

    started, taus = time.process_time(), []
    for seed in range(options.seeds):
        validator = shared.validator(context=harness.RunContext(seed=seed))
        accuracies = validator.validate(archs, fidelity=validator.fidelities[-1]).valid
        taus.append(ktau(accuracies, final))
        print(
            f"supernet {seed}: tau {taus[-1]:.3f}, accuracies {accuracies.min():.1f} to {accuracies.max():.1f}",
            flush=True,
        )
    print(f"tau of the supernet: {described(taus)}; {time.process_time() - started:.0f} CPU s", flush=True)

    cls = default_registry().load("strategy", "darts")
    skip = plain.space.choices[0].options.index("skip_connect")
    started, shares = time.process_time(), []
    for seed in range(options.seeds):
        oracle = harness.Oracle(
            plain.validator(context=harness.RunContext(seed=seed)), harness.Budget(epochs=options.epochs)
        )
        (found,) = cls().search(oracle, np.random.default_rng(seed))
        shares.append(found.count(skip) / len(found))
        score = plain.final_scores([found], final="trained", seed=0).scores[0]
        print(f"DARTS {seed}: {plain.space.describe(found)}, tests at {score:.1f}", flush=True)
    print(f"share of skips: {described(shares)}; {time.process_time() - started:.0f} CPU s")


if __name__ == "__main__":
    with single_thread():
        main()
