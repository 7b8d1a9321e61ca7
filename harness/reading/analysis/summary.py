"""What is reported of a study: for each task random sampling, the ceiling, and a row for each strategy.

Field names are the keys of ``nas-harness report --format json``. None is what does not exist.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Verdict = Literal["better", "worse", "not shown to be better"]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What the numbers of a task are. final: which final score (``mean``, ``repeat:777``, ``single``)."""

    name: str | None
    unit: str | None
    split: str
    final: str
    higher_is_better: bool | None
    ratio_scale: bool | None


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """Random sampling: the average architecture of the space under the task's law. n: rows or draws."""

    mean: float | None
    std: float | None
    exact: bool | None
    n: int | None


class RowSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy on a task. Scores in the task's unit; std with ddof 1; intervals at 95 %.

    Failed runs are among the n and score random sampling's mean. The p-values are Mann-Whitney's, two-sided, Holm's
    adjustment over the rows of the task of the same mode; ``_raw``: not adjusted. ``search_mean``: matched random
    search read off at each run's own cost. ``ri_paper``: against as many sampled architectures as there are runs.
    ``search_seconds_mean``: training seconds that the searches paid; ``wall_seconds_mean``: how long they took here.
    Costs are means over the runs whose ledger is known: not of those that were killed.
    """

    strategy: str
    label: str
    mode: str
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
    search_mean: float | None
    search_valid_mean: float | None
    p_vs_sampling: float | None
    p_vs_search: float | None
    p_valid_vs_search: float | None
    p_vs_sampling_raw: float | None
    p_vs_search_raw: float | None
    p_valid_vs_search_raw: float | None
    verdict_vs_sampling: Verdict
    verdict_vs_search: Verdict
    paid_queries_mean: float | None
    paid_epochs_mean: float | None
    total_queries_mean: float | None
    distinct_keys_mean: float | None
    search_seconds_mean: float | None
    wall_seconds_mean: float | None
    tuning_queries: int | None
    ended_by: dict[str, int]
    params: dict[str, Any]


class ReferenceSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Matched random search at its whole budget, under the settings of a mode."""

    strategy: str
    mode: str
    n: int
    failed: int
    final_mean: float | None
    final_std: float | None
    final_low: float | None
    final_high: float | None
    valid_mean: float | None
    paid_queries_mean: float | None


class TaskSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A task.

    rows: the strict ones by final mean, best first, then those of each other mode likewise. ceiling: final score of the
    best-validated architecture; best: of the best one; ktau_valid: tau-b of validation and final scores.
    """

    task: str
    search_task: str
    law: str
    budget: dict[str, float]
    constraints: list[str]
    score: Score
    random_sampling: Sampling
    ceiling: float | None
    best: float | None
    ktau_valid: float | None
    rows: list[RowSummary]
    references: list[ReferenceSummary]
