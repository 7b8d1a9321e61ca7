"""From the runs of a task to its summary: every number of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.reading.analysis.matched import matched_scores
from harness.reading.analysis.results import STRICT, Runs, TaskRuns
from harness.reading.analysis.summary import ReferenceSummary, RowSummary, Sampling, Score, TaskSummary
from harness.records.store import Baseline, Record
from harness.statistics.inference import (
    Interval,
    MannWhitney,
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


def summarise_task(runs: TaskRuns) -> TaskSummary:
    """Every row of the task, tested within its mode and ordered by final mean."""
    baseline = runs.baseline
    modes = sorted({row.mode for row in runs.rows}, key=lambda mode: (mode != STRICT, mode))
    rows: list[RowSummary] = []
    for mode in modes:
        rows += _block([row for row in runs.rows if row.mode == mode], runs)
    return TaskSummary(
        task=runs.task,
        search_task=runs.search_task,
        law=runs.law,
        budget=msgspec.to_builtins(runs.budget),
        constraints=list(runs.constraints),
        score=_score(runs),
        random_sampling=Sampling(
            mean=baseline.mean if baseline else None,
            std=baseline.std if baseline else None,
            exact=baseline.exact if baseline else None,
            n=baseline.n if baseline else None,
        ),
        ceiling=baseline.ceiling if baseline else None,
        best=baseline.best if baseline else None,
        ktau_valid=baseline.ktau_valid if baseline else None,
        rows=rows,
        references=[_reference(r, baseline) for r in runs.references],
    )


def final_scores(runs: Runs, baseline: Baseline | None) -> list[float] | None:
    """Final score of each run; one that failed scores random sampling's mean. None where that is not known."""
    return _scores(runs.records, lambda r: r.final.score, baseline.mean if baseline else None)


def valid_scores(runs: Runs, baseline: Baseline | None) -> list[float] | None:
    """Validation score of each reported architecture; a failed run's is random sampling's mean validation score."""
    return _scores(runs.records, lambda r: r.final.valid, baseline.valid_mean if baseline else None)


def _scores(
    records: Sequence[Record], of: Callable[[Record], float | None], sampling: float | None
) -> list[float] | None:
    found: list[float] = []
    for r in records:
        value = sampling if r.final.score is None else of(r)
        if value is None:
            return None
        found.append(value)
    return found


def _block(rows: Sequence[Runs], task: TaskRuns) -> list[RowSummary]:
    """The rows of one mode: one family of Holm's for each question, ordered best first; without a score last."""
    worked = [_Row(row, task) for row in rows]
    sampling = holm([w.p(w.vs_sampling) for w in worked])
    search = holm([w.p(w.vs_search) for w in worked])
    valid = holm([w.p(w.valid_vs_search) for w in worked])
    summaries = [w.summary(*adjusted) for w, *adjusted in zip(worked, sampling, search, valid, strict=True)]
    sign = _sign(task.baseline)
    return sorted(summaries, key=lambda s: (s.final_mean is None, -sign * (s.final_mean or 0.0)))


class _Row:
    """One row's samples, and what is computed of them."""

    def __init__(self, runs: Runs, task: TaskRuns) -> None:
        self.runs, self.task, self.baseline = runs, task, task.baseline
        self.finals = final_scores(runs, task.baseline)
        self.valids = valid_scores(runs, task.baseline)
        self.searched, self.searched_valid = matched_scores(runs, task.reference_of(runs), task.budget)
        self.vs_sampling = _test(self.finals, task.baseline.draws if task.baseline else None)
        self.vs_search = _test(self.finals, self.searched)
        self.valid_vs_search = _test(self.valids, self.searched_valid)

    @staticmethod
    def p(test: MannWhitney | None) -> float | None:
        return None if test is None else test.p

    def verdict(self, adjusted: float | None, test: MannWhitney | None, other: float | None) -> Any:
        if test is None or self.finals is None or other is None:
            return verdict(None, 0.0)
        sign = _sign(self.baseline)
        superiority = test.superiority if sign > 0 else 1.0 - test.superiority
        return verdict(adjusted, sign * (float(np.mean(self.finals)) - other), superiority)

    def summary(self, p_sampling: float | None, p_search: float | None, p_valid: float | None) -> RowSummary:
        runs, baseline, records = self.runs, self.baseline, self.runs.records
        counted = runs.counted
        interval = t_interval(self.finals) if self.finals else None
        ri, ri_interval_, paper = _ri(self.finals, baseline)
        search_mean = _mean(self.searched)
        return RowSummary(
            strategy=runs.strategy,
            label=runs.label,
            mode=runs.mode,
            ablation=runs.ablation,
            n=len(records),
            failed=len(runs.failed),
            failed_runs=[f"seed {r.seeds.search}: {r.status}: {r.error or 'no final score'}" for r in runs.failed],
            final_mean=_mean(self.finals),
            final_std=std(self.finals) if self.finals else None,
            final_best=_best(records, baseline),
            final_low=interval.low if interval else None,
            final_high=interval.high if interval else None,
            final_iqm=iqm(self.finals) if self.finals else None,
            ri=ri,
            ri_low=ri_interval_.low if ri_interval_ else None,
            ri_high=ri_interval_.high if ri_interval_ else None,
            ri_paper=paper,
            valid_mean=_mean(self.valids),
            regret_mean=_regret(self.finals, baseline.best if baseline else None, records, lambda r: r.final.regret),
            valid_regret_mean=_regret(
                self.valids, baseline.best_valid if baseline else None, records, lambda r: r.final.valid_regret
            ),
            rank_mean=_mean(_all(r.final.rank for r in records)),
            ktau=_known_mean([r.ktau.test if r.ktau else None for r in records]),
            ktau_valid=_known_mean([r.ktau.valid if r.ktau else None for r in records]),
            ktau_eq13=_known_mean([r.ktau.eq13 if r.ktau else None for r in records]),
            ktau_ctnas=_known_mean([r.ktau.ctnas if r.ktau else None for r in records]),
            ktau_n=min((r.ktau.n for r in records if r.ktau), default=None),
            search_mean=search_mean,
            search_valid_mean=_mean(self.searched_valid),
            p_vs_sampling=p_sampling,
            p_vs_search=p_search,
            p_valid_vs_search=p_valid,
            p_vs_sampling_raw=self.p(self.vs_sampling),
            p_vs_search_raw=self.p(self.vs_search),
            p_valid_vs_search_raw=self.p(self.valid_vs_search),
            verdict_vs_sampling=self.verdict(p_sampling, self.vs_sampling, baseline.mean if baseline else None),
            verdict_vs_search=self.verdict(p_search, self.vs_search, search_mean),
            paid_queries_mean=_mean([r.paid.queries for r in counted]),
            paid_epochs_mean=_mean(_all(r.paid.epochs for r in counted)),
            total_queries_mean=_mean([r.asked.total for r in counted]),
            distinct_keys_mean=_mean([r.asked.keys for r in counted]),
            search_seconds_mean=_mean(_all(r.paid.seconds for r in counted)),
            wall_seconds_mean=_known_mean([r.timing.get("search_seconds") for r in records]),
            tuning_queries=records[0].tuning_queries,
            ended_by=dict(sorted(Counter(r.ended_by for r in records).items())),
            params=records[0].params,
        )


def _reference(runs: Runs, baseline: Baseline | None) -> ReferenceSummary:
    finals, valids = final_scores(runs, baseline), valid_scores(runs, baseline)
    interval = t_interval(finals) if finals else None
    return ReferenceSummary(
        strategy=runs.label,
        mode=runs.mode,
        n=len(runs.records),
        failed=len(runs.failed),
        final_mean=_mean(finals),
        final_std=std(finals) if finals else None,
        final_low=interval.low if interval else None,
        final_high=interval.high if interval else None,
        valid_mean=_mean(valids),
        paid_queries_mean=_mean([r.paid.queries for r in runs.counted]),
    )


def _score(runs: TaskRuns) -> Score:
    about = runs.baseline.score if runs.baseline else {}
    return Score(
        name=about.get("name"),
        unit=about.get("unit"),
        split=runs.split,
        final=runs.final,
        higher_is_better=about.get("higher_is_better"),
        ratio_scale=about.get("ratio_scale"),
    )


def _ri(finals: list[float] | None, baseline: Baseline | None) -> tuple[float | None, Interval | None, float | None]:
    """RI, its interval, and RI as the paper computes it; None where the score is no ratio scale."""
    if finals is None or baseline is None or not baseline.score.get("ratio_scale", False):
        return None, None, None
    higher = _sign(baseline) > 0
    ri = relative_improvement(finals, baseline.mean, higher_is_better=higher)
    if baseline.exact:
        interval = ri_interval(finals, baseline.mean, higher_is_better=higher)
    else:
        drawn = _sample_with(baseline.mean, baseline.std, baseline.n)
        interval = ri_interval_estimated(finals, drawn, higher_is_better=higher)
    paper = ri_paper(finals, baseline.draws, higher_is_better=higher) if baseline.draws else None
    return ri, interval, paper


def _sample_with(mean: float, deviation: float, n: int) -> NDArray[np.float64]:
    """n values with exactly this mean and standard deviation (ddof 1): all that an interval of means depends on.

    A baseline keeps its mean and deviation over all draws, but only the first 1,000 draws.
    """
    sample = np.full(n, mean)
    pairs = n // 2
    half = deviation * np.sqrt((n - 1) / (2 * pairs)) if pairs else 0.0
    sample[:pairs] += half
    sample[pairs : 2 * pairs] -= half
    return sample


def _test(scores: list[float] | None, other: Sequence[float] | None) -> MannWhitney | None:
    return mann_whitney(scores, other) if scores and other else None


def _sign(baseline: Baseline | None) -> float:
    return 1.0 if baseline is None or baseline.score.get("higher_is_better", True) else -1.0


def _best(records: Sequence[Record], baseline: Baseline | None) -> float | None:
    known = [r.final.score for r in records if r.final.score is not None]
    if not known:
        return None
    return max(known) if _sign(baseline) > 0 else min(known)


def _regret(
    scores: list[float] | None,
    best: float | None,
    records: Sequence[Record],
    of: Callable[[Record], float | None],
) -> float | None:
    """Mean regret; a failed run's is that of random sampling's mean."""
    if scores is None or (best is None and any(r.final.score is None for r in records)):
        return None
    regrets = [abs((best or 0.0) - s) if r.final.score is None else of(r) for r, s in zip(records, scores, strict=True)]
    return _mean(_all(regrets))


def _all(values: Any) -> list[float] | None:
    """The values, or None where one of them does not exist."""
    found = list(values)
    return None if any(v is None for v in found) else found


def _mean(values: Sequence[float] | None) -> float | None:
    return float(np.mean(values)) if values else None


def _known_mean(values: Sequence[float | None]) -> float | None:
    """Mean of the values that exist."""
    return _mean([v for v in values if v is not None])
