"""Strategies that behave and misbehave, and a protocol of made-up scores: what the runner's tests run."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from typing import Annotated

import msgspec
import numpy as np

from harness import (
    BudgetExhausted,
    DataMissing,
    FinalScores,
    Mode,
    Params,
    Provides,
    Strategy,
    Task,
    TrainingProtocol,
    hookimpl,
)
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness.testing.synthetic import SyntheticEvaluator


class SizeParams(Params):
    size: Annotated[int, msgspec.Meta(ge=1, le=64, description="How many to draw at once")] = 8


class Sampler(Strategy[SizeParams]):
    """Draws and queries until the budget ends."""

    name = "toy-sampler"
    modes = {
        "strict": Mode(),
        "paper": Mode(oracle="test", note="searches on test"),
        "top": Mode(report="best_of_returned", top=3),
    }
    ablations = {"single": {"size": 1}}

    def search(self, oracle, rng):
        while True:
            for arch in oracle.space.sample(rng, self.params.size):
                oracle.query(arch)


class Returner(Strategy):
    """Stops by itself after ten queries, best first, and keeps an order: the scores it saw, by first operation."""

    name = "toy-returner"

    def search(self, oracle, rng):
        archs = list(dict.fromkeys(oracle.space.sample(rng, 10)))
        try:
            scores = oracle.query_many(archs)
        except BudgetExhausted as end:
            scores = np.array(end.scores)
        archs = archs[: len(scores)]
        self.ranker = FirstChoice()
        self.notes = {"numpy": np.float64(1.5), "none": float("nan")}
        return [archs[i] for i in np.argsort(-scores, kind="stable")]


class Moody(Returner):
    """An order, of a search that goes another way on another day."""

    name = "toy-moody"

    def search(self, oracle, rng):
        if os.environ.get("TOY_DAY") == "broken":
            raise RuntimeError("not today")
        rng.random(len(os.environ.get("TOY_DAY", "")))
        return super().search(oracle, rng)


class FirstChoice:
    def rank(self, archs):
        return np.array([float(sum(a)) for a in archs])


class BadRanker(Returner):
    name = "toy-bad-ranker"

    def search(self, oracle, rng):
        found = super().search(oracle, rng)
        self.ranker = self
        return found

    def rank(self, archs):
        return np.full(len(archs), np.nan)


class Raiser(Strategy):
    name = "toy-raiser"

    def search(self, oracle, rng):
        oracle.query(oracle.space.sample(rng, 1)[0])
        raise RuntimeError("a bug in the strategy")


class Late(Strategy):
    """Raises after three queries."""

    name = "toy-late"

    def search(self, oracle, rng):
        for count, arch in enumerate(oracle.space.sample(rng, 5)):
            self.step(oracle, arch, count)

    def step(self, oracle, arch, count):
        if count == 3:
            raise LookupError("a bug that shows late")
        oracle.query(arch)


class Hanger(Strategy):
    name = "toy-hanger"

    def search(self, oracle, rng):
        time.sleep(600)


class Killer(Strategy):
    name = "toy-killer"

    def search(self, oracle, rng):
        os.kill(os.getpid(), signal.SIGKILL)


class Foreigner(Strategy):
    name = "toy-foreigner"

    def search(self, oracle, rng):
        return [(99,) * len(oracle.space.radices)]


class Nothing(Strategy):
    name = "toy-nothing"

    def search(self, oracle, rng):
        return None


class Overspender(Strategy):
    """Goes on asking after the end, and returns what it would have liked to know."""

    name = "toy-overspender"

    def search(self, oracle, rng):
        archs = oracle.space.sample(rng, 500)
        for arch in archs:
            try:
                oracle.query(arch)
            except BudgetExhausted:
                continue
        return archs[:1]


class Guesser(Strategy):
    """Returns the first architecture that it could not pay for, as a partial table lacks it."""

    name = "toy-guesser"

    def search(self, oracle, rng):
        return [next(arch for arch in oracle.space.sample(rng, 100) if np.isnan(oracle.query(arch)))]


class Content(Strategy):
    """Stops once an architecture is better than its first one by 25."""

    name = "toy-content"

    def search(self, oracle, rng):
        first = oracle.query(oracle.space.sample(rng, 1)[0])
        while True:
            (arch,) = oracle.space.sample(rng, 1)
            if oracle.query(arch) > first + 25:
                return [arch]


class Fickle(Sampler):
    """Fails in a third of its runs, whatever it found."""

    name = "toy-fickle"

    def search(self, oracle, rng):
        if rng.random() < 1 / 3:
            raise RuntimeError("a bug that shows now and then")
        return super().search(oracle, rng)


class Slow(Sampler):
    name = "toy-slow"

    def search(self, oracle, rng):
        time.sleep(0.3)
        return super().search(oracle, rng)


class Exiter(Strategy):
    name = "toy-exiter"

    def search(self, oracle, rng):
        oracle.query(oracle.space.sample(rng, 1)[0])
        sys.exit("a script's way to stop")


class Unmade(Strategy):
    name = "toy-unmade"

    def __init__(self, params=None):
        super().__init__(params)
        raise KeyError("a bug in the constructor")

    def search(self, oracle, rng):
        return oracle.space.sample(rng, 1)


class Repeater(Strategy):
    """Asks the same again, for ever."""

    name = "toy-repeater"

    def search(self, oracle, rng):
        arch = oracle.space.sample(rng, 1)[0]
        while True:
            oracle.query(arch)


class Talker(Sampler):
    """Says where it is."""

    name = "toy-talker"

    def search(self, oracle, rng):
        print("here I am")
        return super().search(oracle, rng)


class Swallower(Strategy):
    """Never takes the end for an answer."""

    name = "toy-swallower"

    def search(self, oracle, rng):
        while True:
            try:
                oracle.query(oracle.space.sample(rng, 1)[0])
            except BudgetExhausted:
                continue


class Deaf(Strategy):
    """Hangs, and takes every exception for one of its own."""

    name = "toy-deaf"

    def search(self, oracle, rng):
        while True:
            try:
                time.sleep(0.05)
            except Exception:
                continue


class Drawn(SyntheticEvaluator):
    """A surrogate: final scores for all, a list of none."""

    sampling_draws = 500

    def __init__(self, space, **options):
        super().__init__(space, **options)
        self.sampling_draws = 500

    def truth(self, final="single"):
        return None


class Trained(SyntheticEvaluator):
    """Final scores that take a training each: other seeds, other scores. It fails, or hangs, where it is told to."""

    def truth(self, final="single"):
        return None

    def final_scores(self, archs, *, final="trained", seed=None):
        assert seed is not None
        if os.environ.get("TOY_TRAINING") == "hang":
            time.sleep(600)
        scores = super().final_scores(archs, final="single").scores + seed
        failed = {"fail": math.nan, "explode": math.inf}.get(os.environ.get("TOY_TRAINING", ""))
        failing = [failed is not None and sum(a) % 2 == 0 for a in archs]
        return FinalScores(np.where(failing, failed or 0.0, scores))

    def check_final(self, final):
        return


class ToyProtocol(TrainingProtocol):
    name = "toy"

    def tasks(self):
        return [
            Task("toy/edges", "toy", "edges", ("single",)),
            Task("toy/nodes", "toy", "nodes", ("single",)),
            Task("toy/error", "toy", "lower is better", ("single",)),
            Task("toy/final", "toy", "no validation split", ("single",), searchable=False),
            Task("toy/final2", "toy", "no validation split", ("single",), searchable=False),
            Task("toy/absent", "toy", "its data is not here", ("single",)),
            Task("toy/partial", "toy", "a part of the space has no score", ("single",)),
            Task("toy/drawn", "toy", "a surrogate", ("single",)),
            Task("toy/trained", "toy", "final scores are trained", ("trained",), recorded=False),
            Task("toy/laws", "toy", "every law of the space", ("single",)),
            Task("toy/timeless", "toy", "no seconds recorded", ("single",)),
        ]

    def missing(self, task):
        return "toy/absent: its table is not here; get it with: toy-download" if task.name == "toy/absent" else None

    def open(self, task):
        if reason := self.missing(task):
            raise DataMissing(reason)
        space = ToyNodeSpace() if task.name == "toy/nodes" else ToyEdgeSpace()
        if task.name != "toy/laws":  # one law, so that matched random search stands once beside an entry
            space.laws = (space.default_law,)
        kinds = {"toy/drawn": Drawn, "toy/trained": Trained}
        kind = kinds.get(task.name, SyntheticEvaluator)
        evaluator = kind(
            space,
            name=task.name,
            lower_is_better=task.name == "toy/error",
            records_seconds=task.name != "toy/timeless",
            unknown_share=1 / 3 if task.name == "toy/partial" else 0.0,
        )
        evaluator.task = task
        if not task.recorded:
            evaluator.sampling_draws = None
        return evaluator


@hookimpl
def nas_harness_strategies():
    return [
        Sampler,
        Returner,
        Moody,
        BadRanker,
        Raiser,
        Hanger,
        Killer,
        Foreigner,
        Nothing,
        Overspender,
        Guesser,
        Content,
        Fickle,
        Slow,
        Exiter,
        Unmade,
        Late,
        Repeater,
        Swallower,
        Talker,
        Deaf,
    ]


@hookimpl
def nas_harness_protocols():
    return [ToyProtocol]


@hookimpl
def nas_harness_spaces():
    return [
        Provides("harness.testing.spaces:ToyEdgeSpace", name="toy-edges"),
        Provides("harness.testing.spaces:ToyNodeSpace"),
    ]


def calls_per_query(run):
    """Not known of a run that paid nothing."""
    if os.environ.get("TOY_METRIC") == "raise":
        raise ValueError("a bug in the metric")
    if os.environ.get("TOY_METRIC") == "exit":
        sys.exit(7)
    if os.environ.get("TOY_METRIC") == "text":
        return "7"
    if os.environ.get("TOY_METRIC") == "inf":
        return math.inf
    return run.asked.total / run.paid.queries if run.paid and run.paid.queries else None


def paid_queries(run):
    return run.paid.queries if run.paid else None


@hookimpl
def nas_harness_metrics():
    return [
        Provides("toy_plugin:calls_per_query", name="toy-calls", summary="calls of the oracle per paid query"),
        Provides("toy_plugin:paid_queries", name="toy-paid", summary="paid queries"),
    ]


@hookimpl
def nas_harness_run_finished(run):
    if os.environ.get("TOY_HOOK") == "raise":
        raise ValueError("a bug in the hook")


@hookimpl
def nas_harness_study_finished(study):
    if os.environ.get("TOY_HOOK") == "exit":
        sys.exit(7)
