"""From the runs of a setting to its summary: every number of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.protocol import Score
from harness.reading.matched import matched_scores
from harness.reading.study import EntryRuns, SettingRuns
from harness.reading.summary import EntrySummary, Sampling, SettingSummary
from harness.records.lines import OutcomeRecord, SamplingRecord
from harness.records.runs import Run
from harness.records.specs import STRICT
from harness.statistics.inference import (
    Interval,
    MannWhitney,
    Verdict,
    holm,
    iqm,
    mann_whitney,
    ri_interval,
    ri_interval_estimated,
    std,
    t_interval,
    verdict,
)
from harness.statistics.metrics import relative_improvement, ri_paper


def summarise(runs: SettingRuns) -> SettingSummary:
    """Every entry of the setting, tested within its mode and ordered by mean final score."""
    sampling = runs.sampling
    modes = sorted({e.entry.mode for e in runs.entries}, key=lambda mode: (mode != STRICT, mode))
    entries: list[EntrySummary] = []
    for mode in modes:
        entries += _block([e for e in runs.entries if e.entry.mode == mode], runs)
    split = sampling.split if sampling else next((r.outcome.split for r in runs.runs if r.outcome), None)
    return SettingSummary(
        title=runs.title,
        setting=runs.setting,
        score=runs.score,
        split=split,
        random_sampling=Sampling(
            mean=sampling.mean, std=sampling.std, exact=sampling.exact, n=sampling.n, failed=sampling.failed
        )
        if sampling
        else Sampling(),
        best_validated=sampling.best_validated if sampling else None,
        tied=sampling.tied if sampling else None,
        best=sampling.best if sampling else None,
        ktau_of_validation=sampling.ktau_valid if sampling else None,
        entries=entries,
        references=[_Entry(r, runs).summary() for r in runs.references],
    )


def final_scores(entry: EntryRuns, sampling: SamplingRecord | None) -> list[float] | None:
    """Final score of each run; one that failed scores random sampling's mean. None where that is not known."""
    return _scores(entry.runs, lambda r: r.score, sampling.mean if sampling else None)


def valid_scores(entry: EntryRuns, sampling: SamplingRecord | None) -> list[float] | None:
    """Validation score of each reported architecture; a failed run's is random sampling's mean validation score."""
    return _scores(entry.runs, lambda r: r.valid, sampling.valid_mean if sampling else None)


def _scores(runs: Sequence[Run], of: Callable[[Run], float | None], sampling: float | None) -> list[float] | None:
    return _all(sampling if r.failed else of(r) for r in runs)


def _block(entries: Sequence[EntryRuns], runs: SettingRuns) -> list[EntrySummary]:
    """The entries of one mode: one family of Holm's for each question, ordered best first; without a score last."""
    worked = [_Entry(entry, runs) for entry in entries]
    sampling = holm([_p(w.vs_sampling) for w in worked])
    search = holm([_p(w.vs_search) for w in worked])
    valid = holm([_p(w.valid_vs_search) for w in worked])
    found = [w.tested(*adjusted) for w, *adjusted in zip(worked, sampling, search, valid, strict=True)]
    sign = 0.0 if runs.score is None else runs.score.sign
    return sorted(found, key=lambda s: (s.final_mean is None, -sign * (s.final_mean or 0.0)))


class _Entry:
    """One entry's samples, and what is computed of them."""

    def __init__(self, entry: EntryRuns, runs: SettingRuns) -> None:
        self.entry, self.score, self.sampling = entry, runs.score, runs.sampling
        self.finals = final_scores(entry, runs.sampling)
        self.valids = valid_scores(entry, runs.sampling)
        unit = runs.setting.budget.unit
        self.searched, self.searched_valid = matched_scores(entry, runs.reference_of(entry.entry), unit)

    @property
    def vs_sampling(self) -> MannWhitney | None:
        return self._test(self.finals, self.sampling.draws if self.sampling else None)

    @property
    def vs_search(self) -> MannWhitney | None:
        return self._test(self.finals, self.searched)

    @property
    def valid_vs_search(self) -> MannWhitney | None:
        return self._test(self.valids, self.searched_valid)

    def _test(self, scores: list[float] | None, other: Sequence[float] | None) -> MannWhitney | None:
        """None too where it is not known which way is up."""
        return mann_whitney(scores, other) if scores and other and self.score is not None else None

    def verdict(self, adjusted: float | None, test: MannWhitney | None, other: float | None) -> Verdict:
        if test is None or self.finals is None or other is None or self.score is None:
            return verdict(None, 0.0)
        superiority = test.superiority if self.score.higher_is_better else 1.0 - test.superiority
        return verdict(adjusted, self.score.sign * (float(np.mean(self.finals)) - other), superiority)

    def tested(self, p_sampling: float | None, p_search: float | None, p_valid: float | None) -> EntrySummary:
        search_mean = _mean(self.searched)
        return self.summary(
            search_mean=search_mean,
            search_valid_mean=_mean(self.searched_valid),
            p_vs_sampling=p_sampling,
            p_vs_search=p_search,
            p_valid_vs_search=p_valid,
            p_vs_sampling_raw=_p(self.vs_sampling),
            p_vs_search_raw=_p(self.vs_search),
            p_valid_vs_search_raw=_p(self.valid_vs_search),
            verdict_vs_sampling=self.verdict(
                p_sampling, self.vs_sampling, self.sampling.mean if self.sampling else None
            ),
            verdict_vs_search=self.verdict(p_search, self.vs_search, search_mean),
        )

    def summary(self, **tested: Any) -> EntrySummary:
        entry, runs, counted = self.entry.entry, self.entry.runs, self.entry.counted
        paid = [r.paid for r in runs if r.paid is not None]
        taus = [r.ktau for r in runs if r.ktau is not None]
        known = [r.score for r in runs if r.score is not None]
        interval = t_interval(self.finals) if self.finals else None
        ri, ri_ends, paper = _ri(self.finals, self.sampling)
        s = self.sampling
        best, best_valid, search_score = (s.best, s.best_valid, s.search_score) if s else (None, None, None)
        return EntrySummary(
            strategy=entry.strategy,
            label=entry.label,
            mode=entry.mode,
            role=entry.role,
            ablation=entry.ablation,
            n=len(runs),
            failed=len(self.entry.failed),
            failed_runs=[f"seed {r.seed}: {r.status}: {r.error or 'no final score'}" for r in self.entry.failed],
            final_mean=_mean(self.finals),
            final_std=std(self.finals) if self.finals else None,
            final_best=self.score.best(known) if known and self.score is not None else None,
            final_low=interval.low if interval else None,
            final_high=interval.high if interval else None,
            final_iqm=iqm(self.finals) if self.finals else None,
            ri=ri,
            ri_low=ri_ends.low if ri_ends else None,
            ri_high=ri_ends.high if ri_ends else None,
            ri_paper=paper,
            valid_mean=_mean(self.valids),
            regret_mean=self._regret(self.finals, self.score, best, lambda o: o.regret),
            valid_regret_mean=self._regret(self.valids, search_score, best_valid, lambda o: o.valid_regret),
            rank_mean=_mean(_all(r.outcome.rank if r.outcome else None for r in runs)),
            ktau=_known_mean(t.test for t in taus),
            ktau_valid=_known_mean(t.valid for t in taus),
            ktau_eq13=_known_mean(t.eq13 for t in taus),
            ktau_ctnas=_known_mean(t.ctnas for t in taus),
            ktau_n=min((t.n for t in taus), default=None),
            paid_queries_mean=_mean([p.queries for p in paid]),
            paid_epochs_mean=_mean(_all(p.epochs for p in paid)),
            total_queries_mean=_mean([r.asked.total for r in counted]),
            distinct_keys_mean=_mean([r.asked.keys for r in counted]),
            search_seconds_mean=_mean(_all(p.seconds for p in paid)),
            wall_seconds_mean=_known_mean(r.search.timing.get("search_seconds") for r in runs),
            tuning_queries=entry.tuning_queries,
            ended_by=dict(sorted(Counter(r.search.ended_by for r in runs).items())),
            params=entry.params,
            **tested,
        )

    def _regret(
        self,
        scores: list[float] | None,
        score: Score | None,
        best: float | None,
        of: Callable[[OutcomeRecord], float | None],
    ) -> float | None:
        """Mean regret; a failed run's is that of random sampling's mean."""
        if scores is None or score is None:
            return None
        regrets = [
            of(r.outcome) if r.outcome is not None and not r.failed else None if best is None else score.regret(s, best)
            for r, s in zip(self.entry.runs, scores, strict=True)
        ]
        return _mean(_all(regrets))


def _p(test: MannWhitney | None) -> float | None:
    return None if test is None else test.p


def _ri(
    finals: list[float] | None, sampling: SamplingRecord | None
) -> tuple[float | None, Interval | None, float | None]:
    """RI, its interval, and RI as the paper computes it; None where the score is no ratio scale."""
    if finals is None or sampling is None or not sampling.score.ratio_scale:
        return None, None, None
    higher = sampling.score.higher_is_better
    ri = relative_improvement(finals, sampling.mean, higher_is_better=higher)
    if sampling.exact:
        interval = ri_interval(finals, sampling.mean, higher_is_better=higher)
    else:
        drawn = _sample_with(sampling.mean, sampling.std, sampling.n)
        interval = ri_interval_estimated(finals, drawn, higher_is_better=higher)
    paper = ri_paper(finals, sampling.draws, higher_is_better=higher) if sampling.draws else None
    return ri, interval, paper


def _sample_with(mean: float, deviation: float, n: int) -> NDArray[np.float64]:
    """n values with exactly this mean and standard deviation (ddof 1): all that an interval of means depends on.

    Random sampling keeps its mean and deviation over all draws, but only the first 1,000 draws.
    """
    sample = np.full(n, mean)
    pairs = n // 2
    half = deviation * np.sqrt((n - 1) / (2 * pairs)) if pairs else 0.0
    sample[:pairs] += half
    sample[pairs : 2 * pairs] -= half
    return sample


def _all(values: Any) -> list[float] | None:
    """The values, or None where one of them does not exist."""
    found = list(values)
    return None if any(v is None for v in found) else found


def _mean(values: Sequence[float] | None) -> float | None:
    return float(np.mean(values)) if values else None


def _known_mean(values: Any) -> float | None:
    """Mean of the values that exist."""
    return _mean([v for v in values if v is not None])
