"""The ladder of final protocols: what the protocol moves beside what the search moves."""

from __future__ import annotations

from typing import Any

import pytest
from scipy import stats
from written_records import entry, reference, sampling, study

from harness.reading.report.section import Choice, Source
from harness.reading.report.sections.ladder import SECTION, ladders_of
from harness.records.runs import Run

BASE, LONG = [90.0, 91.0, 92.0, 89.0], [95.0, 95.0, 98.0, 92.0]


def rung(task: str, scores: list[float], **changes: Any) -> Any:
    """Random sampling of a task that trains, four draws."""
    mean = sum(scores) / 4
    std = float(stats.tstd(scores))
    return sampling(
        task, search_task="t/base", final_seed=0, final="trained", exact=False, n=4, draws=scores, mean=mean, std=std,
        best=max(scores), **changes,
    )  # fmt: skip


def searched(task: str, **scores: list[float | None]) -> list[Run]:
    options: dict[str, Any] = {"task": task, "search_task": "t/base", "final": "trained", "final_seed": 0}
    found = [r for label, of in scores.items() for r in entry(label, of, **options)]
    return found + reference([90.0, 91.0], **options)


def source(samplings: list[Any], **choice: Any) -> Source:
    runs = searched("t/base", one=[91.0, 92.0], two=[90.0, 90.0]) + searched(
        "t/long", one=[95.0, None], two=[96.0, 97.0]
    )
    return Source(study(runs, samplings), Choice(**choice))


def test_protocols_are_compared_in_pairs_of_one_architecture() -> None:
    ((base, long),) = ladders_of(source([rung("t/base", BASE), rung("t/long", LONG)]))
    assert (base.moves, base.paired, base.mean, base.best, base.n) == (None, False, 90.5, 92.0, 4)
    assert base.standard_error == pytest.approx(stats.sem(BASE))
    test = stats.ttest_rel(LONG, BASE)
    ends = test.confidence_interval(0.95)
    assert (long.moves, long.paired) == (4.5, True)
    assert (long.moves_low, long.moves_high) == pytest.approx((ends.low, ends.high))


def test_the_order_of_the_same_architectures_on_two_rungs() -> None:
    """Figures 8 and 9. Ranks 3, 2, 1, 4 become 2, 2, 1, 4: one of four shifts, by one."""
    found = source([rung("t/base", BASE), rung("t/long", LONG)])
    ((base, long),) = ladders_of(found)
    assert base.ktau is None
    assert long.ktau == pytest.approx(stats.kendalltau(BASE, LONG).statistic)
    assert long.shifts is not None
    assert (long.shifts.mean, long.shifts.high, long.shifts.n) == (0.25, 1.0, 4)
    (table,) = SECTION.tables(found)
    assert [c.header for c in table.columns][6:8] == ["tau-b", "rank shift"]
    assert table.rows[1].cells[6:8] == ("0.91", "0 (1)")
    ((_, failed),) = ladders_of(source([rung("t/base", BASE), rung("t/long", LONG, failed=1)]))
    assert (failed.ktau, failed.shifts) == (None, None)


def test_the_search_is_the_best_entry_less_random_sampling() -> None:
    ((base, long),) = ladders_of(source([rung("t/base", BASE), rung("t/long", LONG)]))
    assert (base.search, base.search_moves, base.entries) == ("one", 1.0, 2)
    assert (long.search, long.search_moves) == ("two", 1.5)
    ends = stats.ttest_ind([96.0, 97.0], LONG, equal_var=False).confidence_interval(0.95)
    assert (long.search_low, long.search_high) == pytest.approx((ends.low, ends.high))
    (table,) = SECTION.tables(source([rung("t/base", BASE), rung("t/long", LONG)]))
    (said,) = table.notes
    assert said.startswith(
        "from t/base to t/long the mean moves by 4.50 points; the best entry of a rung moves it by 1.50 points at most"
    )
    assert [row.cells[0] for row in table.rows] == ["t/base", "t/long"]
    assert table.rows[1].cells[-1] == "two (of 2)"


def test_a_draw_that_failed_leaves_no_pairs() -> None:
    ((_, long),) = ladders_of(source([rung("t/base", BASE), rung("t/long", LONG, failed=1)]))
    assert (long.paired, long.failed, long.moves) == (False, 1, 4.5)
    ends = stats.ttest_ind(LONG, BASE, equal_var=False).confidence_interval(0.95)
    assert (long.moves_low, long.moves_high) == pytest.approx((ends.low, ends.high))


def test_without_shared_searches_there_is_no_ladder() -> None:
    found = Source(study(entry("one", [80.0, 81.0]) + entry("one", [70.0, 72.0], task="toy/b")))
    assert ladders_of(found) == []
    (table,) = SECTION.tables(found)
    assert "no two settings share their searches" in table.title
    assert ladders_of(source([rung("t/base", BASE), rung("t/long", LONG)], tasks=("t/long",))) == []


def test_intervals_are_of_all_draws_where_the_record_holds_some() -> None:
    """Of a surrogate random sampling draws 10,000; the record holds 1,000 of them, with another mean."""
    kept, every = LONG[:3], [*LONG, 99.0, 93.0, 97.0]
    some = {"draws": kept, "n": 7, "mean": sum(every) / 7, "std": float(stats.tstd(every)), "best": 99.0}
    ((_, long),) = ladders_of(source([rung("t/base", BASE), sampling(
        "t/long", search_task="t/base", final_seed=0, final="trained", exact=False, **some,
    )]))  # fmt: skip
    ends = stats.ttest_ind(every, BASE, equal_var=False).confidence_interval(0.95)
    assert (long.moves_low, long.moves_high) == pytest.approx((ends.low, ends.high))
    ends = stats.ttest_ind([96.0, 97.0], every, equal_var=False).confidence_interval(0.95)
    assert (long.search_low, long.search_high) == pytest.approx((ends.low, ends.high))
