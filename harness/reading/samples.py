"""The scores of an entry as its tests see them: oriented so that higher is better, failed runs at the worst known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from typing import Literal

from harness.protocol import Score
from harness.reading.matched import Answer, Floats, all_of, answers_of, beside
from harness.reading.study import EntryRuns, SettingRuns
from harness.records.identity import stream
from harness.statistics.coverage import LEAST_COVERAGE, is_tied, student_coverage
from harness.statistics.verdicts import Comparison, compare, worst_case

OWN_COST = "at its own cost"
WHOLE_BUDGET = "at the whole budget"


class EntrySamples:
    """One entry's samples in a setting, and what is computed of them."""

    def __init__(self, runs: EntryRuns, setting: SettingRuns) -> None:
        self.runs, self.setting, self.score, self.sampling = runs, setting, setting.score, setting.sampling
        self.scores = [r.score for r in runs.runs]
        self.references = setting.references_of(runs.entry)
        self.reference = setting.reference_of(runs.entry)
        s = self.sampling
        self.final_scores = shown(self.scores, s.mean if s else None)
        self.valids = shown_valids(answers_of(runs), s.valid_mean if s else None)

    @cached_property
    def searched(self) -> list[Answer] | None:
        """What the reference would have reported at each run's own cost; None where that is not known."""
        return None if self.reference is None else self._beside(self.reference)

    def _beside(self, reference: EntryRuns) -> list[Answer] | None:
        return beside(reference, self.runs, self.setting.setting.budget)

    @cached_property
    def readings(self) -> dict[str, list[Answer]] | None:
        """Both readings of every reference, which an entry must beat to be better; None where one is not known."""
        found: dict[str, list[Answer]] = {}
        for reference in self.references:
            read = self.searched if reference is self.reference else self._beside(reference)
            if read is None:
                return None
            name = reference.entry.label
            found |= {f"{name}, {OWN_COST}": read, f"{name}, {WHOLE_BUDGET}": answers_of(reference)}
        return found or None

    @cached_property
    def vs_sampling(self) -> Comparison | None:
        """The test against random sampling's draws, with as large a share of failed ones as among all draws."""
        s = self.sampling
        if self.score is None or s is None or not s.draws:
            return None
        failed = round(s.failed * len(s.draws) / s.n)  # of more than 1,000 draws the first 1,000 scores are stored
        draws = self.oriented([*s.draws, *[None] * failed])
        return compare(self.oriented(self.scores), {"random sampling": draws})

    @cached_property
    def vs_search(self) -> Comparison | None:
        """The test against every reading; None also where it is not known whether higher is better."""
        if self.score is None or self.readings is None or self.setting.worst is None:
            return None
        ours = self.oriented(self.scores)
        return compare(ours, {name: self.oriented([a.score for a in read]) for name, read in self.readings.items()})

    def oriented(self, scores: Sequence[float | None]) -> Floats:
        """Failed runs at the worst score known."""
        return _worst_case(scores, self.score, self.setting.worst)

    @cached_property
    def valid_vs_search(self) -> Comparison | None:
        """The same with validation scores; None also where a reported architecture has none."""
        if self.sampling is None or self.readings is None or self.setting.worst_valid is None:
            return None
        ours = answers_of(self.runs)
        if any(a.valid is None for answers in (ours, *self.readings.values()) for a in answers if a.score is not None):
            return None
        score, worst = self.sampling.search_score, self.setting.worst_valid
        return compare(
            _worst_case([None if a.score is None else a.valid for a in ours], score, worst),
            {name: _worst_case([a.valid for a in read], score, worst) for name, read in self.readings.items()},
        )

    def worst_case_mean(self) -> float | None:
        """Mean final score with failed runs at the worst score known."""
        if self.score is None or self.setting.worst is None:
            return None
        return self.score.sign * float(self.oriented(self.scores).mean())

    def interval(self) -> Literal["covers", "tied", "tails"]:
        """Whether the interval is marked. Failed runs end at no score, so failures alone are no tie."""
        known = [score for score in self.scores if score is not None]
        if known and is_tied(known):
            return "tied"
        return "tails" if self.coverage is not None and self.coverage < LEAST_COVERAGE else "covers"

    @cached_property
    def coverage(self) -> float | None:
        """Of 95 % intervals of as many runs, drawn from the reference's."""
        final_scores = [] if self.reference is None else [r.score for r in self.reference.runs if r.score is not None]
        if self.reference is None or not final_scores:
            return None
        return _coverage(tuple(final_scores), len(self.runs.runs), self.setting.study_seed, self.setting.title)


@lru_cache
def _coverage(final_scores: tuple[float, ...], n: int, study_seed: int, title: str) -> float | None:
    """Entries of one setting share it."""
    return student_coverage(final_scores, n, rng=stream(study_seed, "coverage of intervals", title, n))


def shown(scores: Iterable[float | None], sampling: float | None) -> list[float] | None:
    """Scores as means use them: a run without a score gets random sampling's mean. None where that is not known."""
    return all_of(sampling if score is None else score for score in scores)


def shown_valids(answers: Sequence[Answer], sampling: float | None) -> list[float] | None:
    """The same of validation scores. None also where an answer has a final score and no known validation score."""
    if any(a.valid is None and a.score is not None for a in answers):
        return None
    return shown([None if a.score is None else a.valid for a in answers], sampling)


def _worst_case(scores: Sequence[float | None], score: Score | None, worst: float | None) -> Floats:
    """Oriented so that higher is better, failed runs at the worst score known."""
    assert score is not None
    oriented = [None if value is None else score.sign * value for value in scores]
    return worst_case(oriented, [] if worst is None else [worst])
