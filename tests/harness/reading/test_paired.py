"""Differences of two entries over common search seeds."""

from __future__ import annotations

import re
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


def test_modes_are_not_mixed(tmp_path: Path) -> None:
    """A label that two modes share names neither; one that strict mode has too is that mode's, as in reports."""
    runs = [
        *entry("alpha", [81.0, 82.0], mode="paper"),
        *entry("alpha", [71.0, 73.0], mode="poster", params={"size": 2}),
    ]
    runs += [*entry("beta", [80.0, 80.0], mode="paper"), *entry("gamma", [80.0, 80.0])]
    runs += entry("gamma", [60.0, 60.0], mode="paper", params={"size": 2})
    results = read_results(write_study(tmp_path / "s", runs))
    with pytest.raises(HarnessError, match=re.escape("'alpha' stands for 'alpha (paper)' and 'alpha (poster)'")):
        results.paired("alpha", "beta")
    assert results.paired("alpha (paper)", "beta")["mean"].tolist() == [1.5]
    assert results.paired("alpha (poster)", "alpha (paper)")["mean"].tolist() == [-9.5]
    assert results.paired("gamma", "gamma (paper)")["mean"].tolist() == [20.0]
