"""Measure how CSNAS's contrastive loss orders cells beside their supervised accuracy, and what each costs.

    python docs/measurements/contrastive.py --architectures 20

Every cell is drawn by the space's law and trained once under each protocol with the same seed: without labels, by
default under ``pirl`` and ``pirl+common``; with labels, by default under ``base``, as a search sees it (validation) and
as a final score (test).
The order is Kendall's tau-b of the negative loss and of validation accuracy with test accuracy, with 95 % bootstrap
intervals over cells (2,000 draws). Seconds are of CPU, mean and standard deviation over cells (ddof 1), of trainings
that the store did not have.
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations

import numpy as np
from scipy.stats import kendalltau

from harness.records.identity import stream
from harness.registry import default_registry
from harness.running.environment import single_thread
from harness.spaces.base import under_law
from harness_training.data.reading import Purpose
from harness_training.trainer import open_trainer

DRAWS = 2000


def described(ours: np.ndarray, theirs: np.ndarray) -> str:
    """Tau-b with its interval."""
    rng = np.random.default_rng(0)
    draws = [rng.integers(len(ours), size=len(ours)) for _ in range(DRAWS)]
    low, high = np.nanquantile([kendalltau(ours[d], theirs[d]).statistic for d in draws], (0.025, 0.975))
    return f"{kendalltau(ours, theirs).statistic:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="cluttered-digits")
    parser.add_argument("--space", default="nasbench201")
    parser.add_argument("--without-labels", nargs="+", default=["pirl", "pirl+common"], help="protocols")
    parser.add_argument("--labels", default="base", help="protocol")
    parser.add_argument("--architectures", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the trainings")
    given = parser.parse_args()
    test = f"{given.labels}, test"
    ways: dict[str, Purpose] = dict.fromkeys((*given.without_labels, given.labels), "validation") | {test: "final"}
    scores: dict[str, np.ndarray] = {}
    for way, purpose in ways.items():
        protocol = way.partition(",")[0]
        trainer = open_trainer(default_registry(), given.data, given.space, protocol, purpose=purpose)
        space = trainer.networks.space
        archs = under_law(space, space.default_law).sample(stream(0, "contrastive", space.name), given.architectures)
        found, seconds = [], []
        with single_thread():
            for arch in archs:
                known = trainer.store.find(trainer.identity(arch, given.seed)) is not None
                start = time.process_time()
                found.append(trainer.score.sign * trainer.train(arch, given.seed).score)
                if not known:
                    seconds.append(time.process_time() - start)
        scores[way] = np.array(found)
        values = trainer.score.sign * scores[way]
        spread = f"{values.mean():.2f} ± {values.std(ddof=1):.2f}, {values.min():.2f} to {values.max():.2f}"
        took = (
            f"; {np.mean(seconds):.1f} ± {np.std(seconds, ddof=1):.1f} CPU s, n {len(seconds)}" if seconds[1:] else ""
        )
        print(f"{way}: {trainer.score.name} {spread}{took}", flush=True)
    for one, other in combinations(ways, 2):
        print(f"tau of {one} with {other}: {described(scores[one], scores[other])}, n {len(scores[one])}")


if __name__ == "__main__":
    main()
