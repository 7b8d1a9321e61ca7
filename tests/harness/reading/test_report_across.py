"""Ranks, probability of improvement and performance profiles over the settings of hand-written studies."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from written_records import ERROR, MATCHED, TEST_ORACLE, entry, plan_of, reference, sampling, study, write_study

from harness.reading.blocks import blocks_of
from harness.reading.report.section import Choice, Source
from harness.reading.report.sections import SECTIONS, write_report
from harness.reading.report.sections.improvement import improvements_of
from harness.reading.report.sections.ladder import ladders_of
from harness.reading.report.sections.profiles import profiles_of
from harness.reading.report.sections.ranks import SECTION as RANKS
from harness.reading.report.sections.ranks import ranks_of
from harness.reading.study import read_study
from harness.records.runs import Run
from harness.registry import Registry
from harness.search.budget import Budget

TASKS = [f"toy/{k}" for k in "abcdef"]


def over_tasks(tasks: list[str] = TASKS, **scores: list[float | None]) -> list[Run]:
    """Entries with the same scores on every task, beside a reference at 60, 62, ..."""
    return [
        r for task in tasks for made in (
            *(entry(label, of_entry, task=task) for label, of_entry in scores.items()),
            reference([60.0, 62.0, 64.0, 66.0], task=task),
        ) for r in made
    ]  # fmt: skip


def source(runs: list[Run], samplings: Any = None, **choice: Any) -> Source:
    return Source(study(runs, samplings), Choice(**choice))


def test_ranks_are_of_means_with_failures_at_the_worst_and_lower_may_be_better() -> None:
    runs = over_tasks(high=[90.0, 90.0], low=[50.0, 52.0], failing=[95.0, None])
    (found,) = ranks_of(source(runs))
    assert [(e.label, e.mean_rank) for e in found.entries] == [
        ("high", 1.0), (MATCHED, 2.0), ("failing", 3.0), ("low", 4.0)  # (95 + 20) / 2 = 57.5
    ]  # fmt: skip
    assert found.entries[1].role == "reference"
    # All rank alike everywhere: 12 n / (k (k + 1)) * sum of squared distances from 2.5, n = 6, k = 4
    assert found.friedman_statistic == pytest.approx(12 * 6 / 20 * (2.25 + 0.25 + 0.25 + 2.25))
    assert found.entries[0].ranks == [1.0] * 6
    assert [(e.rank_low, e.rank_high) for e in found.entries] == [(None, None)] * 4, "one rank on all six: no width"
    turned = ranks_of(source(runs, [sampling(t, score=ERROR, worst=99.0, best=1.0) for t in TASKS]))[0]
    assert [e.label for e in turned.entries] == ["low", MATCHED, "high", "failing"]


@pytest.mark.parametrize("modes", [("strict",), ("poster",), ("poster", "strict")])
def test_the_reference_stands_beside_entries_that_are_scored_alike_whatever_mode_it_is_called_after(
    modes: tuple[str, ...],
) -> None:
    runs = [
        r for task in TASKS for r in (
            *entry("high", [90.0, 92.0], task=task), *entry("high", [91.0, 93.0], task=task, mode="poster"),
            *(r for i, mode in enumerate(modes) for r in reference([60.0, 62.0, 64.0][: 3 - i], task=task, mode=mode)),
        )
    ]  # fmt: skip
    for mode in ("strict", "poster"):
        (blocks,) = blocks_of(study(runs), mode=mode)
        assert [(c.name, c.role, len(c.scores)) for c in blocks.competitors] == [
            ("high", "entry", 6),
            (MATCHED, "reference", 6),
        ]
        (reference_scores,) = (c.scores for c in blocks.competitors if c.role == "reference")
        assert [list(of_task) for of_task in reference_scores] == [[60.0, 62.0, 64.0]] * len(TASKS)


def test_another_study_seed_is_no_other_task(tmp_path: Path) -> None:
    """As of two machines, each with a study seed of its own, whose folders were joined."""
    runs, samplings, plans = [], [], []
    for seed in (0, 7):
        of_seed = [r for t in TASKS[:3] for r in entry("high", [90.0, 92.0], task=t, study_seed=seed)]
        of_seed += [r for t in TASKS[:3] for r in reference([60.0, 62.0], task=t, study_seed=seed)]
        made = [sampling(t, study_seed=seed) for t in TASKS[:3]]
        runs, samplings, plans = runs + of_seed, samplings + made, [*plans, plan_of(of_seed, made, seed=seed)]
    found = Source(read_study(write_study(tmp_path, runs, samplings, plans=plans)), Choice())
    assert [(len(r.titles), r.friedman_p) for r in ranks_of(found)] == [(3, None)] * 2
    assert [len(p.titles) for p in profiles_of(found)] == [3] * 4
    assert ladders_of(found) == []


@pytest.mark.parametrize("section", SECTIONS)
def test_a_setting_that_has_no_run_yet_is_no_obstacle(tmp_path: Path, toy: Registry, section: str) -> None:
    tasks, of_toys = ("toy/edges", "toy/nodes"), {"final": "single", "law": "encodings"}
    first, second = (entry("high", [90.0], task=t, **of_toys) + reference([60.0], task=t, **of_toys) for t in tasks)
    samplings = [sampling(t, **of_toys) for t in tasks]
    folder = write_study(tmp_path, second, samplings, plans=[plan_of(first + second, samplings)])
    file = io.StringIO()
    write_report(folder, Choice((section,)), Console(file=file), lambda: toy)
    assert file.getvalue()


def test_a_study_of_few_settings_has_no_test_and_what_is_not_everywhere_is_left_out() -> None:
    runs = [*over_tasks(TASKS[:2], high=[90.0]), *entry("once", [99.0], task="toy/a")]
    runs += entry("cheat", [99.0], task="toy/a", mode="paper", scoring=TEST_ORACLE)
    (found,) = ranks_of(source(runs))
    assert [e.label for e in found.entries] == ["high", MATCHED]
    assert found.left_out == ["once"]
    assert (found.friedman_p, found.entries[0].rank_low, found.entries[0].groups) == (None, None, "a")


def test_settings_that_share_their_searches_have_no_interval_and_no_test() -> None:
    """Six final protocols of one search: what it found by luck would count six times."""
    runs = [
        r for task in TASKS for made in (
            entry("ours", [70.0, 74.0], task=task, search_task="toy/a"),
            reference([60.0, 62.0, 72.0], task=task, search_task="toy/a"),
        ) for r in made
    ]  # fmt: skip
    found = source(runs, [sampling(t, search_task="toy/a") for t in TASKS])
    (ranks,) = ranks_of(found)
    assert (ranks.shared_searches, ranks.friedman_p, ranks.entries[0].rank_low) == (True, None, None)
    assert [(e.label, e.mean_rank, e.groups) for e in ranks.entries] == [("ours", 1.0, "a"), (MATCHED, 2.0, "a")]
    (improvement,) = improvements_of(found)
    assert (improvement.shared_searches, improvement.probability_low) == (True, None)
    assert improvement.probability == pytest.approx(5 / 6)
    for profile in profiles_of(found):
        assert (profile.mean_low, set(profile.share_low), set(profile.share_high)) == (None, {None}, {None})
    (table,) = RANKS.tables(found)
    assert table.notes == ("settings share their searches, whose luck counts several times: no interval, no test",)


def test_budgets_are_never_ranked_together() -> None:
    fifty = [r for task in TASKS[:2] for r in entry("high", [1.0], task=task, budget=Budget(queries=50))]
    found = ranks_of(source([*over_tasks(TASKS[:2], high=[90.0], low=[10.0]), *fifty]))
    assert [(r.budget, len(r.entries)) for r in found] == [(Budget(queries=100), 3)]


def test_the_probability_of_improvement_counts_pairs_of_runs_and_equal_ones_half() -> None:
    """61 and 64 against 60, 62, 64, 66: 1 + 0, and 2 + 1/2, of 8 pairs."""
    (found,) = improvements_of(source(over_tasks(TASKS[:3], ours=[61.0, 64.0])))
    assert (found.label, found.against, found.titles) == ("ours", MATCHED, TASKS[:3])
    assert found.probability == pytest.approx(3.5 / 8)
    assert found.probability_low is not None
    assert found.probability_high is not None
    assert found.probability_low < 3.5 / 8 < found.probability_high
    (certain,) = improvements_of(source(over_tasks(TASKS[:3], ours=[91.0, 94.0])))
    assert (certain.probability, certain.probability_low) == (1.0, None), "an interval without width says nothing"
    assert improvements_of(source(entry("alone", [1.0]))) == []


def test_profiles_are_of_scores_between_random_sampling_and_the_best_row() -> None:
    """Random sampling 50, best 95: 72.5 is one half, 95 is 1, 50 is 0, a failed run (20) is -2/3."""
    found = {p.label: p for p in profiles_of(source(over_tasks(TASKS[:2], ours=[72.5, 95.0, 50.0, None])))}
    ours = found["ours"]
    assert ours.mean == pytest.approx((0.5 + 1 + 0 - 30 / 45) / 4)
    share = dict(zip(ours.tau, ours.share, strict=True))
    assert (share[0.0], share[0.4], share[0.6], share[1.0]) == (0.5, 0.5, 0.25, 0.0)
    assert found[MATCHED].role == "reference"
    error = [sampling(t, score=ERROR, best=5.0, worst=99.0) for t in TASKS[:2]]
    (lower, _) = profiles_of(source(over_tasks(TASKS[:2], ours=[27.5]), error))
    assert lower.mean == pytest.approx(0.5)
    unknown = [sampling(t, best=None) for t in TASKS[:2]]
    assert profiles_of(source(over_tasks(TASKS[:2], ours=[27.5]), unknown)) == []


def test_the_tables_are_ordered_best_first(tmp_path: Path) -> None:
    folder = write_study(tmp_path, over_tasks(low=[50.0, 52.0], high=[90.0, 91.0]))
    text = io.StringIO()
    write_report(folder, Choice(sections=("ranks", "improvement", "profiles")), Console(file=text, width=100))
    blocks = [block.splitlines() for block in text.getvalue().split("\n\n")]
    assert [block[0] for block in blocks] == [
        "average ranks over 6 settings, 100 queries",
        f"probability of improvement on {MATCHED} over 6 settings, 100 queries",
        "normalised scores over 6 settings, 100 queries",
    ]
    names = [[line.split()[0] for line in block if line.split()[0] in ("high", "low", MATCHED)] for block in blocks]
    assert names == [["high", MATCHED, "low"], ["high", "low"], ["high", MATCHED, "low"]]
    assert blocks[0][3].split() == ["high", "1.00", "-", "a"]
