"""Sequential model-based optimisation: CSNAS's Algorithm 1 with Optuna's TPE as the surrogate.

CSNAS (Nguyen and Chang, 2021) proposes theta by TPE, scores it, and adds the pair to the history. Its objective is a
contrastive loss, which needs no labels; here the objective is whatever the study's search task scores. On a task that
scores validation accuracy this is TPE on labels, and the record's notes say so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from harness import Architecture, InvalidArchitecture, Mode, Oracle, Params, Strategy
from harness.reference import best_first
from harness_csnas.encodings import Encoding, Theta, make_encoding
from harness_csnas.sampler import GammaRule, gamma, make_sampler

_PATIENCE = 2
"""After so many proposals in a row that teach nothing, one uniformly drawn unseen architecture is paid."""
_RETURNED = 10


class CSNASParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    encoding: Annotated[
        Literal["native", "first2", "dense"],
        msgspec.Meta(description="native: the space's own choices; first2: an operation per possible edge (DARTS)"),
    ] = "native"
    n_startup_trials: Annotated[int, msgspec.Meta(ge=1, description="Uniform draws before the model (paper: 20)")] = 20
    n_ei_candidates: Annotated[
        int, msgspec.Meta(ge=1, description="Candidates for expected improvement (paper: 20,000; released code ran 24)")
    ] = 20_000
    gamma_rule: Annotated[
        GammaRule, msgspec.Meta(description="How many trials count as good: linear, sqrt (hyperopt), or released")
    ] = "linear"
    gamma_share: Annotated[float, msgspec.Meta(gt=0, lt=1, description="Share of good trials (paper: 20 %)")] = 0.2

    @classmethod
    def smallest(cls) -> CSNASParams:
        return cls(n_startup_trials=2, n_ei_candidates=24)


class TPEParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    encoding: Annotated[
        Literal["native", "first2", "dense"],
        msgspec.Meta(description="native: the space's own choices; first2: an operation per possible edge (DARTS)"),
    ] = "native"


class _ByTPE(Strategy):
    """The loop that `CSNAS` and `TPE` share; they differ in the sampler's settings."""

    def _settings(self) -> dict[str, Any]:
        return {}

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        encoding = make_encoding(self.params.encoding, oracle.space)
        sampler, gone = make_sampler({**self._settings(), "seed": int(rng.integers(2**32))})
        self.notes = {
            "objective": oracle.score.name,
            "result_of": _result_of(oracle),
            "optuna": optuna.__version__,
            "settings_not_supported": gone,
            "encoding": self.params.encoding,
            "dimensions": len(encoding.widths),
            "effective_dimensions": encoding.effective_dimensions,
        }
        with _quiet():
            loop = _Loop(oracle, encoding, optuna.create_study(direction="maximize", sampler=sampler), rng)
            try:
                loop.run()
            finally:
                self.notes |= loop.counts
                self.seconds = {"propose": loop.propose_seconds}
        return best_first(oracle, _RETURNED)


def _result_of(oracle: Oracle) -> str:
    if oracle.score.name == "accuracy":
        return "TPE with a supervised oracle, not CSNAS: the search task scores labels"
    return f"the search task's objective, {oracle.score.name}"


class _Loop:
    """Propose, score, tell, until the oracle ends the search."""

    def __init__(self, oracle: Oracle, encoding: Encoding, study: optuna.Study, rng: np.random.Generator) -> None:
        self.oracle, self.encoding, self.study, self.rng = oracle, encoding, study, rng
        self.distributions: dict[str, Any] = {
            name: CategoricalDistribution(tuple(range(width)))
            for name, width in zip(encoding.names, encoding.widths, strict=True)
        }
        self.counts = {"proposals": 0, "repeats": 0, "invalid": 0, "forced_random": 0}
        self.propose_seconds = 0.0
        self.worst: float | None = None

    def run(self) -> None:
        wasted = 0
        while self.oracle.ended_by is None:
            wasted = 0 if self._propose() else wasted + 1
            if wasted == _PATIENCE and self.oracle.ended_by is None:
                self._force()
                wasted = 0

    def _propose(self) -> bool:
        """One proposal of the model; whether it was paid for. A repeat is told with its known value."""
        started = time.perf_counter()
        trial = self.study.ask(self.distributions)
        self.propose_seconds += time.perf_counter() - started
        self.counts["proposals"] += 1
        theta: Theta = tuple(int(trial.params[name]) for name in self.encoding.names)
        arch = self.encoding.decode(theta)
        if arch is None:
            self.counts["invalid"] += 1
            self._tell(trial, self.worst)
            return False
        score, paid = self._query(arch)
        self.counts["repeats"] += not paid
        self._tell(trial, None if score != score else score)
        return paid

    def _tell(self, trial: optuna.Trial, value: float | None) -> None:
        """Without a value the trial failed, and the model does not see it."""
        if value is None:
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, value)

    def _query(self, arch: Architecture) -> tuple[float, bool]:
        before = self.oracle.paid[0]
        score = self.oracle.query(arch)
        if score == score:
            self.worst = score if self.worst is None else min(self.worst, score)
        return score, self.oracle.paid[0] > before

    def _force(self) -> None:
        """Pay one uniformly drawn architecture that is not known yet, and tell it to the model."""
        paid, score = False, float("nan")
        theta: Theta = ()
        while not paid and self.oracle.ended_by is None:
            theta = self.encoding.draw(self.rng)
            arch = self.encoding.decode(theta)
            if arch is None:
                raise InvalidArchitecture(f"{theta} was drawn, but encodes no architecture of {self.oracle.space.name}")
            score, paid = self._query(arch)
        if paid:
            self.counts["forced_random"] += 1
        if paid and score == score:
            parameters = dict(zip(self.encoding.names, theta, strict=True))
            self.study.add_trial(
                optuna.trial.create_trial(params=parameters, distributions=self.distributions, value=score)
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna logs every trial; its verbosity is a global, so it is put back."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


class CSNAS(_ByTPE):
    """TPE with the settings of CSNAS, Section IV: uniform prior, 20 random starts, 20,000 candidates, top 20 %, each
    variable by itself."""

    name = "csnas"
    summary = "sequential model-based search with CSNAS's settings of TPE"
    Params = CSNASParams
    modes = {
        "strict": Mode(),
        "paper": Mode(
            note="the paper's settings, which are the defaults; only its contrastive objective makes it CSNAS"
        ),
    }

    def _settings(self) -> dict[str, Any]:
        p: CSNASParams = self.params
        candidates = 24 if p.gamma_rule == "released" else p.n_ei_candidates
        return {
            "n_startup_trials": p.n_startup_trials,
            "n_ei_candidates": candidates,
            "gamma": gamma(p.gamma_rule, p.gamma_share),
            "prior_weight": 1.0,
            "multivariate": False,
            "constant_liar": False,
        }


class TPE(_ByTPE):
    """Optuna's TPESampler as users run it: its own defaults."""

    name = "tpe"
    summary = "Optuna's TPE with its own defaults"
    Params = TPEParams
