"""Power: the seeds that the section names are those of a simulation by scipy, and what it cannot know it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
from written_records import DRAWS, entry, reference, study

from harness.errors import HarnessError
from harness.reading.report.section import Choice, Source
from harness.reading.report.sections import check_choice
from harness.reading.report.sections.power import SECTION, power_of

RUNS = np.random.default_rng(5).normal(70, 2, 30).round(2).tolist()


def source(**choice: Any) -> Source:
    return Source(study([*entry("alpha", [80.0 + s for s in range(8)]), *reference(RUNS)]), Choice(**choice))


def test_the_seeds_named_find_the_difference_and_half_of_them_do_not() -> None:
    (found,) = power_of(source(detect=(4.0,)))
    # 4 percent of random sampling's mean, 50; one strict entry on one setting, two questions.
    assert (found.difference, found.hypotheses, found.n) == (2.0, 2, 30)
    assert found.spread == pytest.approx(np.std(RUNS, ddof=1))
    assert found.vs_search is not None
    rng = np.random.default_rng(0)

    def power(n: int) -> float:
        tests = []
        for _ in range(300):
            ours, theirs = rng.choice(RUNS, n) + 2.0, rng.choice(RUNS, 30)
            mw = scipy.stats.mannwhitneyu(ours, theirs).pvalue
            tests.append(max(mw, scipy.stats.brunnermunzel(ours, theirs).pvalue) < 0.025)
        return float(np.mean(tests))

    assert power(found.vs_search) > 0.65
    assert power(found.vs_search // 2) < 0.8


def test_the_tables_say_how_to_read_them_once() -> None:
    runs = [
        r for task in ("toy/a", "toy/b")
        for r in (*entry("alpha", [80.0 + s for s in range(8)], task=task), *reference(RUNS, task=task))
    ]  # fmt: skip
    first, second, last = SECTION.tables(Source(study(runs)))
    assert [t.legend for t in (first, second)] == ["", ""]
    assert first.notes == ("random search: standard deviation 1.77 over 30 runs of 100 queries",)
    assert "As the first of 4 hypotheses" in last.legend


def test_an_ri_is_found_against_random_sampling_with_the_spread_of_random_search() -> None:
    small, large = power_of(source(detect=(10.0, 30.0)))
    assert large.vs_sampling is not None
    assert small.vs_sampling is None or small.vs_sampling > large.vs_sampling
    assert np.mean(DRAWS) == 50


def test_the_difference_is_to_the_best_law_and_every_law_is_to_be_beaten() -> None:
    """As the verdict has it: the reference by another law, one standard deviation better, is the one that counts."""
    other = entry("matched-random-search by classes", [score + 2 for score in RUNS], role="reference")
    runs = [*entry("alpha", [80.0 + s for s in range(8)]), *reference(RUNS), *other]
    (both,) = power_of(Source(study(runs), Choice(detect=(4.0,))))
    (one,) = power_of(source(detect=(4.0,)))
    assert both.vs_search is not None
    assert one.vs_search is not None
    assert both.vs_search == pytest.approx(one.vs_search, rel=0.4), "2 above the better one takes what 2 above one does"
    assert both.spread == pytest.approx(one.spread)
    wide = entry("matched-random-search by classes", [3 * score - 138 for score in RUNS], role="reference")
    (wider,) = power_of(Source(study([*runs[:-30], *wide]), Choice(detect=(4.0,))))
    assert wider.spread == pytest.approx(3 * one.spread), "the better law's, not the first one's"
    assert wider.vs_search is None or wider.vs_search > 2 * one.vs_search


def test_without_a_spread_there_is_nothing_to_say() -> None:
    flat = study([*entry("alpha", [80.0] * 8), *reference([70.0] * 8)])
    assert power_of(Source(flat)) == []


def test_differences_belong_to_power() -> None:
    with pytest.raises(HarnessError, match="--detect belongs to --section power"):
        check_choice(Choice(detect=(1.0,)))
