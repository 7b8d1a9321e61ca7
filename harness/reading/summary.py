"""The numbers of a report: for each setting random sampling, and a line for each entry and each reference.

Field names are the keys of ``nas-harness report --format json``; `docs/statistics.md` defines them. A number that does
not exist is None.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from harness.protocol import Score
from harness.records.specs import STRICT, Role, Setting
from harness.statistics.inference import Verdict


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """Random sampling: the average architecture of the space under the task's law. n: rows, or draws with a score."""

    mean: float | None = None
    std: float | None = None
    exact: bool | None = None
    n: int | None = None
    failed: int | None = None


class OfEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every structure about an entry or a reference."""

    label: str
    mode: str

    @property
    def name(self) -> str:
        """The label, with the mode where it is not strict."""
        return self.label if self.mode == STRICT else f"{self.label} ({self.mode})"


class InSetting(OfEntry, frozen=True, kw_only=True):
    """Base of every structure about one in a setting. title: a name that no other setting of the study has."""

    title: str
    setting: Setting


class Against(msgspec.Struct, frozen=True, kw_only=True):
    """An entry against a reference. Failed runs of both sides stand at the worst score known.

    p: two-sided; p_setting, p_study: after Holm over the setting's entries and this question, and over all entries,
    settings and questions of the study, each among entries of one mode. superiority: P(better) + P(equal) / 2.
    difference: of the means, positive is better. n: runs of the reference. verdict: by p_study.
    """

    p: float | None = None
    p_setting: float | None = None
    p_study: float | None = None
    superiority: float | None = None
    difference: float | None = None
    n: int | None = None
    verdict: Verdict = "not shown to be better"


class EntrySummary(OfEntry, frozen=True, kw_only=True):
    """An entry in a setting, or a reference at its whole budget. Scores in the task's unit; intervals at 95 %.

    Failed runs are among the n and score random sampling's mean; worst_case_mean: with them at the worst score known,
    as in every verdict. most_common, most_common_runs: the value at which most runs end. interval: whether its interval
    covers what it says; ``tied`` where too many runs end at one value, ``tails`` where the reference shows rare bad
    runs that so few runs do not see. interval_coverage: that of as many runs, drawn from the reference's. ri_paper:
    against as many sampled architectures as there are runs.

    search_mean: matched random search at each run's own cost; search_whole_mean: at the whole budget. vs_sampling,
    vs_search, valid_vs_search: the tests against random sampling's draws and against matched random search, where an
    entry must beat both readings. search_weakest: the reading with the weakest evidence. All are null for a reference.

    search_seconds_mean: training seconds that the searches paid; wall_seconds_mean: how long they took here. Costs are
    means over the runs whose cost is known.
    """

    strategy: str
    role: Role
    ablation: str | None
    n: int
    failed: int
    failed_runs: list[str]
    final_mean: float | None
    final_std: float | None
    final_best: float | None
    final_low: float | None
    final_high: float | None
    final_iqm: float | None
    worst_case_mean: float | None
    most_common: float | None
    most_common_runs: int | None
    interval: Literal["covers", "tied", "tails"] | None
    interval_coverage: float | None
    ri: float | None
    ri_low: float | None
    ri_high: float | None
    ri_paper: float | None
    valid_mean: float | None
    regret_mean: float | None
    valid_regret_mean: float | None
    rank_mean: float | None
    ktau: float | None
    ktau_valid: float | None
    ktau_eq13: float | None
    ktau_ctnas: float | None
    ktau_n: int | None
    search_mean: float | None = None
    search_whole_mean: float | None = None
    search_weakest: str | None = None
    search_valid_mean: float | None = None
    vs_sampling: Against | None = None
    vs_search: Against | None = None
    valid_vs_search: Against | None = None
    paid_queries_mean: float | None
    paid_epochs_mean: float | None
    total_queries_mean: float | None
    distinct_keys_mean: float | None
    search_seconds_mean: float | None
    wall_seconds_mean: float | None
    tuning_queries: int | None
    ended_by: dict[str, int]
    params: dict[str, Any]


class SettingSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A setting. title: a name that no other setting of the study has. split: what final scores are measured on.

    entries: the strict ones by mean final score, best first, then those of each other mode likewise. best_validated:
    mean final score of the ``tied`` rows with the best validation score; best: of the best row; worst: the
    worst score known, at which failed runs stand in verdicts. ktau_of_validation: tau-b of validation and final scores
    over all rows.
    """

    title: str
    setting: Setting
    score: Score | None
    split: str | None
    random_sampling: Sampling
    best_validated: float | None
    tied: int | None
    best: float | None
    worst: float | None
    ktau_of_validation: float | None
    entries: list[EntrySummary]
    references: list[EntrySummary]
