"""Strategies that each break one rule: conformance must catch every one. Imported by tests and by fresh processes."""

from __future__ import annotations

import gc
import os
import random
import sys
import time
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from harness import BudgetExhausted, Mode, Oracle, Params, Strategy
from harness.testing import SyntheticEvaluator


class Sound(Strategy):
    """Random search: the sound strategy that the others are made from."""

    name = "sound"

    def search(self, oracle, rng):
        while True:
            for arch in oracle.space.sample(rng, 16):
                self.step(oracle, arch)

    def step(self, oracle, arch):
        oracle.query(arch)


class Raises(Sound):
    name = "raises"

    def step(self, oracle, arch):
        raise ZeroDivisionError("a plain bug")


class Exits(Sound):
    """Ends as a script ends when all is well."""

    name = "exits"

    def step(self, oracle, arch):
        sys.exit(0)


class EndsItsProcess(Sound):
    """Leaves without a word, and with the status of success."""

    name = "ends-its-process"

    def step(self, oracle, arch):
        os._exit(0)


class Hangs(Sound):
    name = "hangs"

    def search(self, oracle, rng):
        while True:
            time.sleep(0.01)


class SwallowsTheEnd(Sound):
    """Goes on after BudgetExhausted, for ever."""

    name = "swallows-the-end"

    def step(self, oracle, arch):
        try:
            oracle.query(arch)
        except BudgetExhausted:
            time.sleep(0.001)


class ReadsPastTheOracle(Sound):
    name = "reads-past-the-oracle"

    def step(self, oracle, arch):
        oracle._validator.validate([arch], fidelity=oracle.fidelities[-1])
        oracle.query(arch)


class SecondOracle(Sound):
    """Makes an oracle of its own with a larger budget."""

    name = "second-oracle"

    def search(self, oracle, rng):
        archs = oracle.space.sample(rng, 100)
        own = Oracle(oracle._validator, type(oracle.budget)(queries=1000))
        best = max(archs, key=lambda a: -np.inf if np.isnan(s := own.query(a)) else s)
        oracle.query(best)
        return [best]


class RaisesTheLimit(Sound):
    name = "raises-the-limit"

    def search(self, oracle, rng):
        oracle.ledger._queries = 10**6
        return super().search(oracle, rng)


class NewBudget(Sound):
    name = "new-budget"

    def search(self, oracle, rng):
        oracle.ledger.budget = type(oracle.budget)(queries=30, epochs=5000, seconds=5000)
        oracle.ledger._queries = 30
        return super().search(oracle, rng)


class ReturnsForeign(Sound):
    name = "returns-foreign"

    def search(self, oracle, rng):
        oracle.query(oracle.space.sample(rng, 1)[0])
        return [(99,) * len(oracle.space.choices)]


class ReturnsNothing(Sound):
    name = "returns-nothing"

    def search(self, oracle, rng):
        oracle.query(oracle.space.sample(rng, 1)[0])
        return []


class ReturnsText(Sound):
    name = "returns-text"

    def search(self, oracle, rng):
        oracle.query(oracle.space.sample(rng, 1)[0])
        return "the best one"


class InventsTheEnd(Sound):
    name = "invents-the-end"

    def search(self, oracle, rng):
        oracle.query(oracle.space.sample(rng, 1)[0])
        raise BudgetExhausted("queries")


class QueriesInvalid(Sound):
    """Draws encodings without asking whether they are valid, and hides the refusals."""

    name = "queries-invalid"

    def search(self, oracle, rng):
        while True:
            arch = tuple(int(rng.integers(k)) for k in oracle.space.radices)
            try:
                oracle.query(arch)
            except ValueError:
                continue


class GlobalRandom(Sound):
    """Draws from the global generators: another state, another trajectory."""

    name = "global-random"

    def search(self, oracle, rng):
        while True:
            oracle.query(oracle.space.sample(np.random.default_rng(random.getrandbits(32)), 1)[0])


class GlobalNumpy(Sound):
    """Seeds numpy's global generator: reproducible, and a nuisance to everybody else."""

    name = "global-numpy"

    def search(self, oracle, rng):
        np.random.seed(int(rng.integers(2**31)))  # noqa: NPY002
        while True:
            seed = np.random.randint(2**31)  # noqa: NPY002
            oracle.query(oracle.space.sample(np.random.default_rng(seed), 1)[0])


class GlobalTorch(Sound):
    name = "global-torch"

    def step(self, oracle, arch):
        import torch

        torch.rand(1)
        oracle.query(arch)


class HashOrder(Sound):
    """Walks a set of strings."""

    name = "hash-order"

    def search(self, oracle, rng):
        named = {oracle.space.describe(a): a for a in oracle.space.sample(rng, 40)}
        while True:
            for text in set(named):
                oracle.query(named[text])


class Outlives(Sound):
    """Keeps the number of searches on the class."""

    name = "outlives"
    searches: ClassVar[list[int]] = []

    def search(self, oracle, rng):
        self.searches.append(1)
        oracle.space.sample(rng, len(self.searches))
        return super().search(oracle, rng)


class SameForAllSeeds(Sound):
    name = "same-for-all-seeds"

    def search(self, oracle, rng):
        return super().search(oracle, np.random.default_rng(0))


class BreaksOnNaN(Sound):
    name = "breaks-on-nan"

    def step(self, oracle, arch):
        if not 0 <= abs(oracle.query(arch)) <= 100:
            raise ValueError("a score must be a number")


class BreaksOnOneQuery(Sound):
    name = "breaks-on-one-query"

    def search(self, oracle, rng):
        try:
            oracle.query_many(oracle.space.sample(rng, 3))
        except BudgetExhausted as end:
            raise IndexError(f"expected three scores, got {len(end.scores)}") from end
        return super().search(oracle, rng)


class NeedsSeconds(Sound):
    name = "needs-seconds"

    def step(self, oracle, arch):
        if not oracle.records_seconds:
            raise KeyError("seconds")
        oracle.query(arch)


class KnowsOneSpace(Sound):
    name = "knows-one-space"

    def search(self, oracle, rng):
        if oracle.space.name != "toy-nodes":
            raise KeyError(oracle.space.name)
        return super().search(oracle, rng)


class WantsEveryRow(Sound):
    """Takes an answer that was not paid for one that was given before."""

    name = "wants-every-row"

    def search(self, oracle, rng):
        known = {}
        while True:
            arch, paid = oracle.space.sample(rng, 1)[0], len(oracle.history)
            score = oracle.query(arch)
            if len(oracle.history) > paid:
                known[oracle.space.key(arch)] = score
            elif known[oracle.space.key(arch)] != score:
                raise ValueError("another answer than before")


class GivesUpOnConstraints(Sound):
    name = "gives-up-on-constraints"

    def search(self, oracle, rng):
        if oracle.constraints:
            return oracle.space.sample(rng, 1)
        return super().search(oracle, rng)


class NeverReturns(Sound):
    """Waits for more rows than there are, asking for nothing."""

    name = "never-returns"

    def search(self, oracle, rng):
        seen = set()
        while len(seen) < oracle.budget.queries if oracle.budget.queries else True:
            arch = oracle.space.sample(rng, 1)[0]
            if oracle.space.key(arch) not in seen:
                seen.add(oracle.space.key(arch))
                oracle.query(arch)
            elif len(seen) == 39:
                time.sleep(0.01)
        return [oracle.incumbent.arch] if oracle.incumbent else []


def _evaluator_of(oracle) -> Any:
    return next(
        o for o in gc.get_objects() if isinstance(o, SyntheticEvaluator) and o.space is oracle.space
    )  # fmt: skip


class LeaksEvaluator(Sound):
    """Finds the evaluator among the interpreter's objects and keeps it in a closure."""

    name = "leaks-evaluator"

    def search(self, oracle, rng):
        evaluator = _evaluator_of(oracle)
        self.peek = lambda arch: evaluator.final_scores([arch])
        return super().search(oracle, rng)


class LeaksFinals(Sound):
    """Keeps a copy of all final scores, as fractions."""

    name = "leaks-finals"

    def search(self, oracle, rng):
        truth = _evaluator_of(oracle).truth()
        self.notebook = SimpleNamespace(table={str(i): v / 100 for i, v in enumerate(truth.final.tolist())})
        return super().search(oracle, rng)


class ReportsByFinal(Sound):
    """Reports the row with the best final score, found through the interpreter's objects; queries as it should."""

    name = "reports-by-final"

    def search(self, oracle, rng):
        best = None
        for o in gc.get_objects():
            if type(o).__name__ == "ShuffledEvaluator" and o.validator() is oracle._validator._inner:
                truth = o.truth("single")
                best = truth.architectures[int(truth.final.argmax())]
        try:
            return super().search(oracle, rng)
        except BudgetExhausted:
            if best is None:
                raise
            return [best]


class PaysElsewhere(Sound):
    """Reads every validation score around the oracle and its meter, and pays for the best ones alone."""

    name = "pays-elsewhere"

    def search(self, oracle, rng):
        validator = oracle._validator._inner
        archs = oracle.space.sample(rng, 500)
        scores = validator.validate(archs, fidelity=validator.fidelities[-1]).valid
        for i in np.argsort(-np.nan_to_num(scores)):
            oracle.query(archs[int(i)])
        return []


class BadRank(Sound):
    name = "bad-rank"

    def search(self, oracle, rng):
        self.ranker = SimpleNamespace(rank=lambda archs: np.full(len(archs), np.nan))
        return super().search(oracle, rng)


class PayingRank(Sound):
    name = "paying-rank"

    def search(self, oracle, rng):
        validator = oracle._validator
        self.ranker = SimpleNamespace(
            rank=lambda archs: validator.validate(archs, fidelity=validator.fidelities[-1]).valid
        )
        return super().search(oracle, rng)


class NotesNumpy(Sound):
    """Notes what a record keeps as plain values."""

    name = "notes-numpy"

    def search(self, oracle, rng):
        self.notes |= {"size": np.int64(3), "scale": np.float32(0.5), "nothing": float("nan"), "pair": (1, 2)}
        return super().search(oracle, rng)


class SecondsInWords(Sound):
    name = "seconds-in-words"

    def search(self, oracle, rng):
        self.seconds["fit"] = "long"
        return super().search(oracle, rng)


class NotesASet(Sound):
    name = "notes-a-set"

    def search(self, oracle, rng):
        self.notes["seen"] = {1, 2}
        return super().search(oracle, rng)


class NotesAnObject(Sound):
    name = "notes-an-object"

    def search(self, oracle, rng):
        self.notes["space"] = oracle.space
        return super().search(oracle, rng)


class NoSummary(Strategy):
    name = "no-summary"
    search, step = Sound.search, Sound.step


class NoStrictMode(Sound):
    name = "no-strict-mode"
    modes = {"paper": Mode(oracle="test")}


class CheatsInStrict(Sound):
    name = "cheats-in-strict"
    modes = {"strict": Mode(oracle="test", report="best_of_returned", top=10)}


class IdleAblationParams(Params):
    size: int = 3


class IdleAblation(Sound, Strategy[IdleAblationParams]):
    name = "idle-ablation"
    ablations = {"without-size": {"size": 3}}


class Trains(Sound):
    name = "trains"
    needs = frozenset({"training"})
