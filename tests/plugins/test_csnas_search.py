"""CSNAS's sequential model-based search and Optuna's own TPE."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import optuna
import pytest
from landscapes import Grid, Landscape, Watched
from optuna.trial import FrozenTrial, TrialState

import harness_csnas.search as search_module
from harness.errors import HarnessError
from harness.protocol import Score, Validation, Validator
from harness.search.budget import Budget
from harness.search.constraints import Constraint
from harness.search.oracle import Oracle
from harness.spaces import Architecture, SearchSpace
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness.testing.synthetic import SyntheticEvaluator
from harness_csnas.sampler import ExpectedImprovement, gamma
from harness_csnas.search import CSNAS, TPE, CSNASParams, TPEParams
from harness_nasbench.spaces.nasbench101 import NASBench101Space
from harness_nasbench.spaces.nasbench201 import CONV3, NASBench201Space

QUICK = CSNASParams(n_ei_candidates=24)
STARTS = 20
"""Random starts of CSNAS."""
each_strategy = pytest.mark.parametrize("strategy", [TPE(), CSNAS(QUICK)], ids=["tpe", "csnas"])


@dataclass
class Kept:
    """The Optuna study of one search, and the numbers of the trials that its sampler proposed."""

    study: optuna.Study
    asked: set[int]

    def trials(self, space: SearchSpace) -> Iterator[tuple[Architecture, FrozenTrial, bool]]:
        """In the order told: architecture, trial, and whether the model proposed it (else it was forced)."""
        for trial in self.study.trials:
            yield tuple(trial.params[c.name] for c in space.choices), trial, trial.number in self.asked

    def line(self, space: SearchSpace, payable: Callable[[Architecture], bool] = lambda arch: True) -> str:
        """A letter a trial: P paid, R repeat, U unpayable, F forced; by the keys seen before, not by notes."""
        seen: set[str] = set()
        letters = ""
        for arch, _, proposed in self.trials(space):
            if not space.is_valid(arch) or not payable(arch):
                letters += "U"
                continue
            key = space.key(arch)
            letters += "F" if not proposed else "R" if key in seen else "P"
            seen.add(key)
        return letters


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[Kept]:
    """Every Optuna study that is made."""
    found: list[Kept] = []
    create = optuna.create_study

    def keep(**options):  # type: ignore[no-untyped-def]
        study = create(**options)
        found.append(Kept(study, set()))
        ask, asked = study.ask, found[-1].asked

        def note(*args):  # type: ignore[no-untyped-def]
            trial = ask(*args)
            asked.add(trial.number)
            return trial

        study.ask = note
        return study

    monkeypatch.setattr(optuna, "create_study", keep)
    return found


class Measured(Landscape):
    """A landscape whose tasks also measure ``latency``, known only after training."""

    def __init__(self, space, score, latency) -> None:  # type: ignore[no-untyped-def]
        super().__init__(space, score)
        self.latency = latency

    @property
    def known_after(self) -> tuple[str, ...]:
        return ("latency",)

    def validate(self, archs, *, fidelity, repeat=None) -> Validation:  # type: ignore[no-untyped-def]
        plain = super().validate(archs, fidelity=fidelity, repeat=repeat)
        return Validation(plain.valid, plain.seconds, measured={"latency": np.array(list(map(self.latency, archs)))})


def under(validator: Validator, queries: int, *constraints: str) -> Watched:
    return Watched(validator, Budget(queries=queries), constraints=[Constraint.parse(c) for c in constraints])


def search(strategy: CSNAS | TPE, space: SearchSpace, queries: int, seed: int = 0) -> Oracle:
    oracle = Oracle(SyntheticEvaluator(space).validator(), Budget(queries=queries))
    strategy.search(oracle, np.random.default_rng(seed))
    return oracle


@each_strategy
@pytest.mark.parametrize("space", [NASBench201Space(), ToyNodeSpace()], ids=["nasbench201", "toy-nodes"])
def test_a_budget_of_n_is_n_paid_queries(strategy: CSNAS | TPE, space: SearchSpace) -> None:
    oracle = search(strategy, space, 30)
    assert oracle.paid[0] == 30
    assert oracle.ended_by == "queries"
    counts = strategy.notes
    assert counts["infeasible"] == counts["unknown"] == 0
    model = counts["proposals"] - counts["repeats"] - counts["invalid"]
    assert model + counts["forced_random"] == 30
    assert oracle.asked["total"] == 30 + oracle.asked["cached"]
    assert oracle.asked["invalid"] == 0


@each_strategy
def test_a_repeat_is_told_with_its_known_value(strategy: CSNAS | TPE, kept: list[Kept]) -> None:
    space = ToyEdgeSpace()
    validator = SyntheticEvaluator(space).validator()
    search(strategy, space, 50, seed=1)
    trials = list(kept[0].trials(space))
    assert all(t.state == TrialState.COMPLETE for _, t, _ in trials)
    known = validator.validate([a for a, _, _ in trials], fidelity=validator.fidelities[-1]).valid
    assert [t.value for _, t, _ in trials] == known.tolist()
    line = kept[0].line(space)
    assert line.count("R") == strategy.notes["repeats"] > 0
    assert len(line) == strategy.notes["proposals"] + strategy.notes["forced_random"]


@each_strategy
@pytest.mark.parametrize("space", [ToyEdgeSpace(), ToyNodeSpace()], ids=lambda s: s.name)
def test_a_draw_is_forced_after_exactly_two_repeats_and_never_else(
    strategy: CSNAS | TPE, space: SearchSpace, kept: list[Kept]
) -> None:
    """Invalid proposals, of which ToyNodeSpace has many, neither break a row of repeats nor belong to it."""
    search(strategy, space, 50, seed=1)
    line = kept[0].line(space)
    assert line.count("F") == strategy.notes["forced_random"] > 0
    assert line.count("U") == strategy.notes["invalid"]
    assert re.fullmatch("(P|RP|RRF)+", line.replace("U", "")), line
    if isinstance(space, ToyNodeSpace):
        assert re.search("RU+RU*F|RRU+F", line) is not None, f"a row with an invalid proposal inside: {line}"


@each_strategy
@pytest.mark.parametrize("space", [ToyNodeSpace(), NASBench101Space()], ids=lambda s: s.name)
def test_invalid_proposals_use_up_no_random_start_and_are_the_worst_afterwards(
    strategy: CSNAS | TPE, space: SearchSpace, kept: list[Kept]
) -> None:
    search(strategy, space, 40)
    starts = STARTS if isinstance(strategy, CSNAS) else 10
    told: list[float] = []
    unseen = punished = 0
    for arch, trial, _ in kept[0].trials(space):
        if space.is_valid(arch):
            told.append(trial.value)
        elif len(told) < starts:
            assert trial.state == TrialState.FAIL
            unseen += 1
        else:
            assert trial.value == min(told)
            told.append(trial.value)
            punished += 1
    assert unseen > 0
    assert punished > 0 or strategy.name == "csnas", "its model proposes none"


def test_the_random_starts_are_those_of_the_sampler() -> None:
    for strategy in (TPE(), CSNAS(), CSNAS(CSNASParams(n_startup_trials=7))):
        sampler, starts = strategy._sampler(0)
        assert starts == (sampler._n_startup_trials if isinstance(strategy, TPE) else sampler.starts)


# -- what cannot be paid for, and what is paid in vain ---------------------------------------------------------------


@each_strategy
def test_a_partial_table_is_searched_and_a_missing_row_is_asked_for_once(
    strategy: CSNAS | TPE, kept: list[Kept]
) -> None:
    space = Grid(6, 6, 6)

    def known(arch: Architecture) -> bool:
        return sum(arch) % 2 == 0

    oracle = under(Landscape(space, lambda a: float(sum(a)) if known(a) else None), 40)
    strategy.search(oracle, np.random.default_rng(0))
    assert (oracle.paid[0], oracle.ended_by) == (40, "queries")
    missing = [a for a, _ in oracle.calls if not known(a)]
    assert len(missing) == len(set(missing)) > 0
    line = kept[0].line(space, known)
    assert line.count("U") == strategy.notes["unknown"] > 0
    assert re.fullmatch("(P|RP|RRF)+", line.replace("U", "")), line


@each_strategy
def test_under_a_constraint_known_before_training_n_are_paid_and_none_is_asked_for_in_vain(
    strategy: CSNAS | TPE, kept: list[Kept]
) -> None:
    """Fewer parameters than with two 3 x 3 convolutions that count; the score wants as many convolutions as can be."""
    space = NASBench201Space()
    bound = space.costs([(CONV3, 0, 0, 0, 0, CONV3)])["params"][0] - 1
    share = np.mean(space.costs(space.sample(np.random.default_rng(5), 2000))["params"] <= bound)
    assert 0.1 < share < 0.9, "a constraint that matters"
    oracle = under(Landscape(space, lambda a: float(sum(o == CONV3 for o in a))), 60, f"params <= {bound}")
    strategy.search(oracle, np.random.default_rng(0))
    assert (oracle.paid[0], oracle.ended_by) == (60, "queries")
    assert oracle.asked["infeasible"] == 0
    assert strategy.notes["infeasible"] > 0
    told: list[float] = []
    starts = STARTS if isinstance(strategy, CSNAS) else 10
    scores = {space.key(o.arch): o.score for o in oracle.history}
    for arch, trial, _ in kept[0].trials(space):
        if space.costs([arch])["params"][0] <= bound:
            assert trial.value == scores[space.key(arch)]
            told.append(trial.value)
        elif len(told) < starts:
            assert trial.state == TrialState.FAIL
        else:
            assert trial.value == min(told)
            told.append(trial.value)
    line = kept[0].line(space, lambda a: bool(space.costs([a])["params"][0] <= bound))
    assert line.count("U") == strategy.notes["infeasible"]
    assert line.count("R") == strategy.notes["repeats"], "what was refused is no repeat"
    assert re.fullmatch("(P|RP|RRF)+", line.replace("U", "")), line


def test_a_hundred_unpayable_proposals_in_a_row_force_a_draw(kept: list[Kept]) -> None:
    """Ten cells of 15,625 can be paid for."""
    space = NASBench201Space()
    feasible = {(CONV3, 0, 0, 0, 0, o) for o in range(5)} | {(0, 0, 0, 0, CONV3, o) for o in range(5)}

    class Few(Landscape):
        def costs(self, archs):  # type: ignore[no-untyped-def]
            return {"params": np.array([float(a not in feasible) for a in archs])}

    strategy = TPE()
    oracle = under(Few(space, lambda a: 1.0), 3, "params <= 0")
    strategy.search(oracle, np.random.default_rng(0))
    assert oracle.paid[0] == 3
    line = kept[0].line(space, feasible.__contains__)
    assert strategy.notes["forced_random"] == line.count("F") > 0
    assert re.search("U{101}", line) is None
    assert re.search("U{100}F", line) is not None


@each_strategy
def test_where_nothing_can_be_paid_for_the_search_ends(strategy: CSNAS | TPE, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "_DRAWS", 300)
    oracle = under(Landscape(ToyEdgeSpace(), lambda a: 1.0), 10, "params <= -1")
    assert strategy.search(oracle, np.random.default_rng(0)) == []
    assert oracle.asked["total"] == 0
    assert strategy.notes["infeasible"] == 100


@each_strategy
def test_what_breaks_a_constraint_known_only_after_training_is_told_as_the_worst(
    strategy: CSNAS | TPE, kept: list[Kept]
) -> None:
    """The best cells are too slow, which their payment shows: told by their scores, they would be sought for ever."""
    space = ToyEdgeSpace()
    oracle = under(Measured(space, lambda a: float(sum(a)), lambda a: float(sum(a))), 40, "latency <= 6.5")
    strategy.search(oracle, np.random.default_rng(3))
    assert oracle.paid[0] == 40
    assert {o.feasible for o in oracle.history} == {True, False}
    worst, slow = math.inf, 0
    scores = {space.key(o.arch): o.score for o in oracle.history}
    for arch, trial, _ in kept[0].trials(space):
        score = scores[space.key(arch)]
        worst = min(worst, score)
        slow += score > 6.5
        assert trial.value == (score if score <= 6.5 else worst)
    assert slow > sum(not o.feasible for o in oracle.history), "repeats of slow ones too"


@each_strategy
def test_a_failed_training_is_paid_and_told_as_the_worst(strategy: CSNAS | TPE, kept: list[Kept]) -> None:
    space = ToyEdgeSpace()
    oracle = under(Landscape(space, lambda a: math.nan if a[0] == 3 else float(sum(a))), 40)
    strategy.search(oracle, np.random.default_rng(0))
    assert oracle.paid[0] == 40
    scores = {space.key(o.arch): o.score for o in oracle.history}
    worst, failed = math.inf, 0
    for arch, trial, _ in kept[0].trials(space):
        score = scores[space.key(arch)]
        worst = min(worst, score) if score == score else worst
        failed += score != score
        if score == score:
            assert trial.value == score
        elif worst < math.inf:
            assert trial.value == worst
        else:
            assert trial.state == TrialState.FAIL
    assert failed > 0


def test_a_space_smaller_than_the_budget_is_learned_whole_and_ends() -> None:
    oracle = search(TPE(), ToyEdgeSpace(), 200)
    assert (oracle.ended_by, oracle.paid[0]) == ("space", 55)


def test_the_papers_settings_reach_the_sampler() -> None:
    """Section IV: 20 random starts, 20,000 candidates, the best 20 %."""
    sampler, starts = CSNAS()._sampler(0)
    assert isinstance(sampler, ExpectedImprovement)
    assert (starts, sampler.starts, sampler.candidates) == (20, 20, 20_000)
    assert [sampler._good(n) for n in (1, 20, 100, 101)] == [1, 4, 20, 21]


def test_the_split_rules_are_hyperopts_and_the_papers() -> None:
    """hyperopt: min(ceil(gamma sqrt(n)), 25), with .25 by default."""
    assert [gamma("sqrt", 0.2)(n) for n in (1, 100, 400)] == [1, 2, 4]
    assert [gamma("released", 0.2)(n) for n in (100, 20_000)] == [3, 25]
    released, _ = CSNAS(CSNASParams(gamma_rule="released"))._sampler(0)
    assert isinstance(released, ExpectedImprovement)
    assert released.candidates == 24


@pytest.mark.parametrize(
    ("score", "own"),
    [
        (Score(), False),
        (Score("error", "%", higher_is_better=False), False),
        (Score("ROC AUC", ""), False),
        (Score("validation loss", "", higher_is_better=False), False),
        (Score("contrastive loss", "", higher_is_better=False), True),
        (Score("Contrastive NCE", "", higher_is_better=False), True),
    ],
    ids=lambda x: x.name if isinstance(x, Score) else "",
)
def test_nothing_but_a_contrastive_loss_is_called_csnass_result(score: Score, own: bool) -> None:
    landscape = Landscape(ToyEdgeSpace(), lambda a: float(sum(a)))
    landscape.score = score
    strategy = CSNAS(QUICK)
    strategy.search(under(landscape, 5), np.random.default_rng(0))
    assert strategy.notes["objective"] == score.name
    assert ("not CSNAS" in strategy.notes["result_of"]) is not own


def test_dense_is_refused_by_name_and_first2_where_it_does_not_fit() -> None:
    with pytest.raises(HarnessError, match="'dense'.*not for toy-edges"):
        search(TPE(TPEParams(encoding="dense")), ToyEdgeSpace(), 5)
    with pytest.raises(HarnessError, match="'first2'.*not for toy-edges"):
        search(TPE(TPEParams(encoding="first2")), ToyEdgeSpace(), 5)


def test_optunas_verbosity_is_left_as_found() -> None:
    before = optuna.logging.get_verbosity()
    search(TPE(), ToyEdgeSpace(), 5)
    assert optuna.logging.get_verbosity() == before


def test_tpe_finds_structure_that_random_search_does_not() -> None:
    """On a sum of per-choice effects, 60 queries of 15,625: the median run reaches more than random search's."""
    space = NASBench201Space()
    effects = np.random.default_rng(7).normal(size=(6, 5))

    class Additive(Oracle):
        def query(self, arch, **options):  # type: ignore[no-untyped-def]
            super().query(arch, **options)
            return float(effects[np.arange(6), arch].sum())

    def best(seed: int, strategy: TPE | None) -> float:
        oracle = Additive(SyntheticEvaluator(space).validator(), Budget(queries=60))
        if strategy is not None:
            strategy.search(oracle, np.random.default_rng(seed))
            archs = [o.arch for o in oracle.history]
        else:
            archs = space.sample(np.random.default_rng(seed), 60)
        return max(float(effects[np.arange(6), a].sum()) for a in archs)

    ours = [best(s, TPE()) for s in range(7)]
    random = [best(s, None) for s in range(100, 107)]
    assert np.median(ours) > max(random)


def test_tpe_of_500_trials_on_six_choices_takes_under_ten_seconds() -> None:
    started = time.process_time()
    assert search(TPE(), NASBench201Space(), 500).paid[0] == 500
    assert time.process_time() - started < 10
