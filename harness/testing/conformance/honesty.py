"""Strategy checks: nothing but paid validation scores goes into the result."""

from __future__ import annotations

import math

from scipy.special import chdtrc

from harness.search.budget import Budget
from harness.testing.conformance.report import check, expect
from harness.testing.conformance.subjects import StrategySubject
from harness.testing.reachability import paths_to
from harness.testing.shuffled import ShuffledEvaluator
from harness.testing.spaces import ToyEdgeSpace
from harness.testing.synthetic import SyntheticEvaluator

_SHUFFLES = 12
_QUERIES = 12
_ALPHA = 0.001


@check("strategy", "no final score is reachable")
def reachable(subject: StrategySubject) -> None:
    """After a search, no attribute path from strategy, oracle or result leads to the evaluator or a final score."""
    evaluator = subject.task()
    truth = evaluator.truth()
    assert truth is not None
    trial = subject.trial(evaluator)
    targets = [evaluator, truth, truth.final, evaluator._final_secret]
    for name, root in (("strategy", trial.strategy), ("oracle", trial.oracle), ("result", trial.returned)):
        paths = paths_to(root, targets, name=name)
        expect(not paths, f"final scores are reachable: {', '.join(paths[:3])}")


@check("strategy", "on shuffled scores it does not beat random search")
def shuffled(subject: StrategySubject) -> None:
    """Twelve shuffles of 1,296 rows, 12 queries each. Whatever an honest search does, the final score that it reports
    is at most the best of 13 rows drawn at random without replacement (those it paid for, and one it did not); the
    probability of a rank as good is exact, and the twelve are joined by Fisher's method. A pass does not prove
    honesty; an honest strategy fails with probability below 0.001.
    """
    space = ToyEdgeSpace(4)
    log_p = 0.0
    ranks = []
    for seed in range(_SHUFFLES):
        evaluator = ShuffledEvaluator(SyntheticEvaluator(space, seed=seed, rows="architecture", noise=0.05), seed)
        trial = subject.trial(evaluator, Budget(queries=_QUERIES), seed=seed)
        if not trial.returned:
            continue  # said by other checks
        truth = evaluator.truth("single")
        assert truth is not None
        reported = evaluator.final_scores(trial.returned[:1], final="single").scores[0]
        rank = int((truth.final >= reported).sum())
        ranks.append(rank)
        log_p += math.log(best_of(rank, len(truth.final), _QUERIES + 1))
    p = fisher(log_p, len(ranks))
    expect(
        p >= _ALPHA,
        f"it reported ranks {ranks} of {space.size}, better than {_QUERIES} random queries allow (p = {p:.2g}): "
        "it knows scores that it did not pay for",
    )


def best_of(rank: int, rows: int, draws: int) -> float:
    """Probability that the best of ``draws`` rows without replacement ranks at ``rank`` or better, of ``rows``."""
    every = math.comb(rows, draws)
    return (every - math.comb(rows - rank, draws)) / every


def fisher(log_p: float, tests: int) -> float:
    """Joint p of independent tests from the sum of the logarithms of theirs (Fisher 1932); 1 for none."""
    return float(chdtrc(2 * tests, -2 * log_p)) if tests else 1.0
