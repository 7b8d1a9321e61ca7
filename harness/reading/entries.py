"""From the runs of a study to its summary: every number of the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from harness.protocol import Score
from harness.reading.matched import all_of
from harness.reading.samples import EntrySamples, shown, shown_valids
from harness.reading.study import EntryRuns, SettingRuns, StudyRuns
from harness.reading.summary import Against, EntrySummary, Sampling, SettingSummary
from harness.records.lines import OutcomeRecord, SamplingRecord
from harness.records.specs import STRICT
from harness.statistics.coverage import atom
from harness.statistics.inference import (
    Interval,
    holm,
    iqm,
    ri_interval,
    ri_interval_estimated,
    sample_with,
    std,
    t_interval,
)
from harness.statistics.metrics import relative_improvement, ri_paper
from harness.statistics.verdicts import Comparison, headline, verdict_on

_QUESTIONS = ("vs_sampling", "vs_search")
"""The questions that verdicts answer: together they are the family of a study."""


def summarise(study: StudyRuns) -> list[SettingSummary]:
    """Every setting, each entry tested within its mode and ordered by mean final score."""
    worked = [[EntrySamples(entry, setting) for entry in setting.entries] for setting in study.settings]
    tested: dict[EntrySamples, dict[str, Against]] = {}
    for mode in {e.entry.mode for s in study.settings for e in s.entries}:
        tested |= _tested([[e for e in entries if e.runs.entry.mode == mode] for entries in worked])
    summaries = [[_summary(e, tested[e]) for e in entries] for entries in worked]
    return [_setting(s, entries) for s, entries in zip(study.settings, summaries, strict=True)]


def _tested(settings: list[list[EntrySamples]]) -> dict[EntrySamples, dict[str, Against]]:
    """The answers to each question for the entries of one mode, in each setting."""
    found: dict[EntrySamples, dict[str, Against]] = {e: {} for entries in settings for e in entries}
    in_study = headline([[_p(getattr(e, q)) for q in _QUESTIONS for e in entries] for entries in settings])
    for entries, of_study in zip(settings, map(iter, in_study), strict=True):
        for question in (*_QUESTIONS, "valid_vs_search"):
            answers: list[Comparison | None] = [getattr(e, question) for e in entries]
            for e, answer, p in zip(entries, answers, holm(list(map(_p, answers))), strict=True):
                found[e][question] = against(answer, p, next(of_study) if question in _QUESTIONS else None)
    return found


def _p(comparison: Comparison | None) -> float | None:
    return None if comparison is None else comparison.p


def against(comparison: Comparison | None, p_setting: float | None, p_study: float | None) -> Against:
    if comparison is None:
        return Against()
    return Against(
        p=comparison.p,
        p_setting=p_setting,
        p_study=p_study,
        superiority=comparison.superiority,
        difference=comparison.difference,
        n=max(part.m for part in comparison.against.values()),
        verdict=verdict_on(comparison, p_study),
    )


def _setting(of: SettingRuns, entries: list[EntrySummary]) -> SettingSummary:
    s, sign = of.sampling, 0.0 if of.score is None else of.score.sign
    return SettingSummary(
        title=of.title,
        setting=of.setting,
        score=of.score,
        split=s.split if s else next((r.outcome.split for r in of.runs if r.outcome), None),
        random_sampling=Sampling(mean=s.mean, std=s.std, exact=s.exact, n=s.n, failed=s.failed) if s else Sampling(),
        best_validated=s.best_validated if s else None,
        tied=s.tied if s else None,
        best=s.best if s else None,
        worst=None if of.worst is None else sign * of.worst,
        ktau_of_validation=s.ktau_valid if s else None,
        entries=sorted(
            entries, key=lambda e: (e.mode != STRICT, e.mode, e.final_mean is None, -sign * (e.final_mean or 0.0))
        ),
        references=[_summary(EntrySamples(r, of)) for r in of.references],
    )


def _summary(of: EntrySamples, tested: dict[str, Against] | None = None) -> EntrySummary:
    entry, runs, counted = of.runs.entry, of.runs.runs, of.runs.counted
    paid = [r.paid for r in runs if r.paid is not None]
    taus = [r.ktau for r in runs if r.ktau is not None]
    known = [r.score for r in runs if r.score is not None]
    final_scores, s = of.final_scores, of.sampling
    ends = t_interval(final_scores) if final_scores else None
    ri, ri_ends, paper = _ri(final_scores, s)
    search_score = s.search_score if s else None
    # Of draws the best is not the best row.
    best, best_valid = (s.best, s.best_valid) if s and s.exact else (None, None)
    most, most_runs = atom(known) if known else (None, None)
    searched: dict[str, Any] = dict(tested or {})
    if tested and of.reference is not None:
        answers = of.searched
        mean, valid_mean = (s.mean, s.valid_mean) if s else (None, None)
        searched |= {
            "search_mean": _mean(shown([a.score for a in answers], mean)) if answers else None,
            "search_whole_mean": _mean(shown([r.score for r in of.reference.runs], mean)),
            "search_valid_mean": _mean(shown_valids(answers, valid_mean)) if answers else None,
            "search_weakest": of.vs_search.weakest if of.vs_search else None,
        }
    return EntrySummary(
        strategy=entry.strategy,
        label=entry.label,
        mode=entry.mode,
        role=entry.role,
        ablation=entry.ablation,
        n=len(runs),
        failed=len(of.runs.failed),
        failed_runs=of.runs.failures,
        final_mean=_mean(final_scores),
        final_std=std(final_scores) if final_scores else None,
        final_best=of.score.best(known) if known and of.score is not None else None,
        final_low=ends.low if ends else None,
        final_high=ends.high if ends else None,
        final_iqm=iqm(final_scores) if final_scores else None,
        worst_case_mean=of.worst_case_mean(),
        most_common=most,
        most_common_runs=most_runs,
        interval=None if ends is None else of.interval(),
        interval_coverage=None if ends is None else of.coverage,
        ri=ri,
        ri_low=ri_ends.low if ri_ends else None,
        ri_high=ri_ends.high if ri_ends else None,
        ri_paper=paper,
        valid_mean=_mean(of.valids),
        regret_mean=_regret(of.runs, final_scores, of.score, best, lambda o: o.regret),
        valid_regret_mean=_regret(of.runs, of.valids, search_score, best_valid, lambda o: o.valid_regret),
        rank_mean=_mean(all_of(r.outcome.rank if r.outcome else None for r in runs)),
        ktau=_known_mean(t.test for t in taus),
        ktau_valid=_known_mean(t.valid for t in taus),
        ktau_eq13=_known_mean(t.eq13 for t in taus),
        ktau_ctnas=_known_mean(t.ctnas for t in taus),
        ktau_n=min((t.n for t in taus), default=None),
        paid_queries_mean=_mean([p.queries for p in paid]),
        paid_epochs_mean=_mean(all_of(p.epochs for p in paid)),
        total_queries_mean=_mean([r.asked.total for r in counted]),
        distinct_keys_mean=_mean([r.asked.keys for r in counted]),
        search_seconds_mean=_mean(all_of(p.seconds for p in paid)),
        wall_seconds_mean=_known_mean(r.search.timing.get("search_seconds") for r in runs),
        tuning_queries=entry.tuning_queries,
        ended_by=dict(sorted(Counter(r.search.ended_by for r in runs).items())),
        params=entry.params,
        **searched,
    )


def _regret(
    entry: EntryRuns,
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
        for r, s in zip(entry.runs, scores, strict=True)
    ]
    return _mean(all_of(regrets))


def _ri(
    final_scores: list[float] | None, sampling: SamplingRecord | None
) -> tuple[float | None, Interval | None, float | None]:
    """RI, its interval, and RI as the paper computes it; None where the score has no ratio scale."""
    if final_scores is None or sampling is None or not sampling.score.ratio_scale:
        return None, None, None
    higher = sampling.score.higher_is_better
    ri = relative_improvement(final_scores, sampling.mean, higher_is_better=higher)
    if sampling.exact:
        interval = ri_interval(final_scores, sampling.mean, higher_is_better=higher)
    else:
        drawn = sample_with(sampling.mean, sampling.std, sampling.n)
        interval = ri_interval_estimated(final_scores, drawn, higher_is_better=higher)
    paper = ri_paper(final_scores, sampling.draws, higher_is_better=higher) if sampling.draws else None
    return ri, interval, paper


def _mean(values: Sequence[float] | None) -> float | None:
    return float(np.mean(values)) if values else None


def _known_mean(values: Iterable[float | None]) -> float | None:
    """Mean of the values that exist."""
    return _mean([v for v in values if v is not None])
