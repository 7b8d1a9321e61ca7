"""Sequential model-based optimisation: CSNAS's Algorithm 1, as an Optuna study.

CSNAS (Nguyen and Chang, 2021) proposes theta by TPE, scores it, and adds the pair to the history. Its objective is a
contrastive loss, which needs no labels; here the objective is whatever the study's search task scores. On a task that
scores anything else, such as validation accuracy, this is not CSNAS, and the record's notes say so.

The kinds of proposals, and the value that the model gets for each:

- paid, with a score: that score;
- a repeat: its known value, free;
- outside the space (*invalid*), beyond a constraint known before training (*infeasible*), or without a row in a partial
  table (*unknown*): unpaid. The model gets the worst score known, so that it turns away. While the sampler still draws
  its random starts, the model gets nothing, and the proposal is not one of the starts;
- paid, but the training failed, or the architecture breaks a constraint known only after training: the worst score
  known, also for its repeats.

After two repeats in a row one uniformly drawn unseen architecture is paid, counted as ``forced_random``. Unpaid
proposals neither continue nor break a series of repeats; after 100 of them in a row one architecture is forced too.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from harness import Architecture, InvalidArchitecture, Mode, Oracle, Params, Strategy
from harness.search.oracle import best_first
from harness_csnas.encodings import Encoding, Theta, make_encoding
from harness_csnas.sampler import ExpectedImprovement, GammaRule, gamma, tpe_starts

_REPEATS = 2
"""After so many repeats in a row one uniformly drawn unseen architecture is paid."""
_UNPAYABLE = 100
"""The same is done after so many proposals in a row that cannot be paid for."""
_DRAWS = 64_000
"""The search ends where so many uniform draws cannot be paid for; matched random search has the same bound."""
_RETURNED = 10


class EncodedParams(Params):
    encoding: Annotated[
        Literal["native", "first2", "dense"],
        msgspec.Meta(
            description="native: the space's own choices; first2: an operation of eight per possible edge, of which a "
            "node keeps two (DARTS); dense: all are kept, which is what native is on a dense space"
        ),
    ] = "native"


class CSNASParams(EncodedParams):
    n_startup_trials: Annotated[int, msgspec.Meta(ge=1, description="Uniform draws before the model (paper: 20)")] = 20
    n_ei_candidates: Annotated[
        int, msgspec.Meta(ge=1, description="Candidates for expected improvement (paper: 20,000; released code ran 24)")
    ] = 20_000
    gamma_rule: Annotated[
        GammaRule,
        msgspec.Meta(
            description="How many trials count as good: linear, sqrt (hyperopt), or released: sqrt with a share of .25 "
            "and 24 candidates, whatever gamma_share and n_ei_candidates say"
        ),
    ] = "linear"
    gamma_share: Annotated[float, msgspec.Meta(gt=0, lt=1, description="Share of good trials (paper: 20 %)")] = 0.2

    @classmethod
    def smallest(cls) -> CSNASParams:
        return cls(n_startup_trials=2, n_ei_candidates=24)


class TPEParams(EncodedParams):
    """The encoding alone: everything else is Optuna's own default."""


P_co = TypeVar("P_co", bound=EncodedParams, covariant=True)


class _ByTPE(Strategy[P_co]):
    """The loop that `CSNAS` and `TPE` share; they differ in the sampler."""

    @abstractmethod
    def _sampler(self, seed: int) -> tuple[optuna.samplers.BaseSampler, int]:
        """The sampler, and after how many told trials its model replaces random draws."""

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        encoding = make_encoding(self.params.encoding, oracle.space)
        sampler, starts = self._sampler(int(rng.integers(2**32)))
        self.notes = {
            "objective": oracle.score.name,
            "result_of": _result_of(oracle),
            "optuna": optuna.__version__,
            "encoding": self.params.encoding,
            "dimensions": len(encoding.widths),
            "effective_dimensions": encoding.effective_dimensions,
        }
        with _quiet():
            study = optuna.create_study(direction="maximize", sampler=sampler)
            loop = _Loop(oracle, encoding, study, rng, starts)
            try:
                loop.run()
            finally:
                self.notes |= loop.counts
                self.seconds = {"propose": loop.propose_seconds}
        return best_first(oracle, _RETURNED)


def _result_of(oracle: Oracle) -> str:
    """Whose result this is. CSNAS's objective is a contrastive loss; results with another are not called CSNAS's."""
    name = oracle.score.name
    if "contrastive" in name.lower():
        return f"the search task's objective, {name}"
    if name == "accuracy":
        return "TPE with a supervised oracle, not CSNAS: the search task scores labels"
    return f"TPE, not CSNAS: the search task scores {name}, which is no contrastive loss"


class _Outcome(Enum):
    """What a proposal was; the values are the names of the counts in the record's notes."""

    PAID = "paid"
    REPEAT = "repeats"
    INVALID = "invalid"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"


class _Loop:
    """Propose, score, tell the model, until the oracle ends the search or has nothing left to score."""

    def __init__(
        self, oracle: Oracle, encoding: Encoding, study: optuna.Study, rng: np.random.Generator, starts: int
    ) -> None:
        """``starts``: after so many told trials the sampler's model takes over from random starts."""
        self.oracle, self.encoding, self.study, self.rng, self.starts = oracle, encoding, study, rng, starts
        self.distributions: dict[str, Any] = {
            name: CategoricalDistribution(tuple(range(width)))
            for name, width in zip(encoding.names, encoding.widths, strict=True)
        }
        unpaid = [outcome.value for outcome in _Outcome if outcome is not _Outcome.PAID]
        self.counts = dict.fromkeys(["proposals", *unpaid, "forced_random"], 0)
        self.propose_seconds = 0.0
        self.told = 0
        self.worst: float | None = None
        self.unknown: set[Architecture] = set()

    def run(self) -> None:
        repeats = unpayable = 0
        while self.oracle.ended_by is None:
            outcome = self._propose()
            if outcome is _Outcome.PAID:
                repeats = unpayable = 0
            elif outcome is _Outcome.REPEAT:
                repeats, unpayable = repeats + 1, 0
            else:
                unpayable += 1
            if self.oracle.ended_by is None and (repeats == _REPEATS or unpayable == _UNPAYABLE):
                if not self._force():
                    return
                repeats = unpayable = 0

    def _propose(self) -> _Outcome:
        """One proposal of the model, scored where that is possible, and told."""
        started = time.perf_counter()
        trial = self.study.ask(self.distributions)
        self.propose_seconds += time.perf_counter() - started
        self.counts["proposals"] += 1
        theta: Theta = tuple(int(trial.params[name]) for name in self.encoding.names)
        outcome, value = self._score(self.encoding.decode(theta))
        if outcome is not _Outcome.PAID:
            self.counts[outcome.value] += 1
        unpayable = outcome not in (_Outcome.PAID, _Outcome.REPEAT)
        if value is None or (unpayable and self.told < self.starts):
            self.study.tell(trial, state=TrialState.FAIL)  # the model does not see it, and it is no random start
        else:
            self.study.tell(trial, value)
            self.told += 1
        return outcome

    def _force(self) -> bool:
        """Pay one uniformly drawn architecture that is not known yet, and tell it to the model; whether there was one.

        Raises BudgetExhausted where only known ones are drawn, once the oracle has answered too many free calls.
        """
        unpayable = 0
        while unpayable < _DRAWS:
            theta = self.encoding.draw(self.rng)
            arch = self.encoding.decode(theta)
            if arch is None:
                raise InvalidArchitecture(f"{theta} was drawn, but encodes no architecture of {self.oracle.space.name}")
            outcome, value = self._score(arch)
            if outcome is _Outcome.PAID:
                self.counts["forced_random"] += 1
                if value is not None:
                    parameters = dict(zip(self.encoding.names, theta, strict=True))
                    self.study.add_trial(
                        optuna.trial.create_trial(params=parameters, distributions=self.distributions, value=value)
                    )
                    self.told += 1
                return True
            unpayable += outcome is not _Outcome.REPEAT
        return False

    def _score(self, arch: Architecture | None) -> tuple[_Outcome, float | None]:
        """The kind of ``arch``, and the value for the model; None where no worst score is known yet."""
        if arch is None:
            return _Outcome.INVALID, self.worst
        if self.oracle.violation([arch])[0] > 0:
            return _Outcome.INFEASIBLE, self.worst
        if arch in self.unknown:
            return _Outcome.UNKNOWN, self.worst
        paid, missing = self.oracle.paid.queries, self.oracle.ledger.missing
        score = self.oracle.query(arch)
        if self.oracle.ledger.missing > missing:
            self.unknown.add(arch)
            return _Outcome.UNKNOWN, self.worst
        if score == score:
            self.worst = score if self.worst is None else min(self.worst, score)
        failed = score != score or not self.oracle.feasible(arch)
        outcome = _Outcome.PAID if self.oracle.paid.queries > paid else _Outcome.REPEAT
        return outcome, self.worst if failed else score


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna logs every trial; its verbosity is a global, so it is put back."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


class CSNAS(_ByTPE[CSNASParams]):
    """Sequential model-based search by expected improvement, as in CSNAS (Nguyen and Chang 2021).

    The settings are those of Section IV: uniform prior, 20 random starts, 20,000 candidates, top 20 %, each
    variable by itself.

    With a fifth of all points called good, the model soon prefers one option of each variable, and proposes known
    architectures; fewer candidates do not change that. After two repeats in a row one uniformly drawn architecture is
    paid instead; the record's note `forced_random` counts these. On small spaces most of the budget goes there: 72 to
    77 of 100 paid queries on NAS-Bench-201's CIFAR-10 (five seeds; with `gamma_rule` sqrt 4 to 7).
    """

    name = "csnas"
    paper = (
        "Nguyen and Chang, CSNAS: Contrastive Self-supervised Learning Neural Architecture Search via Sequential "
        "Model-Based Optimization (2021)"
    )
    modes = {
        "strict": Mode(),
        "paper": Mode(
            note="the paper's settings, which are the defaults; only its contrastive objective makes it CSNAS"
        ),
    }

    def _sampler(self, seed: int) -> tuple[optuna.samplers.BaseSampler, int]:
        p = self.params
        candidates = 24 if p.gamma_rule == "released" else p.n_ei_candidates
        good = gamma(p.gamma_rule, p.gamma_share)
        return ExpectedImprovement(
            starts=p.n_startup_trials, candidates=candidates, good=good, seed=seed
        ), p.n_startup_trials


class TPE(_ByTPE[TPEParams]):
    """Optuna's TPE with its own defaults (Bergstra et al. 2011).

    This is its TPESampler as users run it.
    """

    name = "tpe"
    paper = "Bergstra, Bardenet, Bengio and Kégl, Algorithms for Hyper-Parameter Optimization (NeurIPS 2011)"

    def _sampler(self, seed: int) -> tuple[optuna.samplers.BaseSampler, int]:
        return optuna.samplers.TPESampler(seed=seed), tpe_starts()
