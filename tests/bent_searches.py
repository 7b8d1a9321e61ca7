"""Random searches in disguise: what a strategy can do to look better than random search without being so.

Each function gives a sampler of runs on one task: final scores (NaN: the run failed on purpose) and what each run paid.
They work on the recorded tables, as `harness.search.oracle.Oracle` would answer, many thousand runs at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from harness.protocol import Evaluator
from harness.statistics.ties import rounded

QUERIES = 100
EPOCH_QUERIES = 5
REPEAT_NOISE = 0.3
"""Standard deviation of one training's validation score, in points; real for NAS-Bench-201, invented for the others."""


class Runs(NamedTuple):
    """A line a run, a column a paid query: validation and final score of its incumbent after it."""

    valid: np.ndarray
    final: np.ndarray


class Disguised(NamedTuple):
    """Final score of each run, [runs], NaN where it failed; and the paid queries at which the reference is read."""

    final: np.ndarray
    cost: np.ndarray


class Table(NamedTuple):
    """Validation and final scores of all rows, rounded, and the probability of each row under each law."""

    name: str
    valid: np.ndarray
    final: np.ndarray
    weights: dict[str, np.ndarray | None]
    law: str


def table_of(evaluator: Evaluator) -> Table:
    truth = evaluator.truth(evaluator.task.finals[0])
    assert truth is not None
    assert truth.valid is not None
    return Table(
        evaluator.task.name,
        rounded(truth.valid),
        rounded(truth.final),
        dict(truth.weights),
        evaluator.space.default_law,
    )


def random_search(
    table: Table, runs: int, rng: np.random.Generator, *, law: str = "", queries: int = QUERIES, noise: float = 0.0
) -> Runs:
    """Random search under a law; the first of equally good rows stays the incumbent, as in the oracle.

    `noise`: standard deviation of what is added to each validation score.
    """
    rows = rng.choice(table.valid.size, size=(runs, queries), p=table.weights[law or table.law])
    valid = table.valid[rows]
    return incumbents(valid + rng.normal(0, noise, valid.shape) if noise else valid, table.final[rows])


def under_each_law(table: Table, runs: int, rng: np.random.Generator) -> list[Runs]:
    """The references of a task: matched random search under each law that differs, the task's own first."""
    found: dict[bytes, str] = {}
    for law in (table.law, *table.weights):
        weights = table.weights[law]
        found.setdefault(b"" if weights is None else weights.round(12).tobytes(), law)
    return [random_search(table, runs, rng, law=law) for law in found.values()]


def incumbents(valid: np.ndarray, final: np.ndarray) -> Runs:
    """From the scores of the queries of each run to those of its incumbents."""
    best = np.maximum.accumulate(valid, axis=1)
    improved = np.ones(valid.shape, dtype=bool)
    improved[:, 1:] = valid[:, 1:] > best[:, :-1]
    position = np.maximum.accumulate(np.where(improved, np.arange(valid.shape[1]), 0), axis=1)
    return Runs(best, np.take_along_axis(final, position, axis=1))


def _whole(runs: Runs) -> np.ndarray:
    return np.full(len(runs.final), runs.final.shape[1])


def renamed(table: Table, runs: int, rng: np.random.Generator) -> Disguised:
    """Random search under another name."""
    found = random_search(table, runs, rng)
    return Disguised(found.final[:, -1], _whole(found))


def stops_on_success(share: float) -> Callable[[Table, int, np.random.Generator], Disguised]:
    """Stop once the validation score is one that `share` of random searches never reach."""

    def sample(table: Table, runs: int, rng: np.random.Generator) -> Disguised:
        found = random_search(table, runs, rng)
        threshold = np.quantile(found.valid[:, -1], share)
        reached = found.valid >= threshold
        stop = np.where(reached.any(axis=1), reached.argmax(axis=1), QUERIES - 1)
        return Disguised(found.final[np.arange(runs), stop], stop + 1)

    return sample


def gives_up(share: float) -> Callable[[Table, int, np.random.Generator], Disguised]:
    """Stop at half of the budget where the validation score is among the lowest `share` by then."""

    def sample(table: Table, runs: int, rng: np.random.Generator) -> Disguised:
        found = random_search(table, runs, rng)
        half = QUERIES // 2
        poor = found.valid[:, half - 1] < np.quantile(found.valid[:, half - 1], share)
        stop = np.where(poor, half, QUERIES)
        return Disguised(found.final[np.arange(runs), stop - 1], stop)

    return sample


def fails_when_poor(share: float) -> Callable[[Table, int, np.random.Generator], Disguised]:
    """Fail where the validation score at the end is among the lowest `share`."""

    def sample(table: Table, runs: int, rng: np.random.Generator) -> Disguised:
        found = random_search(table, runs, rng)
        poor = found.valid[:, -1] < np.quantile(found.valid[:, -1], share)
        return Disguised(np.where(poor, np.nan, found.final[:, -1]), _whole(found))

    return sample


def draws_under_another_law(table: Table, runs: int, rng: np.random.Generator) -> Disguised:
    """Draw by the law with the best average architecture, whatever the task's law is."""
    means = {law: np.average(table.final, weights=w) for law, w in table.weights.items()}
    found = random_search(table, runs, rng, law=max(means, key=lambda law: means[law]))
    return Disguised(found.final[:, -1], _whole(found))


def pays_epochs(table: Table, runs: int, rng: np.random.Generator) -> Disguised:
    """Under 900 epochs pay up to 15 cheap queries of 12 epochs first, then ones of 200 until the limit is crossed."""
    found = random_search(table, runs, rng, queries=EPOCH_QUERIES)
    cheap = 12 * rng.integers(0, 16, size=runs)
    full = np.ceil((900 - cheap) / 200).astype(int)
    return Disguised(found.final[np.arange(runs), full - 1], np.full(runs, EPOCH_QUERIES))


def five_full_queries(table: Table, runs: int, rng: np.random.Generator) -> list[Runs]:
    """The reference under 900 epochs: its fifth query of 200 crosses the limit and counts."""
    return [random_search(table, runs, rng, queries=EPOCH_QUERIES)]


def buys_single_repeats(table: Table, runs: int, rng: np.random.Generator) -> Disguised:
    """Of 100 trainings buy 100 single repeats, where a mean of three would have bought 33 rows."""
    found = random_search(table, runs, rng, noise=REPEAT_NOISE)
    return Disguised(found.final[:, -1], _whole(found))


def means_and_single_repeats(table: Table, runs: int, rng: np.random.Generator) -> list[Runs]:
    """The references where repeats are sold: one that buys means of three, and one that buys single repeats."""
    means = random_search(table, runs, rng, queries=QUERIES // 3, noise=REPEAT_NOISE / np.sqrt(3))
    return [means, random_search(table, runs, rng, noise=REPEAT_NOISE)]


def gambles(table: Table, runs: int, rng: np.random.Generator) -> Disguised:
    """Score as a random search of the best or of the worst tenth does, so mixed that superiority is one half."""
    final = random_search(table, runs, rng).final[:, -1]
    low, high = (final[final <= np.quantile(final, 0.1)], final[final >= np.quantile(final, 0.9)])
    ordered = np.sort(final)
    worse, better = (
        (np.searchsorted(ordered, part, "left") + np.searchsorted(ordered, part, "right")).mean() / (2 * runs)
        for part in (low, high)
    )
    wins = rng.random(runs) < (0.5 - worse) / (better - worse)
    return Disguised(np.where(wins, rng.choice(high, runs), rng.choice(low, runs)), np.full(runs, QUERIES))


class Disguise(NamedTuple):
    """A way to look better without being so, and the references that it is set against."""

    sample: Callable[[Table, int, np.random.Generator], Disguised]
    references: Callable[[Table, int, np.random.Generator], list[Runs]] = under_each_law


DISGUISES: dict[str, Disguise] = {
    "renamed": Disguise(renamed),
    **{f"stops on success {q}": Disguise(stops_on_success(q)) for q in (0.1, 0.5, 0.9)},
    **{f"gives up {q}": Disguise(gives_up(q)) for q in (0.25, 0.5)},
    **{f"fails when poor {q}": Disguise(fails_when_poor(q)) for q in (0.1, 0.3, 0.6)},
    "another law": Disguise(draws_under_another_law),
    "epochs": Disguise(pays_epochs, five_full_queries),
    "repeats": Disguise(buys_single_repeats, means_and_single_repeats),
    "gambles": Disguise(gambles),
}
