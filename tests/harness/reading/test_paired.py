"""Differences of two entries over common search seeds."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy import stats
from written_records import entry, write_study

from harness.errors import HarnessError, UnknownName
from harness.reading.results import read_results


def test_differences_are_of_common_seeds(tmp_path: Path) -> None:
    ours, theirs = [81.0, 83.0, None, 82.0, 90.0], [80.0, 81.0, 79.0, 83.0]
    results = read_results(write_study(tmp_path / "s", [*entry("alpha", ours), *entry("beta", theirs)]))
    (line,) = results.paired("alpha", "beta").to_dict("records")
    differences = [1.0, 2.0, -1.0]
    assert (line["n"], line["mean"]) == (3, pytest.approx(2 / 3))
    found = stats.ttest_1samp(differences, 0.0).confidence_interval()
    assert (line["low"], line["high"]) == (pytest.approx(found.low), pytest.approx(found.high))
    assert results.paired("beta", "alpha")["mean"][0] == pytest.approx(-2 / 3)


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    runs = [*entry("alpha", [81.0, 82.0]), *entry("beta", [80.0, 81.0], task="toy/b")]
    results = read_results(write_study(tmp_path / "s", runs))
    with pytest.raises(UnknownName, match="unknown entry 'gamma'"):
        results.paired("alpha", "gamma")
    with pytest.raises(UnknownName, match="did you mean 'score'"):
        results.paired("alpha", "beta", "scores")
    with pytest.raises(HarnessError, match="share no search seed"):
        results.paired("alpha", "beta")
